//! The built-in routes to services of Doorward that browsers and clients use.

use crate::config::Backends;
use crate::routes::{Backend, InvalidBackend, Route};

/// The paths of idp, which authenticates users itself.
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
/// The API for app tokens, which needs a credential.
const AUTH_APP: &str = "/auth-app";
/// Where issuers send logout tokens to auth-bearer, which verifies them.
pub(crate) const AUTH_BEARER: &str = "/backchannel_logout";

/// The routes to these backends; an empty one has none.
///
/// # Errors
/// If the URL of a backend is invalid.
pub(crate) fn routes(backends: &Backends) -> Result<Vec<Route>, InvalidBackend> {
    let idp = IDP.map(|path| (path, &backends.idp, true));
    let others = [(AUTH_APP, &backends.auth_app, false), (AUTH_BEARER, &backends.auth_bearer, true)];
    let there = idp.into_iter().chain(others).filter(|(_, backend, _)| !backend.is_empty());
    let route = |(path, backend, unprotected): (&str, &String, bool)| {
        backend.parse::<Backend>().map(|backend| Route::builtin(path, backend, unprotected))
    };
    there.map(route).collect()
}
