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

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::App;
    use crate::testing::{Sections, context, echoing};

    struct Short;

    impl Shortcut for Short {
        fn route(&self, uri: &http::Uri) -> Option<&'static str> {
            uri.path().starts_with("/short/").then_some("/short/*")
        }

        fn answer(&self, request: Request) -> BoxFuture<'static, Response> {
            async move { Response::new(request.uri().path().to_owned().into()) }.boxed()
        }
    }

    fn app() -> App {
        let router = Router::new().route("/short/cut", get("the router")).route("/long", get("the router"));
        App { http: Some(router), shortcut: Some(Arc::new(Short)), ..echoing() }
    }

    async fn ask(addr: std::net::SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(addr).await.expect("connects");
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("asks");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answers");
        answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
    }

    #[tokio::test]
    async fn it_answers_before_the_router_and_is_measured() {
        let context = context();
        let running = Sections::default().serve(app(), &context).await.expect("starts");
        let addr = running.http.expect("serves HTTP");
        assert_eq!(ask(addr, "/short/cut").await, "/short/cut");
        assert_eq!(ask(addr, "/long").await, "the router");
        running.stop().await;
        let metrics = context.metrics.render();
        for route in ["GET /short/*", "GET /long"] {
            let line = format!("protocol=\"http\",route=\"{route}\",code=\"200\"}} 1");
            assert!(metrics.contains(&line), "{line} in {metrics}");
        }
    }

    #[tokio::test]
    async fn below_a_root_the_router_answers() {
        let mut sections = Sections::default();
        sections.http.root = "/root".into();
        let running = sections.serve(app(), &context()).await.expect("starts");
        let addr = running.http.expect("serves HTTP");
        assert_eq!(ask(addr, "/root/short/cut").await, "the router");
        assert_eq!(ask(addr, "/short/cut").await, "", "which is nowhere");
        running.stop().await;
    }
}
