//! Methods that this gateway has not.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use std::time::{Duration, Instant};

use authn::{Channel, Scopes};
use axum::{Router, body::Body as AxumBody, extract::Request};
use bytes::Bytes;
use doorward::ServiceId;
use http::{HeaderMap, HeaderValue, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use prost::Message;
use proto::cs3::auth::provider::v1beta1 as provider;
use proto::cs3::identity::user::v1beta1 as identity;
use testkit::{Mode, TestFamily};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::body::Body;
use tower::ServiceExt;

use crate::world::{Call, Scripted, answered, family, gateway, grpc_status, request, serve};

/// A gateway of another family: answers every call with what it was sent, and a trailer of its own.
pub(crate) async fn other_gateway(calls: Arc<AtomicUsize>) -> String {
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
    serve(Router::new().fallback(echo)).await
}

async fn call(channel: Channel, method: &str, message: &'static [u8]) -> Response<Body> {
    let body = Body::new(http_body_util::Full::new(Bytes::from_static(message)));
    channel.oneshot(request(method, body)).await.unwrap()
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

/// `docs/security-requirements.md#g22`.
#[tokio::test(flavor = "multi_thread")]
async fn propagated_metadata_reaches_authenticators_and_the_upstream() {
    let id = identity::UserId { opaque_id: "1".to_owned(), r#type: 1, ..identity::UserId::default() };
    let accepted = provider::AuthenticateResponse {
        status: Some(status::ok()),
        user: Some(identity::User { id: Some(id), ..identity::User::default() }),
        token_scope: (&Scopes::full_user()).into(),
    };
    let accepted: &'static [u8] = accepted.encode_to_vec().leak();
    let authenticator = Scripted::start(Some(accepted)).await;
    // `status` (1) with the code OK
    let upstream = Scripted::start(Some(&b"\x0a\x02\x08\x01"[..])).await;
    let gateway = gateway(|config| {
        config.endpoints.auth_basic.clone_from(&authenticator.address);
        config.endpoints.upstream.clone_from(&upstream.address);
    });
    let has_factors = |call: &Call| call.headers.get("autoprop-mfa-authenticated").is_some_and(|value| value == "true");
    let sent = [("autoprop-mfa-authenticated", "true")];

    // `type` (2), `client_id` (3), `client_secret` (4)
    answered(&gateway, "Authenticate", b"\x12\x05basic\x1a\x03ann\x22\x03pwd", &sent).await;
    assert!(has_factors(&authenticator.call()));
    answered(&gateway, "Stat", b"", &sent).await;
    assert!(upstream.calls().iter().any(|call| call.path.ends_with("/Stat") && has_factors(call)));

    // the home of the user is created by the gateway for itself, perhaps after it has answered
    let begin = Instant::now();
    let created = loop {
        if let Some(call) = upstream.calls().into_iter().find(|call| call.path.ends_with("/CreateHome")) {
            break call;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "no home is created");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(!created.headers.contains_key("autoprop-mfa-authenticated"));
}
