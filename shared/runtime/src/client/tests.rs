use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;

use super::endpoint::{Place, Target};
use super::*;
use crate::StartError;
use crate::testing::{Sections, call, code, context, echoing, say, saying};
use config::Environment;

fn read(text: &str) -> Option<(Place, bool)> {
    text.parse::<Target>().ok().map(|target| (target.place, target.is_https))
}

#[test]
fn endpoints_are_read() {
    let tcp = |host: &str, port, is_https| Some((Place::Tcp(host.into(), port), is_https));
    let unix = |path: &str| Some((Place::Unix(path.into()), false));
    assert_eq!(read("dns:///users:9144"), tcp("users", 9144, false));
    assert_eq!(read("dns://8.8.8.8/users.example:9144"), tcp("users.example", 9144, false));
    assert_eq!(read("dns:users:9144"), tcp("users", 9144, false));
    assert_eq!(read("127.0.0.1:9142"), tcp("127.0.0.1", 9142, false));
    assert_eq!(read("[::1]:9142"), tcp("::1", 9142, false));
    assert_eq!(read("unix:/run/users.sock"), unix("/run/users.sock"));
    assert_eq!(read("unix:///run/users.sock"), unix("/run/users.sock"));
    assert_eq!(read("http://users:9144/"), tcp("users", 9144, false));
    assert_eq!(read("http://users"), tcp("users", 80, false));
    assert_eq!(read("https://users:9144"), tcp("users", 9144, true));
    assert_eq!(read("https://[::1]"), tcp("::1", 443, true));
}

#[test]
fn what_is_no_endpoint_is_refused() {
    let odd = [
        "",
        ":9142",
        "users",
        "users:",
        "users:0",
        "users:65536",
        "users:+1",
        "dns:///users",
        "dns://users:9144",
        "::1:9142",
        "[::1]9142",
        "[users]:1",
        "a b:1",
        "a@b:1",
        "a/b:1",
        "http://users:9144/path",
        "kubernetes:///users:9144",
        "unix:run/users.sock",
        "unix://run/users.sock",
        "unix:",
        "ftp://users:21",
    ];
    for odd in odd {
        assert!(matches!(odd.parse::<Target>(), Err(EndpointError::Malformed(_))), "{odd}");
    }
}

#[test]
fn registry_names_are_refused_with_what_to_write_instead() {
    for name in ["com.owncloud.api.users", "dns:///com.owncloud.api.users", "eu.opencloud.api.users"] {
        let problem = name.parse::<Target>().expect_err("is refused").to_string();
        assert!(problem.contains("dns:///127.0.0.1:9144"), "{problem}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "\\PC*") {
        let _ = text.parse::<Target>();
    }

    #[test]
    fn what_is_written_is_read(host in "[a-z][a-z0-9.-]{0,20}", port in 1_u16..) {
        prop_assert_eq!(read(&format!("dns:///{host}:{port}")), Some((Place::Tcp(host, port), false)));
    }
}

/// A context whose operator permits plain text.
fn permissive() -> Context {
    Context::new(Environment::from([("OCIS_INSECURE_PLAINTEXT", "true")]))
}

/// `docs/security-requirements.md#d1`
#[tokio::test]
async fn plain_text_to_another_machine_is_refused() {
    let to = |endpoint: &str, mode: &str, context: &Context| {
        let tls = GrpcClientTls { mode: mode.to_owned(), ..GrpcClientTls::default() };
        channel(endpoint, &tls, context).map(drop)
    };
    for other in
        ["192.0.2.1:9142", "dns:///users:9144", "http://users.example:9144", "[2001:db8::1]:9144", "localhost.evil:1"]
    {
        let refused = to(other, "", &context()).expect_err(other);
        assert!(matches!(refused, EndpointError::Plaintext(_)), "{other}: {refused}");
        assert!(refused.to_string().contains("OCIS_GRPC_CLIENT_TLS_MODE=on"), "{refused}");
        assert_eq!(StartError::Build(refused.into()).exit_code(), 64, "{other}");
        to(other, "off", &context()).expect_err(other);
        to(other, "insecure", &context()).expect(other);
        to(other, "", &permissive()).expect(other);
    }
    to("https://users.example:9144", "", &context()).expect("is TLS");
    for here in
        ["127.0.0.1:9142", "dns:///localhost:9142", "[::1]:9142", "127.8.7.6:1", "0.0.0.0:9142", "unix:/run/users.sock"]
    {
        to(here, "", &context()).expect(here);
    }
}

async fn fails_in_time(endpoint: &str) -> Code {
    let channel = channel(endpoint, &GrpcClientTls::default(), &permissive()).expect("an endpoint");
    let before = Instant::now();
    let code = code(&channel, "hello").await;
    assert!(before.elapsed() < Duration::from_secs(2), "{:?} for {endpoint}", before.elapsed());
    code
}

#[tokio::test]
async fn a_missing_peer_is_unavailable_within_two_seconds() {
    let refusing = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds").local_addr().expect("an address");
    assert_eq!(fails_in_time(&refusing.to_string()).await, Code::Unavailable);
    // addresses for documentation (RFC 5737), where no host answers
    assert_eq!(fails_in_time("192.0.2.1:9142").await, Code::Unavailable);
    assert_eq!(fails_in_time("unix:/nowhere/at/all.sock").await, Code::Unavailable);
    assert_eq!(fails_in_time("dns:///unknown.invalid:9142").await, Code::Unavailable);
}

#[tokio::test]
async fn a_peer_that_accepts_and_says_nothing_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let endpoint = silent.local_addr().expect("an address").to_string();
    let mut waits = Vec::new();
    // a busy machine makes one of them late, not all
    for _ in 0..3 {
        let channel = channel(&endpoint, &GrpcClientTls::default(), &context()).expect("an endpoint");
        let before = Instant::now();
        assert_ne!(code(&channel, "hello").await, Code::Ok);
        waits.push(before.elapsed());
    }
    assert!(waits.iter().any(|wait| *wait < Duration::from_millis(2500)), "{waits:?}");
}

#[tokio::test]
async fn a_peer_that_comes_back_is_found_again() {
    let sections = crate::testing::Sections::default();
    let running = sections.serve(crate::testing::echoing(), &context()).await.expect("starts");
    let addr = running.grpc.expect("serves gRPC");
    let channel = channel(&addr.to_string(), &GrpcClientTls::default(), &context()).expect("an endpoint");
    assert_eq!(code(&channel, "hello").await, Code::Ok);
    running.stop().await;
    assert_eq!(code(&channel, "hello").await, Code::Unavailable);

    let mut sections = crate::testing::Sections::default();
    sections.grpc.addr = config::ListenAddr::Tcp { host: "127.0.0.1".into(), port: addr.port() };
    let running = sections.serve(crate::testing::echoing(), &context()).await.expect("starts again");
    assert_eq!(code(&channel, "hello").await, Code::Ok);
    running.stop().await;
}

/// A server in front of the one at `back`: its first connection is lost when it has received a request, further ones lead to that one.
pub(super) async fn losing_first_request(back: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (first, _) = listener.accept().await.expect("accepts");
        lose_request(first, &AtomicUsize::new(0)).await;
        loop {
            let (mut client, _) = listener.accept().await.expect("accepts");
            let mut server = TcpStream::connect(back).await.expect("connects");
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
    address
}

/// A server that loses each connection on which it has received a request, with the number of those requests.
pub(super) async fn losing_requests() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let lost = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&lost);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("accepts");
            let count = Arc::clone(&count);
            tokio::spawn(async move { lose_request(stream, &count).await });
        }
    });
    (address, lost)
}

/// Answers questions for the health, until there is another request, which is counted.
async fn lose_request(stream: TcpStream, count: &AtomicUsize) {
    let mut connection = h2::server::handshake(stream).await.expect("a client");
    while let Some(request) = connection.accept().await {
        let (request, mut respond) = request.expect("is well-formed");
        if !request.uri().path().starts_with("/grpc.health.") {
            count.fetch_add(1, Ordering::AcqRel);
            return;
        }
        let unimplemented = http::Response::builder().header("content-type", "application/grpc");
        let unimplemented = unimplemented.header("grpc-status", "12").body(()).expect("a response");
        respond.send_response(unimplemented, true).expect("sends");
    }
}

#[tokio::test]
async fn call_that_changes_nothing_is_sent_again_when_its_connection_is_lost() {
    let running = Sections::default().serve(echoing(), &context()).await.expect("starts");
    let back = running.grpc.expect("serves gRPC");
    let channel = async || {
        let endpoint = losing_first_request(back).await.to_string();
        channel(&endpoint, &GrpcClientTls::default(), &context()).expect("an endpoint")
    };
    let status = say(channel().await, "hello").await.expect_err("the peer may have processed it");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let answer = call(channel().await, Repeatable::mark(saying("hello"))).await;
    assert!(answer.is_ok(), "{answer:?}");
    running.stop().await;
}

#[tokio::test]
async fn call_that_may_have_been_processed_is_sent_again_once() {
    let (address, lost) = losing_requests().await;
    let channel = channel(&address.to_string(), &GrpcClientTls::default(), &context()).expect("an endpoint");
    let status = call(channel, Repeatable::mark(saying("hello"))).await.expect_err("each connection is lost");
    assert_eq!((status.code(), lost.load(Ordering::Acquire)), (Code::Unavailable, 2), "{status}");
}

/// Connections end at their age while requests are sent to an address.
#[tokio::test(flavor = "multi_thread")]
async fn connections_to_an_address_that_end_fail_no_request() {
    let mut sections = crate::testing::Sections::default();
    sections.grpc.max_connection_age = Some(Duration::from_millis(300));
    let running = sections.serve(crate::testing::echoing(), &context()).await.expect("starts");
    let address = running.grpc.expect("serves gRPC").to_string();
    let channel = channel(&address, &GrpcClientTls::default(), &context()).expect("an endpoint");
    let caller = || {
        let channel = channel.clone();
        tokio::spawn(async move {
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_secs(1) {
                let answer = say(channel.clone(), "hello").await;
                assert!(answer.is_ok(), "{answer:?}");
            }
        })
    };
    for caller in std::iter::repeat_with(caller).take(8).collect::<Vec<_>>() {
        caller.await.expect("no request fails");
    }
    running.stop().await;
}
