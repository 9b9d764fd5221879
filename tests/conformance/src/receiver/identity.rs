//! A certificate for a receiver that is reached by https.

use rcgen::{CertificateParams, KeyPair, SanType};
use secrecy::SecretString;

use crate::target::ReceiverAt;

/// A self-signed certificate for `localhost` and `127.0.0.1`, made before the provider starts, which has to trust it.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate in PEM.
    pub certificate: String,
    /// Its key in PEM.
    pub key: SecretString,
}

impl Identity {
    /// Makes a new one.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn generate() -> Result<Self, rcgen::Error> {
        let mut wanted = CertificateParams::default();
        wanted.subject_alt_names =
            vec![SanType::DnsName("localhost".try_into()?), SanType::IpAddress([127, 0, 0, 1].into())];
        let key = KeyPair::generate()?;
        let certificate = wanted.self_signed(&key)?.pem();
        Ok(Self { certificate, key: key.serialize_pem().into() })
    }

    /// A receiver that shows it.
    pub fn receiver(&self) -> ReceiverAt {
        ReceiverAt::Https { certificate: self.certificate.clone(), key: self.key.clone() }
    }
}
