//! Cross-origin resource sharing: which pages of other sites may call an HTTP server and read its responses.

use std::task::{Context, Poll};

use axum::Router;
use futures_util::future::Either;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, LINK, LOCATION, ORIGIN};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use tower::{Layer, Service};
use tower_http::cors::{AllowCredentials, AllowHeaders, AllowMethods, Any, Cors as Answering, CorsLayer};

use super::request_id;
use config::{ANY, Cors};

#[cfg(test)]
mod tests;

/// The response headers that pages may read, in addition to the safelisted ones.
const EXPOSED: [HeaderName; 3] = [LINK, LOCATION, request_id::NAME];

/// Opens routes to pages of other sites, by the configuration. Pages can call no other route.
#[derive(Clone, Debug)]
pub struct Pages {
    cors: Cors,
    exposed: Vec<HeaderName>,
}

impl Pages {
    /// The pages of the configured origins.
    pub fn of(cors: &Cors) -> Self {
        Self { cors: cors.clone(), exposed: EXPOSED.into() }
    }

    /// The same without credentials, whatever the configuration says: for routes that use no cookie.
    #[must_use]
    pub fn without_credentials(mut self) -> Self {
        self.cors.allow_credentials = false;
        self
    }

    /// The same, for these methods too.
    #[must_use]
    pub fn may_use(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.cors.allow_methods.extend(methods.into_iter().map(|method| method.as_str().to_owned()));
        self
    }

    /// The same, with these request headers too.
    #[must_use]
    pub fn may_send(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.cors.allow_headers.extend(headers.into_iter().map(|header| header.as_str().to_owned()));
        self
    }

    /// The same, with these response headers too.
    #[must_use]
    pub fn may_read(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.exposed.extend(headers);
        self
    }

    /// Opens the routes of a router, and answers preflights. Without origins nothing changes.
    pub fn open<S: Clone + Send + Sync + 'static>(&self, router: Router<S>, service: &'static str) -> Router<S> {
        let Self { cors, exposed } = self;
        if cors.allow_origins.is_empty() {
            return router;
        }
        if is_for_all(&cors.allow_origins) && cors.allow_credentials {
            tracing::info!(
                service,
                "pages of every site may call {service}, but without credentials; set OCIS_CORS_ALLOW_ORIGINS to the \
                 origins that may send them"
            );
        }
        router.layer(Preflights(layer(cors).expose_headers(exposed.clone())))
    }
}

fn is_for_all(items: &[String]) -> bool {
    items.iter().any(|item| item == ANY)
}

fn layer(cors: &Cors) -> CorsLayer {
    let layer =
        CorsLayer::new().allow_methods(methods(&cors.allow_methods)).allow_headers(headers(&cors.allow_headers));
    if is_for_all(&cors.allow_origins) {
        // Never with credentials: any page that a user opens could act as the user.
        return layer.allow_origin(Any);
    }
    let origins: Vec<_> = cors.allow_origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    let layer = layer.allow_origin(origins.clone());
    if cors.allow_credentials {
        layer.allow_credentials(AllowCredentials::predicate(move |origin, _| origins.contains(origin)))
    } else {
        layer
    }
}

/// `*` mirrors the requested methods, since browsers ignore a literal `*` with credentials.
fn methods(allowed: &[String]) -> AllowMethods {
    if is_for_all(allowed) {
        return AllowMethods::mirror_request();
    }
    AllowMethods::list(allowed.iter().filter_map(|method| Method::from_bytes(method.as_bytes()).ok()))
}

/// The same for headers; a literal `*` does not include `Authorization` either.
fn headers(allowed: &[String]) -> AllowHeaders {
    if is_for_all(allowed) {
        return AllowHeaders::mirror_request();
    }
    AllowHeaders::list(allowed.iter().filter_map(|header| HeaderName::from_bytes(header.as_bytes()).ok()))
}

/// Applies the CORS layer, except to an OPTIONS request that is not a preflight: the layer would answer it in place of the handler.
#[derive(Clone)]
struct Preflights(CorsLayer);

impl<S> Layer<S> for Preflights {
    type Service = Sorted<S>;

    fn layer(&self, inner: S) -> Sorted<S> {
        Sorted(self.0.layer(inner))
    }
}

#[derive(Clone)]
struct Sorted<S>(Answering<S>);

impl<S, A, B> Service<Request<A>> for Sorted<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: Default,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Either<<Answering<S> as Service<Request<A>>>::Future, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let headers = request.headers();
        let is_preflight = headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if request.method() == Method::OPTIONS && !is_preflight {
            Either::Right(self.0.get_mut().call(request))
        } else {
            Either::Left(self.0.call(request))
        }
    }
}
