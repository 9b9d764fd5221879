//! `page::PASSKEY_ENDPOINTS`: where users add and manage passkeys, for password managers (W3C, A Well-Known URL for Relying Party
//! Passkey Endpoints).

use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use crate::endpoints::page;
use crate::engine::factors::passkey::RelyingParty;
use crate::engine::provider::Provider;

/// Answers where there are passkeys. The answer is the same for everyone (`docs/security-requirements.md#f26`).
pub(crate) fn router(provider: &Provider) -> Router {
    let Some(endpoints) = provider.issuers.first() else { return Router::new() };
    if RelyingParty::of(provider, endpoints).is_none() {
        return Router::new();
    }
    let url = endpoints.url(page::PASSKEYS);
    let document = json!({ "enroll": url, "manage": url });
    Router::new().route(page::PASSKEY_ENDPOINTS, get(async move || Json(document)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::endpoints::page::PASSKEY_ENDPOINTS;
    use crate::testing::{Bench, Browser};

    /// `docs/security-requirements.md#f26`
    #[tokio::test]
    async fn password_managers_find_the_page_of_passkeys() {
        let bench = Bench::new().await;
        let document = bench.get(&mut Browser::default(), PASSKEY_ENDPOINTS, &[]).await.is(200);
        let url = "https://cloud.example/signin/v1/passkeys";
        assert_eq!(document, json!({ "enroll": url, "manage": url }));
        let off = Bench::with(|config| config.mfa.policy = "off".to_owned()).await;
        off.get(&mut Browser::default(), PASSKEY_ENDPOINTS, &[]).await.is(404);
    }
}
