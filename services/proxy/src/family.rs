//! The routes to the family's own services, which people reach through the edge.

use crate::config::Backends;
use crate::routes::{Backend, NoBackend, Route};

/// Where idp answers: it asks people who they are itself.
const IDP: [&str; 9] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/webfinger",
    "/konnect/v1",
    "/signin/v1",
    "/oidc",
    "/oauth2/oob",
    "/oauth/oob",
    "/device",
];
/// Where app tokens are administered, by whoever has proven who it is.
const AUTH_APP: &str = "/auth-app";
/// Where issuers tell of sign-outs, with tokens that prove themselves.
pub(crate) const AUTH_BEARER: &str = "/backchannel_logout";

/// The routes.
///
/// # Errors
/// When a backend is none.
pub(crate) fn routes(backends: &Backends) -> Result<Vec<Route>, NoBackend> {
    let idp = IDP.map(|path| (path, &backends.idp, true));
    let others = [(AUTH_APP, &backends.auth_app, false), (AUTH_BEARER, &backends.auth_bearer, true)];
    let there = idp.into_iter().chain(others).filter(|(_, backend, _)| !backend.is_empty());
    let route = |(path, backend, unprotected): (&str, &String, bool)| {
        backend.parse::<Backend>().map(|backend| Route::family(path, backend, unprotected))
    };
    there.map(route).collect()
}
