//! Files that settings name, to be read before a service needs them.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use crate::ConfigError;

/// A file that a setting names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// The setting's environment names, or its YAML path.
    pub(crate) setting: String,
    pub(crate) path: PathBuf,
}

impl NamedFile {
    /// Reads the beginning of the file.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] when that is not possible.
    pub fn check(&self) -> Result<(), ConfigError> {
        // a folder can be opened, and not read
        let read = || -> io::Result<usize> { File::open(&self.path)?.read(&mut [0; 1]) };
        read().map(drop).map_err(|error| ConfigError::Invalid {
            setting: self.setting.clone(),
            problem: format!("names the file {}, which cannot be read: {error}", self.path.display()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_file_and_folder_are_refused_with_setting_and_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |path: PathBuf| NamedFile { setting: "SAMPLE_ROUTES_FILE".to_owned(), path };
        let missing = folder.path().join("routes.yaml");
        for path in [missing.clone(), folder.path().to_owned()] {
            let error = file(path.clone()).check().expect_err("cannot be read").to_string();
            let begin = format!("SAMPLE_ROUTES_FILE names the file {}, which cannot be read: ", path.display());
            assert!(error.starts_with(&begin), "{error}");
        }
        std::fs::write(&missing, "").expect("writes");
        file(missing).check().expect("an empty file is a file");
    }
}
