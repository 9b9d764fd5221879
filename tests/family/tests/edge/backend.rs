//! A backend that tells what reached it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A running backend. It ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl Backend {
    /// Answers every request with what it was.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let backend = Self { address: listener.local_addr().expect("an address"), seen: Arc::default() };
        let router = Router::new().fallback(echo).with_state(backend.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        backend
    }

    /// The requests since the last call.
    pub(crate) fn take(&self) -> Vec<Value> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn echo(State(backend): State<Backend>, request: Request) -> Response {
    let (parts, mut body) = request.into_parts();
    let (mut length, mut trailers) = (0, Vec::new());
    while let Some(Ok(frame)) = body.frame().await {
        length += frame.data_ref().map_or(0, bytes::Bytes::len);
        let more = frame.trailers_ref().into_iter().flatten();
        trailers.extend(
            more.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())),
        );
    }
    let headers = parts.headers.iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let seen = json!({
        "method": parts.method.as_str(),
        "target": parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str),
        "headers": headers.collect::<Vec<_>>(),
        "trailers": trailers,
        "length": length,
    });
    backend.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen.clone());
    let answer = [("content-type", "application/json"), ("connection", "x-hop"), ("x-hop", "1"), ("x-kept", "1")];
    (answer, Body::from(seen.to_string())).into_response()
}

/// The values of a header in what reached the backend.
pub(crate) fn header(seen: &Value, name: &str) -> Vec<String> {
    let headers = seen["headers"].as_array().expect("headers");
    let same = headers.iter().filter(|pair| pair[0] == name);
    same.map(|pair| pair[1].as_str().expect("text").to_owned()).collect()
}
