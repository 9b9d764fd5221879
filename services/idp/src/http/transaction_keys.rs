//! The keys of transaction tokens, for the services that verify them. They are no keys of an issuer
//! (`docs/security-requirements.md#x1`).

use axum::Router;
use token::transaction::names::KEY_SET_PATH;

use super::discovery::{KEYS_KEPT, served};
use crate::engine::provider::Provider;

/// The key set, if there are transaction tokens.
pub(crate) fn router(provider: &Provider) -> Router {
    let Some(transactions) = provider.transactions.clone() else { return Router::new() };
    let clock = provider.clock.clone();
    Router::new().route(KEY_SET_PATH, served(move || transactions.published(clock.now()), KEYS_KEPT))
}
