//! Whether certificates are valid now, so that one that is not does not take the place of one that is.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use oidc::certificate::Certificate;

use super::{TlsError, certificates};
use crate::CertificateExpiry;

/// Certificates of a file of which at least one has to be valid: a server's own, or those of authorities.
#[derive(Debug)]
pub(crate) struct Dated {
    variable: &'static str,
    file: PathBuf,
    certificates: Vec<Certificate>,
}

impl Dated {
    /// The certificate at the beginning of a file, which the others there only lead to.
    pub(super) fn own(variable: &'static str, file: &Path) -> Result<Self, TlsError> {
        let mut dated = Self::authorities(variable, file)?;
        dated.certificates.truncate(1);
        Ok(dated)
    }

    /// All certificates of a file.
    pub(crate) fn authorities(variable: &'static str, file: &Path) -> Result<Self, TlsError> {
        let read = certificates(variable, file)?;
        let certificates = read.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
        Ok(Self { variable, file: file.into(), certificates })
    }

    /// The first and the last moment of the first certificate; `None` if it cannot be read.
    pub(super) fn validity(&self) -> Option<(SystemTime, SystemTime)> {
        self.certificates.first().map(Certificate::validity)
    }

    /// When it expires: of several authorities, the one that is valid longest. `None` if none can be read.
    pub(crate) fn expiry(&self) -> Option<CertificateExpiry> {
        let until = self.certificates.iter().map(|certificate| certificate.validity().1).max()?;
        Some(CertificateExpiry { setting: self.variable, file: self.file.clone(), until })
    }

    fn check(&self, now: SystemTime) -> Result<(), TlsError> {
        // what cannot be read here, the TLS library judges
        if self.certificates.is_empty() || self.certificates.iter().any(|one| one.is_valid_at(now)) {
            return Ok(());
        }
        let problem = "whose certificate is expired or not valid yet".to_owned();
        Err(TlsError::File { variable: self.variable, file: self.file.clone(), problem })
    }
}

/// Whether all of them are valid.
///
/// # Errors
/// Names the first that is not.
pub(crate) fn check(all: &[Dated], now: SystemTime) -> Result<(), TlsError> {
    all.iter().try_for_each(|dated| dated.check(now))
}
