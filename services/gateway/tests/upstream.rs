//! What this gateway does not answer itself reaches the one behind it, and comes back, as it was.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use authn::Channel;
use axum::{Router, body::Body as AxumBody, extract::Request};
use bytes::Bytes;
use doorward::ServiceId;
use http::{HeaderMap, HeaderValue, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use prost::Message;
use proto::cs3::gateway::v1beta1::{AuthenticateRequest, AuthenticateResponse, gateway_api_client::GatewayApiClient};
use testkit::{Layout, Mode, TestFamily};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::body::Body;
use tower::ServiceExt;

/// A gateway of another family: answers every call with what it was sent, and a trailer of its own.
async fn other_gateway(calls: Arc<AtomicUsize>) -> String {
    let echo = move |request: Request| {
        calls.fetch_add(1, Ordering::SeqCst);
        async move {
            let seen = request.headers().get("x-access-token").cloned();
            let agent = request.headers().get("x-user-agent").cloned();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            trailers.insert("x-trailer", HeaderValue::from_static("kept"));
            let body = request.into_body().with_trailers(std::future::ready(Some(Ok(trailers))));
            let mut response = Response::new(AxumBody::new(body));
            response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
            for (name, value) in [("x-seen-token", seen), ("x-seen-agent", agent)] {
                response.headers_mut().extend(value.map(|value| (http::HeaderName::from_static(name), value)));
            }
            response
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(echo)).await });
    address.to_string()
}

async fn family(upstream: &str) -> TestFamily {
    let mut layout = Layout::new("upstream", false);
    layout.set("GATEWAY_UPSTREAM_ENDPOINT", upstream);
    TestFamily::start_with(layout, Mode::Inside, |context| context).await
}

fn request(method: &str, body: Body) -> http::Request<Body> {
    http::Request::post(format!("/cs3.gateway.v1beta1.GatewayAPI/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("x-access-token", "an-internal-token")
        .header("x-user-agent", "web")
        .body(body)
        .unwrap()
}

async fn call(channel: Channel, method: &str, message: &'static [u8]) -> Response<Body> {
    let body = Body::new(http_body_util::Full::new(Bytes::from_static(message)));
    channel.oneshot(request(method, body)).await.unwrap()
}

/// The status of a call, wherever it stands.
fn grpc_status(headers: &HeaderMap) -> Option<&str> {
    headers.get("grpc-status").and_then(|value| value.to_str().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_metadata_and_trailers_come_through() {
    let calls = Arc::new(AtomicUsize::new(0));
    let family = family(&other_gateway(calls.clone()).await).await;
    let message = b"\x01\x00\x00\x00\x05never read";
    let response = call(family.channel(ServiceId::Gateway), "Stat", message).await;
    assert_eq!(response.headers()["x-seen-token"], "an-internal-token");
    assert_eq!(response.headers()["x-seen-agent"], "web");
    let collected = response.into_body().collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_default();
    assert_eq!(collected.to_bytes().as_ref(), message);
    assert_eq!((grpc_status(&trailers), trailers["x-trailer"].as_bytes()), (Some("0"), b"kept".as_slice()));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_flow_both_ways_at_once() {
    let family = family(&other_gateway(Arc::default()).await).await;
    let (send, receive) = mpsc::channel::<Bytes>(1);
    let frames = ReceiverStream::new(receive).map(|data| Ok::<_, tonic::Status>(Frame::data(data)));
    let sending =
        family.channel(ServiceId::Gateway).oneshot(request("InitiateFileUpload", Body::new(StreamBody::new(frames))));
    send.send(Bytes::from_static(b"one")).await.unwrap();
    let mut body = sending.await.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first.as_ref(), b"one", "an answer begins before the question has ended");
    send.send(Bytes::from_static(b"two")).await.unwrap();
    let second = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(second.as_ref(), b"two");
    drop(send);
    let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(grpc_status(&trailers), Some("0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_our_own_types_stay_here() {
    let calls = Arc::new(AtomicUsize::new(0));
    let mut layout = Layout::new("upstream-own", false);
    layout.set("GATEWAY_UPSTREAM_ENDPOINT", &other_gateway(calls.clone()).await);
    // switched off: it is ours all the same
    layout.set("GATEWAY_AUTH_BEARER_ENDPOINT", "");
    let family = TestFamily::start_with(layout, Mode::Inside, |context| context).await;
    for kind in authn::kind::ALL {
        family.authenticate(kind, "einstein", "wrong").await.expect_err(kind);
    }
    family.authenticate("", "einstein", "wrong").await.expect_err("no type");
    family.who_am_i("nothing").await.expect_err("no token");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

/// Answers `Authenticate` with a token that repeats the request.
async fn answer_links(request: Request) -> Response<AxumBody> {
    let token = request.headers().get("x-access-token").cloned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let request = AuthenticateRequest::decode(&body[5..]).unwrap();
    let message = AuthenticateResponse {
        status: Some(status::ok()),
        token: format!("minted for {} {} {}", request.r#type, request.client_id, request.client_secret),
        ..AuthenticateResponse::default()
    };
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.encoded_len()).unwrap().to_be_bytes());
    message.encode(&mut framed).unwrap();
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
    let body = http_body_util::Full::new(Bytes::from(framed)).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(AxumBody::new(body));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response.headers_mut().extend(token.map(|token| (http::HeaderName::from_static("x-seen-token"), token)));
    response
}

/// A gateway of another family that knows public links.
async fn gateway_with_links() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer_links)).await });
    address.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_foreign_types_are_answered_by_the_upstream() {
    let family = family(&gateway_with_links().await).await;
    for kind in ["publicshares", "ocmshares", "guestlinks"] {
        let mut request = tonic::Request::new(AuthenticateRequest {
            r#type: kind.to_owned(),
            client_id: "link".to_owned(),
            client_secret: "password|open sesame".to_owned(),
            ..AuthenticateRequest::default()
        });
        request.metadata_mut().insert("x-access-token", "an-internal-token".parse().unwrap());
        let answer = GatewayApiClient::new(family.channel(ServiceId::Gateway)).authenticate(request).await.unwrap();
        assert_eq!(answer.metadata().get("x-seen-token").unwrap(), "an-internal-token");
        assert_eq!(answer.into_inner().token, format!("minted for {kind} link password|open sesame"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_foreign_types_are_refused_without_an_upstream_and_unavailable_with_a_dead_one() {
    let alone = TestFamily::start("foreign-type", Mode::Inside).await;
    let (kind, text) = alone.authenticate("publicshares", "link", "x").await.expect_err("an unknown type");
    assert!(text.contains("publicshares"), "{kind:?} {text}");
    let dead = family("127.0.0.1:1").await;
    let request = AuthenticateRequest { r#type: "publicshares".to_owned(), ..AuthenticateRequest::default() };
    let refused = GatewayApiClient::new(dead.channel(ServiceId::Gateway)).authenticate(request).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (tonic::Code::Unavailable, "the upstream gateway is not available")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_upstream_a_method_is_unimplemented() {
    let family = TestFamily::start("no-upstream", Mode::Inside).await;
    let response = call(family.channel(ServiceId::Gateway), "Stat", b"").await;
    assert_eq!(grpc_status(response.headers()), Some("12"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_upstream_is_unavailable() {
    let family = family("127.0.0.1:1").await;
    let response = call(family.channel(ServiceId::Gateway), "Stat", b"").await;
    assert_eq!(grpc_status(response.headers()), Some("14"));
}
