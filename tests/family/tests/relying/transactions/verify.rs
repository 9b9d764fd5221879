//! Routes that require a transaction token. A tonic service has the same layer by `TransactionLayer::grpc`.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::routing::get;
use axum::{Extension, Router};
use oidc::scope::Scopes;
use token::transaction::{KeySource, PublishedKeys, TransactionClaims, TransactionLayer, TransactionVerifier};

/// Each request needs exactly one token of the trust domain with this scope. `clock` is `SystemTime::now`.
pub(crate) fn router(
    keys: Arc<PublishedKeys>,
    domain: &str,
    scope: Scopes,
    clock: impl Fn() -> SystemTime + Send + Sync + 'static,
) -> Router {
    let verifier = TransactionVerifier::new(domain, KeySource::Published(keys));
    // without keys it answers 503, without the scope 403, without a valid token 401
    Router::new().route("/", get(handle)).layer(TransactionLayer::http(verifier, clock, scope))
}

/// A handler finds the claims among the extensions of the request.
async fn handle(Extension(claims): Extension<Arc<TransactionClaims>>) -> String {
    format!("{} {} {}", claims.subject, claims.scope, claims.requesters)
}

/// Fetches the keys every ten minutes, and within ten seconds if a token names an unknown one. The former ones stay if that fails.
pub(crate) async fn follow_keys(client: reqwest::Client, url: String, keys: Arc<PublishedKeys>) {
    loop {
        if let Err(error) = fetch_keys(&client, &url, &keys).await {
            eprintln!("the keys cannot be fetched: {error}");
        }
        for _ in 0..60 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            if keys.take_wanted() {
                break;
            }
        }
    }
}

async fn fetch_keys(
    client: &reqwest::Client,
    url: &str,
    keys: &PublishedKeys,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let answer = client.get(url).send().await?.error_for_status()?;
    Ok(keys.replace(&answer.bytes().await?)?)
}
