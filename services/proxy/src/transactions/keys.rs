//! The keys by which the edge verifies transaction tokens: fetched of the gateway when a request needs them, and again now and then.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::{Gateway, causes};
use token::transaction::{FRESH_FOR, KeySource, PublishedKeys, TransactionVerifier};
use tokio::sync::Mutex;

/// How long after a fetch the keys are not fetched again, whatever tokens name.
const PAUSE: Duration = Duration::from_secs(10);
/// How long keys are used that cannot be fetched again: the key of the next day is among them.
const LONGEST: Duration = Duration::from_hours(24);

/// The keys, if they were fetched.
#[derive(Default)]
pub(super) struct Keys(Mutex<State>);

#[derive(Default)]
struct State {
    fetched: Option<Fetched>,
    attempted: Option<SystemTime>,
}

struct Fetched {
    verifier: TransactionVerifier,
    published: Arc<PublishedKeys>,
    at: SystemTime,
}

impl Keys {
    /// The verifier with these keys; `None` where the gateway does not answer and none were fetched recently. Requests that need the keys
    /// at the same time wait for one answer.
    pub(super) async fn verifier(&self, gateway: &dyn Gateway, now: SystemTime) -> Option<TransactionVerifier> {
        let mut state = self.0.lock().await;
        if state.is_due(now) {
            state.attempted = Some(now);
            match fetch(gateway, now).await {
                Ok(fetched) => state.fetched = Some(fetched),
                Err(error) => tracing::warn!(%error, "the keys of transaction tokens cannot be fetched"),
            }
        }
        let usable = state.fetched.as_ref().filter(|fetched| age(fetched.at, now) < LONGEST);
        usable.map(|fetched| fetched.verifier.clone())
    }
}

impl State {
    fn is_due(&self, now: SystemTime) -> bool {
        let is_paused = self.attempted.is_some_and(|attempted| age(attempted, now) < PAUSE);
        let is_needed = |fetched: &Fetched| age(fetched.at, now) >= FRESH_FOR || fetched.published.take_wanted();
        !is_paused && self.fetched.as_ref().is_none_or(is_needed)
    }
}

async fn fetch(gateway: &dyn Gateway, now: SystemTime) -> Result<Fetched, String> {
    let key_set = gateway.transaction_keys().await.map_err(|error| format!("{error} {}", causes(&error)))?;
    if key_set.trust_domain.is_empty() {
        return Err("the gateway names no trust domain".to_owned());
    }
    let published = Arc::new(PublishedKeys::default());
    published.replace(&key_set.jwks).map_err(|error| error.to_string())?;
    let source = KeySource::Published(Arc::clone(&published));
    Ok(Fetched { verifier: TransactionVerifier::new(&key_set.trust_domain, source), published, at: now })
}

/// How long ago something was; none if the clock was set back.
fn age(at: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(at).unwrap_or_default()
}
