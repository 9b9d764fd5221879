//! The client by which spans, metrics and logs are posted to a collector.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::{Connector, TIMEOUT};

/// The longest answer of a collector that is read, in bytes.
const MAX_RESPONSE: usize = 1024 * 1024;

/// Posts with these headers. Spans are sent from a thread of the SDK, requests are made on the runtime.
pub(super) struct CollectorClient {
    client: Client<Connector, Full<Bytes>>,
    headers: HeaderMap,
    runtime: Handle,
}

impl CollectorClient {
    /// Needs a tokio runtime.
    pub(super) fn new(connector: Connector, headers: HeaderMap) -> Self {
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { client, headers, runtime: Handle::current() }
    }
}

impl fmt::Debug for CollectorClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectorClient").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        request.headers_mut().extend(self.headers.clone());
        let exchange = exchange(self.client.clone(), request.map(Full::new));
        // the timer is made on the runtime too: a thread of the SDK has none
        self.runtime.spawn(async { timeout(TIMEOUT, exchange).await }).await??
    }
}

async fn exchange(
    client: Client<Connector, Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, HttpError> {
    let (head, body) = client.request(request).await?.into_parts();
    let body = Limited::new(body, MAX_RESPONSE).collect().await?.to_bytes();
    Ok(Response::from_parts(head, body))
}
