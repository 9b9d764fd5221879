//! What nearly all requests of the edge are for: `/verify`, and what is passed on. The router has what is left.

use std::pin::Pin;

use axum::extract::{Request, State};
use axum::response::Response;
use http::Uri;
use runtime::Shortcut;

use crate::forward::{self, Forward};
use crate::verify::{self, Verify};
use crate::{review, session};

/// What metrics call the route of what is passed on; which backend's it is, the edge's own metrics tell.
const PASSED_ON: &str = "/*";

/// Whether a path is one of the edge's own endpoints, or below one. Such a path is never passed on, whether the endpoint is switched on or
/// not: a backend's answer would be taken for the edge's.
pub(crate) fn is_own(path: &str) -> bool {
    let own = [verify::PATH, review::PATH, session::PREFIX.trim_end_matches('/')];
    own.iter().any(|own| path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Where they go.
pub(crate) struct Straight {
    pub(crate) verify: Option<Verify>,
    pub(crate) forward: Forward,
}

impl Straight {
    fn verify(&self, path: &str) -> Option<&Verify> {
        self.verify.as_ref().filter(|verify| verify.is_at(path))
    }
}

impl Shortcut for Straight {
    fn route(&self, uri: &Uri) -> Option<&'static str> {
        let path = uri.path();
        if self.verify(path).is_some() {
            Some(verify::PATH)
        } else if path == review::PATH || path.starts_with(session::PREFIX) {
            None
        } else {
            Some(PASSED_ON)
        }
    }

    fn answer(&self, request: Request) -> Pin<Box<dyn Future<Output = Response> + Send>> {
        match self.verify(request.uri().path()) {
            Some(verify) => Box::pin(verify::verify(verify.clone(), request)),
            None => Box::pin(forward::forward(State(self.forward.clone()), request)),
        }
    }
}
