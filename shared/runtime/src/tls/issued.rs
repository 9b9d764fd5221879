//! A certificate that a service obtains while it runs, and the answers to the challenges of its authority (RFC 8555 8, RFC 8737).

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use aws_lc_rs::digest::{SHA256, digest};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use oidc::certificate::Certificate;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ClientHello;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::cipher_suites::server_provider;
use super::{Accepting, TlsError, WEB, pem_problem, provider};

/// The protocol of connections that validate a name (RFC 8737 6.2).
const ACME_TLS: &[u8] = b"acme-tls/1";

type Answer = Box<dyn Fn(ChallengeRequest) -> BoxFuture<'static, Option<String>> + Send + Sync>;

/// What an authority sends to validate that a name is this server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChallengeRequest {
    /// A request for `/.well-known/acme-challenge/TOKEN` by plain HTTP (http-01).
    Http {
        /// The token: letters and digits of base64url.
        token: String,
    },
    /// A TLS handshake with the protocol `acme-tls/1` (tls-alpn-01).
    TlsAlpn {
        /// The name that the client asks for, in lower case.
        host: String,
    },
}

/// A certificate that a service obtains while it runs, as by ACME. Clones share it.
#[derive(Clone)]
pub struct IssuedCertificate(Arc<Inner>);

struct Inner {
    /// The setting by which it is obtained, for errors.
    setting: &'static str,
    answer: Answer,
    current: ArcSwapOption<Issued>,
}

struct Issued {
    accepting: Arc<Accepting>,
    validity: (SystemTime, SystemTime),
}

impl IssuedCertificate {
    /// One that is not there yet. `answer` finds the key authorization (RFC 8555 8.1) for a challenge of the running order, and nothing
    /// for any other; `setting` names the setting by which the certificate is obtained, for errors.
    pub fn new<F>(setting: &'static str, answer: impl Fn(ChallengeRequest) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Option<String>> + Send + 'static,
    {
        let answer: Answer = Box::new(move |request| answer(request).boxed());
        Self(Arc::new(Inner { setting, answer, current: ArcSwapOption::empty() }))
    }

    /// Shows this chain from the next connection on; connections that are open continue. Chain and key are in PEM format. Returns the
    /// first and the last moment of the certificate.
    ///
    /// # Errors
    /// When they cannot be parsed, the key is of another certificate, or that lacks one of these hosts. What was shown before is then
    /// shown further.
    pub fn put_to_use(&self, chain: &str, key: &str, hosts: &[String]) -> Result<(SystemTime, SystemTime), TlsError> {
        let unusable = |problem: String| TlsError::Unusable { variable: self.0.setting, problem };
        let chain = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable(format!("the issued chain is a text {}", pem_problem(&error, "certificate"))))?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
            .map_err(|error| unusable(format!("its key is a text {}", pem_problem(&error, "private key"))))?;
        let own = chain.first().ok_or_else(|| unusable("the issued chain is empty".to_owned()))?;
        let validity =
            Certificate::parse(own).map_err(|error| unusable(format!("of what was issued, {error}")))?.validity();
        if let Some(host) = hosts.iter().find(|host| !is_for(own, host)) {
            return Err(unusable(format!("the issued certificate is not for {host}")));
        }
        let config = config(chain, key)
            .map_err(|error| unusable(format!("the issued certificate and its key cannot be used: {error}")))?;
        let accepting = Arc::new(Accepting { config, optional: None, spiffe: None, dated: Vec::new() });
        self.0.current.store(Some(Arc::new(Issued { accepting, validity })));
        Ok(validity)
    }

    /// What connections are accepted with; `None` until there is a certificate.
    pub(crate) fn accepting(&self) -> Option<Arc<Accepting>> {
        Some(Arc::clone(&self.0.current.load().as_ref()?.accepting))
    }

    /// The first and the last moment of the certificate.
    pub(crate) fn validity(&self) -> Option<(SystemTime, SystemTime)> {
        Some(self.0.current.load().as_ref()?.validity)
    }

    /// The body for the path of a token; `None` for one that is not of the running order (`docs/security-requirements.md#e41`).
    pub(crate) async fn http_answer(&self, token: &str) -> Option<String> {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if token.is_empty() || token.len() > 128 || !token.bytes().all(is_token) {
            return None;
        }
        (self.0.answer)(ChallengeRequest::Http { token: token.to_owned() }).await
    }

    /// The configuration of a connection that validates this name; `None` if it is not one of the running order
    /// (`docs/security-requirements.md#e42`).
    pub(crate) async fn challenge_config(&self, host: &str) -> Option<Arc<ServerConfig>> {
        let host = host.to_ascii_lowercase();
        let authorization = (self.0.answer)(ChallengeRequest::TlsAlpn { host: host.clone() }).await?;
        challenge_certificate(host, &authorization)
            .inspect_err(|error| tracing::error!(%error, "no certificate can be made for a tls-alpn-01 challenge"))
            .ok()
    }
}

impl fmt::Debug for IssuedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IssuedCertificate").field(&self.validity()).finish()
    }
}

fn is_for(certificate: &CertificateDer<'_>, host: &str) -> bool {
    let (Ok(certificate), Ok(name)) = (webpki::EndEntityCert::try_from(certificate), ServerName::try_from(host)) else {
        return false;
    };
    certificate.verify_is_valid_for_subject_name(&name).is_ok()
}

/// The name that a connection validates; `None` if it is an ordinary connection.
pub(crate) fn challenged_host(hello: &ClientHello<'_>) -> Option<String> {
    // a validation offers this protocol alone
    let mut offered = hello.alpn()?;
    let is_challenge = offered.next() == Some(ACME_TLS) && offered.next().is_none();
    hello.server_name().filter(|_| is_challenge).map(str::to_owned)
}

/// A self-signed certificate with the digest of the key authorization (RFC 8737 3).
fn challenge_certificate(host: String, authorization: &str) -> Result<Arc<ServerConfig>, authn::BoxError> {
    let mut params = CertificateParams::new([host])?;
    let digest = digest(&SHA256, authorization.as_bytes());
    params.custom_extensions.push(CustomExtension::new_acme_identifier(digest.as_ref()));
    let key = KeyPair::generate()?;
    let chain = vec![params.self_signed(&key)?.der().clone()];
    let key = provider().key_provider.load_private_key(PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
    // not as `config` does it: its check refuses a certificate with a critical extension, as this one must have
    let certified = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let builder = ServerConfig::builder_with_provider(server_provider()).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(certified));
    config.alpn_protocols = vec![ACME_TLS.to_vec()];
    Ok(Arc::new(config))
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(server_provider()).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = WEB.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Arc::new(config))
}
