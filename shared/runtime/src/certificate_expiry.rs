//! When a certificate expires.

use std::path::PathBuf;
use std::time::SystemTime;

/// When the certificate in the file of a setting expires.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificateExpiry {
    /// The setting that names the file.
    pub setting: &'static str,
    /// The file.
    pub file: PathBuf,
    /// The last moment: of several authorities in the file, that of the one which is valid longest.
    pub until: SystemTime,
}
