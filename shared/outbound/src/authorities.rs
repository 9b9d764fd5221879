//! Certificates of a file that are trusted in addition to the system's.

use std::sync::Arc;

use config::HttpClientTls;
use reqwest::Certificate;
use runtime::client::https_expiries;
use runtime::{CertificateExpiry, Context, FileSetting, FileValue, Reading};

use crate::FetchError;

/// Certificates of a file that are trusted in addition to the system's. The file is read again when it changes and at SIGHUP. Clones share
/// them.
#[derive(Clone, Debug)]
pub struct Authorities(Arc<FileValue<Trusted>>);

/// The certificates of a file.
#[derive(Debug)]
pub(crate) struct Trusted {
    pub(crate) certificates: Vec<Certificate>,
    /// When they expire.
    expiries: Vec<CertificateExpiry>,
}

impl Authorities {
    /// The certificates (PEM) of the file that a setting names. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn follow(setting: FileSetting, context: &Context) -> Result<Self, FetchError> {
        let (files, name) = (setting.files.clone(), setting.name);
        let read = move |_: Option<&Trusted>| {
            let (mut value, mut expiries) = (Vec::new(), Vec::new());
            for file in &files {
                let failed =
                    |problem: &dyn std::fmt::Display| FetchError(format!("{name}: {}: {problem}", file.display()));
                let pem = std::fs::read(file).map_err(|error| failed(&error))?;
                let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| failed(&error))?;
                if certificates.is_empty() {
                    return Err(failed(&"holds no certificate"));
                }
                value.extend(certificates);
                let read = https_expiries(name, Some(file), &HttpClientTls::default());
                expiries.extend(read.map_err(|error| failed(&error))?);
            }
            Ok::<_, FetchError>(Reading { value: Trusted { certificates: value, expiries }, files: files.clone() })
        };
        let changes = |_: &Trusted, after: &Trusted| format!("{} certificates", after.certificates.len());
        let value = FileValue::open(setting, read, changes, context)?;
        context.certificates.follow(&value, |value| value.expiries.clone(), context);
        Ok(Self(value))
    }

    pub(crate) fn current(&self) -> Arc<Trusted> {
        self.0.current()
    }

    /// Changes after each further reading of the file.
    #[cfg(test)]
    pub(crate) fn readings(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.readings()
    }
}
