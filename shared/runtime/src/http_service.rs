//! What an HTTP listener serves, whatever its type.

use std::convert::Infallible;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::response::Response;
use tower::{Layer, Service};

use crate::layers::recording_routes;
use crate::serving::HttpListener;

/// Any [`tower::Service`] for HTTP. Its type is erased once, when its listener starts, so that no request is boxed for it.
pub struct HttpService(Box<dyn FnOnce(HttpListener<'_>) + Send>);

impl HttpService {
    /// A service that receives each request as it came. It records routes by [`MatchedRoute`](crate::MatchedRoute), and limits
    /// bodies itself.
    pub fn new<S>(service: S) -> Self
    where
        S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send,
    {
        Self(Box::new(|listener: HttpListener<'_>| listener.serve(service)))
    }

    pub(crate) fn serve(self, listener: HttpListener<'_>) {
        (self.0)(listener);
    }
}

/// A router is mounted below the root of its listener. Its routes are recorded, and the bodies of its requests are limited.
impl From<Router> for HttpService {
    fn from(router: Router) -> Self {
        Self(Box::new(|listener: HttpListener<'_>| {
            let settings = listener.settings();
            let root = settings.root.trim_end_matches('/');
            let router = if root.is_empty() { router } else { Router::new().nest(root, router) };
            // The limit is around the router: a layer of the router is boxed for every request.
            let service = DefaultBodyLimit::max(settings.max_body_size).layer(recording_routes(router));
            listener.serve(service);
        }))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::service_fn;

    use super::*;
    use crate::testing::{Sections, context, echoing, get};
    use crate::{App, MatchedRoute};

    #[tokio::test]
    async fn service_that_is_no_router_is_served_and_counted_by_route() {
        let path_of = |request: Request| async move {
            if request.uri().path().starts_with("/files/") {
                MatchedRoute::record(&request, "/files/*");
            }
            Ok::<_, Infallible>(Response::new(Body::from(request.uri().path().to_owned())))
        };
        let context = context();
        let app = App { http: Some(HttpService::new(service_fn(path_of))), ..echoing() };
        let running = Sections::default().serve(app, &context).await.expect("starts");
        let addr = running.http.expect("serves HTTP");
        for path in ["/files/a", "/b"] {
            assert_eq!(get(addr, path, "").await, (200, path.to_owned()));
        }
        running.stop().await;
        let metrics = context.metrics.render();
        for route in ["GET /files/*", "other"] {
            let line = format!("protocol=\"http\",route=\"{route}\",code=\"200\"}} 1");
            assert!(metrics.contains(&line), "{line} in {metrics}");
        }
    }
}
