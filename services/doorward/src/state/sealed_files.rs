//! The secrets of the data folder, sealed under a passphrase.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use authn::BoxError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use config::Secret;
use crypto::{PASSPHRASE_SALT_LEN, SealingKey, key_of_passphrase};
use runtime::{Random, StagedFile, lock_folder};
use zeroize::Zeroizing;

use crate::secrets::{FILE, Secrets};

/// The files of the data folder that hold secrets, and the certificate that belongs to a key.
const FILES: [&str; 3] = [FILE, "edge.crt", "edge.key"];
/// Sealed for this, and for the name of the file.
const PURPOSE: &str = "doorward backup: ";

/// A file with a secret.
pub(crate) struct SecretFile {
    name: String,
    content: Zeroizing<Vec<u8>>,
}

impl SecretFile {
    /// Its name in the data folder.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// Files that are sealed.
pub(crate) struct SealedFiles {
    /// The salt of the passphrase's key, in base64.
    pub(crate) salt: String,
    /// By their names.
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

/// The files with secrets in a data folder.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn read(data: &Path) -> Result<Vec<SecretFile>, BoxError> {
    let mut found = Vec::new();
    for name in FILES {
        let path = data.join(name);
        match fs::read(&path) {
            Ok(content) => found.push(SecretFile { name: name.to_owned(), content: content.into() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{}: {error}", path.display()).into()),
        }
    }
    Ok(found)
}

/// Seals files under a passphrase.
pub(crate) fn seal(files: &[SecretFile], passphrase: &Secret, random: &Random) -> SealedFiles {
    let salt: [u8; PASSPHRASE_SALT_LEN] = random.bytes();
    let key = key(passphrase, &salt);
    let seal = |file: &SecretFile| (file.name.clone(), key.seal(random.bytes(), &purpose(&file.name), &file.content));
    SealedFiles { salt: STANDARD.encode(salt), files: files.iter().map(seal).collect() }
}

/// Opens sealed files.
///
/// # Errors
/// When the passphrase is another one, or a file was changed.
pub(crate) fn open(sealed: &SealedFiles, passphrase: &Secret) -> Result<Vec<SecretFile>, BoxError> {
    let salt = STANDARD.decode(&sealed.salt).ok().and_then(|salt| salt.try_into().ok());
    let salt: [u8; PASSPHRASE_SALT_LEN] = salt.ok_or("the backup is damaged: its salt cannot be read")?;
    let key = key(passphrase, &salt);
    let open = |(name, content): &(String, Vec<u8>)| -> Result<SecretFile, BoxError> {
        let name = FILES.into_iter().find(|known| known == name).ok_or("the backup has a secret of an unknown name")?;
        let content = key.open(&purpose(name), content);
        let content = content.ok_or("the secrets of the backup cannot be opened: the passphrase is another one")?;
        Ok(SecretFile { name: name.to_owned(), content: content.into() })
    };
    sealed.files.iter().map(open).collect()
}

/// Fails if a data folder has another secret in one of these files.
///
/// # Errors
/// Then, and when a file cannot be read.
pub(crate) fn check(data: &Path, files: &[SecretFile]) -> Result<(), BoxError> {
    let present = read(data)?;
    let differs = |file: &&SecretFile| present.iter().any(|one| one.name == file.name && *one.content != *file.content);
    match files.iter().filter(|file| file.name == FILE).find(differs) {
        Some(file) => Err(format!("{}: is another file than in the backup", data.join(&file.name).display()).into()),
        None => Ok(()),
    }
}

/// Files that are on disk in a data folder and have yet to take the place of those that are there. Dropped before, they are removed.
/// Until then no service makes secrets in the folder.
pub(crate) struct StagedSecrets<'a> {
    files: Vec<(PathBuf, &'a SecretFile, StagedFile)>,
    _lock: Option<File>,
}

/// Writes files into a data folder, for its owner only, next to those that they are to replace.
///
/// # Errors
/// When one cannot be written, or lacks a secret.
pub(crate) fn stage<'a>(data: &Path, files: &'a [SecretFile]) -> Result<StagedSecrets<'a>, BoxError> {
    let failed = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
    let lock = (!files.is_empty()).then(|| lock_folder(data)).transpose().map_err(|error| failed(data, error))?;
    let mut staged = Vec::new();
    for file in files {
        let path = data.join(&file.name);
        if file.name == FILE {
            // what lacks a secret is found before anything is changed, not at the next start
            let text = std::str::from_utf8(&file.content).map_err(|_| "the secrets of the backup are no text")?;
            Secrets::parse(text, &path).map_err(|error| format!("the secrets of the backup: {error}"))?;
        }
        let written = StagedFile::write(&path, &file.content).map_err(|error| failed(&path, error))?;
        staged.push((path, file, written));
    }
    Ok(StagedSecrets { files: staged, _lock: lock })
}

impl StagedSecrets<'_> {
    /// Puts each file in its place. One that is replaced by another content is kept under another name: without its secrets what was
    /// stored with it could not be used.
    ///
    /// # Errors
    /// When one cannot be renamed.
    pub(crate) fn replace(self) -> Result<(), BoxError> {
        for (path, file, staged) in self.files {
            let kept = keep_replaced(&path, &file.content);
            kept.and_then(|()| staged.replace()).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }
}

/// Gives a file of another content a name of its own, `NAME.replaced`, or with a number if there is one already.
fn keep_replaced(path: &Path, content: &[u8]) -> io::Result<()> {
    match fs::read(path) {
        Ok(present) if present != content => {}
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    for number in 1.. {
        let mut kept = path.to_owned();
        kept.as_mut_os_string().push(if number == 1 { ".replaced".to_owned() } else { format!(".replaced-{number}") });
        // unlike a rename it replaces nothing
        match fs::hard_link(path, kept) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            outcome => return outcome,
        }
    }
    Ok(())
}

/// Makes a data folder, for its owner only, if there is none.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn make_folder(data: &Path) -> Result<(), BoxError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.map_err(|error| format!("{}: {error}; OCIS_BASE_DATA_PATH names the folder", data.display()).into())
}

fn key(passphrase: &Secret, salt: &[u8; PASSPHRASE_SALT_LEN]) -> SealingKey {
    SealingKey::new(&key_of_passphrase(passphrase.expose().as_bytes(), salt), b"")
}

fn purpose(name: &str) -> Vec<u8> {
    [PURPOSE, name].concat().into_bytes()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// `docs/security-requirements.md#k2`
    #[test]
    fn sealed_files_open_with_their_passphrase_only() {
        let random = Random::seeded(1);
        let (from, to) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        Secrets::read_or_make(from.path(), &random).expect("makes secrets");
        fs::write(from.path().join("edge.key"), "a key").expect("writes");
        let passphrase = Secret::from("correct horse battery staple");
        let mut sealed = seal(&read(from.path()).expect("reads"), &passphrase, &random);
        let names: Vec<_> = sealed.files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["secrets", "edge.key"]);
        let text = fs::read(from.path().join("secrets")).expect("reads");
        assert!(
            sealed
                .files
                .iter()
                .all(|(_, sealed)| !sealed.windows(20).any(|part| text.windows(20).any(|one| one == part)))
        );

        let refused =
            open(&sealed, &Secret::from("correct horse battery stable")).map(drop).expect_err("is another one");
        assert!(refused.to_string().contains("passphrase"), "{refused}");
        let opened = open(&sealed, &passphrase).expect("opens");
        check(to.path(), &opened).expect("there is no other file");
        drop(stage(to.path(), &opened).expect("writes"));
        assert!(read(to.path()).expect("reads").is_empty(), "they are not in their place");
        let write = || stage(to.path(), &opened).expect("writes").replace().expect("replaces");
        write();
        assert_eq!(fs::read(to.path().join("secrets")).expect("reads"), text);
        let mode = fs::metadata(to.path().join("secrets")).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        check(to.path(), &opened).expect("it is the same");
        fs::write(to.path().join("secrets"), "another").expect("writes");
        check(to.path(), &opened).expect_err("it is another one");
        write();
        fs::write(to.path().join("secrets"), "a third").expect("writes");
        write();
        for (name, kept) in [("secrets.replaced", "another"), ("secrets.replaced-2", "a third")] {
            assert_eq!(fs::read_to_string(to.path().join(name)).expect("is kept"), kept);
        }
        assert_eq!(fs::read(to.path().join("secrets")).expect("reads"), text);

        let incomplete = [SecretFile { name: FILE.to_owned(), content: b"OCIS_JWT_SECRET=abc\n".to_vec().into() }];
        let refused = stage(to.path(), &incomplete).map(drop).expect_err("lacks secrets").to_string();
        assert!(refused.contains("OCIS_MACHINE_AUTH_API_KEY is missing") && !refused.contains("abc"), "{refused}");
        assert_eq!(fs::read(to.path().join("secrets")).expect("reads"), text);

        let (one, other) = (sealed.files[0].1.clone(), sealed.files[1].1.clone());
        sealed.files[0].1 = other;
        sealed.files[1].1 = one;
        open(&sealed, &passphrase).map(drop).expect_err("a file is sealed for its name");
        sealed.salt.pop();
        open(&sealed, &passphrase).map(drop).expect_err("the salt is damaged");
    }
}
