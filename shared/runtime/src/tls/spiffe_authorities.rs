//! The authorities of SPIFFE trust domains, by which the certificates of clients are verified.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::{TlsError, provider};

/// The setting that names the trust domains.
const SETTING: &str = "OCIS_SPIFFE_TRUST_DOMAINS";

/// What verifies the certificates of a trust domain; `None` while it has no authorities.
#[derive(Clone, Debug, Default)]
pub(super) struct DomainVerifier(pub(super) Option<Arc<dyn ClientCertVerifier>>);

/// By trust domain.
type Verifiers = BTreeMap<String, DomainVerifier>;

/// The authorities of the trust domains whose X.509-SVIDs clients may show. They are replaced while connections are served; connections
/// that were accepted stay. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct SpiffeAuthorities(Arc<ArcSwap<Verifiers>>);

impl SpiffeAuthorities {
    /// These trust domains, without authorities: their certificates are refused until there are some.
    pub fn new(domains: impl IntoIterator<Item = String>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(
            domains.into_iter().map(|domain| (domain, DomainVerifier::default())).collect(),
        )))
    }

    /// Verifies the certificates of a trust domain by these authorities (certificates in DER), and no others, from the next connection on.
    /// Without any, all its certificates are refused.
    ///
    /// # Errors
    /// When one of them cannot be an authority; those from before stay.
    pub fn replace(&self, domain: &str, authorities: impl IntoIterator<Item = Vec<u8>>) -> Result<(), TlsError> {
        let unusable = |problem: String| TlsError::Unusable {
            variable: SETTING,
            problem: format!("an authority of {domain} cannot be used: {problem}"),
        };
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(CertificateDer::from(authority)).map_err(|problem| unusable(problem.to_string()))?;
        }
        let verifier = if roots.is_empty() {
            DomainVerifier::default()
        } else {
            let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
            DomainVerifier(Some(builder.build().map_err(|problem| unusable(problem.to_string()))?))
        };
        self.0.rcu(|verifiers| {
            let mut verifiers = Verifiers::clone(verifiers);
            verifiers.insert(domain.to_owned(), verifier.clone());
            verifiers
        });
        Ok(())
    }

    /// Whether there is no trust domain.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load().is_empty()
    }

    /// What verifies the certificates of a trust domain; `None` if it is not one of these.
    pub(super) fn verifier(&self, domain: &str) -> Option<DomainVerifier> {
        self.0.load().get(domain).cloned()
    }
}
