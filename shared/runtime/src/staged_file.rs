//! Files for their owner only that are replaced as a whole.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

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
    /// Writes the file that is to replace `path`, with the mode 0600.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(path: &Path, content: &[u8]) -> io::Result<Self> {
        let mut temporary = path.to_owned();
        temporary.as_mut_os_string().push(".new");
        // one of a former attempt may have another mode
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        Ok(Self { temporary, path: path.to_owned(), is_in_place: false })
    }

    /// Replaces the former file, if there is one.
    ///
    /// # Errors
    /// When it cannot be renamed; then the former file is as it was.
    pub fn replace(mut self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.path)?;
        self.is_in_place = true;
        Ok(())
    }
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
}
