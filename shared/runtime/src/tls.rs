//! Certificates and keys, for servers and clients.

mod any_certificate;
mod certificate_on_request;
mod cipher_suites;
mod client_config;
mod clients;
mod file_authorities;
mod issued;
mod kept;
mod optional;
mod spiffe_authorities;
mod spiffe_clients;
#[cfg(test)]
mod tests;
pub(crate) mod validity;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use oidc::certificate::Certificate;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

use tokio::sync::watch;
use tokio::time::timeout;

use crate::reload_metrics::ReloadMetrics;
use crate::{CertificateExpiry, Clock};
use config::{DebugTls, GrpcTls, HttpTls, Mtls, PrivateKeyFile, TlsVariables};

use any_certificate::AnyCertificate;
use cipher_suites::server_provider;
pub(crate) use client_config::{client, client_dated, https_rereading};
pub use client_config::{https, https_expiries, https_with_certificate};
use clients::Clients;
pub(crate) use issued::challenged_host;
pub use issued::{ChallengeRequest, IssuedCertificate};
pub use kept::{KeepError, KeptCertificate, keep_certificate};
pub use optional::ClientCertificate;
use optional::OptionalVerifier;
pub use spiffe_authorities::SpiffeAuthorities;
use spiffe_clients::{AttachedAuthorities, SpiffeClients, spiffe_id};
use validity::Dated;

/// How errors of certificates end that were not put to use.
pub(crate) const KEPT: &str = "; what was read before stays in use";
/// How errors of certificates end that are put to use although they are not valid.
const USED: &str = "; it is used until a valid one replaces it";
/// How often a certificate that is not valid is looked at again.
const VALIDITY_INTERVAL: Duration = Duration::from_mins(1);

/// Why TLS cannot be spoken. The text names the variable and the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds something else.
    #[error("{variable} names the file {}, {problem}", file.display())]
    File {
        /// The variable that names the file.
        variable: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Certificate and key do not fit together, or cannot be used.
    #[error("{variable}: {problem}")]
    Unusable {
        /// The variable that names the certificate.
        variable: &'static str,
        /// What is wrong.
        problem: String,
    },
}

impl TlsError {
    /// What kind of failure it is.
    pub fn kind(&self) -> status::Kind {
        match self {
            Self::File { .. } | Self::Unusable { .. } => status::Kind::FailedPrecondition,
        }
    }
}

/// The certificate of a server, as its file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateReport {
    /// The setting that names the file.
    pub setting: &'static str,
    /// The file.
    pub file: PathBuf,
    /// The first and the last moment of the server's certificate; `None` if it cannot be read.
    pub validity: Option<(SystemTime, SystemTime)>,
    /// How many certificates the file has.
    pub length: usize,
    /// Whether each certificate names the next one as its issuer.
    pub is_linked: bool,
    /// Whether it is its own issuer.
    pub is_self_issued: bool,
    /// Whether it is for the host that was named; `None` if none was.
    pub covers_host: Option<bool>,
}

/// A server's TLS settings, with the names of the variables they come from.
#[derive(Clone, Debug)]
pub(crate) struct ServerFiles {
    cert: Option<(PathBuf, PrivateKeyFile)>,
    clients: Clients,
    variables: TlsVariables,
    alpn: Vec<Vec<u8>>,
}

const GRPC: TlsVariables = TlsVariables { cert: "OCIS_GRPC_TLS_CERTIFICATE", key: "OCIS_GRPC_TLS_KEY" };
const DEBUG: TlsVariables = TlsVariables { cert: "OCIS_DEBUG_TLS_CERTIFICATE", key: "OCIS_DEBUG_TLS_KEY" };
const MTLS: TlsVariables = TlsVariables { cert: "OCIS_MTLS_CERTIFICATE", key: "OCIS_MTLS_KEY" };
const GRPC_CLIENT_CA: &str = "OCIS_GRPC_TLS_CLIENT_CA";
const HTTP_CLIENT_CA: &str = "OCIS_HTTP_TLS_CLIENT_CA";
const MTLS_CLIENT_CA: &str = "OCIS_MTLS_CLIENT_CA";
/// What is spoken over HTTPS.
const WEB: [&[u8]; 2] = [b"h2", b"http/1.1"];

impl ServerFiles {
    /// The gRPC server's, if TLS is enabled.
    pub(crate) fn of_grpc(tls: &GrpcTls) -> Option<Self> {
        tls.enabled.then(|| Self {
            cert: tls.cert.clone().zip(tls.key.clone()),
            clients: Clients::of_grpc(tls),
            variables: GRPC,
            alpn: vec![b"h2".into()],
        })
    }

    /// The HTTP server's, if TLS is enabled.
    pub(crate) fn of_http(tls: &HttpTls) -> Option<Self> {
        tls.enabled.then(|| Self {
            cert: tls.cert.clone().zip(tls.key.clone()),
            clients: Clients::of(HTTP_CLIENT_CA, tls.client_ca.as_ref()),
            variables: tls.variables,
            alpn: WEB.map(Into::into).into(),
        })
    }

    /// The debug server's, if TLS is enabled.
    pub(crate) fn of_debug(tls: &DebugTls) -> Option<Self> {
        tls.enabled.then(|| Self {
            cert: tls.cert.clone().zip(tls.key.clone()),
            clients: Clients::Nothing,
            variables: DEBUG,
            alpn: WEB.map(Into::into).into(),
        })
    }

    /// The server's for clients with certificates, which is never without TLS.
    #[expect(clippy::unnecessary_wraps, reason = "as for the other servers, which may be without")]
    pub(crate) fn of_mtls(mtls: &Mtls, http: &HttpTls) -> Option<Self> {
        let own = mtls.cert.clone().zip(mtls.key.clone());
        let variables = if own.is_some() { MTLS } else { http.variables };
        Some(Self {
            cert: own.or_else(|| http.cert.clone().zip(http.key.clone())),
            clients: Clients::MayHaveCertificate(mtls.client_ca.clone()),
            variables,
            alpn: WEB.map(Into::into).into(),
        })
    }

    /// The setting that names the certificate.
    pub(crate) fn setting(&self) -> &'static str {
        self.variables.cert
    }

    /// The files, to be watched.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let pair = self.cert.iter().flat_map(|(cert, key)| [cert.as_path(), key.path()]);
        pair.chain(self.clients.authorities())
    }

    /// Reads the files, if there are any. Returns what is not valid now, and can be used nevertheless.
    pub(crate) fn check(&self, now: SystemTime) -> Result<Option<TlsError>, TlsError> {
        if self.paths().next().is_none() {
            return Ok(None);
        }
        Ok(validity::check(&self.read()?.dated, now).err())
    }

    /// What the file of the certificate holds, once certificate and key are known to fit; `None` without a file.
    pub(crate) fn inspect(&self, host: Option<&str>) -> Result<Option<CertificateReport>, TlsError> {
        let Some((file, _)) = &self.cert else { return Ok(None) };
        self.read()?;
        let chain = certificates(self.variables.cert, file)?;
        let read: Vec<_> = chain.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
        // probes and scrapers reach the debug server by other names
        let host = host.filter(|_| self.variables.cert != DEBUG.cert);
        let name = host.map(ServerName::try_from).and_then(Result::ok);
        let own = chain.first().and_then(|der| ParsedCertificate::try_from(der).ok());
        Ok(Some(CertificateReport {
            setting: self.variables.cert,
            file: file.clone(),
            validity: read.first().map(Certificate::validity),
            length: chain.len(),
            is_linked: read.windows(2).all(|pair| matches!(pair, [one, next] if one.is_issued_by(next))),
            is_self_issued: read.first().is_some_and(|own| own.is_issued_by(own)),
            covers_host: name.zip(own).map(|(name, own)| verify_server_name(&own, &name).is_ok()),
        }))
    }

    fn read(&self) -> Result<Accepting, TlsError> {
        let unusable = |problem: rustls::Error| TlsError::Unusable {
            variable: self.variables.cert,
            problem: format!("the certificate and its key cannot be used: {problem}"),
        };
        let builder = ServerConfig::builder_with_provider(server_provider());
        let builder = builder.with_safe_default_protocol_versions().map_err(unusable)?;
        let (builder, optional) = match &self.clients {
            Clients::Nothing => (builder.with_no_client_auth(), None),
            Clients::Certificate(setting, file) => {
                (builder.with_client_cert_verifier(client_verifier(setting, file)?), None)
            }
            Clients::Spiffe(authorities, file) => {
                let others = file.as_ref().map(|file| client_verifier(GRPC_CLIENT_CA, file)).transpose()?;
                let authorities = Arc::clone(authorities);
                let verifier = SpiffeClients { authorities, others, provider: provider() };
                (builder.with_client_cert_verifier(Arc::new(verifier)), None)
            }
            Clients::MayHaveCertificate(file) => {
                let verifier = file.as_ref().map(|file| client_verifier(MTLS_CLIENT_CA, file)).transpose()?;
                let anyone = Arc::new(AnyCertificate(provider()));
                (builder.with_client_cert_verifier(anyone), Some(OptionalVerifier(verifier)))
            }
        };
        let (chain, key) = match &self.cert {
            Some((cert, key)) => (certificates(self.variables.cert, cert)?, private_key(self.variables.key, key)?),
            None => temporary()?,
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols.clone_from(&self.alpn);
        let spiffe = self.clients.attached().cloned();
        if spiffe.is_some() {
            // a client that is known from before would not be verified by the authorities in force
            config.session_storage = Arc::new(NoServerSessionStorage {});
        }
        Ok(Accepting { config: Arc::new(config), optional, spiffe, dated: self.dated()? })
    }

    /// What has to be valid.
    fn dated(&self) -> Result<Vec<Dated>, TlsError> {
        let own = self.cert.as_ref().map(|(cert, _)| Dated::own(self.variables.cert, cert));
        let authorities = match &self.clients {
            Clients::Nothing | Clients::Spiffe(_, None) | Clients::MayHaveCertificate(None) => None,
            Clients::Certificate(setting, file) => Some(Dated::authorities(setting, file)),
            Clients::Spiffe(_, Some(file)) => Some(Dated::authorities(GRPC_CLIENT_CA, file)),
            Clients::MayHaveCertificate(Some(file)) => Some(Dated::authorities(MTLS_CLIENT_CA, file)),
        };
        own.into_iter().chain(authorities).collect()
    }
}

fn client_verifier(variable: &'static str, file: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let roots = Arc::new(authorities(variable, file)?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
    verifier.map_err(|problem| TlsError::Unusable { variable, problem: problem.to_string() })
}

/// What connections are accepted with.
#[derive(Debug)]
pub(crate) struct Accepting {
    pub(crate) config: Arc<ServerConfig>,
    /// Verifies client certificates where they are optional.
    pub(crate) optional: Option<OptionalVerifier>,
    /// The trust domains of X.509-SVIDs, where those are accepted.
    spiffe: Option<AttachedAuthorities>,
    dated: Vec<Dated>,
}

/// The names that a verified client certificate proves.
#[derive(Debug, Default)]
pub(crate) struct CertificateNames {
    /// The SPIFFE id, if its trust domain has verified it, else the URIs and then the DNS names.
    pub(crate) names: Arc<[String]>,
    /// Whether a SPIFFE trust domain has verified it.
    pub(crate) is_svid: bool,
}

impl Accepting {
    /// The names that a verified client certificate proves.
    pub(crate) fn names(&self, certificate: &CertificateDer<'_>) -> CertificateNames {
        match self.spiffe.as_ref().and_then(|authorities| spiffe_id(certificate, authorities)) {
            Some(id) => CertificateNames { names: [id].into(), is_svid: true },
            None => CertificateNames { names: names(certificate), is_svid: false },
        }
    }
}

/// A server's TLS configuration, which can be read again while connections are served.
#[derive(Debug)]
pub(crate) struct ServerTls {
    files: ServerFiles,
    clock: Clock,
    current: ArcSwap<Accepting>,
    /// Whether the files hold a certificate that waits to become valid, or is expired.
    is_waiting: AtomicBool,
    /// Takes precedence over the files once it has a certificate.
    issued: OnceLock<IssuedCertificate>,
}

impl ServerTls {
    /// Reads the files. A certificate that is not valid now is used nevertheless, and reported.
    pub(crate) fn new(files: ServerFiles, clock: Clock) -> Result<Self, TlsError> {
        let accepting = files.read()?;
        if let Err(problem) = validity::check(&accepting.dated, clock.now()) {
            tracing::error!(%problem, "{problem}{USED}");
        }
        let (current, is_waiting) = (ArcSwap::from_pointee(accepting), AtomicBool::new(false));
        Ok(Self { files, clock, current, is_waiting, issued: OnceLock::new() })
    }

    /// Shows a certificate that the service obtains while it runs, once there is one. A server has at most one.
    pub(crate) fn attach(&self, issued: IssuedCertificate) {
        // a service is built once
        let _ = self.issued.set(issued);
    }

    /// Verifies X.509-SVIDs of clients by these authorities, where clients show such. A server has them at most once.
    pub(crate) fn attach_authorities(&self, authorities: SpiffeAuthorities) {
        if let Some(attached) = self.files.clients.attached() {
            // a service is built once
            let _ = attached.set(authorities);
        }
    }

    /// The certificate that the service obtains while it runs.
    pub(crate) fn issued(&self) -> Option<&IssuedCertificate> {
        self.issued.get()
    }

    /// What the next connection is to be accepted with.
    pub(crate) fn current(&self) -> Arc<Accepting> {
        self.issued().and_then(IssuedCertificate::accepting).unwrap_or_else(|| self.current.load_full())
    }

    /// The first and the last moment of the server's own certificate; `None` for a temporary one, which is in no file.
    pub(crate) fn validity(&self) -> Option<(SystemTime, SystemTime)> {
        if let Some(validity) = self.issued().and_then(IssuedCertificate::validity) {
            return Some(validity);
        }
        // the own certificate comes first
        self.files.cert.as_ref().and_then(|_| self.current.load().dated.first()?.validity())
    }

    /// When the certificates of its files expire. One that the service obtains while it runs is in none, and the service renews it.
    pub(crate) fn expiries(&self) -> Vec<CertificateExpiry> {
        let is_issued = self.issued().is_some_and(|issued| issued.validity().is_some());
        // the own certificate comes first
        let unused = usize::from(is_issued && self.files.cert.is_some());
        self.current.load().dated.iter().skip(unused).filter_map(Dated::expiry).collect()
    }

    /// Reads the files whenever they have changed, and from time to time while they hold what is not valid yet.
    pub(crate) async fn follow(self: Arc<Self>, mut changes: watch::Receiver<u64>, metrics: &ReloadMetrics) {
        if self.files.paths().next().is_none() {
            return;
        }
        metrics.succeeded(self.clock.now());
        loop {
            let change = changes.changed();
            let outcome = if self.is_waiting.load(Ordering::Acquire) {
                timeout(VALIDITY_INTERVAL, change).await
            } else {
                Ok(change.await)
            };
            let has_changed = match outcome {
                Ok(Ok(())) => true,
                Ok(Err(_)) => return,
                Err(_) => false,
            };
            // reading files blocks
            let tls = Arc::clone(&self);
            let is_in_force = tokio::task::spawn_blocking(move || tls.reload(has_changed)).await;
            if is_in_force.unwrap_or(false) {
                metrics.succeeded(self.clock.now());
            } else if has_changed {
                metrics.failed();
            }
        }
    }

    /// Reads the files again, and returns whether what they hold is in force. When they are of no use, or not valid while what was read
    /// before is, that stays in force; the operator learns it once for each change.
    fn reload(&self, has_changed: bool) -> bool {
        // without configured files, a reload would only replace one temporary certificate by another
        if self.files.paths().next().is_none() {
            return true;
        }
        let now = self.clock.now();
        let is_valid = |dated: &[Dated]| validity::check(dated, now);
        match self.files.read() {
            Ok(accepting) => {
                let invalid = is_valid(&accepting.dated).err();
                let stays = invalid.is_some() && is_valid(&self.current.load().dated).is_ok();
                self.is_waiting.store(stays, Ordering::Release);
                if let Some(problem) = invalid.filter(|_| has_changed) {
                    let outcome = if stays { KEPT } else { USED };
                    tracing::error!(%problem, "{problem}{outcome}");
                }
                if !stays {
                    self.current.store(Arc::new(accepting));
                }
                !stays
            }
            Err(problem) => {
                if has_changed {
                    tracing::error!(%problem, "{problem}{KEPT}");
                }
                false
            }
        }
    }
}

fn authorities(variable: &'static str, file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(variable, file)? {
        let unusable = |problem: rustls::Error| TlsError::File {
            variable,
            file: file.into(),
            problem: format!("which holds a certificate that cannot be used: {problem}"),
        };
        roots.add(certificate).map_err(unusable)?;
    }
    Ok(roots)
}

fn certificates(variable: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let problem = |problem: String| TlsError::File { variable, file: file.into(), problem };
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = read.map_err(|error| problem(pem_problem(&error, "certificate")))?;
    if chain.is_empty() { Err(problem("which holds no certificate in PEM format".into())) } else { Ok(chain) }
}

fn private_key(variable: &'static str, file: &PrivateKeyFile) -> Result<PrivateKeyDer<'static>, TlsError> {
    let problem = |problem: String| TlsError::File { variable, file: file.path().into(), problem };
    let opened = file.open().map_err(|error| problem(error.to_string()))?;
    PrivateKeyDer::from_pem_reader(opened).map_err(|error| problem(pem_problem(&error, "private key")))
}

/// Never quotes the file, which may be a key.
fn pem_problem(error: &rustls::pki_types::pem::Error, wanted: &str) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(problem) => format!("which cannot be read: {problem}"),
        _ => format!("which holds no {wanted} in PEM format"),
    }
}

/// A self-signed certificate for this machine, to be used with clients whose TLS mode is `insecure`.
fn temporary() -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).map_err(|problem| TlsError::Unusable {
        variable: "OCIS_GRPC_TLS_ENABLED",
        problem: format!("no temporary certificate could be made: {problem}"),
    })?;
    Ok((vec![made.cert.der().clone()], PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into())))
}

/// The one provider of cryptography, also made the process's default for libraries that ask for it.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    if let Some(installed) = CryptoProvider::get_default() {
        return Arc::clone(installed);
    }
    // fails when another thread was quicker, with the same provider
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    CryptoProvider::get_default().map_or_else(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()), Arc::clone)
}

/// The URIs and then the DNS names that a certificate is for.
fn names(certificate: &CertificateDer<'_>) -> Arc<[String]> {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else { return Arc::default() };
    certificate.valid_uri_names().chain(certificate.valid_dns_names()).map(str::to_owned).collect()
}
