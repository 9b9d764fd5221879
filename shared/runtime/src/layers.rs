//! What every request passes through, whichever service it is for: request id, trace context, metrics, access log, limits, timeout, and
//! a response even if the handler panics.
//!
//! One function instead of a stack of tower layers: it reads from top to bottom, and boxes nothing per request.

mod body;
mod cors;
mod deadline;
mod matched_route;
mod peer;
mod refusal;
mod request_id;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response};
use status::Kind;
use tokio::sync::Semaphore;
use tower::Service;
use tracing::{Instrument, Span};

use crate::access_log::{AccessDetails, AccessLine, LoggedRequests};
use crate::metrics::{Measurement, Protocol, Requests};
use crate::request_body::Progress;
use crate::{TrustedProxies, telemetry};

pub(crate) use body::Body;
pub use cors::Pages;
pub use matched_route::MatchedRoute;
pub(crate) use matched_route::{method_name, recording_routes};
pub use peer::FromTrustedProxy;
pub(crate) use peer::{PeerConnection, PeerIdentity};
use request_id::RequestIds;

/// gRPC health checks are exempt from the concurrency limit: a busy service is not an unhealthy one.
const HEALTH: &str = "/grpc.health.v1.";

/// The gRPC codes that are failures of the server: unknown, deadline exceeded, unimplemented, internal, unavailable, data loss.
const SERVER_FAILURES: [u16; 6] = [2, 4, 12, 13, 14, 15];

/// The limits of a listener for each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many requests are handled at the same time; further ones are refused.
    pub(crate) concurrent: usize,
    /// The time until the response begins; `None` for requests that are forwarded as streams.
    pub(crate) timeout: Option<Duration>,
}

/// A service with everything that its requests pass through.
pub(crate) struct Stack<S> {
    inner: S,
    requests: Arc<Requests>,
    permits: Arc<Semaphore>,
    timeout: Option<Duration>,
    ids: RequestIds,
    networks: TrustedProxies,
    proxies: TrustedProxies,
    logged: LoggedRequests,
}

impl<S> Stack<S> {
    pub(crate) fn new(inner: S, requests: Arc<Requests>, limits: Limits) -> Self {
        let permits = Arc::new(Semaphore::new(limits.concurrent.min(Semaphore::MAX_PERMITS)));
        let (networks, proxies) = (TrustedProxies::default(), TrustedProxies::default());
        let (ids, logged) = (RequestIds::new(), LoggedRequests::of_process());
        Self { inner, requests, permits, timeout: limits.timeout, ids, networks, proxies, logged }
    }

    /// The same, believing peers in `networks` when they forward a client's address, and marking requests of `proxies`.
    pub(crate) fn behind(self, networks: TrustedProxies, proxies: TrustedProxies) -> Self {
        Self { networks, proxies, ..self }
    }

    pub(crate) fn requests(&self) -> &Arc<Requests> {
        &self.requests
    }

    /// Which requests have a line in the access log.
    pub(crate) fn logged(&self) -> LoggedRequests {
        self.logged
    }

    /// Answers a request. Failures are responses too.
    pub(crate) async fn answer<A, B>(&self, peer: &PeerConnection, mut request: Request<A>) -> Response<Body<B>>
    where
        S: Service<Request<A>, Response = Response<B>, Error = Infallible> + Clone,
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let mut measurement = Measurement::start(&self.requests, request.uri());
        let id = self.ids.of(&mut request);
        peer.introduce(&mut request, self.requests.protocol(), &self.networks, &self.proxies);
        let span = self.span(&request, &id);
        if let Some(line) = self.access_line(&mut request, &id) {
            measurement.log(line);
        }

        let permit = if request.uri().path().starts_with(HEALTH) {
            None
        } else if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            Some(permit)
        } else {
            return finish(refusal::of(Kind::ResourceExhausted, measurement.protocol()), measurement, id, &span);
        };
        let route = MatchedRoute::default();
        if self.requests.protocol() != Protocol::Grpc {
            request.extensions_mut().insert(route.clone());
        }
        let timeout = deadline::of(request.headers(), self.timeout);
        let progress = request.extensions().get::<Progress>().cloned();
        let handled = self.handle(request, timeout).instrument(span.clone()).await;
        let answer = handled.unwrap_or_else(|kind| match progress {
            Some(progress) if kind == Kind::DeadlineExceeded && progress.is_stalled() => {
                refusal::of_stalled(measurement.protocol())
            }
            _ => refusal::of(kind, measurement.protocol()),
        });
        if let Some(route) = route.get() {
            measurement.matched(route);
        }
        let mut answer = finish(answer, measurement, id, &span);
        answer.body_mut().hold(permit);
        answer
    }

    async fn handle<A, B>(&self, request: Request<A>, timeout: Option<Duration>) -> Result<Response<Body<B>>, Kind>
    where
        S: Service<Request<A>, Response = Response<B>, Error = Infallible> + Clone,
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let mut inner = self.inner.clone();
        // A panic drops the handler's state; what it shares is behind locks that detect poisoning.
        let handling = AssertUnwindSafe(async move {
            let Ok(response) = inner.call(request).await;
            response
        })
        .catch_unwind();
        let handled = match timeout {
            Some(timeout) => tokio::time::timeout(timeout, handling).await.map_err(|_| Kind::DeadlineExceeded)?,
            None => handling.await,
        };
        // The panic hook has logged it.
        handled.map(|response| response.map(Body::served)).map_err(|_panic| Kind::Internal)
    }

    /// The line of the access log for this request, if it gets one.
    fn access_line<A>(&self, request: &mut Request<A>, id: &HeaderValue) -> Option<Box<AccessLine>> {
        let is_probe = || self.requests.protocol() == Protocol::Debug || request.uri().path().starts_with(HEALTH);
        match self.logged {
            LoggedRequests::None => return None,
            LoggedRequests::AllButProbes if is_probe() => return None,
            LoggedRequests::AllButProbes | LoggedRequests::All => {}
        }
        let (method, details) = (method_name(request.method()), AccessDetails::default());
        let source = request.extensions().get::<authn::Peer>().and_then(|peer| peer.source);
        request.extensions_mut().insert(details.clone());
        let request_id = Some(id.clone());
        Some(Box::new(AccessLine { method, request_id, source, trace_id: None, details }))
    }

    fn span<A>(&self, request: &Request<A>, id: &HeaderValue) -> Span {
        let name = match self.requests.protocol() {
            Protocol::Grpc => request.uri().path(),
            // An HTTP path may hold a secret, so the span is named by the route's template once the route is known.
            Protocol::Http | Protocol::Debug => method_name(request.method()),
        };
        let span = tracing::info_span!(
            "request",
            otel.name = name,
            otel.kind = "server",
            service = self.requests.service(),
            request_id = id.to_str().unwrap_or_default(),
            otel.status_code = tracing::field::Empty,
            http.response.status_code = tracing::field::Empty,
            rpc.grpc.status_code = tracing::field::Empty,
            // of requests in which one party acts for another, of transactions, and of programs that prove who they are: `authn::trace`
            user.id = tracing::field::Empty,
            doorward.act = tracing::field::Empty,
            doorward.txn = tracing::field::Empty,
            workload.identity = tracing::field::Empty,
            workload.proof = tracing::field::Empty,
        );
        if telemetry::is_exporting() {
            telemetry::continue_trace(&span, request.headers());
        }
        span
    }
}

/// Sets the request id, and measures the response to the end of its body.
fn finish<B>(
    mut answer: Response<Body<B>>,
    mut measurement: Measurement,
    id: HeaderValue,
    span: &Span,
) -> Response<Body<B>> {
    let protocol = measurement.protocol();
    let code = if protocol == Protocol::Grpc {
        refusal::correct_oversized(answer.headers_mut());
        refusal::grpc_code(answer.headers())
    } else {
        Some(answer.status().as_u16())
    };
    if let Some(code) = code {
        measurement.ended(code);
        record_outcome(span, protocol, code);
    }
    if let Some(line) = measurement.line() {
        line.trace_id = telemetry::trace_id(span);
    }
    answer.headers_mut().insert(request_id::NAME, id);
    answer.body_mut().measure(measurement);
    answer
}

/// Records how a request ended. Failures are those of the server, as the conventions of OpenTelemetry have it.
fn record_outcome(span: &Span, protocol: Protocol, code: u16) {
    let (field, is_failure) = match protocol {
        Protocol::Grpc => ("rpc.grpc.status_code", SERVER_FAILURES.contains(&code)),
        Protocol::Http | Protocol::Debug => ("http.response.status_code", code >= 500),
    };
    span.record(field, code);
    if is_failure {
        span.record("otel.status_code", "error");
    }
}
