//! Files for their owner only that are replaced as a whole.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A complete file, on disk under a temporary name (`NAME.new`) next to the one that it is to replace. A crash leaves the former file or
/// the new one, never a part.
#[derive(Debug)]
#[must_use = "it replaces nothing before `replace`"]
pub struct StagedFile {
    temporary: PathBuf,
    path: PathBuf,
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
        Ok(Self { temporary, path: path.to_owned() })
    }

    /// Replaces the former file, if there is one.
    ///
    /// # Errors
    /// When it cannot be renamed; then the former file is as it was.
    pub fn replace(self) -> io::Result<()> {
        fs::rename(self.temporary, self.path)
    }
}
