//! All routes, by who calls them.

#[cfg(test)]
mod tests;

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, Method};
use axum::middleware::from_fn;
use axum::{Extension, Router};
use runtime::{Pages, Service};

use crate::logout::Logouts;
use crate::provider::Provider;
use crate::token::certificate::ByMtls;
use crate::token::dpop::{DPOP, DPOP_NONCE};
use crate::{Idp, authorize, device, discovery, introspection, logout, pages};
use crate::{registration, revocation, session, status_code, token, userinfo, webfinger};

/// What scripts need to be told of a refusal, beside what everybody is.
const TOLD: [HeaderName; 3] = [WWW_AUTHENTICATE, DPOP_NONCE, RETRY_AFTER];

/// All routes. Pages of other sites may call those that programs do, without credentials, and no others (row I20).
pub(crate) fn all(provider: &Provider, logouts: &Logouts) -> Router {
    // a client's registration is changed by PUT (RFC 7592 2.2)
    let pages = Pages::of(&provider.config.http.cors)
        .without_credentials()
        .may_use([Method::PUT])
        .may_send([DPOP])
        .may_read(TOLD);
    let all = pages.open(for_programs(provider), Idp::IDENTITY.name).merge(for_people(provider, logouts));
    all.layer(from_fn(status_code::add))
}

/// What programs call, whichever machine or browser they run in. No cookie counts here.
fn for_programs(provider: &Provider) -> Router {
    Router::new()
        .merge(discovery::router(provider.clone()))
        .merge(webfinger::router(provider))
        .merge(token::router(provider.clone()))
        .merge(userinfo::router(provider.clone()))
        .merge(revocation::router(provider.clone()))
        .merge(authorize::pushed::router(provider))
        .merge(device::endpoint(provider))
        .merge(registration::router(provider))
}

/// What clients with certificates call (RFC 8705 5). Browsers have no business here.
pub(crate) fn for_certificates(provider: &Provider) -> Router {
    Router::new()
        .merge(token::router(provider.clone()))
        .merge(userinfo::router(provider.clone()))
        .merge(revocation::router(provider.clone()))
        .merge(introspection::router(provider.clone()))
        .merge(authorize::pushed::router(provider))
        .merge(device::endpoint(provider))
        .layer(from_fn(status_code::add))
        .layer(Extension(ByMtls))
}

/// What people see, and what no page of another site has any business with: who introspects has to prove who it is, which a
/// script in a browser cannot.
fn for_people(provider: &Provider, logouts: &Logouts) -> Router {
    Router::new()
        .merge(authorize::router(provider))
        .merge(session::router(provider.clone()))
        .merge(logout::router(provider, logouts))
        .merge(device::page(provider.clone()))
        .merge(pages::router())
        .merge(introspection::router(provider.clone()))
}
