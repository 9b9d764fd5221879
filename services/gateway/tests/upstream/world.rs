//! Gateways of other families, and one of ours in front of them.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Body as AxumBody, extract::Request, response::Response};
use bytes::Bytes;
use config::Environment;
use gateway::{Config, InProcessGateway, Peers};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Full};
use runtime::Context;
use testkit::{Layout, Mode, TestFamily};
use tokio::net::TcpListener;
use tonic::body::Body;
use tower::ServiceExt;

/// A call that a gateway has received.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A gateway, or a service behind one, that answers every call with the same message and keeps what it has received.
pub(crate) struct Scripted {
    pub(crate) address: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Scripted {
    /// One that answers with this message, or with `UNIMPLEMENTED`.
    pub(crate) async fn start(message: Option<&'static [u8]>) -> Self {
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let received = Arc::clone(&calls);
        let answer = move |request: Request| {
            let received = Arc::clone(&received);
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.expect("a body").to_bytes();
                let call = Call { path: parts.uri.path().to_owned(), headers: parts.headers, body };
                received.lock().expect("no test panics with it").push(call);
                reply(message)
            }
        };
        Self { address: serve(Router::new().fallback(answer)).await, calls }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("no test panics with it").clone()
    }

    /// The only call that it has received.
    pub(crate) fn call(&self) -> Call {
        let mut calls = self.calls();
        assert_eq!(calls.len(), 1, "{calls:?}");
        calls.remove(0)
    }
}

/// Serves a router on a free port; returns the address.
pub(crate) async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A message in the frame of gRPC.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("it is short");
    [&[0][..], &length.to_be_bytes(), message].concat().into()
}

fn reply(message: Option<&[u8]>) -> Response {
    let code = if message.is_some() { "0" } else { "12" };
    let trailers =
        HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static(code))]);
    let body = Full::new(message.map(framed).unwrap_or_default());
    let mut response = Response::new(AxumBody::new(body.with_trailers(std::future::ready(Some(Ok(trailers))))));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// A family of ours in front of another gateway.
pub(crate) async fn family(upstream: &str) -> TestFamily {
    let mut layout = Layout::new("upstream", false);
    layout.set("GATEWAY_UPSTREAM_ENDPOINT", upstream);
    TestFamily::start_with(layout, Mode::Inside, |context| context).await
}

/// A gateway of ours without authenticators, with the endpoints that the change adds.
pub(crate) fn gateway(change: impl FnOnce(&mut Config)) -> InProcessGateway {
    gateway_with(change, |_| ())
}

/// The same with further peers of the same process.
pub(crate) fn gateway_with(change: impl FnOnce(&mut Config), add: impl FnOnce(&mut Peers)) -> InProcessGateway {
    let context = Context::new(Environment::default());
    let mut config = Config::default();
    config.token_manager.jwt_secret = "a-secret-of-at-least-32-characters".into();
    let endpoints = &mut config.endpoints;
    for endpoint in [
        &mut endpoints.auth_app,
        &mut endpoints.auth_basic,
        &mut endpoints.auth_bearer,
        &mut endpoints.auth_machine,
        &mut endpoints.auth_service,
        &mut endpoints.users,
    ] {
        endpoint.clear();
    }
    change(&mut config);
    let mut peers = Peers::remote(&config, &context).expect("the endpoints are good");
    add(&mut peers);
    gateway::open(&config, peers, &context).expect("the secret is good")
}

/// A gateway of ours in front of another one.
pub(crate) fn gateway_before(upstream: &Scripted) -> InProcessGateway {
    gateway(|config| config.endpoints.upstream.clone_from(&upstream.address))
}

/// A call of `GatewayAPI`.
pub(crate) fn request(method: &str, body: Body) -> http::Request<Body> {
    http::Request::post(format!("/cs3.gateway.v1beta1.GatewayAPI/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("x-access-token", "an-internal-token")
        .header("x-user-agent", "web")
        .body(body)
        .expect("a request")
}

/// The body and the status of a gateway's answer to a message.
pub(crate) async fn answered(
    gateway: &InProcessGateway,
    method: &str,
    message: &'static [u8],
    headers: &[(&'static str, &'static str)],
) -> (Bytes, Option<String>) {
    let mut request = request(method, Body::new(Full::new(framed(message))));
    for &(name, value) in headers {
        request.headers_mut().append(name, HeaderValue::from_static(value));
    }
    let routes = gateway.app().grpc.expect("it serves gRPC");
    let (parts, body) = routes.oneshot(request).await.expect("it answers").into_parts();
    let collected = body.collect().await.expect("a body");
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let status = grpc_status(&trailers).or_else(|| grpc_status(&parts.headers)).map(str::to_owned);
    (collected.to_bytes(), status)
}

/// The status of a call, in headers or trailers.
pub(crate) fn grpc_status(headers: &HeaderMap) -> Option<&str> {
    headers.get("grpc-status").and_then(|value| value.to_str().ok())
}
