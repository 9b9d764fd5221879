//! Routes that require a transaction token. A tonic service has the same layer by `TransactionLayer::grpc`.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::routing::get;
use axum::{Extension, Router};
use oidc::scope::Scopes;
use token::transaction::{KeySource, PublishedKeys, TransactionClaims, TransactionLayer, TransactionVerifier};
use tokio::time::{Instant, sleep};

/// How long the keys are used while their address is away.
const USABLE: Duration = Duration::from_hours(24);
/// The longest key set, in bytes.
const MAX_KEY_SET: usize = 64 << 10;

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

/// Fetches the keys every ten minutes, and within ten seconds if a token names an unknown one. The former ones stay for a day if that
/// fails.
pub(crate) async fn follow_keys(client: reqwest::Client, url: String, keys: Arc<PublishedKeys>) {
    let mut fetched = Instant::now();
    loop {
        match fetch_keys(&client, &url, &keys).await {
            Ok(()) => fetched = Instant::now(),
            Err(error) => eprintln!("the keys cannot be fetched: {error}"),
        }
        if fetched.elapsed() > USABLE {
            keys.forget();
        }
        for _ in 0..60 {
            sleep(Duration::from_secs(10)).await;
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
    let mut answer = client.get(url).timeout(Duration::from_secs(5)).send().await?.error_for_status()?;
    let mut set = Vec::new();
    while let Some(part) = answer.chunk().await? {
        set.extend_from_slice(&part);
        if set.len() > MAX_KEY_SET {
            return Err("the key set is too long".into());
        }
    }
    Ok(keys.replace(&set)?)
}
