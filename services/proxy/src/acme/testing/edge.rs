//! An edge with its listeners, which obtains a certificate step by step.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::config::{Environment, load};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use instant_acme::RetryPolicy;
use runtime::{App, Clock, Context, HttpService, Random, Running, Service};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{DigitallySignedStruct, Error, SignatureScheme};
use tower::service_fn;

use super::{HOST, TestAuthority};
use crate::acme::Acme;
use crate::acme::order::Pace;
use crate::acme::storage::Storage;
use crate::config::Config;
use crate::session::seal::Sealer;
use crate::store::acme::Row;
use crate::{Proxy, acme};

/// The secret of the tests.
pub(crate) const SECRET: &str = "a-secret-of-at-least-32-characters";
/// The authority of the tests answers at once.
const PACE: Pace = Pace {
    polling: RetryPolicy::new().initial_delay(Duration::from_millis(5)).timeout(Duration::from_mins(1)),
    known_after: Duration::ZERO,
};

/// An edge.
pub(crate) struct TestEdge {
    pub(crate) acme: Acme,
    pub(crate) context: Context,
    running: Running,
}

/// A configuration of the edge: with ACME at this authority, and these variables.
pub(crate) fn config(authority: &TestAuthority, folder: &Path, variables: &[(&str, &str)]) -> (Config, Environment) {
    let folder = folder.display().to_string();
    let all = [
        ("OCIS_JWT_SECRET", SECRET),
        ("OCIS_URL", "https://cloud.example.org:9443"),
        ("OCIS_BASE_DATA_PATH", folder.as_str()),
        ("PROXY_HTTP_ADDR", "127.0.0.1:0"),
        ("PROXY_HTTP_REDIRECT_ADDR", "127.0.0.1:0"),
        ("PROXY_DEBUG_ADDR", ""),
        ("PROXY_ACME_ENABLED", "true"),
        ("PROXY_ACME_ACCEPT_TERMS", "true"),
        ("PROXY_ACME_DIRECTORY", authority.directory()),
    ];
    let all = all.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let environment: Environment = all.collect();
    (load::<Config>(&Proxy::IDENTITY, &environment).expect("a configuration").config, environment)
}

impl TestEdge {
    /// One whose state is in this folder.
    pub(crate) async fn start(
        authority: &TestAuthority,
        folder: &TempDir,
        clock: &Clock,
        variables: &[(&str, &str)],
    ) -> Self {
        let (config, environment) = config(authority, folder.path(), variables);
        let context = Context { clock: clock.clone(), random: Random::seeded(1), ..Context::new(environment) };
        let acme = Acme::open(&config, None, &context).await.expect("opens").expect("is enabled");
        Self::serve(acme, &config, context).await
    }

    /// One of several replicas, whose state is in this row, sealed under this secret.
    pub(crate) async fn replica(
        authority: &TestAuthority,
        folder: &TempDir,
        clock: &Clock,
        row: Row,
        (name, secret): (&str, &str),
    ) -> Self {
        let (config, environment) = config(authority, folder.path(), &[]);
        let context = Context { clock: clock.clone(), random: Random::seeded(1), ..Context::new(environment) };
        let sealer = Box::new(Sealer::of_acme(&secret.into(), &"".into(), context.random.clone()));
        let storage = Storage::Shared { row: row.clone(), sealer, holder: name.to_owned() };
        let plan = config.acme_plan().expect("is valid").expect("is enabled");
        Self::serve(Acme::over(plan, storage, Some(row), &config, &context), &config, context).await
    }

    async fn serve(acme: Acme, config: &Config, context: Context) -> Self {
        let acme = Acme { pace: PACE, ..acme };
        let respond = |_: Request| async { Ok::<_, Infallible>(Response::new(Body::from("the edge"))) };
        let http = HttpService::new(service_fn(respond));
        let certificate = Some(acme.certificate());
        let app = App { http: Some(http), certificate, redirect_port: config.public_port(), ..App::default() };
        let listeners = Proxy::listeners(config);
        let running = runtime::launch(Proxy::IDENTITY, listeners, String::new(), |_| async move { Ok(app) }, &context);
        let running = running.await.expect("starts");
        Self { acme, context, running }
    }

    /// Where HTTPS is served.
    pub(crate) fn https(&self) -> SocketAddr {
        self.running.http.expect("serves HTTPS")
    }

    /// Where plain HTTP is redirected.
    pub(crate) fn plain(&self) -> SocketAddr {
        self.running.redirect.expect("redirects")
    }

    /// The certificate that a connection shows.
    pub(crate) async fn shown(&self) -> Vec<u8> {
        let stream = connect(self.https(), HOST, &[b"http/1.1"], None).await.expect("connects");
        shown_by(&stream)
    }

    pub(crate) async fn stop(self) -> Acme {
        self.running.stop().await;
        self.acme
    }
}

/// The certificate that a server has shown.
pub(crate) fn shown_by(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec()
}

/// A TLS connection that offers these protocols. It trusts any certificate, or those of the authorities in a file.
pub(crate) async fn connect(
    addr: SocketAddr,
    host: &str,
    protocols: &[&[u8]],
    authorities: Option<&Path>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut tls = runtime::client::https("TEST", authorities, authorities.is_none()).expect("a configuration");
    if authorities.is_none() {
        let schemes = tls.crypto_provider().signature_verification_algorithms.supported_schemes();
        tls.dangerous().set_certificate_verifier(Arc::new(AnyCertificate(schemes)));
    }
    tls.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from(host.to_owned()).expect("a name");
    TlsConnector::from(Arc::new(tls)).connect(name, TcpStream::connect(addr).await?).await
}

/// Trusts any certificate, as an authority does that looks at its extension: rustls verifies nothing of a certificate with a critical
/// extension that it does not know.
#[derive(Debug)]
struct AnyCertificate(Vec<SignatureScheme>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

/// The status, head and body of the response to a GET by plain HTTP.
pub(crate) async fn get(addr: SocketAddr, path: &str) -> (u16, String, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = TcpStream::connect(addr).await.expect("connects");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut response = String::new();
    stream.read_to_string(&mut response).await.expect("reads");
    let (head, body) = response.split_once("\r\n\r\n").expect("a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_owned(), body.to_owned())
}

/// The stored state of an edge.
pub(crate) async fn stored(acme: &Acme) -> acme::state::State {
    acme.storage.read().await.expect("reads")
}
