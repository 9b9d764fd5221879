//! Files for their owner only that are replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// A complete file, on disk under a temporary name (`NAME.new`) next to the one that it is to replace. A crash leaves the former file or
/// the new one, never a part. Dropped without [`replace`](Self::replace), it is removed.
#[derive(Debug)]
#[must_use = "it replaces nothing before `replace`"]
pub struct StagedFile {
    temporary: PathBuf,
    path: PathBuf,
    is_in_place: bool,
}

impl StagedFile {
    /// Writes the file that is to replace `path`, with the mode 0600. Written by root, it belongs to the owner of the file that it replaces.
    ///
    /// # Errors
    /// When the folder cannot be written, or the owner cannot be set.
    pub fn write(path: &Path, content: &[u8]) -> io::Result<Self> {
        let mut temporary = path.to_owned();
        temporary.as_mut_os_string().push(".new");
        // one of a former attempt may have another mode
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        // from here on the temporary file is removed when something fails
        let staged = Self { temporary, path: path.to_owned(), is_in_place: false };
        keep_owner(path, &file)?;
        file.write_all(content)?;
        file.sync_all()?;
        Ok(staged)
    }

    /// Replaces the former file, if there is one. A crash of the machine from then on leaves the new one.
    ///
    /// # Errors
    /// When it cannot be renamed; then the former file is as it was.
    pub fn replace(mut self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.path)?;
        self.is_in_place = true;
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let Err(error) = File::open(parent).and_then(|folder| folder.sync_all()) {
            // the file is replaced, and some file systems cannot do more
            tracing::warn!(%error, file = %self.path.display(), "a crash at this moment may bring back the former file");
        }
        Ok(())
    }
}

/// Gives a file that root writes to the owner of the one that it is to replace: the service could not read it any more otherwise.
fn keep_owner(former: &Path, file: &File) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let former = match fs::metadata(former) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        former => former?,
    };
    if former.uid() == file.metadata()?.uid() {
        return Ok(());
    }
    fchown(file, Some(former.uid()), Some(former.gid()))
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if self.is_in_place {
            return;
        }
        if let Err(error) = fs::remove_file(&self.temporary) {
            tracing::warn!(%error, file = %self.temporary.display(), "a temporary file is not removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staged_file_replaces_another_or_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secrets");
        let read = || fs::read_to_string(&path).expect("is read");
        StagedFile::write(&path, b"one").expect("is written").replace().expect("replaces nothing");
        assert_eq!(read(), "one");
        drop(StagedFile::write(&path, b"two").expect("is written"));
        assert_eq!(read(), "one");
        StagedFile::write(&path, b"three").expect("is written").replace().expect("replaces it");
        assert_eq!((read().as_str(), fs::read_dir(folder.path()).expect("is read").count()), ("three", 1));
    }

    #[test]
    fn owner_of_the_former_file_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secrets");
        fs::write(&path, "one").expect("writes");
        // others than root cannot give a file away
        let owner = if geteuid().is_root() { 4711 } else { geteuid().as_raw() };
        std::os::unix::fs::chown(&path, Some(owner), None).expect("is its owner");
        StagedFile::write(&path, b"two").expect("is written").replace().expect("replaces it");
        assert_eq!(fs::read(&path).expect("is read"), b"two");
        let metadata = fs::metadata(&path).expect("is there");
        assert_eq!((metadata.uid(), metadata.mode() & 0o7777), (owner, 0o600));
    }
}
