//! The certificate of an HTTP client, for servers that accept certificates of its authority.

use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{DistinguishedName, SignatureScheme};

/// Shows a certificate to servers that request one of an authority of its chain, by name (RFC 8446 4.2.4, RFC 5246 7.4.4). Servers of
/// the family always name their authorities. Others would learn the name of this service without verifying it
/// (`docs/security-requirements.md#d42`).
#[derive(Debug)]
pub(super) struct CertificateOnRequest {
    certified: Arc<CertifiedKey>,
    /// The issuers of the certificates in the chain.
    issuers: Vec<DistinguishedName>,
}

impl From<CertifiedKey> for CertificateOnRequest {
    fn from(certified: CertifiedKey) -> Self {
        let parsed = certified.cert.iter().filter_map(|der| webpki::EndEntityCert::try_from(der).ok());
        let issuers = parsed.map(|certificate| DistinguishedName::in_sequence(certificate.issuer())).collect();
        Self { certified: Arc::new(certified), issuers }
    }
}

impl ResolvesClientCert for CertificateOnRequest {
    fn resolve(&self, root_hint_subjects: &[&[u8]], _sigschemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let is_named = self.issuers.iter().any(|issuer| root_hint_subjects.contains(&issuer.as_ref()));
        is_named.then(|| Arc::clone(&self.certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
