//! Back-channel logout (`OpenID` Connect Back-Channel Logout 1.0): the replica that takes a queued message first sends it to the
//! client, and tries again until the client has taken it or a day is over.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use oidc::logout_token::{EVENT, TYPE};
use outbound::FetchError;
use serde::Serialize;
use serde_json::{Value, json};
use store::StoreError;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::claims;
use super::clients::Client;
use super::provider::Provider;
use crate::endpoints::IssuerEndpoints;
use crate::model::{Seconds, seconds};
use crate::store::Delivery;

/// How often the database is queried for due deliveries without a wake-up.
const POLL: Duration = Duration::from_secs(1);
/// The most that is sent at the same time.
const BATCH: u64 = 16;
/// How long no other replica takes a message that was taken; longer than a call can last.
const LEASE: Duration = Duration::from_secs(30);
/// How long a logout token is good (row I38; 2.4 recommends at most two minutes).
const LIFE: Seconds = 120;
/// The pause after each try that failed; a day in all.
const PAUSES: [Duration; 9] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_hours(1),
    Duration::from_hours(4),
    Duration::from_hours(8),
    Duration::from_hours(11),
];

/// The claims of a logout token (2.4). There is never a `nonce`: it could be taken for an ID token.
#[derive(Debug, Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: Seconds,
    exp: Seconds,
    jti: Uuid,
    events: Value,
    sid: Uuid,
}

/// What happens to a message after a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nothing: it has arrived.
    Done,
    /// Nothing: the client has refused it, or it was tried for a day.
    GiveUp,
    /// It is tried again after this long.
    Again(Duration),
}

/// Sends logout tokens for sessions that have ended, until the service stops.
pub async fn deliver(provider: Provider, shutdown: CancellationToken) {
    let delivering = async {
        loop {
            match deliver_due(&provider).await {
                // there may be more
                Ok(sent) if sent > 0 => continue,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "clients are not notified of sign-outs for now"),
            }
            let _ = tokio::time::timeout(POLL, provider.deliveries.notified()).await;
        }
    };
    shutdown.run_until_cancelled(delivering).await;
}

/// Sends what is due now, a few at the same time; how many were tried.
///
/// # Errors
/// When the database does not say what is due, or does not take what became of it; what was sent is sent again then.
pub async fn deliver_due(provider: &Provider) -> Result<usize, StoreError> {
    let due = provider.store.due_deliveries(BATCH, LEASE, provider.clock.now()).await?;
    let outcomes = join_all(due.iter().map(|delivery| deliver_one(provider, delivery))).await;
    outcomes.into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(due.len())
}

async fn deliver_one(provider: &Provider, delivery: &Delivery) -> Result<(), StoreError> {
    let Some((endpoints, client, address)) = addressee(provider, delivery).await? else {
        return provider.store.delivered(delivery.id).await;
    };
    let token = logout_token(provider, endpoints, &client, delivery);
    let outcome = provider.fetcher.post_form(&address, &[("logout_token", &token)]).await;
    let next = next(&outcome, delivery.attempts);
    let (attempt, client) = (delivery.attempts + 1, &client.id);
    match next {
        Next::Done => tracing::debug!(client, attempt, "a client was notified of a sign-out"),
        Next::GiveUp => tracing::warn!(client, attempt, ?outcome, "a client was not notified of a sign-out"),
        Next::Again(pause) => {
            tracing::info!(client, attempt, ?outcome, ?pause, "a client is notified of a sign-out later");
        }
    }
    match next {
        Next::Done | Next::GiveUp => provider.store.delivered(delivery.id).await,
        Next::Again(pause) => provider.store.redeliver(delivery.id, provider.clock.now() + pause).await,
    }
}

/// Which client to notify and where; none if the issuer, the client or its address is gone by now.
async fn addressee<'a>(
    provider: &'a Provider,
    delivery: &Delivery,
) -> Result<Option<(&'a IssuerEndpoints, Arc<Client>, String)>, StoreError> {
    let endpoints = delivery.layout.parse().ok().and_then(|layout| provider.endpoints(layout));
    let client = provider.clients.find(&delivery.client).await?;
    let address = client.as_ref().and_then(|client| client.logout.backchannel.clone());
    Ok(endpoints.zip(client).zip(address).map(|((endpoints, client), address)| (endpoints, client, address)))
}

fn logout_token(provider: &Provider, endpoints: &IssuerEndpoints, client: &Client, delivery: &Delivery) -> String {
    let issued = seconds(provider.clock.now());
    let subject = claims::subject(&provider.sealer, client, &delivery.person);
    let claims = Claims {
        iss: &endpoints.issuer,
        sub: &subject,
        aud: &client.id,
        iat: issued,
        exp: issued + LIFE,
        jti: provider.random.uuid(),
        events: json!({ EVENT: {} }),
        sid: delivery.session,
    };
    // where ID tokens are not signed, or by a secret, by the usual one: a logout token is always signed by a key of ours (2.6)
    provider.keys.signer(provider.keys.choose(client.signatures.id_token)).jwt(TYPE, &claims)
}

/// What an answer means (2.8). `attempts` is how often it was tried before.
fn next(outcome: &Result<u16, FetchError>, attempts: u32) -> Next {
    match outcome {
        Ok(200..=299) => Next::Done,
        // the client has understood it and does not want it
        Ok(400) => Next::GiveUp,
        _ => {
            usize::try_from(attempts).ok().and_then(|n| PAUSES.get(n)).map_or(Next::GiveUp, |pause| Next::Again(*pause))
        }
    }
}
