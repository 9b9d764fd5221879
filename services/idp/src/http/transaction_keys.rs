//! The keys of transaction tokens, for the services that verify them. They are no keys of an issuer
//! (`docs/security-requirements.md#x1`).

use axum::Router;
use axum::http::HeaderValue;
use token::transaction::names::{KEY_SET_CACHE_CONTROL, KEY_SET_PATH};

use super::discovery::served;
use crate::engine::provider::Provider;

const KEPT: HeaderValue = HeaderValue::from_static(KEY_SET_CACHE_CONTROL);

/// The key set, if there are transaction tokens.
pub(crate) fn router(provider: &Provider) -> Router {
    let Some(transactions) = provider.transactions.clone() else { return Router::new() };
    let clock = provider.clock.clone();
    Router::new().route(KEY_SET_PATH, served(move || transactions.published(clock.now()), KEPT))
}
