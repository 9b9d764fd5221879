//! A load balancer in front of both edges, as Caddy or an ingress controller is one: it sends requests to replicas whose `/readyz`
//! answers 200, and sends an idempotent request again if a replica closes the connection instead of responding (RFC 9110 9.2.2).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use authn::{BoxError, causes};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

use super::process::is_ready;

const POLL_INTERVAL: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(30);
/// The size of the largest body that it passes on.
const MAX_BODY: usize = 1 << 20;

/// The header of responses that names the replica from which they come.
pub(super) const REPLICA: &str = "x-replica";

/// Where a replica answers requests, and where it says whether it is ready.
pub(super) struct Replica {
    pub(super) http: SocketAddr,
    pub(super) debug: SocketAddr,
}

struct Balanced {
    replica: Replica,
    is_ready: AtomicBool,
}

struct Balancer {
    replicas: Vec<Balanced>,
    next: AtomicUsize,
    http: reqwest::Client,
}

/// Serves at this address from now on.
pub(super) async fn serve(address: SocketAddr, replicas: Vec<Replica>) -> Result<(), BoxError> {
    let redirect = reqwest::redirect::Policy::none();
    let http = reqwest::Client::builder().no_proxy().redirect(redirect).timeout(TIMEOUT).build()?;
    let replicas = replicas.into_iter().map(|replica| Balanced { replica, is_ready: AtomicBool::new(false) }).collect();
    let balancer = Arc::new(Balancer { replicas, next: AtomicUsize::new(0), http });
    let listener = TcpListener::bind(address).await?;
    let polling = Arc::clone(&balancer);
    tokio::spawn(async move { polling.poll().await });
    let router = Router::new().fallback(forward).with_state(balancer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

async fn forward(State(balancer): State<Arc<Balancer>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let forwarded = async {
        let body = to_bytes(body, MAX_BODY).await?;
        balancer.forward(&parts, &body).await
    };
    match forwarded.await {
        Ok(response) => response,
        Err(error) => {
            let text = format!("the balancer: {error}: {}", causes(&*error));
            (StatusCode::BAD_GATEWAY, text).into_response()
        }
    }
}

impl Balancer {
    async fn poll(&self) {
        loop {
            for Balanced { replica, is_ready: flag } in &self.replicas {
                flag.store(is_ready(&self.http, &format!("http://{}/readyz", replica.debug)).await, Ordering::Release);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    async fn forward(&self, parts: &Parts, body: &Bytes) -> Result<Response, BoxError> {
        let mut tried: Vec<SocketAddr> = Vec::new();
        loop {
            let address = self.choose(&tried).ok_or("no replica is ready")?;
            let error = match self.send(address, parts, body).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            tried.push(address);
            let is_unsent = error.is_connect();
            if !(is_unsent || parts.method.is_idempotent()) || error.is_timeout() || tried.len() == self.replicas.len()
            {
                return Err(error.into());
            }
        }
    }

    /// The replicas take turns.
    fn choose(&self, tried: &[SocketAddr]) -> Option<SocketAddr> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let replicas = self.replicas.iter().cycle().skip(start % self.replicas.len()).take(self.replicas.len());
        let ready = replicas.filter(|balanced| balanced.is_ready.load(Ordering::Acquire));
        ready.map(|balanced| balanced.replica.http).find(|address| !tried.contains(address))
    }

    async fn send(&self, address: SocketAddr, parts: &Parts, body: &Bytes) -> Result<Response, reqwest::Error> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let request = self.http.request(parts.method.clone(), format!("http://{address}{path}"));
        let answer = request.headers(end_to_end(&parts.headers)).body(body.clone()).send().await?;
        let (status, mut headers) = (answer.status(), end_to_end(answer.headers()));
        let named = HeaderValue::try_from(address.to_string()).map(|value| (HeaderName::from_static(REPLICA), value));
        headers.extend(named);
        let mut response = Response::new(Body::from(answer.bytes().await?));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// The headers that belong to no connection.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}
