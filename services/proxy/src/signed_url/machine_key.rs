//! The machine key, and its change while the edge runs; or what the edge shows in its place.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use ::config::{Environment, InForce, Secret};
use arc_swap::ArcSwap;
use authn::BoxError;
use runtime::{CHANGEOVER, Context, FileSetting, FileValue, Random, Reading, Service};
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::Proxy;
use crate::config::Config;
use crate::session::seal::Sealer;

/// The machine key that the edge shows to the gateway, and the sealers that follow from it and from the one before it. Without a key these
/// follow from the secret of sessions, and a token of the edge is shown, or nothing where its client certificate is enough.
pub(crate) struct MachineKey {
    current: ArcSwap<State>,
    /// The token of the edge as a workload, which is shown in place of the key.
    token: Option<Arc<FileValue<Secret>>>,
    /// Whether the client certificate of the edge is enough, so that nothing is shown in place of the key.
    is_by_certificate: bool,
    random: Random,
}

struct State {
    /// Empty without a key.
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

    /// Seals under a secret that is never shown.
    fn without_key(secret: &Secret, previous: &Secret, random: &Random) -> Self {
        Self { shown: Secret::default(), ..Self::new(secret, previous, random) }
    }
}

/// The token in a file, which its issuer replaces before it ends.
fn token(file: PathBuf, context: &Context) -> Result<Arc<FileValue<Secret>>, BoxError> {
    let name = "PROXY_WORKLOAD_TOKEN_FILE";
    let setting = FileSetting { service: Proxy::IDENTITY.name, name, files: vec![file.clone()] };
    let read = move |_: Option<&Secret>| {
        // whoever makes such tokens decides who reads them; they end soon
        let text = fs::read_to_string(&file).map_err(|error| format!("{name}: {}: {error}", file.display()))?;
        let token = text.trim();
        if token.is_empty() {
            return Err(format!("{name}: {} is empty", file.display()));
        }
        Ok(Reading { value: Secret::from(token), files: vec![file.clone()] })
    };
    Ok(FileValue::open(setting, read, |_, _| "it is another token".to_owned(), context)?)
}

impl MachineKey {
    /// These keys; an empty previous one is none.
    #[cfg(test)]
    pub(crate) fn new(current: &Secret, previous: &Secret, random: Random) -> Arc<Self> {
        let state = State::new(current, previous, &random);
        Arc::new(Self { current: ArcSwap::from_pointee(state), token: None, is_by_certificate: false, random })
    }

    /// The keys and the token of a configuration, which are read again at every reload.
    ///
    /// # Errors
    /// When there is no token in the file for it.
    pub(super) fn follow(config: &Config, context: &Context) -> Result<Arc<Self>, BoxError> {
        let (key, random) = (&config.machine_auth_api_key, context.random.clone());
        let state = if key.is_empty() {
            State::without_key(&config.session.secret, &config.session.secret_previous, &random)
        } else {
            State::new(key, &config.machine_auth_api_key_previous, &random)
        };
        let token = config.workload_token_file.clone().map(|file| token(file, context)).transpose()?;
        let is_by_certificate = config.workload_certificate;
        let key = Arc::new(Self { current: ArcSwap::from_pointee(state), token, is_by_certificate, random });
        let reload = context.reload.subscribe_from_start();
        let following = follow(Arc::downgrade(&key), config.clone(), context.environment.clone(), reload);
        let shutdown = context.shutdown.clone();
        context.background.spawn("machine key", async move {
            shutdown.run_until_cancelled(following).await;
        });
        Ok(key)
    }

    /// What is shown to the gateway: the token, or nothing where the certificate is enough, or else the key.
    pub(super) fn shown(&self) -> SecretString {
        match (&self.token, self.is_by_certificate) {
            (Some(token), _) => token.current().expose().to_owned().into(),
            (None, true) => SecretString::default(),
            (None, false) => self.current.load().shown.expose().to_owned().into(),
        }
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

    /// Row M18.
    #[tokio::test]
    async fn token_or_nothing_is_shown_without_a_key_and_never_the_secret_of_sessions() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        let context = Context::new(Environment::default());
        let mut config = Config { workload_certificate: true, ..Config::default() };
        config.session.secret = Secret::from("s".repeat(32));
        let by_certificate = MachineKey::follow(&config, &context).expect("opens");
        assert_eq!(by_certificate.shown().expose_secret(), "");
        let sealed = by_certificate.with_sealer(|sealer| sealer.seal(Purpose::SigningKey("k"), &"text"));

        config.workload_token_file = Some(file.clone());
        for text in [None, Some(" \n")] {
            if let Some(text) = text {
                fs::write(&file, text).expect("writes");
            }
            let problem = MachineKey::follow(&config, &context).err().expect("there is no token").to_string();
            assert!(problem.contains("PROXY_WORKLOAD_TOKEN_FILE"), "{problem}");
        }
        fs::write(&file, "a.b.c\n").expect("writes");
        let by_token = MachineKey::follow(&config, &context).expect("opens");
        assert_eq!(by_token.shown().expose_secret(), "a.b.c");
        let open = |sealer: &Sealer| sealer.open::<String>(Purpose::SigningKey("k"), &sealed);
        assert_eq!(by_token.open_with(open).as_deref(), Some("text"));
        config.machine_auth_api_key = Secret::from("m".repeat(32));
        let with_both = MachineKey::follow(&config, &context).expect("opens");
        assert_eq!(with_both.shown().expose_secret(), "a.b.c", "the key only seals");
        assert_eq!(with_both.open_with(open), None);

        config.workload_token_file = None;
        let with_key = MachineKey::follow(&config, &context).expect("opens");
        assert_eq!(with_key.shown().expose_secret(), "", "the certificate is shown in place of the key");
        let sealed = with_key.with_sealer(|sealer| sealer.seal(Purpose::SigningKey("k"), &"text"));
        let open = |sealer: &Sealer| sealer.open::<String>(Purpose::SigningKey("k"), &sealed);
        assert_eq!(with_both.open_with(open).as_deref(), Some("text"));
        config.workload_certificate = false;
        let by_key = MachineKey::follow(&config, &context).expect("opens");
        assert_eq!(by_key.shown().expose_secret(), "m".repeat(32));
    }
}
