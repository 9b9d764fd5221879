//! Reads client certificates (RFC 8705). The caller has to know whether a trusted authority has issued them.

mod name;
#[cfg(test)]
mod tests;

use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::{KeyUsage, SubjectAltName};

pub use name::{CertificateName, NameError};

/// The largest certificate that is parsed, in bytes.
const MAX_DER: usize = 16 * 1024;

/// A certificate that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no certificate")]
pub struct NoCertificate;

/// A certificate.
#[derive(Debug, Clone)]
pub struct Certificate(x509_cert::Certificate);

impl Certificate {
    /// Reads DER.
    ///
    /// # Errors
    /// [`NoCertificate`].
    pub fn parse(der: &[u8]) -> Result<Self, NoCertificate> {
        let is_small = der.len() <= MAX_DER;
        let read = is_small.then(|| x509_cert::Certificate::from_der(der).ok()).flatten();
        read.map(Self).ok_or(NoCertificate)
    }

    /// The first and the last moment at which it is valid.
    pub fn validity(&self) -> (SystemTime, SystemTime) {
        let validity = self.0.tbs_certificate().validity();
        (validity.not_before.to_system_time(), validity.not_after.to_system_time())
    }

    /// Whether it is valid at this time.
    pub fn is_valid_at(&self, now: SystemTime) -> bool {
        let (from, until) = self.validity();
        from <= now && now <= until
    }

    /// Whether the name of its issuer is that of the other's subject. Says nothing of the signature.
    pub fn is_issued_by(&self, other: &Self) -> bool {
        self.0.tbs_certificate().issuer() == other.0.tbs_certificate().subject()
    }

    /// Whether its key may sign, and sign neither certificates nor lists of revoked ones (RFC 5280 4.2.1.3), as X.509-SVIDs of workloads
    /// have to say (SPIFFE X509-SVID 4.3).
    pub fn is_for_digital_signatures(&self) -> bool {
        let usage = self.0.tbs_certificate().get_extension::<KeyUsage>().ok().flatten();
        usage.is_some_and(|(_, usage)| usage.digital_signature() && !usage.key_cert_sign() && !usage.crl_sign())
    }

    /// Its subject alternative names; none if they cannot be read.
    fn alternative_names(&self) -> SubjectAltName {
        let found = self.0.tbs_certificate().get_extension::<SubjectAltName>();
        found.ok().flatten().map_or(SubjectAltName(Vec::new()), |(_, names)| names)
    }
}

/// The SHA-256 of a certificate in DER, in base64url: `x5t#S256` (RFC 8705 3.1).
pub fn thumbprint(der: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, der))
}
