//! What happens to every request, whichever service it is for: an id, a place in a trace, a measurement, limits, and an
//! answer even if the handler panics.
//!
//! It is one function instead of a tower of layers: it reads from top to bottom, and boxes nothing per request.

mod body;
mod cors;
mod deadline;
mod peer;
mod refusal;
mod request_id;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::MatchedPath;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Method, Request, Response};
use status::Kind;
use tokio::sync::Semaphore;
use tower::Service;
use tower::util::MapRequestLayer;
use tracing::{Instrument, Span};

use crate::metrics::{Measurement, Protocol, Requests};
use crate::server::Progress;
use crate::{TrustedProxies, telemetry};

pub(crate) use body::Body;
pub use cors::Pages;
pub use peer::FromTrustedProxy;
pub(crate) use peer::{Connected, PeerIdentity};
use request_id::RequestIds;

/// gRPC health checks are answered however busy the service is: being busy is not being ill.
const HEALTH: &str = "/grpc.health.v1.";

/// What a listener grants a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many requests are handled at the same time; what comes on top is refused.
    pub(crate) concurrent: usize,
    /// How long until the answer begins; `None` for requests that are passed on as streams.
    pub(crate) timeout: Option<Duration>,
}

/// A service with all that happens around its requests.
pub(crate) struct Stack<S> {
    inner: S,
    requests: Arc<Requests>,
    permits: Arc<Semaphore>,
    timeout: Option<Duration>,
    ids: RequestIds,
    networks: TrustedProxies,
    proxies: TrustedProxies,
}

impl<S> Stack<S> {
    pub(crate) fn new(inner: S, requests: Arc<Requests>, limits: Limits) -> Self {
        let permits = Arc::new(Semaphore::new(limits.concurrent.min(Semaphore::MAX_PERMITS)));
        let (networks, proxies) = (TrustedProxies::default(), TrustedProxies::default());
        Self { inner, requests, permits, timeout: limits.timeout, ids: RequestIds::new(), networks, proxies }
    }

    /// The same, with peers in these networks believed when they pass on where a request comes from, and requests of these proxies
    /// marked.
    pub(crate) fn behind(self, networks: TrustedProxies, proxies: TrustedProxies) -> Self {
        Self { networks, proxies, ..self }
    }

    pub(crate) fn requests(&self) -> &Arc<Requests> {
        &self.requests
    }

    /// Answers a request. It cannot fail: what goes wrong is an answer too.
    pub(crate) async fn answer<A, B>(&self, peer: &Connected, mut request: Request<A>) -> Response<Body<B>>
    where
        S: Service<Request<A>, Response = Response<B>, Error = Infallible> + Clone,
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let mut measurement = Measurement::start(&self.requests, request.uri());
        let id = self.ids.of(&mut request);
        peer.introduce(&mut request, self.requests.protocol(), &self.networks, &self.proxies);
        let span = self.span(&request, &id);

        let permit = if request.uri().path().starts_with(HEALTH) {
            None
        } else if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            Some(permit)
        } else {
            return finish(refusal::of(Kind::ResourceExhausted, measurement.protocol()), measurement, id);
        };
        let taken = Taken::default();
        if self.requests.protocol() != Protocol::Grpc {
            request.extensions_mut().insert(taken.clone());
        }
        let timeout = deadline::of(request.headers(), self.timeout);
        let progress = request.extensions().get::<Progress>().cloned();
        let handled = self.handle(request, timeout).instrument(span).await;
        let answer = handled.unwrap_or_else(|kind| match progress {
            Some(progress) if kind == Kind::DeadlineExceeded && progress.is_stalled() => {
                refusal::of_stalled(measurement.protocol())
            }
            _ => refusal::of(kind, measurement.protocol()),
        });
        if let Some(route) = taken.0.get() {
            measurement.matched(route);
        }
        let mut answer = finish(answer, measurement, id);
        answer.body_mut().hold(permit);
        answer
    }

    async fn handle<A, B>(&self, request: Request<A>, timeout: Option<Duration>) -> Result<Response<Body<B>>, Kind>
    where
        S: Service<Request<A>, Response = Response<B>, Error = Infallible> + Clone,
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let mut inner = self.inner.clone();
        // the handler's state is dropped by the panic, and what it shares is behind locks that notice
        let handling = AssertUnwindSafe(async move {
            let Ok(response) = inner.call(request).await;
            response
        })
        .catch_unwind();
        let handled = match timeout {
            Some(timeout) => tokio::time::timeout(timeout, handling).await.map_err(|_| Kind::DeadlineExceeded)?,
            None => handling.await,
        };
        // the panic hook has logged it
        handled.map(|response| response.map(Body::served)).map_err(|_panic| Kind::Internal)
    }

    fn span<A>(&self, request: &Request<A>, id: &HeaderValue) -> Span {
        let name = match self.requests.protocol() {
            Protocol::Grpc => request.uri().path(),
            // Paths of HTTP may hold secrets. What may be told of this one is the route's template, once it is known.
            Protocol::Http | Protocol::Debug => method_name(request.method()),
        };
        let span = tracing::info_span!(
            "request",
            otel.name = name,
            otel.kind = "server",
            service = self.requests.service(),
            request_id = id.to_str().unwrap_or_default(),
        );
        if telemetry::is_exporting() {
            telemetry::continue_trace(&span, request.headers());
        }
        span
    }
}

/// Puts the last touches to an answer, and has it measured to its end.
fn finish<B>(mut answer: Response<Body<B>>, mut measurement: Measurement, id: HeaderValue) -> Response<Body<B>> {
    if measurement.protocol() == Protocol::Grpc {
        refusal::correct_oversized(answer.headers_mut());
        if let Some(code) = refusal::grpc_code(answer.headers()) {
            measurement.ended(code);
        }
    } else {
        measurement.ended(answer.status().as_u16());
    }
    answer.headers_mut().insert(request_id::NAME, id);
    answer.body_mut().measure(measurement);
    answer
}

/// Where a router tells which route a request takes: its method and template, as metrics and traces name them.
#[derive(Clone, Default)]
struct Taken(Arc<OnceLock<String>>);

/// The method; a router hands over unknown ones too, and a stranger must not be able to make up names.
fn method_name(method: &Method) -> &str {
    let standard =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS];
    if standard.contains(method) { method.as_str() } else { "OTHER" }
}

/// Has a router tell each request's route: the span at once, the measurement by the [`Taken`] that came with the request.
pub(crate) fn telling_routes(router: axum::Router) -> axum::Router {
    router.layer(MapRequestLayer::new(|request: axum::extract::Request| {
        if let Some(path) = request.extensions().get::<MatchedPath>() {
            tell_route(&request, path.as_str());
        }
        request
    }))
}

/// Tells which route a request takes, by the route's template.
pub(crate) fn tell_route<A>(request: &Request<A>, template: &str) {
    if let Some(Taken(place)) = request.extensions().get() {
        let route = format!("{} {template}", method_name(request.method()));
        telemetry::rename(&Span::current(), &route);
        // a request takes one
        let _ = place.set(route);
    }
}
