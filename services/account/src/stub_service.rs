//! A stand-in for gRPC services in tests: it records the calls, answers each with an empty message, and refuses those that it is told to.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tonic::Status;
use tonic::body::Body;
use tower::Service;

/// The trailer that ends a call.
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// What the stand-in was asked for, and what it answers. Methods have their names in the contract.
#[derive(Default)]
pub(crate) struct Known {
    /// The methods that were called, in their order.
    pub(crate) calls: Vec<String>,
    /// What calls of these methods are refused with.
    pub(crate) failures: HashMap<&'static str, Status>,
    /// The messages, as they are encoded, that calls of these methods are answered with.
    pub(crate) answers: HashMap<&'static str, &'static [u8]>,
}

/// The stand-in. Clones share what they know.
#[derive(Clone, Default)]
pub(crate) struct StubService(Arc<Mutex<Known>>);

impl StubService {
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().expect("no test has panicked")
    }

    /// Refuses calls of a method from now on.
    pub(crate) fn fail(&self, method: &'static str, status: Status) {
        self.known().failures.insert(method, status);
    }

    /// Answers calls of all methods again.
    pub(crate) fn recover(&self) {
        self.known().failures.clear();
    }

    /// The methods that were called since this was last asked for.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.known().calls)
    }

    fn answer(&self, path: &str) -> Response<Body> {
        let method = path.rsplit('/').next().unwrap_or_default();
        let mut known = self.known();
        known.calls.push(method.to_owned());
        if let Some(status) = known.failures.get(method) {
            return status.clone().into_http();
        }
        let message = known.answers.get(method).copied().unwrap_or_default();
        let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
        let frame = [&[0], &length[..], message].concat();
        let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
        let body = Full::new(Bytes::from(frame)).with_trailers(ready(Some(Ok(trailers))));
        let mut response = Response::new(Body::new(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        response
    }
}

impl Service<Request<Body>> for StubService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        ready(Ok(self.answer(request.uri().path())))
    }
}
