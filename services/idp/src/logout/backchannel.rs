//! Telling clients server to server (`OpenID` Connect Back-Channel Logout 1.0): what is queued in the database is sent by
//! whichever replica takes it first, and tried again until the client has taken it or a day is over.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use outbound::FetchError;
use serde::Serialize;
use serde_json::{Value, json};
use store::StoreError;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Logouts;
use crate::claims;
use crate::clients::Client;
use crate::endpoints::Site;
use crate::model::{Seconds, seconds};
use crate::provider::Provider;
use crate::store::Delivery;

/// How often it is looked for what is due when nobody says that there is something.
const POLL: Duration = Duration::from_secs(1);
/// The most that is sent at the same time.
const BATCH: u64 = 16;
/// How long nobody else takes what was taken; longer than a call can last.
const LEASE: Duration = Duration::from_secs(30);
/// How long a logout token is good (row I38; 2.4 recommends at most two minutes).
const LIFE: Seconds = 120;
/// The type of logout tokens, by which they are told from ID tokens (2.4).
const TYPE: &str = "logout+jwt";
/// The event that a logout token tells.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How long it is waited after each try that failed; a day in all.
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

/// Tells clients of sessions that have ended, until the service stops.
pub async fn deliver(provider: Provider, logouts: Logouts, shutdown: CancellationToken) {
    let delivering = async {
        loop {
            match deliver_due(&provider).await {
                // there may be more
                Ok(sent) if sent > 0 => continue,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "clients are not told of sign-outs for now"),
            }
            let _ = tokio::time::timeout(POLL, logouts.woken()).await;
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
    let Some((site, client, address)) = addressee(provider, delivery).await? else {
        return provider.store.delivered(delivery.id).await;
    };
    let token = logout_token(provider, site, &client, delivery);
    let outcome = provider.fetcher.post_form(&address, &[("logout_token", &token)]).await;
    let next = next(&outcome, delivery.attempts);
    let (attempt, client) = (delivery.attempts + 1, &client.id);
    match next {
        Next::Done => tracing::debug!(client, attempt, "a client was told of a sign-out"),
        Next::GiveUp => tracing::warn!(client, attempt, ?outcome, "a client was not told of a sign-out"),
        Next::Again(pause) => tracing::info!(client, attempt, ?outcome, ?pause, "a client is told of a sign-out later"),
    }
    match next {
        Next::Done | Next::GiveUp => provider.store.delivered(delivery.id).await,
        Next::Again(pause) => provider.store.redeliver(delivery.id, provider.clock.now() + pause).await,
    }
}

/// Whom to tell and where; nobody if the issuer, the client or its address is gone by now.
async fn addressee<'a>(
    provider: &'a Provider,
    delivery: &Delivery,
) -> Result<Option<(&'a Site, Arc<Client>, String)>, StoreError> {
    let site = delivery.layout.parse().ok().and_then(|layout| provider.site(layout));
    let client = provider.clients.find(&delivery.client).await?;
    let address = client.as_ref().and_then(|client| client.logout.backchannel.clone());
    Ok(site.zip(client).zip(address).map(|((site, client), address)| (site, client, address)))
}

fn logout_token(provider: &Provider, site: &Site, client: &Client, delivery: &Delivery) -> String {
    let issued = seconds(provider.clock.now());
    let told = Claims {
        iss: &site.issuer,
        sub: &claims::subject(&provider.sealer, client, &delivery.person),
        aud: &client.id,
        iat: issued,
        exp: issued + LIFE,
        jti: provider.random.uuid(),
        events: json!({ EVENT: {} }),
        sid: delivery.session,
    };
    // where ID tokens are not signed, or by a secret, by the usual one: a logout token is always signed by a key of ours (2.6)
    provider.keys.signer(provider.keys.choose(client.signatures.id_token)).jwt(TYPE, &told)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i38_a_logout_token_says_what_a_client_needs_and_has_no_nonce() {
        let claims = Claims {
            iss: "https://cloud.example",
            sub: "einstein",
            aud: "web",
            iat: 1000,
            exp: 1000 + LIFE,
            jti: Uuid::from_u128(1),
            events: json!({ EVENT: {} }),
            sid: Uuid::from_u128(7),
        };
        let expected = json!({
            "iss": "https://cloud.example",
            "sub": "einstein",
            "aud": "web",
            "iat": 1000,
            "exp": 1120,
            "jti": "00000000-0000-0000-0000-000000000001",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            "sid": "00000000-0000-0000-0000-000000000007",
        });
        assert_eq!(serde_json::to_value(&claims).unwrap(), expected);
    }

    #[test]
    fn a_message_is_tried_until_it_arrives_is_refused_or_a_day_is_over() {
        for good in [200, 204] {
            assert_eq!(next(&Ok(good), 0), Next::Done);
        }
        assert_eq!(next(&Ok(400), 0), Next::GiveUp);
        for bad in [302, 401, 404, 429, 500, 501, 503] {
            assert_eq!(next(&Ok(bad), 0), Next::Again(Duration::from_secs(1)), "{bad}");
        }
        let unreachable = || Err(FetchError("no answer".to_owned()));
        let mut waited = Duration::ZERO;
        for attempts in 0.. {
            match next(&unreachable(), attempts) {
                Next::Again(pause) => waited += pause,
                outcome => {
                    assert_eq!((outcome, attempts), (Next::GiveUp, 9));
                    break;
                }
            }
        }
        let day = Duration::from_hours(24);
        assert!(waited > day && waited < day + Duration::from_hours(1), "{waited:?}");
    }
}
