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

/// The machine key that the edge shows to the gateway, and the sealers that follow from the secrets of its configuration. Without a key
/// that of sessions seals, and a token of the edge is shown, or nothing where its client certificate is enough.
pub(crate) struct MachineKey {
    current: ArcSwap<State>,
    /// The token of the edge as a workload, which is shown in place of the key.
    token: Option<Arc<FileValue<Secret>>>,
    /// Whether the client certificate of the edge is enough, so that nothing is shown in place of the key.
    is_by_certificate: bool,
    random: Random,
}

/// The secrets under which keys of signed URLs may be sealed. Empty ones are none.
#[derive(Clone, Default)]
struct Secrets {
    key: Secret,
    key_previous: Secret,
    /// That of sessions, which seals where there is no key.
    session: Secret,
    session_previous: Secret,
}

impl Secrets {
    fn of(config: &Config) -> Self {
        Self {
            key: config.machine_auth_api_key.clone(),
            key_previous: config.machine_auth_api_key_previous.clone(),
            session: config.session.secret.clone(),
            session_previous: config.session.secret_previous.clone(),
        }
    }

    /// With these machine keys. The secrets of sessions change at a restart only.
    fn with_keys(&self, key: &Secret, previous: &Secret) -> Self {
        Self { key: key.clone(), key_previous: previous.clone(), ..self.clone() }
    }

    /// The one that seals.
    fn sealing(&self) -> &Secret {
        if self.key.is_empty() { &self.session } else { &self.key }
    }

    fn all(&self) -> [&Secret; 4] {
        [&self.key, &self.key_previous, &self.session, &self.session_previous]
    }
}

struct State {
    secrets: Secrets,
    /// Empty without a key.
    shown: Secret,
    /// The secret of `sealer`.
    sealing: Secret,
    sealer: Sealer,
    /// Under the other secrets: what those have sealed is opened still, or already.
    others: Vec<Sealer>,
}

impl State {
    fn new(secrets: Secrets, shown: Secret, sealing: Secret, random: &Random) -> Self {
        let sealer = |secret: &Secret| Sealer::of_machine_key(secret.expose(), random.clone());
        let is_other = |secret: &&Secret| !secret.is_empty() && !is_same(secret, &sealing);
        let others = secrets.all().into_iter().filter(is_other).map(sealer).collect();
        Self { sealer: sealer(&sealing), others, secrets, shown, sealing }
    }

    /// Shows the key, and seals under the secret that is to seal.
    fn settled(secrets: Secrets, random: &Random) -> Self {
        let (shown, sealing) = (secrets.key.clone(), secrets.sealing().clone());
        Self::new(secrets, shown, sealing, random)
    }
}

fn is_same(one: &Secret, other: &Secret) -> bool {
    one.expose() == other.expose()
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
        let state = State::settled(Secrets::default().with_keys(current, previous), &random);
        Arc::new(Self { current: ArcSwap::from_pointee(state), token: None, is_by_certificate: false, random })
    }

    /// The keys and the token of a configuration, which are read again at every reload.
    ///
    /// # Errors
    /// When there is no token in the file for it.
    pub(super) fn follow(config: &Config, context: &Context) -> Result<Arc<Self>, BoxError> {
        let random = context.random.clone();
        let state = State::settled(Secrets::of(config), &random);
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

    /// Seals under one secret.
    pub(super) fn with_sealer<T>(&self, seal: impl FnOnce(&Sealer) -> T) -> T {
        seal(&self.current.load().sealer)
    }

    /// Opens under every secret.
    pub(super) fn open_with<T>(&self, open: impl Fn(&Sealer) -> Option<T>) -> Option<T> {
        let state = self.current.load();
        open(&state.sealer).or_else(|| state.others.iter().find_map(&open))
    }

    /// Puts keys to use; returns whether the current one is not to be shown yet, since auth-machine may not have read it, or is not to
    /// seal yet, since other edges may not have read it. A key that is removed stays in use until a restart.
    fn apply(&self, current: &Secret, previous: &Secret) -> bool {
        let former = self.current.load();
        if current.is_empty() && !former.shown.is_empty() {
            return false;
        }
        let secrets = former.secrets.with_keys(current, previous);
        let shows_former = !previous.is_empty() && is_same(previous, &former.shown);
        let seals_by_former = secrets.all().into_iter().any(|secret| is_same(secret, &former.sealing));
        let shown = if shows_former { &former.shown } else { current };
        let sealing = if seals_by_former { &former.sealing } else { secrets.sealing() };
        let is_successor = !is_same(shown, current) || !is_same(sealing, secrets.sealing());
        let (shown, sealing) = (shown.clone(), sealing.clone());
        self.current.store(Arc::new(State::new(secrets, shown, sealing, &self.random)));
        is_successor
    }

    fn replace(&self, current: &Secret, previous: &Secret) {
        let secrets = self.current.load().secrets.with_keys(current, previous);
        self.current.store(Arc::new(State::settled(secrets, &self.random)));
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
                successor = key.apply(&current, &previous).then_some([current, previous]);
            }
            Ok(Err(error)) => tracing::error!(%error, "the machine key stays as it was"),
            Err(error) => tracing::error!(%error, "the machine key stays as it was"),
        }
    }
}

#[cfg(test)]
mod tests {
    use ::config::load;
    use secrecy::ExposeSecret;
    use tokio::time::sleep;

    use super::*;
    use crate::session::seal::Purpose;

    fn seal(key: &MachineKey) -> Vec<u8> {
        key.with_sealer(|sealer| sealer.seal(Purpose::SigningKey("k"), &"text"))
    }

    fn opens(key: &MachineKey, sealed: &[u8]) -> bool {
        key.open_with(|sealer| sealer.open::<String>(Purpose::SigningKey("k"), sealed)).is_some()
    }

    /// Row M12.
    #[test]
    fn successor_opens_at_once_and_is_shown_after_the_changeover() {
        let secret = |letter: &str| Secret::from(letter.repeat(32));
        let key = |letter: &str| MachineKey::new(&secret(letter), &Secret::default(), Random::seeded(1));
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

    /// Row M12.
    #[tokio::test(start_paused = true)]
    async fn first_key_seals_after_the_changeover_and_opens_what_the_secret_of_sessions_has_sealed() {
        let folder = tempfile::tempdir().expect("a folder");
        let [file, token] = ["key", "token"].map(|name| folder.path().join(name));
        fs::write(&file, "").expect("writes");
        fs::write(&token, "a.b.c").expect("writes");
        let machine_key = Secret::from("an-adequate-machine-key-of-32-bytes");
        let environment = Environment::from([
            ("OCIS_JWT_SECRET", "an-adequate-secret-of-32-bytes-ok"),
            ("PROXY_SESSION_SECRET", "an-adequate-secret-of-the-sessions"),
            ("PROXY_MACHINE_AUTH_API_KEY_FILE", file.to_str().expect("UTF-8")),
            ("PROXY_WORKLOAD_TOKEN_FILE", token.to_str().expect("UTF-8")),
            ("OCIS_ALLOW_READABLE_SECRETS", "true"),
        ]);
        let config = load::<Config>(&Proxy::IDENTITY, &environment).expect("is valid").config;
        let started = |config: &Config, environment: &Environment| {
            let context = Context::new(environment.clone());
            (MachineKey::follow(config, &context).expect("opens"), context)
        };
        let (edge, context) = started(&config, &environment);
        let (without_key, _unchanged) = started(&config, &environment);
        let only_key = MachineKey::new(&machine_key, &Secret::default(), Random::seeded(1));
        let before = seal(&edge);

        fs::write(&file, machine_key.expose()).expect("writes");
        context.reload.announce();
        sleep(CHANGEOVER / 2).await;
        assert!(opens(&without_key, &seal(&edge)), "another edge may not have read the key yet");
        assert!(opens(&edge, &before) && opens(&edge, &seal(&only_key)));
        sleep(CHANGEOVER).await;
        let after = seal(&edge);
        assert!(opens(&only_key, &after) && !opens(&without_key, &after));
        assert!(opens(&edge, &before), "it was sealed before the key was read");

        // a file that has lost the key ends none
        fs::write(&file, "").expect("writes");
        context.reload.announce();
        sleep(CHANGEOVER * 2).await;
        assert!(opens(&only_key, &seal(&edge)) && opens(&edge, &before));

        let with_key = Config { machine_auth_api_key: machine_key.clone(), ..config.clone() };
        let (restarted, _context) = started(&with_key, &environment);
        assert!(opens(&restarted, &before) && opens(&restarted, &after) && opens(&only_key, &seal(&restarted)));
        let with_previous = Config { machine_auth_api_key_previous: machine_key, ..config };
        let (removed, _context) = started(&with_previous, &environment);
        assert!(opens(&removed, &before) && opens(&removed, &after) && opens(&without_key, &seal(&removed)));
        assert!(removed.current.load().shown.is_empty(), "a previous key is not shown");
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
        let sealed = seal(&by_certificate);

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
        assert!(opens(&by_token, &sealed));
        config.machine_auth_api_key = Secret::from("m".repeat(32));
        let with_both = MachineKey::follow(&config, &context).expect("opens");
        assert_eq!(with_both.shown().expose_secret(), "a.b.c", "the key only seals");
        assert!(opens(&with_both, &sealed) && !opens(&by_token, &seal(&with_both)));

        config.workload_token_file = None;
        let with_key = MachineKey::follow(&config, &context).expect("opens");
        assert_eq!(with_key.shown().expose_secret(), "", "the certificate is shown in place of the key");
        assert!(opens(&with_both, &seal(&with_key)));
        config.workload_certificate = false;
        let by_key = MachineKey::follow(&config, &context).expect("opens");
        assert_eq!(by_key.shown().expose_secret(), "m".repeat(32));
    }
}
