//! Certificates of a file that are trusted in addition to the system's.

use std::sync::Arc;

use reqwest::Certificate;
use runtime::{Context, FileSetting, FileValue, Reading};

use crate::FetchError;

/// Certificates of a file that are trusted in addition to the system's. The file is read again when it changes and at SIGHUP. Clones share
/// them.
#[derive(Clone, Debug)]
pub struct Authorities(Arc<FileValue<Vec<Certificate>>>);

impl Authorities {
    /// The certificates (PEM) of the file that a setting names. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn follow(setting: FileSetting, context: &Context) -> Result<Self, FetchError> {
        let files = setting.files.clone();
        let read = move |_: Option<&Vec<Certificate>>| {
            let mut value = Vec::new();
            for file in &files {
                let failed = |problem: &dyn std::fmt::Display| FetchError(format!("{}: {problem}", file.display()));
                let pem = std::fs::read(file).map_err(|error| failed(&error))?;
                let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| failed(&error))?;
                if certificates.is_empty() {
                    return Err(failed(&"holds no certificate"));
                }
                value.extend(certificates);
            }
            Ok(Reading { value, files: files.clone() })
        };
        let changes = |_: &Vec<Certificate>, after: &Vec<Certificate>| format!("{} certificates", after.len());
        FileValue::open(setting, read, changes, context).map(Self)
    }

    pub(crate) fn current(&self) -> Arc<Vec<Certificate>> {
        self.0.current()
    }

    /// Changes after each further reading of the file.
    #[cfg(test)]
    pub(crate) fn readings(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.readings()
    }
}
