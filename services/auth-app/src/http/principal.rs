//! The caller: the bearer of an internal token.

use ::token::{Claims, METADATA_KEY};
use authn::Caller;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, request::Parts};
use tonic::metadata::MetadataMap;

use super::Api;
use super::answer::Problem;

/// Whose token it is, and from where the request came.
pub(super) struct Principal {
    pub(super) claims: Claims,
    pub(super) caller: Caller,
}

impl FromRequestParts<Api> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let token = token(&parts.headers).ok_or_else(Problem::unauthenticated)?;
        let claims = api.verifier.verify_caller(api.clock.now(), token).map_err(|_| Problem::invalid_token())?;
        let caller = Caller::of(&MetadataMap::from_headers(parts.headers.clone()), &parts.extensions);
        Ok(Self { claims, caller })
    }
}

/// A proxy before the service puts the token where services look for it, and may leave what its client sent beside.
fn token(headers: &HeaderMap) -> Option<&str> {
    let own = headers.get(METADATA_KEY).and_then(|value| value.to_str().ok()).filter(|token| !token.is_empty());
    own.or_else(|| {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (first, another) = (values.next()?.to_str().ok()?, values.next());
        let (scheme, token) = first.split_once(' ')?;
        // two headers are ambiguous: neither is used
        (another.is_none() && scheme.eq_ignore_ascii_case("bearer")).then(|| token.trim_start())
    })
}
