//! HTTP: every endpoint and page, by the kind of caller.

mod audit;
mod authorization_response;
mod authorize;
mod cancel;
mod check_session;
mod client_request;
mod consent;
mod consents;
mod cookie;
mod device;
mod device_cookie;
mod device_page;
mod discovery;
mod end_session;
pub mod error;
mod factor;
mod forgotten_password;
mod fresh_session;
mod interaction;
mod introspect;
mod issuer;
mod links;
mod mail_link;
mod new_browser;
mod out_of_band;
pub mod pages;
mod par;
mod passkey;
mod passkey_endpoints;
mod passkey_sign_in;
mod passkeys;
mod password_link;
mod register;
mod revoke;
mod security;
mod sign_in;
mod status_code;
mod token;
mod transaction_keys;
mod userinfo;
pub(crate) mod webfinger;

#[cfg(test)]
mod tests;

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, Method};
use axum::middleware::from_fn;
use axum::{Extension, Router};
use runtime::Pages;

use self::client_request::{DPOP, MutualTls};
use self::error::DPOP_NONCE;
use crate::engine::provider::Provider;

/// The headers of a refusal that scripts may read.
const READABLE: [HeaderName; 3] = [WWW_AUTHENTICATE, DPOP_NONCE, RETRY_AFTER];

/// What clients of the Model Context Protocol send with every request for metadata.
const MCP_PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// All routes. Pages of other sites may call those that programs do, without credentials, and no others (row I20).
pub(crate) fn all(provider: &Provider, service: &'static str) -> Router {
    // a client's registration is changed by PUT (RFC 7592 2.2)
    let pages = Pages::of(&provider.config.http.cors)
        .without_credentials()
        .may_use([Method::PUT])
        .may_send([DPOP, MCP_PROTOCOL_VERSION])
        .may_read(READABLE);
    let all = pages.open(for_programs(provider), service).merge(for_browsers(provider));
    all.layer(from_fn(status_code::add))
}

/// What programs call, whichever machine or browser they run in. No cookie counts here.
fn for_programs(provider: &Provider) -> Router {
    Router::new()
        .merge(discovery::router(provider))
        .merge(webfinger::router(provider))
        .merge(passkey_endpoints::router(provider))
        .merge(transaction_keys::router(provider))
        .merge(token::router(provider))
        .merge(userinfo::router(provider))
        .merge(revoke::router(provider))
        .merge(par::router(provider))
        .merge(device::router(provider))
        .merge(register::router(provider))
}

/// What clients with certificates call (RFC 8705 5), and no browser.
pub(crate) fn for_certificates(provider: &Provider) -> Router {
    Router::new()
        .merge(token::router(provider))
        .merge(userinfo::router(provider))
        .merge(revoke::router(provider))
        .merge(introspect::router(provider))
        .merge(par::router(provider))
        .merge(device::router(provider))
        .layer(from_fn(status_code::add))
        .layer(Extension(MutualTls))
}

/// What users see, and what no page of another site may call: a client that introspects has to prove who it is, which a script in
/// a browser cannot.
fn for_browsers(provider: &Provider) -> Router {
    let router = Router::new()
        .merge(authorize::router(provider))
        .merge(end_session::router(provider))
        .merge(check_session::router(provider))
        .merge(issuer::assets(provider).router())
        .merge(passkey::script_router())
        .merge(introspect::router(provider));
    let Some(state) = issuer::of_first(provider) else { return router };
    router
        .merge(interaction::router(state.clone()))
        .merge(cancel::router(state.clone()))
        .merge(consent::router(state.clone()))
        .merge(sign_in::router(state.clone()))
        .merge(factor::router(state.clone()))
        .merge(passkey_sign_in::router(state.clone()))
        .merge(passkeys::router(state.clone()))
        .merge(forgotten_password::router(state.clone()))
        .merge(password_link::router(state.clone()))
        .merge(mail_link::router(state.clone()))
        .merge(consents::router(state.clone()))
        .merge(security::router(state.clone()))
        .merge(out_of_band::router(state.clone()))
        .merge(end_session::shared_router(state.clone()))
        .merge(device_page::router(state))
}
