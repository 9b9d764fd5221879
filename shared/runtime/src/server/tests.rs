mod limits;
mod linger;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

use crate::client::{channel, channel_within, https_with_certificate};
use crate::testing::{Authority, Sections, anywhere, code, context, echoing, say};
use crate::{Context, Running};
use config::{GrpcClientTls, HttpClientTls, HttpTls, Mtls, PrivateKeyFile};

/// A family whose members prove to each other who they are.
struct Family {
    authority: Authority,
    sections: Sections,
    client: GrpcClientTls,
}

impl Family {
    fn new() -> Self {
        let authority = Authority::new();
        let (cert, key) = authority.sign("server", "localhost");
        let mut sections = Sections::default();
        sections.grpc.tls.enabled = true;
        (sections.grpc.tls.cert, sections.grpc.tls.key) = (Some(cert), Some(key));
        let client = GrpcClientTls { mode: "on".into(), cacert: Some(authority.path("ca.pem")), cert: None, key: None };
        Self { authority, sections, client }
    }

    async fn serve(&self, context: &Context) -> (Running, String) {
        let running = self.sections.serve(echoing(), context).await.expect("starts");
        let endpoint = format!("dns:///localhost:{}", running.grpc.expect("serves gRPC").port());
        (running, endpoint)
    }
}

#[tokio::test]
async fn tls_proves_the_server() {
    let family = Family::new();
    let (running, endpoint) = family.serve(&context()).await;
    let to = |tls: &GrpcClientTls| channel(&endpoint, tls, &context()).expect("an endpoint");
    assert_eq!(code(&to(&family.client), "hello").await, Code::Ok);
    let stranger = GrpcClientTls { cacert: Some(Authority::new().path("ca.pem")), ..family.client.clone() };
    // its folder is gone, as is the file: refused before anything is connected
    assert!(channel(&endpoint, &stranger, &context()).is_err());
    let other = Authority::new();
    let stranger = GrpcClientTls { cacert: Some(other.path("ca.pem")), ..family.client.clone() };
    assert_eq!(code(&to(&stranger), "hello").await, Code::Unavailable);
    let plain = GrpcClientTls::default();
    assert_ne!(code(&to(&plain), "hello").await, Code::Ok);
    running.stop().await;
}

#[tokio::test]
async fn the_name_must_be_the_servers() {
    let mut family = Family::new();
    let (cert, key) = family.authority.sign("other", "users.example");
    (family.sections.grpc.tls.cert, family.sections.grpc.tls.key) = (Some(cert), Some(key));
    let (running, endpoint) = family.serve(&context()).await;
    let channel = channel(&endpoint, &family.client, &context()).expect("an endpoint");
    assert_eq!(code(&channel, "hello").await, Code::Unavailable);
    running.stop().await;
}

#[tokio::test]
async fn a_temporary_certificate_is_made() {
    let mut sections = Sections::default();
    sections.grpc.tls.enabled = true;
    let running = sections.serve(echoing(), &context()).await.expect("starts");
    let endpoint = running.grpc.expect("serves gRPC").to_string();
    let insecure = GrpcClientTls { mode: "insecure".into(), ..GrpcClientTls::default() };
    assert_eq!(code(&channel(&endpoint, &insecure, &context()).expect("an endpoint"), "hello").await, Code::Ok);
    running.stop().await;
}

#[tokio::test]
async fn clients_prove_who_they_are() {
    let mut family = Family::new();
    family.sections.grpc.tls.client_ca = Some(family.authority.path("ca.pem"));
    let (running, endpoint) = family.serve(&context()).await;
    let to = |tls: &GrpcClientTls| channel(&endpoint, tls, &context()).expect("an endpoint");
    assert_ne!(code(&to(&family.client), "hello").await, Code::Ok, "a certificate is demanded");

    let with = |(cert, key)| GrpcClientTls { cert: Some(cert), key: Some(key), ..family.client.clone() };
    let gateway = with(family.authority.sign("gateway", "spiffe://doorward/gateway"));
    let answer = say(to(&gateway), "who").await.expect("is answered");
    assert_eq!(answer.metadata().get("identity").expect("an identity"), "spiffe://doorward/gateway");

    let other = Authority::new();
    let stranger = with(other.sign("gateway", "spiffe://doorward/gateway"));
    assert_ne!(code(&to(&stranger), "who").await, Code::Ok, "signed by another authority");
    running.stop().await;
}

/// The serial number of the certificate that the server shows.
async fn serial(endpoint: &str, family: &Family) -> Vec<u8> {
    let config = crate::tls::client(&family.client, config::ClientTls::On).expect("reads").expect("TLS");
    let stream = TcpStream::connect(endpoint.trim_start_matches("dns:///")).await.expect("connects");
    let name = "localhost".try_into().expect("a name");
    let stream = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config)).connect(name, stream).await;
    let chain = stream.expect("shakes hands").get_ref().1.peer_certificates().map(<[_]>::to_vec);
    chain.expect("a chain")[0].to_vec()
}

#[tokio::test]
async fn new_connections_see_new_certificates() {
    let family = Family::new();
    let context = Context { reload: crate::Reload::every(Duration::from_millis(50)), ..context() };
    let (running, endpoint) = family.serve(&context).await;
    let old = channel_within(&endpoint, &family.client, None, &context).expect("an endpoint");
    assert_eq!(code(&old, "hello").await, Code::Ok);
    let first = serial(&endpoint, &family).await;

    let mut reloaded = context.reload.subscribe();
    family.authority.sign("server", "localhost");
    tokio::time::timeout(Duration::from_secs(5), reloaded.changed()).await.expect("in time").expect("announced");
    let deadline = Instant::now() + Duration::from_secs(5);
    while serial(&endpoint, &family).await == first {
        assert!(Instant::now() < deadline, "the new certificate is not seen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(code(&old, "hello").await, Code::Ok, "old connections live on");

    // half a rotation changes nothing
    let (cert, _) = family.authority.sign("other", "localhost");
    let second = serial(&endpoint, &family).await;
    std::fs::copy(cert, family.authority.path("server.pem")).expect("copies");
    reloaded.changed().await.expect("announced");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(serial(&endpoint, &family).await, second);
    running.stop().await;
}

/// How long the server bears with a client that says this and nothing more.
async fn time_until_closed(said: &[u8], sections: &Sections, http: bool) -> Duration {
    let app = crate::App { http: Some(axum::Router::new().into()), ..echoing() };
    let running = sections.serve(app, &context()).await.expect("starts");
    let addr = if http { running.http } else { running.grpc };
    let mut stream = TcpStream::connect(addr.expect("serves")).await.expect("connects");
    stream.write_all(said).await.expect("writes");
    let before = Instant::now();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    // a reset is an end too
    assert!(read.is_ok(), "the connection is still open after {said:?}");
    let elapsed = before.elapsed();
    running.stop().await;
    elapsed
}

#[tokio::test]
async fn half_open_connections_are_closed() {
    let mut sections = Sections::default();
    sections.tuning.connection_limits.preface = Duration::from_millis(200);
    sections.tuning.connection_limits.handshake = Duration::from_millis(200);
    sections.tuning.connection_limits.headers = Duration::from_millis(400);
    let bearable = Duration::from_millis(150)..Duration::from_secs(3);
    let second_head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n";
    for said in [&b""[..], b"PRI * HTTP", b"GET / HTTP/1.1\r\nHost: a\r\n", second_head] {
        for http in [false, true] {
            let elapsed = time_until_closed(said, &sections, http).await;
            // what cannot become gRPC is closed at once
            let is_wrong = !http && said.starts_with(b"GET");
            assert!(is_wrong || bearable.contains(&elapsed), "{elapsed:?} for {said:?}, http: {http}");
        }
    }
    sections.grpc.tls.enabled = true;
    assert!(bearable.contains(&time_until_closed(b"", &sections, false).await), "no TLS handshake");
}

#[tokio::test]
async fn each_head_of_a_connection_has_its_own_time() {
    let mut sections = Sections::default();
    sections.tuning.connection_limits.headers = Duration::from_secs(2);
    let app = crate::App { http: Some(axum::Router::new().into()), ..echoing() };
    let running = sections.serve(app, &context()).await.expect("starts");
    let mut stream = TcpStream::connect(running.http.expect("serves")).await.expect("connects");
    // together longer than a head may take, each of them not
    for _ in 0..4 {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").await.expect("begins");
        tokio::time::sleep(Duration::from_millis(700)).await;
        stream.write_all(b"\r\n").await.expect("is still read");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.expect("is answered");
        assert_eq!(&answer, b"HTTP/1.1 404");
        let mut rest = [0; 4096];
        let _ = stream.read(&mut rest).await.expect("to its end");
    }
    running.stop().await;
}

#[tokio::test]
async fn old_connections_are_made_anew_without_a_failure() {
    let mut sections = Sections::default();
    sections.grpc.max_connection_age = Some(Duration::from_millis(100));
    let running = sections.serve(echoing(), &context()).await.expect("starts");
    let endpoint = running.grpc.expect("serves gRPC").to_string();
    let channel = channel(&endpoint, &GrpcClientTls::default(), &context()).expect("an endpoint");
    for _ in 0..30 {
        let answered = match code(&channel, "hello").await {
            // what it had not sent yet when the connection was asked to end, the client gives back
            Code::Cancelled => code(&channel, "hello").await,
            answered => answered,
        };
        assert_eq!(answered, Code::Ok);
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    assert_eq!(code(&channel, "slow").await, Code::Ok, "what is in flight is finished");
    running.stop().await;
}

/// A server that tells what certificate its client has shown.
fn telling_certificates() -> crate::App {
    let told = async |certificate: Option<axum::Extension<crate::ClientCertificate>>| match certificate {
        Some(axum::Extension(certificate)) => format!("{} {}", certificate.der().len(), certificate.is_verified()),
        None => "nothing".to_owned(),
    };
    let router = || axum::Router::new().route("/", axum::routing::get(told));
    crate::App { http: Some(router().into()), mtls: Some(router().into()), ..crate::App::default() }
}

/// The response to a client with this certificate.
async fn told(
    addr: std::net::SocketAddr,
    authority: &Authority,
    own: Option<(PathBuf, PrivateKeyFile)>,
) -> (usize, String) {
    let (cert, key) = own.unzip();
    let length = cert.as_ref().map_or(0, |cert| CertificateDer::from_pem_file(cert).expect("a certificate").len());
    let tls = GrpcClientTls { mode: "on".into(), cacert: Some(authority.path("ca.pem")), cert, key };
    let mut config = crate::tls::client(&tls, config::ClientTls::On).expect("reads").expect("TLS");
    config.alpn_protocols = vec![b"http/1.1".into()];
    let stream = TcpStream::connect(addr).await.expect("connects");
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let mut stream = connector.connect("localhost".try_into().expect("a name"), stream).await.expect("speaks TLS");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.expect("asks");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answers");
    (length, answer.split_once("\r\n\r\n").expect("a body").1.to_owned())
}

/// `docs/security-requirements.md#d1`
#[tokio::test]
async fn http_clients_prove_who_they_are() {
    let (authority, strangers) = (Authority::new(), Authority::new());
    let mut sections = Sections::default();
    let (cert, key) = authority.sign("server", "localhost");
    let client_ca = Some(authority.path("ca.pem"));
    sections.http.tls = HttpTls { enabled: true, cert: Some(cert), key: Some(key), client_ca, ..HttpTls::default() };
    let running = sections.serve(telling_certificates(), &context()).await.expect("starts");
    let http = running.http.expect("serves");
    let answers = async |own: Option<(PathBuf, PrivateKeyFile)>| {
        let (cert, key) = own.unzip();
        let own = HttpClientTls { cert, key };
        let config = https_with_certificate("TEST", Some(&authority.path("ca.pem")), false, &own).expect("reads");
        let stream = TcpStream::connect(http).await.expect("connects");
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
        // with TLS 1.3 the client's handshake ends before the server has looked at the certificate
        let mut stream = connector.connect("localhost".try_into().expect("a name"), stream).await.expect("begins");
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer.starts_with(b"HTTP/1.1 200")
    };
    assert!(answers(Some(authority.sign("edge", "spiffe://doorward/proxy"))).await);
    assert!(!answers(None).await, "a certificate is demanded");
    assert!(!answers(Some(strangers.sign("edge", "spiffe://doorward/proxy"))).await, "signed by another authority");
    running.stop().await;
}

#[tokio::test]
async fn clients_may_show_a_certificate_and_need_not() {
    let (servers, vouching, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let mut sections = Sections::default();
    let (cert, key) = servers.sign("server", "localhost");
    sections.http.tls = HttpTls { enabled: true, cert: Some(cert), key: Some(key), ..HttpTls::default() };
    sections.mtls = Mtls { addr: anywhere(), client_ca: Some(vouching.path("ca.pem")), ..Mtls::default() };
    let running = sections.serve(telling_certificates(), &context()).await.expect("starts");
    let (http, mtls) = (running.http.expect("serves"), running.mtls.expect("serves"));

    let known = || Some(vouching.sign("client", "client.example"));
    assert_eq!(told(mtls, &servers, None).await.1, "nothing");
    let (length, answer) = told(mtls, &servers, known()).await;
    assert_eq!(answer, format!("{length} true"));
    let (length, answer) = told(mtls, &servers, Some(strangers.sign("client", "client.example"))).await;
    assert_eq!(answer, format!("{length} false"), "it has the key, and that is all that is known");
    assert_eq!(told(http, &servers, known()).await.1, "nothing", "the ordinary server asks for none");
    running.stop().await;
}

#[tokio::test]
async fn client_certificate_is_unverified_without_client_ca() {
    let (servers, other) = (Authority::new(), Authority::new());
    let mut sections = Sections::default();
    let (cert, key) = servers.sign("server", "localhost");
    sections.mtls = Mtls { addr: anywhere(), cert: Some(cert), key: Some(key), client_ca: None };
    let running = sections.serve(telling_certificates(), &context()).await.expect("starts");
    let own = Some(other.sign("client", "client.example"));
    let (length, answer) = told(running.mtls.expect("serves"), &servers, own).await;
    assert_eq!(answer, format!("{length} false"));
    running.stop().await;
}
