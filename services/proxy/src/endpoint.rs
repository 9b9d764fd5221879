//! The endpoints that the edge answers itself.

use crate::path::below;
use crate::session::SessionEndpoint;
use crate::{forward_auth, site, token_review};

/// An endpoint of the edge. No backend ever receives a request for one, whether it is configured or not: clients would take the
/// backend's response for the edge's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `/verify` and what is below it.
    ForwardAuth,
    /// `/tokenreview`.
    TokenReview,
    /// One of browser sessions, below `/_doorward`.
    Session(SessionEndpoint),
    /// A file that the edge's pages load.
    Static,
    /// The key that clients sign URLs with.
    SigningKey,
    /// A path that belongs to the edge, where it has no endpoint.
    Unassigned,
}

impl Endpoint {
    /// The endpoint at this path; `None` if the path is not the edge's.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let is_below = |own| below(path, own).is_some();
        if is_below(site::STATIC) {
            Some(Self::Static)
        } else if is_below(site::ROOT) {
            Some(SessionEndpoint::of(path).map_or(Self::Unassigned, Self::Session))
        } else if is_below(forward_auth::PATH) {
            Some(Self::ForwardAuth)
        } else if is_below(token_review::PATH) {
            Some(if path == token_review::PATH { Self::TokenReview } else { Self::Unassigned })
        } else {
            site::SIGNING_KEY.contains(&path).then_some(Self::SigningKey)
        }
    }

    /// Whether no application may have this path. One behind another proxy may have that of the signing key.
    pub(crate) fn is_reserved(path: &str) -> bool {
        Self::of(path).is_some_and(|endpoint| endpoint != Self::SigningKey)
    }
}
