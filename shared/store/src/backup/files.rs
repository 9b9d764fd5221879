//! The files of a backup until it is complete.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::BackupError;

/// What becomes of files that have the name of a new backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// They stay, and there is no new backup.
    Kept,
    /// The new backup replaces them.
    Replaced,
}

/// How the name of a file ends that is not complete.
const PARTIAL: &str = ".partial";
/// What `SQLite` appends for the file by which it undoes changes.
const JOURNAL: &str = "-journal";
/// How a backup is called that is read from standard input.
const RECEIVED: &str = "standard-input";
/// How many hexadecimal digits tell such files apart.
const SUFFIX_LEN: usize = 32;

/// A file that exists only as long as this value, unless it is kept.
#[derive(Debug)]
pub(super) struct TemporaryFile(PathBuf);

impl TemporaryFile {
    /// Makes an empty file for its owner only.
    pub(super) fn create(path: PathBuf) -> Result<(Self, File), BackupError> {
        match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => Ok((Self(path), file)),
            Err(source) => Err(BackupError::File { path, source }),
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let mut journal = self.0.clone().into_os_string();
        journal.push(JOURNAL);
        for path in [self.0.as_path(), Path::new(&journal)] {
            if let Err(error) = remove(path) {
                tracing::warn!(%error, file = %path.display(), "a temporary file is not removed");
            }
        }
    }
}

/// A backup that is no file elsewhere, in a file that exists only as long as this value.
#[derive(Debug)]
pub struct ReceivedBackup(TemporaryFile);

impl ReceivedBackup {
    /// Reads it to its end into a folder, for its owner only. `suffix` (32 hexadecimal digits) tells the file apart from others; files that
    /// interrupted commands have left in the folder are removed.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn read(from: &mut impl Read, folder: &Path, suffix: &str) -> Result<Self, BackupError> {
        let path = folder.join(RECEIVED);
        clear(&path, Existing::Replaced)?;
        let (received, mut file) = TemporaryFile::create(temporary(&path, suffix))?;
        let copied = io::copy(from, &mut file);
        copied.map_err(|source| BackupError::File { path: received.path().to_owned(), source })?;
        Ok(Self(received))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// The name of a backup until it is complete.
pub(super) fn temporary(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{suffix}{PARTIAL}"));
    name.into()
}

/// The folder of a file.
pub(super) fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Files in the folder of a backup that are not complete: of backups that are being written, or were interrupted so that they could
/// remove nothing, as by a power failure. The second value is the name of the backup.
///
/// # Errors
/// When the folder cannot be read.
pub fn unfinished(path: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder(path))? {
        let entry = entry?;
        if let Some(name) = name_of_backup(&entry.file_name()) {
            found.push((entry.path(), name));
        }
    }
    found.sort();
    Ok(found)
}

/// That of the backup which has this file until it is complete.
fn name_of_backup(file: &OsStr) -> Option<String> {
    let file = file.to_string_lossy();
    let (name, suffix) = file.strip_suffix(JOURNAL).unwrap_or(&file).strip_suffix(PARTIAL)?.rsplit_once('.')?;
    let is_ours = suffix.len() == SUFFIX_LEN && suffix.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_ours.then(|| name.to_owned())
}

/// Removes what a backup of this name has left, or refuses it.
pub(super) fn clear(path: &Path, existing: Existing) -> Result<(), BackupError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let failed = |path: &Path, source| BackupError::File { path: path.to_owned(), source };
    for (file, _) in
        unfinished(path).map_err(|error| failed(folder(path), error))?.into_iter().filter(|(_, of)| *of == name)
    {
        match existing {
            Existing::Kept => return Err(BackupError::Unfinished(file)),
            Existing::Replaced => remove(&file).map_err(|error| failed(&file, error))?,
        }
    }
    Ok(())
}

/// Gives a complete file its name. `link` gives a file one more name, which no file has.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if a file has the name and is kept.
pub(super) fn publish(
    from: &Path,
    to: &Path,
    existing: Existing,
    link: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    if existing == Existing::Replaced {
        return fs::rename(from, to);
    }
    match link(from, to) {
        // the file system has no links: an empty file takes the name first
        Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) => {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
            fs::rename(from, to)
        }
        outcome => outcome,
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(_: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// `docs/security-requirements.md#k1`
    #[test]
    fn complete_file_replaces_another_only_when_asked() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (folder.path().join("new"), folder.path().join("name"));
        let content = || fs::read_to_string(&to).expect("is read");
        let links: [fn(&Path, &Path) -> io::Result<()>; 2] = [|from, to| fs::hard_link(from, to), refused];
        for link in links {
            fs::write(&from, "one").expect("is written");
            publish(&from, &to, Existing::Kept, link).expect("the name is free");
            assert_eq!(content(), "one");
            fs::write(folder.path().join("other"), "two").expect("is written");
            let error = publish(&folder.path().join("other"), &to, Existing::Kept, link).expect_err("it is taken");
            assert_eq!((error.kind(), content().as_str()), (io::ErrorKind::AlreadyExists, "one"));
            publish(&folder.path().join("other"), &to, Existing::Replaced, link).expect("it is replaced");
            assert_eq!(content(), "two");
            fs::remove_file(&to).expect("is removed");
        }
    }

    #[test]
    fn unfinished_files_are_recognised_by_their_names() {
        let suffix = "0123456789abcdef0123456789abcdef";
        for (file, name) in [
            (format!("zoo.backup.{suffix}.partial"), Some("zoo.backup")),
            (format!("zoo.backup.{suffix}.partial-journal"), Some("zoo.backup")),
            ("zoo.backup".to_owned(), None),
            ("film.mkv.partial".to_owned(), None),
            (format!("zoo.{suffix}"), None),
            (format!("{suffix}.partial"), None),
        ] {
            assert_eq!(name_of_backup(OsStr::new(&file)).as_deref(), name, "{file}");
        }
    }
}
