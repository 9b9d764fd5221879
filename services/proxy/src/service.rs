//! The edge as one service.

use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::Response;
use runtime::MatchedRoute;
use tower::Service;

use crate::endpoint::Endpoint;
use crate::entrypoint::Entrypoint;
use crate::forward::Forwarder;
use crate::forward_auth::{self, ForwardAuth};
use crate::pages::Viewer;
use crate::refusal::Refusal;
use crate::token_review::TokenReviewer;
use crate::{protected_resource, resource_metadata, signing_key};

/// What the runtime's metrics call the route of forwarded requests. The edge's own metrics count them by the route they take.
const FORWARDED: &str = "/*";
/// The route of the files of pages.
const STATIC: &str = "/_doorward/static/*";

/// Answers every HTTP request: at an endpoint of the edge, or by forwarding it. Clones share everything.
#[derive(Clone)]
pub(crate) struct EdgeService(pub(crate) Arc<Edge>);

/// What the service consists of.
pub(crate) struct Edge {
    pub(crate) entrypoint: Arc<Entrypoint>,
    /// `None` unless another proxy is configured.
    pub(crate) forward_auth: Option<Arc<ForwardAuth>>,
    /// `None` without a secret for the API server.
    pub(crate) token_review: Option<Arc<TokenReviewer>>,
    pub(crate) forwarder: Arc<Forwarder>,
}

impl Service<Request> for EdgeService {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Edge { entrypoint, forward_auth, token_review, forwarder } = &*self.0;
        let (signed_urls, sessions) = (&entrypoint.authorizer.signed_urls, &entrypoint.authorizer.sessions);
        // Except for `/verify`, an endpoint has exactly the path of its route.
        let path = request.uri().path();
        match (Endpoint::of(path), forward_auth, token_review, sessions, signed_urls) {
            (None, ..) => {
                if let Some(document) = resource_metadata::document(entrypoint, &request) {
                    MatchedRoute::record(&request, protected_resource::PATH);
                    return Box::pin(ready(Ok(resource_metadata::respond(&request, document))));
                }
                MatchedRoute::record(&request, FORWARDED);
                Box::pin(Arc::clone(forwarder).forward(request))
            }
            (Some(Endpoint::ForwardAuth), Some(forward_auth), ..) if forward_auth.is_at(path) => {
                MatchedRoute::record(&request, forward_auth::PATH);
                Box::pin(Arc::clone(forward_auth).respond(request))
            }
            (Some(Endpoint::TokenReview), _, Some(reviewer), ..) => {
                MatchedRoute::record(&request, path);
                Box::pin(Arc::clone(reviewer).respond(request))
            }
            (Some(Endpoint::Session(endpoint)), _, _, Some(sessions), _) => {
                MatchedRoute::record(&request, path);
                Box::pin(Arc::clone(sessions).respond(endpoint, request))
            }
            (Some(Endpoint::SigningKey), .., Some(_)) => {
                MatchedRoute::record(&request, path);
                Box::pin(signing_key::respond(Arc::clone(entrypoint), request))
            }
            (Some(Endpoint::Static), ..) => {
                MatchedRoute::record(&request, STATIC);
                let (query, headers) = (request.uri().query(), request.headers());
                Box::pin(ready(Ok(forwarder.pages.file(path, request.method(), query, headers))))
            }
            (Some(_), ..) => {
                let viewer = Viewer::of(request.method(), request.headers());
                Box::pin(ready(Ok(forwarder.pages.refuse(Refusal::not_found(), viewer.as_ref()))))
            }
        }
    }
}
