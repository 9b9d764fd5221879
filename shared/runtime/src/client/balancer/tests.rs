use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::transport::Endpoint;

use super::*;
use crate::client::connector::Connector;
use crate::client::endpoint::Target;
use crate::client::tests::{losing_first_request, losing_requests};
use crate::testing::{Authority, Echo, Sections, call, code, context, say, saying};
use crate::{App, Running};
use config::{ClientTls, GrpcClientTls};

/// The longest wait for what happens at once on an idle machine.
const LONG: Duration = Duration::from_secs(20);

/// A resolver whose answer a test changes.
#[derive(Default)]
struct FakeResolver(Mutex<Vec<SocketAddr>>);

impl FakeResolver {
    fn say(&self, addresses: impl IntoIterator<Item = SocketAddr>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = addresses.into_iter().collect();
    }
}

impl Resolve for FakeResolver {
    fn resolve<'a>(&'a self, _host: &'a str, _port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move { Ok(addresses) })
    }
}

/// [`Echo`], which counts its requests.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicUsize>);

impl NamedService for Counted {
    const NAME: &'static str = Echo::NAME;
}

impl Service<Request<Body>> for Counted {
    type Response = <Echo as Service<Request<Body>>>::Response;
    type Error = <Echo as Service<Request<Body>>>::Error;
    type Future = <Echo as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Echo.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.fetch_add(1, Ordering::AcqRel);
        Echo.call(request)
    }
}

/// A server that counts its requests.
struct Server {
    running: Running,
    count: Counted,
}

impl Server {
    async fn start(sections: &Sections) -> Self {
        let count = Counted::default();
        let app = App { grpc: Some(Routes::new(count.clone())), ..App::default() };
        Self { running: sections.serve(app, &context()).await.expect("starts"), count }
    }

    fn address(&self) -> SocketAddr {
        self.running.grpc.expect("serves gRPC")
    }

    /// How many requests there were since the last call.
    fn take(&self) -> usize {
        self.count.0.swap(0, Ordering::AcqRel)
    }
}

/// An address where nothing listens.
async fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.expect("binds").local_addr().expect("an address")
}

/// A balancer of this endpoint's name.
fn balancer(endpoint: &str, tls: &GrpcClientTls, resolver: &Arc<FakeResolver>) -> Balancer {
    let target: Target = endpoint.parse().expect("an endpoint");
    let name = ("users.example".to_owned(), 9144);
    let (scheme, mode) = if target.is_https { ("https", ClientTls::On) } else { ("http", ClientTls::Off) };
    let origin = format!("{scheme}://{}", target.authority()).parse().expect("a URI");
    let connector = Connector::new(target, tls.clone(), mode, &context()).expect("an endpoint");
    let configured = Endpoint::from_static("http://users.example:9144").origin(origin);
    let connect = move |address, state| configured.connect_with_connector_lazy(connector.to(address, state));
    let resolver: Arc<dyn Resolve> = Arc::<FakeResolver>::clone(resolver);
    Balancer::new(name, resolver, Box::new(connect), (Random::seeded(7), Background::default()))
}

fn plain(resolver: &Arc<FakeResolver>) -> Balancer {
    balancer("dns:///users.example:9144", &GrpcClientTls::default(), resolver)
}

async fn all_succeed(balancer: &Balancer, count: usize) {
    let channel = authn::Channel::new(balancer.clone());
    for number in 0..count {
        let answer = say(channel.clone(), "hello").await;
        assert!(answer.is_ok(), "request {number}: {answer:?}");
    }
}

/// Waits until a condition holds that changes with what is known of replicas.
async fn until(balancer: &Balancer, holds: impl Fn(&Inner) -> bool) {
    let mut changes = balancer.0.changes.subscribe();
    let wait = async {
        while !holds(&balancer.0) {
            changes.changed().await.expect("the balancer is there");
        }
    };
    timeout(LONG, wait).await.expect("in time");
}

async fn resolve_again(balancer: &Balancer) {
    let before = balancer.0.resolutions.load(Ordering::Acquire);
    balancer.0.resolve_now.notify_one();
    until(balancer, |inner| inner.resolutions.load(Ordering::Acquire) > before).await;
}

fn is_serving(inner: &Inner, address: SocketAddr) -> bool {
    let replicas = inner.replicas.load();
    replicas.iter().any(|replica| replica.address == address && matches!(*replica.health(), Health::Serving))
}

#[tokio::test]
async fn requests_follow_the_addresses_of_the_name() {
    let sections = Sections::default();
    let (one, two) = (Server::start(&sections).await, Server::start(&sections).await);
    let resolver = Arc::new(FakeResolver::default());
    resolver.say([one.address()]);
    let balancer = plain(&resolver);
    all_succeed(&balancer, 10).await;
    assert_eq!((one.take(), two.take()), (10, 0));

    resolver.say([one.address(), two.address()]);
    resolve_again(&balancer).await;
    until(&balancer, |inner| is_serving(inner, one.address()) && is_serving(inner, two.address())).await;
    all_succeed(&balancer, 40).await;
    let (by_one, by_two) = (one.take(), two.take());
    assert!(by_one > 4 && by_two > 4 && by_one + by_two == 40, "{by_one} {by_two}");

    resolver.say([two.address()]);
    resolve_again(&balancer).await;
    all_succeed(&balancer, 10).await;
    assert_eq!((one.take(), two.take()), (0, 10));

    resolver.say([]);
    resolve_again(&balancer).await;
    all_succeed(&balancer, 10).await;
    assert_eq!(two.take(), 10, "a name without an address is no reason to forget those that work");
}

#[tokio::test]
async fn replica_that_cannot_be_reached_fails_no_request() {
    let sections = Sections::default();
    let (one, two) = (Server::start(&sections).await, Server::start(&sections).await);
    // in front of the second, so that its connections can be cut
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let (front, back) = (listener.local_addr().expect("an address"), two.address());
    let forwarding = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            connections.spawn(async move {
                let mut server = TcpStream::connect(back).await?;
                copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    let resolver = Arc::new(FakeResolver::default());
    resolver.say([one.address(), front, nowhere().await]);
    let balancer = plain(&resolver);
    all_succeed(&balancer, 1).await;
    until(&balancer, |inner| is_serving(inner, one.address()) && is_serving(inner, front)).await;
    all_succeed(&balancer, 40).await;
    assert!(two.take() > 4, "it gets requests");

    forwarding.abort();
    until(&balancer, |inner| !is_serving(inner, front)).await;
    two.take();
    all_succeed(&balancer, 40).await;
    assert_eq!(two.take(), 0);

    one.running.stop().await;
    let channel = authn::Channel::new(balancer.clone());
    let status = say(channel, "hello").await.expect_err("none is left");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

/// A connection has room for 100 requests at the same time: further ones wait, and none of their body is read.
#[tokio::test]
async fn own_deadline_of_a_request_is_no_failure_of_the_replica() {
    let server = Server::start(&Sections::default()).await;
    let resolver = Arc::new(FakeResolver::default());
    resolver.say([server.address()]);
    let balancer = plain(&resolver);
    all_succeed(&balancer, 1).await;
    let channel = authn::Channel::new(balancer.clone());
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..110 {
        waiting.spawn(say(channel.clone(), "never"));
    }
    let is_full = async {
        while server.count.0.load(Ordering::Acquire) < 101 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, is_full).await.expect("in time");

    let body = Body::new(Full::new(Bytes::from_static(&[0; 5])));
    let request = Request::post("/echo.Echo/Say").header("grpc-timeout", "100m").body(body).expect("a request");
    let error = balancer.0.send(request).await.expect_err("its time is over");
    assert!(is_own_deadline(error.as_ref()), "{error}");
    let health = balancer.0.replicas.load()[0].health();
    assert!(!matches!(&*health, Health::Unreachable(problem) if problem.contains("expired")), "{health:?}");
}

/// The replica is the only one.
#[tokio::test]
async fn call_that_changes_nothing_is_sent_again_when_its_connection_is_lost() {
    let server = Server::start(&Sections::default()).await;
    let channel = async || {
        let resolver = Arc::new(FakeResolver::default());
        resolver.say([losing_first_request(server.address()).await]);
        authn::Channel::new(plain(&resolver))
    };
    let status = say(channel().await, "hello").await.expect_err("the replica may have processed it");
    assert_eq!((status.code(), server.take()), (Code::Unavailable, 0), "{status}");
    let answer = call(channel().await, authn::Repeatable::mark(saying("hello"))).await;
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(server.take(), 1);
}

/// The number of attempts is that of all replicas together.
#[tokio::test]
async fn call_that_may_have_been_processed_is_sent_again_once() {
    let ((one, lost_by_one), (two, lost_by_two)) = (losing_requests().await, losing_requests().await);
    let resolver = Arc::new(FakeResolver::default());
    resolver.say([one, two]);
    let channel = authn::Channel::new(plain(&resolver));
    let status = call(channel, authn::Repeatable::mark(saying("hello"))).await.expect_err("each connection is lost");
    let lost = lost_by_one.load(Ordering::Acquire) + lost_by_two.load(Ordering::Acquire);
    assert_eq!((status.code(), lost), (Code::Unavailable, 2), "{status}");
}

#[tokio::test]
async fn replica_that_stops_fails_no_request() {
    let sections = Sections::default();
    let (one, two) = (Server::start(&sections).await, Server::start(&sections).await);
    let resolver = Arc::new(FakeResolver::default());
    resolver.say([one.address(), two.address()]);
    let balancer = plain(&resolver);
    all_succeed(&balancer, 1).await;
    until(&balancer, |inner| is_serving(inner, one.address()) && is_serving(inner, two.address())).await;
    let requests = all_succeed(&balancer, 200);
    let ((), ()) = tokio::join!(requests, two.running.stop());
    all_succeed(&balancer, 10).await;
    assert!(one.take() > 10);
}

/// Connections end at their age while requests and questions for the health are sent. No other replica takes these requests.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_end_fail_no_request() {
    let mut sections = Sections::default();
    sections.grpc.max_connection_age = Some(Duration::from_millis(300));
    let server = Server::start(&sections).await;
    let resolver = Arc::new(FakeResolver::default());
    resolver.say([server.address()]);
    let balancer = plain(&resolver);
    let caller = || {
        let balancer = balancer.clone();
        tokio::spawn(async move {
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_secs(1) {
                all_succeed(&balancer, 10).await;
            }
        })
    };
    for caller in std::iter::repeat_with(caller).take(8).collect::<Vec<_>>() {
        caller.await.expect("no request fails");
    }
}

#[tokio::test]
async fn name_that_cannot_be_resolved_is_unavailable_until_it_can() {
    let server = Server::start(&Sections::default()).await;
    let resolver = Arc::new(FakeResolver::default());
    let balancer = plain(&resolver);
    let channel = authn::Channel::new(balancer.clone());
    let status = say(channel, "hello").await.expect_err("there is no address");
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "users.example:9144: the name has no address"));
    resolver.say([server.address()]);
    all_succeed(&balancer, 1).await;
}

/// Row [D30](../../../../../docs/security-requirements.md#d30).
#[tokio::test]
async fn certificate_must_be_for_the_name_whatever_its_addresses_are() {
    let authority = Authority::new();
    let serve = async |name: &str, subject: &str| {
        let mut sections = Sections::default();
        let (cert, key) = authority.sign(name, subject);
        sections.grpc.tls.enabled = true;
        (sections.grpc.tls.cert, sections.grpc.tls.key) = (Some(cert), Some(key));
        Server::start(&sections).await
    };
    let (users, other) = (serve("users", "users.example").await, serve("other", "other.example").await);
    let tls = GrpcClientTls { mode: "on".into(), cacert: Some(authority.path("ca.pem")), cert: None, key: None };
    let resolver = Arc::new(FakeResolver::default());
    resolver.say([users.address(), other.address()]);
    let balancer = balancer("https://users.example:9144", &tls, &resolver);
    all_succeed(&balancer, 20).await;
    assert_eq!((users.take(), other.take()), (20, 0));

    resolver.say([other.address()]);
    resolve_again(&balancer).await;
    let channel = authn::Channel::new(balancer.clone());
    assert_eq!(code(&channel, "hello").await, Code::Unavailable);
    assert_eq!(other.take(), 0);
}
