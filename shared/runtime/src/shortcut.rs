//! A way past the router, for requests of which most go one way.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, Map};
use tower::Service;

use crate::BoxError;
use crate::layers::tell_route;

/// Answers some requests of an [`App`](crate::App) before its router is asked: what a router looks up, clones and boxes takes
/// longer than many an answer.
pub trait Shortcut: Send + Sync {
    /// The route that a request takes, as metrics and traces name it; `None` if the router is to answer.
    fn route(&self, uri: &http::Uri) -> Option<&'static str>;

    /// Answers a request that has such a route.
    fn answer(&self, request: Request) -> BoxFuture<'static, Response>;
}

/// A router with a way past it, if there is one.
#[derive(Clone)]
pub(crate) struct Shortened<R> {
    pub(crate) router: R,
    pub(crate) shortcut: Option<Arc<dyn Shortcut>>,
}

impl<R, A> Service<http::Request<A>> for Shortened<R>
where
    R: Service<http::Request<A>, Response = Response, Error = Infallible>,
    A: http_body::Body<Data = Bytes> + Send + 'static,
    A::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<R::Future, Map<BoxFuture<'static, Response>, fn(Response) -> Result<Response, Infallible>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.router.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<A>) -> Self::Future {
        let shortcut = self.shortcut.as_ref().and_then(|shortcut| Some((shortcut, shortcut.route(request.uri())?)));
        let Some((shortcut, route)) = shortcut else { return Either::Left(self.router.call(request)) };
        tell_route(&request, route);
        let ok: fn(Response) -> Result<Response, Infallible> = Ok;
        Either::Right(shortcut.answer(request.map(Body::new)).map(ok))
    }
}
