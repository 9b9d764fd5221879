//! The line that a request has in the access log.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{any, get};
use http::StatusCode;

use crate::AccessDetails;
use crate::access_log::LoggedRequests;
use crate::layers::{Limits, PeerConnection, Stack, recording_routes};
use crate::metrics::{Metrics, Protocol, Requests};
use crate::testing::Recorder;

const SECRET: &str = "s3cr3t-in-a-path";

async fn handled(request: Request) -> StatusCode {
    AccessDetails::record(request.extensions(), "tokens", Some("user-1"), Some(&"portal".into()));
    AccessDetails::record(request.extensions(), "another", None, None);
    StatusCode::CREATED
}

fn stack(protocol: Protocol, logged: LoggedRequests) -> Stack<Router> {
    let router =
        Router::new().route("/tokens/{id}", any(handled)).route("/waits/{id}", get(std::future::pending::<()>));
    let requests = Requests::new(&Metrics::default(), "echo", protocol);
    let stack = Stack::new(recording_routes(router), requests, Limits { concurrent: 8, timeout: None });
    Stack { logged, ..stack }
}

fn request(method: &str, path: &str) -> Request {
    http::Request::builder()
        .method(method)
        .uri(path)
        .header("x-request-id", "id-1")
        .body(Body::empty())
        .expect("a request")
}

/// `docs/security-requirements.md#t5`
#[tokio::test]
async fn line_has_the_template_and_nothing_of_path_query_and_method() {
    let peer =
        PeerConnection { addr: Some("192.0.2.7:40000".parse().expect("an address")), ..PeerConnection::default() };
    for (method, path, logged) in [
        ("GET", format!("/tokens/{SECRET}?code={SECRET}"), ["GET", "/tokens/{id}", "201"]),
        ("PROPFIND", format!("/tokens/{SECRET}"), ["OTHER", "/tokens/{id}", "201"]),
        (SECRET, "/tokens/7".into(), ["OTHER", "/tokens/{id}", "201"]),
        ("POST", format!("/made/up/{SECRET}"), ["POST", "other", "404"]),
    ] {
        let (recorder, _guard) = Recorder::here();
        drop(stack(Protocol::Http, LoggedRequests::AllButProbes).answer(&peer, request(method, &path)).await);
        assert_eq!(["method", "path", "status"].map(|field| recorder.values(field)), logged.map(|value| [value]));
        assert_eq!(recorder.values("source"), ["192.0.2.7"]);
        assert_eq!(recorder.values("protocol"), ["http"]);
        assert_eq!(recorder.values("milliseconds").len(), 1);
        assert_eq!(recorder.values("request_id"), ["id-1", "id-1"], "of the span and of the line");
        assert!(!recorder.has(SECRET), "{method} {path}");
    }
}

#[tokio::test]
async fn service_adds_its_own_route_and_the_user() {
    let (recorder, _guard) = Recorder::here();
    let stack = stack(Protocol::Http, LoggedRequests::AllButProbes);
    drop(stack.answer(&PeerConnection::default(), request("GET", "/tokens/7")).await);
    assert_eq!((recorder.values("route"), recorder.values("subject")), (vec!["tokens".into()], vec!["user-1".into()]));
    assert_eq!(recorder.values("act"), ["portal"]);
}

#[tokio::test]
async fn unknown_grpc_method_is_not_in_its_line() {
    let (recorder, _guard) = Recorder::here();
    let stack = stack(Protocol::Grpc, LoggedRequests::AllButProbes);
    drop(stack.answer(&PeerConnection::default(), request("POST", "/made.Up/Method")).await);
    assert_eq!(recorder.values("path"), ["other"]);
    assert_eq!((recorder.values("grpc_status"), recorder.values("status")), (vec!["Cancelled".into()], Vec::new()));
}

#[tokio::test]
async fn probes_have_lines_only_where_all_requests_do() {
    let health = "/grpc.health.v1.Health/Check";
    for (protocol, path, none, requests, all) in [
        (Protocol::Http, "/tokens/7", 0, 1, 1),
        (Protocol::Grpc, "/echo.Echo/Say", 0, 1, 1),
        (Protocol::Grpc, health, 0, 0, 1),
        (Protocol::Debug, "/tokens/7", 0, 0, 1),
    ] {
        for (logged, lines) in
            [(LoggedRequests::None, none), (LoggedRequests::AllButProbes, requests), (LoggedRequests::All, all)]
        {
            let (recorder, _guard) = Recorder::here();
            drop(stack(protocol, logged).answer(&PeerConnection::default(), request("POST", path)).await);
            assert_eq!(recorder.values("path").len(), lines, "{protocol:?} {path} {logged:?}");
        }
    }
}

#[tokio::test]
async fn line_is_written_when_the_response_is_sent_or_the_client_is_gone() {
    let (recorder, _guard) = Recorder::here();
    let (stack, peer) = (stack(Protocol::Http, LoggedRequests::AllButProbes), PeerConnection::default());
    let response = stack.answer(&peer, request("GET", "/tokens/7")).await;
    assert_eq!(recorder.values("path").len(), 0);
    drop(response);
    assert_eq!(recorder.values("status"), ["201"]);
    let answer = stack.answer(&peer, request("GET", "/waits/7"));
    assert!(tokio::time::timeout(Duration::from_millis(5), answer).await.is_err());
    assert_eq!(recorder.values("status"), ["201", "499"]);
}
