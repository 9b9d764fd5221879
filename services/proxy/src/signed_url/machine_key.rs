//! The machine key, and its change while the edge runs.

use std::sync::{Arc, Weak};

use ::config::{Environment, InForce, Secret};
use arc_swap::ArcSwap;
use runtime::{CHANGEOVER, Context, Random, Service};
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::Proxy;
use crate::config::Config;
use crate::session::seal::Sealer;

/// The machine key that the edge shows to the gateway, and the sealers that follow from it and from the one before it.
pub(crate) struct MachineKey {
    current: ArcSwap<State>,
    random: Random,
}

struct State {
    shown: Secret,
    /// Under the key that is shown.
    sealer: Sealer,
    /// Under the other one of the two keys: what that has sealed is opened still, or already.
    other: Option<Sealer>,
}

impl State {
    fn new(shown: &Secret, other: &Secret, random: &Random) -> Self {
        let sealer = |key: &Secret| Sealer::of_machine_key(key.expose(), random.clone());
        Self { shown: shown.clone(), sealer: sealer(shown), other: (!other.is_empty()).then(|| sealer(other)) }
    }
}

impl MachineKey {
    /// These keys; an empty previous one is none.
    pub(crate) fn new(current: &Secret, previous: &Secret, random: Random) -> Arc<Self> {
        let state = State::new(current, previous, &random);
        Arc::new(Self { current: ArcSwap::from_pointee(state), random })
    }

    /// The keys of a configuration, which is read again at every reload.
    pub(super) fn follow(config: &Config, context: &Context) -> Arc<Self> {
        let key =
            Self::new(&config.machine_auth_api_key, &config.machine_auth_api_key_previous, context.random.clone());
        let reload = context.reload.subscribe_from_start();
        let following = follow(Arc::downgrade(&key), config.clone(), context.environment.clone(), reload);
        let shutdown = context.shutdown.clone();
        context.background.spawn("machine key", async move {
            shutdown.run_until_cancelled(following).await;
        });
        key
    }

    /// What is shown to the gateway.
    pub(super) fn shown(&self) -> SecretString {
        self.current.load().shown.expose().to_owned().into()
    }

    /// Seals under the key that is shown.
    pub(super) fn with_sealer<T>(&self, seal: impl FnOnce(&Sealer) -> T) -> T {
        seal(&self.current.load().sealer)
    }

    /// Opens under either key.
    pub(super) fn open_with<T>(&self, open: impl Fn(&Sealer) -> Option<T>) -> Option<T> {
        let state = self.current.load();
        open(&state.sealer).or_else(|| state.other.as_ref().and_then(&open))
    }

    /// Puts keys to use; returns whether the current one is not to be shown yet, since auth-machine may not have read it.
    fn apply(&self, current: &Secret, previous: &Secret) -> bool {
        let shown = self.current.load().shown.clone();
        let is_successor = current.expose() != shown.expose() && previous.expose() == shown.expose();
        let state = if is_successor {
            State::new(previous, current, &self.random)
        } else {
            State::new(current, previous, &self.random)
        };
        self.current.store(Arc::new(state));
        is_successor
    }

    fn replace(&self, current: &Secret, previous: &Secret) {
        self.current.store(Arc::new(State::new(current, previous, &self.random)));
    }
}

/// Reads the keys again whenever files may have changed, as long as they are in use. What cannot be read changes nothing.
async fn follow(key: Weak<MachineKey>, config: Config, environment: Environment, mut reload: watch::Receiver<u64>) {
    let in_force = Arc::new(InForce::new(config, Proxy::IDENTITY, environment));
    let mut successor: Option<[Secret; 2]> = None;
    loop {
        let changed = match successor.take() {
            None => reload.changed().await,
            Some([current, previous]) => {
                let Ok(changed) = timeout(CHANGEOVER, reload.changed()).await else {
                    let Some(key) = key.upgrade() else { return };
                    key.replace(&current, &previous);
                    continue;
                };
                // it is to be shown still if nothing else can be read
                successor = Some([current, previous]);
                changed
            }
        };
        if changed.is_err() {
            return;
        }
        let in_force = Arc::clone(&in_force);
        // Reading files may block.
        let read = tokio::task::spawn_blocking(move || in_force.read_again());
        let Some(key) = key.upgrade() else { return };
        match read.await {
            Ok(Ok(loaded)) => {
                let Config { machine_auth_api_key: current, machine_auth_api_key_previous: previous, .. } =
                    loaded.config;
                // without a key the edge has no signed URLs, which only a restart changes
                let is_successor = !current.is_empty() && key.apply(&current, &previous);
                successor = is_successor.then_some([current, previous]);
            }
            Ok(Err(error)) => tracing::error!(%error, "the machine key stays as it was"),
            Err(error) => tracing::error!(%error, "the machine key stays as it was"),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::session::seal::Purpose;

    /// Row M12.
    #[test]
    fn successor_opens_at_once_and_is_shown_after_the_changeover() {
        let secret = |letter: &str| Secret::from(letter.repeat(32));
        let key = |letter: &str| MachineKey::new(&secret(letter), &Secret::default(), Random::seeded(1));
        let seal = |key: &MachineKey| key.with_sealer(|sealer| sealer.seal(Purpose::SigningKey("k"), &"text"));
        let opens = |key: &MachineKey, sealed: &[u8]| {
            key.open_with(|sealer| sealer.open::<String>(Purpose::SigningKey("k"), sealed)).is_some()
        };
        let edge = key("a");
        let by_first = seal(&edge);

        assert!(edge.apply(&secret("b"), &secret("a")));
        assert_eq!(edge.shown().expose_secret(), secret("a").expose());
        assert!(opens(&edge, &by_first) && opens(&edge, &seal(&key("b"))), "another edge may have changed over");
        edge.replace(&secret("b"), &secret("a"));
        assert_eq!(edge.shown().expose_secret(), secret("b").expose());
        assert!(opens(&edge, &by_first) && opens(&key("b"), &seal(&edge)));

        assert!(!edge.apply(&secret("b"), &Secret::default()));
        assert!(!opens(&edge, &by_first), "the former key is dropped");
        assert!(!edge.apply(&secret("c"), &Secret::default()), "without a predecessor it is shown at once");
        assert_eq!(edge.shown().expose_secret(), secret("c").expose());
    }
}
