//! Client certificates where X.509-SVIDs are accepted (SPIFFE X509-SVID 5).

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use oidc::certificate::Certificate;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::spiffe_authorities::{DomainVerifier, SpiffeAuthorities};

/// How SPIFFE ids begin.
const SPIFFE: &str = "spiffe://";

/// The authorities of a listener's trust domains, which the service sets when it is built.
pub(super) type AttachedAuthorities = Arc<OnceLock<SpiffeAuthorities>>;

/// Verifies a certificate that has a SPIFFE id of one of the trust domains by the authorities of that domain, and by no others: another
/// authority must not make SPIFFE ids of it (`docs/security-requirements.md#m15`). All other certificates are verified by a file of
/// authorities, or refused without one.
#[derive(Debug)]
pub(super) struct SpiffeClients {
    pub(super) authorities: AttachedAuthorities,
    pub(super) others: Option<Arc<dyn ClientCertVerifier>>,
    pub(super) provider: Arc<CryptoProvider>,
}

impl SpiffeClients {
    fn verifier_of(&self, certificate: &CertificateDer<'_>) -> Result<Arc<dyn ClientCertVerifier>, Error> {
        let unknown = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let Some(id) = self.authorities.get().and_then(|authorities| SpiffeIds::of(certificate, authorities)) else {
            return self.others.clone().ok_or_else(unknown);
        };
        let is_for_signatures = || Certificate::parse(certificate).is_ok_and(|leaf| leaf.is_for_digital_signatures());
        if id.is_only_one && has_path(&id.first) && is_for_signatures() {
            id.verifier.0.ok_or_else(unknown)
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }
}

/// The name of a client whose certificate is verified, if that is a SPIFFE id of one of these trust domains. Other names in its certificate
/// do not count, since each trust domain vouches for its own ids alone.
pub(super) fn spiffe_id(certificate: &CertificateDer<'_>, authorities: &AttachedAuthorities) -> Option<String> {
    SpiffeIds::of(certificate, authorities.get()?).map(|id| id.first)
}

/// The SPIFFE ids in a certificate.
struct SpiffeIds {
    /// The first one that is of one of the trust domains.
    first: String,
    /// Whether the certificate has no other URI.
    is_only_one: bool,
    /// What verifies its trust domain.
    verifier: DomainVerifier,
}

impl SpiffeIds {
    /// `None` for a certificate without an id of one of these trust domains. The URIs are read as the names of peers are.
    fn of(certificate: &CertificateDer<'_>, authorities: &SpiffeAuthorities) -> Option<Self> {
        let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
        let uris: Vec<_> = parsed.valid_uri_names().collect();
        let known = |uri: &&str| Some(((*uri).to_owned(), authorities.verifier(trust_domain(uri)?)?));
        let (first, verifier) = uris.iter().find_map(known)?;
        Some(Self { first, is_only_one: uris.len() == 1, verifier })
    }
}

fn trust_domain(uri: &str) -> Option<&str> {
    uri.strip_prefix(SPIFFE)?.split('/').next()
}

/// Whether an id is that of a workload, and not of a trust domain.
fn has_path(id: &str) -> bool {
    id.strip_prefix(SPIFFE).and_then(|id| id.split_once('/')).is_some_and(|(_, path)| !path.is_empty())
}

impl ClientCertVerifier for SpiffeClients {
    // authorities change while connections are served
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verifier_of(end_entity)?.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
