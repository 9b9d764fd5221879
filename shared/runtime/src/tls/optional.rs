//! Clients that may show a certificate and need not (RFC 8705).
//!
//! A certificate of any issuer is accepted, as a client may be registered by its own key alone. Whether a configured
//! authority has signed it, so that its names can be trusted, is checked separately and reported with it.

use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;

/// The certificate of whoever has made the connection that a request came by: that it has the certificate's key is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    der: Bytes,
    is_verified: bool,
}

impl ClientCertificate {
    /// A certificate in DER, and whether a configured authority has signed it.
    pub fn new(der: impl Into<Bytes>, is_verified: bool) -> Self {
        Self { der: der.into(), is_verified }
    }

    /// The certificate, in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether a configured authority has signed it, for clients and for now. If not, nothing that it says counts: it is only
    /// a key.
    pub fn is_verified(&self) -> bool {
        self.is_verified
    }
}

/// Verifies client certificates; `None` without a configured authority.
#[derive(Debug)]
pub(crate) struct OptionalVerifier(pub(super) Option<Arc<dyn ClientCertVerifier>>);

impl OptionalVerifier {
    /// The certificate of a chain that a client has shown.
    pub(crate) fn certificate(&self, chain: &[CertificateDer<'_>]) -> Option<ClientCertificate> {
        let (own, intermediates) = chain.split_first()?;
        let verified =
            self.0.as_ref().is_some_and(|who| who.verify_client_cert(own, intermediates, UnixTime::now()).is_ok());
        Some(ClientCertificate::new(Bytes::copy_from_slice(own), verified))
    }
}
