//! What the tests of this crate share: a gRPC service in a few lines, certificates, ports.

mod recorder;

use std::convert::Infallible;
use std::fs;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use authn::Channel;
use http::{Request, Response};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use tempfile::TempDir;
use tonic::body::Body;
use tonic::server::{NamedService, UnaryService};
use tonic::service::Routes;
use tonic::{Code, Status};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_prost::ProstCodec;

use crate::start::{Launch, Tuning};
use crate::{App, Context, Listeners, Running, StartError};
use config::{Debug, Environment, Grpc, Http, Identity, ListenAddr, Log, Mtls, PrivateKeyFile, Tracing};

pub(crate) use recorder::Recorder;

pub(crate) const IDENTITY: Identity = Identity { name: "echo", prefix: "ECHO" };

/// Any port of this machine's own interface.
pub(crate) fn anywhere() -> ListenAddr {
    ListenAddr::Tcp { host: "127.0.0.1".into(), port: 0 }
}

pub(crate) fn context() -> Context {
    Context::new(Environment::default())
}

/// The sections of a service that tests serve.
#[derive(Debug)]
pub(crate) struct Sections {
    pub(crate) log: Log,
    pub(crate) tracing: Tracing,
    pub(crate) debug: Debug,
    pub(crate) grpc: Grpc,
    pub(crate) http: Http,
    pub(crate) mtls: Mtls,
    pub(crate) tuning: Tuning,
}

impl Default for Sections {
    fn default() -> Self {
        Self {
            log: Log::default(),
            tracing: Tracing::default(),
            debug: Debug { addr: anywhere(), ..Debug::default() },
            grpc: Grpc { addr: anywhere(), ..Grpc::default() },
            http: Http { addr: anywhere(), ..config::defaults() },
            mtls: Mtls::default(),
            tuning: Tuning::default(),
        }
    }
}

impl Sections {
    pub(crate) async fn serve(&self, app: App, context: &Context) -> Result<Running, StartError> {
        let close = context.shutdown.child_token();
        let launch = Launch { identity: IDENTITY, shown: "grpc:\n".into(), tuning: self.tuning, close };
        let listeners = Listeners {
            log: &self.log,
            tracing: &self.tracing,
            debug: &self.debug,
            grpc: Some(&self.grpc),
            http: Some(&self.http),
            mtls: Some(&self.mtls),
        };
        launch.run(listeners, |_| async { Ok(app) }, context).await
    }
}

/// An application that echoes by gRPC.
pub(crate) fn echoing() -> App {
    App { grpc: Some(Routes::new(Echo)), ..App::default() }
}

/// `echo.Echo`: the request's text selects the behaviour, and the response is `SERVING`. The messages are those of gRPC's
/// health check, so that no further ones are generated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "echo.Echo";
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl tower::Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            let codec = ProstCodec::<HealthCheckResponse, HealthCheckRequest>::default();
            Ok(tonic::server::Grpc::new(codec).max_decoding_message_size(1024).unary(Say, request).await)
        })
    }
}

struct Say;

impl UnaryService<HealthCheckRequest> for Say {
    type Response = HealthCheckResponse;
    type Future = BoxFuture<Result<tonic::Response<HealthCheckResponse>, Status>>;

    fn call(&mut self, request: tonic::Request<HealthCheckRequest>) -> Self::Future {
        Box::pin(async move {
            let identity = request.extensions().get::<authn::Peer>().and_then(|peer| peer.identity.clone());
            match request.get_ref().service.as_str() {
                "slow" => tokio::time::sleep(Duration::from_millis(400)).await,
                "never" => std::future::pending().await,
                "panic" => panic!("asked to"),
                "who" => {
                    let mut response = tonic::Response::new(HealthCheckResponse { status: 1 });
                    let name = identity.unwrap_or_else(|| "no identity".into());
                    response.metadata_mut().insert("identity", name.parse().expect("ASCII"));
                    return Ok(response);
                }
                _ => {}
            }
            Ok(tonic::Response::new(HealthCheckResponse { status: 1 }))
        })
    }
}

/// Says something to `echo.Echo`.
pub(crate) async fn say(channel: Channel, text: &str) -> Result<tonic::Response<HealthCheckResponse>, Status> {
    call(channel, saying(text)).await
}

/// The request that says something to `echo.Echo`.
pub(crate) fn saying(text: &str) -> tonic::Request<HealthCheckRequest> {
    tonic::Request::new(HealthCheckRequest { service: text.into() })
}

/// Sends a request to `echo.Echo`.
pub(crate) async fn call(
    channel: Channel,
    request: tonic::Request<HealthCheckRequest>,
) -> Result<tonic::Response<HealthCheckResponse>, Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(Status::from_error)?;
    let codec = ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
    client.unary(request, http::uri::PathAndQuery::from_static("/echo.Echo/Say"), codec).await
}

/// With what code the answer ends.
pub(crate) async fn code(channel: &Channel, text: &str) -> Code {
    say(channel.clone(), text).await.map_or_else(|status| status.code(), |_| Code::Ok)
}

/// An HTTP/1 answer, whole.
pub(crate) async fn ask(addr: std::net::SocketAddr, method: &str, path: &str, headers: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(addr).await.expect("connects");
    let question = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(question.as_bytes()).await.expect("asks");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answers");
    answer
}

/// An HTTP/1 answer's status and body.
pub(crate) async fn get(addr: std::net::SocketAddr, path: &str, headers: &str) -> (u16, String) {
    let answer = ask(addr, "GET", path, headers).await;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, answer.split_once("\r\n\r\n").expect("a body").1.into())
}

/// An authority of a test's own, and the files it signs.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("authority")
    }

    /// One with this name in its certificate.
    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signs itself");
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("writes");
        Self { folder, issuer }
    }

    /// Signs what the other functions do not.
    pub(crate) fn issuer(&self) -> &CertifiedIssuer<'static, KeyPair> {
        &self.issuer
    }

    /// Its certificate, in DER.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `<name>.pem` and `<name>.key`, for this host or URI.
    pub(crate) fn sign(&self, name: &str, subject: &str) -> (PathBuf, PrivateKeyFile) {
        self.sign_for(name, subject, (1975, 4096))
    }

    /// The same, valid from the first day of one year to the first day of another.
    pub(crate) fn sign_for(&self, name: &str, subject: &str, years: (i32, i32)) -> (PathBuf, PrivateKeyFile) {
        self.sign_key(name, subject, years, &KeyPair::generate().expect("a key"))
    }

    /// The same, for this key.
    pub(crate) fn sign_key(
        &self,
        name: &str,
        subject: &str,
        (from, to): (i32, i32),
        key: &KeyPair,
    ) -> (PathBuf, PrivateKeyFile) {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        let text = || subject.try_into().expect("ASCII");
        params.subject_alt_names =
            vec![if subject.contains("://") { SanType::URI(text()) } else { SanType::DnsName(text()) }];
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(key, &self.issuer).expect("signs");
        let (cert_file, key_file) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        fs::write(&cert_file, certificate.pem()).expect("writes");
        fs::write(&key_file, key.serialize_pem()).expect("writes");
        fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).expect("sets the mode");
        (cert_file, key_file.into())
    }
}
