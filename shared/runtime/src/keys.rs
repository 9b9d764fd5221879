//! The keys of the internal token and of transaction tokens, and their change while the service runs.

use std::sync::{Arc, Weak};
use std::time::Duration;

use oidc::jose::Algorithm;
use secrecy::{ExposeSecret, SecretString};
use token::transaction::{FRESH_FOR, TransactionKeys};
use token::{KeyError, KeyRing};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::{Context, Service};
use config::{InForce, Secret, TokenManager, Transactions};

/// How long a caller goes on using the previous secret after a change: longer than other processes take to notice it, which would refuse
/// a secret that they have not read yet.
pub const CHANGEOVER: Duration = Duration::from_secs(4);
/// The same for transaction tokens: longer than services use a key set before they fetch it again. Meanwhile no token has an unknown key,
/// so that nothing else makes them fetch it.
const TRANSACTION_CHANGEOVER: Duration = FRESH_FOR.saturating_add(Duration::from_mins(1));

/// The key ring that `token_manager` describes. It is read again at every reload, so that secrets change without a
/// restart; what cannot be read then is logged and changes nothing. A secret whose predecessor stays accepted signs after a few
/// seconds, one without a predecessor at once.
///
/// # Errors
/// When a secret is too short.
pub fn key_ring<S: Service>(
    config: &S::Config,
    token_manager: fn(&S::Config) -> TokenManager,
    context: &Context,
) -> Result<Arc<KeyRing>, KeyError> {
    let secrets = move |config: &S::Config| secrets(&token_manager(config));
    let (current, previous) = secrets(config);
    let ring = Arc::new(KeyRing::new(&current, previous.as_ref())?);
    let follower = Follower::of_token(&ring, current);
    follow::<S, _>(config, secrets, follower, context);
    Ok(ring)
}

/// The keys of transaction tokens that `transactions` describes; `None` where no secret is set. The secret is read again as that of
/// [`key_ring`], and signs after eleven minutes.
///
/// # Errors
/// When a secret is too short.
pub fn transaction_keys<S: Service>(
    config: &S::Config,
    transactions: fn(&S::Config) -> Transactions,
    context: &Context,
) -> Result<Option<Arc<TransactionKeys>>, KeyError> {
    let settings = transactions(config);
    if !settings.is_enabled() {
        return Ok(None);
    }
    let secrets = move |config: &S::Config| {
        let Transactions { secret, secret_previous, .. } = transactions(config);
        pair(&secret, &secret_previous)
    };
    let (current, previous) = secrets(config);
    // the setting accepts the names of the two algorithms only
    let algorithm = settings.algorithm.parse().unwrap_or(Algorithm::Es256);
    let keys = Arc::new(TransactionKeys::new(&current, previous.as_ref(), algorithm)?);
    let follower = Follower::of_transactions(&keys, current);
    follow::<S, _>(config, secrets, follower, context);
    Ok(Some(keys))
}

/// Reads the secrets again at every reload, as long as their keys are in use.
fn follow<S: Service, K: Send + Sync + 'static>(
    config: &S::Config,
    secrets: impl Fn(&S::Config) -> Secrets + Send + Sync + 'static,
    follower: Follower<K>,
    context: &Context,
) {
    let in_force = InForce::new(config.clone(), S::IDENTITY, context.environment.clone());
    let read = move || match in_force.read_again() {
        Ok(loaded) => Ok(secrets(&loaded.config)),
        Err(error) => Err(error.to_string()),
    };
    let (reload, shutdown) = (context.reload.subscribe_from_start(), context.shutdown.clone());
    context.background.spawn(follower.name, async move {
        shutdown.run_until_cancelled(follower.follow(Arc::new(read), reload)).await;
    });
}

/// The current secret, and the one before it.
type Secrets = (SecretString, Option<SecretString>);

/// Changes the secrets of a ring of keys as long as it is in use.
struct Follower<K> {
    /// What logs call the secrets.
    name: &'static str,
    ring: Weak<K>,
    /// The secret that signs.
    signing: SecretString,
    changeover: Duration,
    /// Puts both secrets to use at once.
    replace: fn(&K, &SecretString, Option<&SecretString>) -> Result<(), KeyError>,
    /// Accepts both secrets, and signs by the previous one.
    introduce: fn(&K, &SecretString, &SecretString) -> Result<(), KeyError>,
}

impl Follower<KeyRing> {
    fn of_token(ring: &Arc<KeyRing>, signing: SecretString) -> Self {
        let (replace, introduce) = (KeyRing::replace, KeyRing::introduce);
        let ring = Arc::downgrade(ring);
        Self { name: "token secrets", ring, signing, changeover: CHANGEOVER, replace, introduce }
    }
}

impl Follower<TransactionKeys> {
    fn of_transactions(keys: &Arc<TransactionKeys>, signing: SecretString) -> Self {
        let (replace, introduce) = (TransactionKeys::replace, TransactionKeys::introduce);
        let (name, ring) = ("transaction secrets", Arc::downgrade(keys));
        Self { name, ring, signing, changeover: TRANSACTION_CHANGEOVER, replace, introduce }
    }
}

impl<K: Send + Sync + 'static> Follower<K> {
    async fn follow<R>(mut self, read: Arc<R>, mut reload: watch::Receiver<u64>)
    where
        R: Fn() -> Result<Secrets, String> + Send + Sync + 'static,
    {
        // a secret that is accepted already, and signs once the changeover is over
        let mut introduced: Option<(Secrets, Instant)> = None;
        loop {
            let changed = match introduced.take() {
                None => reload.changed().await,
                Some(((current, previous), end)) => {
                    let Ok(changed) = timeout_at(end, reload.changed()).await else {
                        self.replace(current, previous.as_ref());
                        continue;
                    };
                    // it is to sign still if nothing else can be read
                    introduced = Some(((current, previous), end));
                    changed
                }
            };
            if changed.is_err() {
                return;
            }
            let read = Arc::clone(&read);
            // Reading files may block.
            let read = tokio::task::spawn_blocking(move || read()).await;
            match read.unwrap_or_else(|error| Err(error.to_string())) {
                Ok(secrets) => {
                    let before = introduced.take();
                    let secrets = self.apply(secrets);
                    introduced = secrets.map(|secrets| self.with_end(secrets, before));
                }
                Err(error) => tracing::error!(%error, "{} stay as they were", self.name),
            }
            if self.ring.strong_count() == 0 {
                return;
            }
        }
    }

    /// Puts secrets to use; returns them if the current one is not to sign yet.
    fn apply(&mut self, (current, previous): Secrets) -> Option<Secrets> {
        let is_successor = current.expose_secret() != self.signing.expose_secret();
        let is_signing = |previous: &&SecretString| previous.expose_secret() == self.signing.expose_secret();
        let Some(signing) = previous.as_ref().filter(is_signing).filter(|_| is_successor) else {
            self.replace(current, previous.as_ref());
            return None;
        };
        let ring = self.ring.upgrade()?;
        let introduced = (self.introduce)(&ring, &current, signing);
        report(self.name, &introduced);
        introduced.is_ok().then_some((current, previous))
    }

    /// Adds when the current secret signs: as before, if it was introduced before.
    fn with_end(&self, secrets: Secrets, before: Option<(Secrets, Instant)>) -> (Secrets, Instant) {
        let is_same = |((current, _), _): &(Secrets, Instant)| current.expose_secret() == secrets.0.expose_secret();
        let end = before.filter(is_same).map_or_else(|| Instant::now() + self.changeover, |(_, end)| end);
        (secrets, end)
    }

    fn replace(&mut self, current: SecretString, previous: Option<&SecretString>) {
        let Some(ring) = self.ring.upgrade() else { return };
        let replaced = (self.replace)(&ring, &current, previous);
        report(self.name, &replaced);
        if replaced.is_ok() {
            self.signing = current;
        }
    }
}

fn report(name: &str, outcome: &Result<(), KeyError>) {
    match outcome {
        Ok(()) => tracing::info!("{name} read again"),
        Err(error) => tracing::error!(%error, "{name} stay as they were"),
    }
}

fn secrets(tokens: &TokenManager) -> Secrets {
    pair(&tokens.jwt_secret, &tokens.jwt_secret_previous)
}

fn pair(current: &Secret, previous: &Secret) -> Secrets {
    let secret = |secret: &Secret| SecretString::from(secret.expose().to_owned());
    (secret(current), (!previous.is_empty()).then(|| secret(previous)))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::UNIX_EPOCH;

    use authn::{Authenticated, User, UserId};
    use token::{Minter, Verifier};
    use tokio::time::sleep;

    use super::*;
    use crate::Reload;

    fn secret(letter: &str) -> SecretString {
        letter.repeat(32).into()
    }

    fn only(letter: &str) -> Arc<KeyRing> {
        Arc::new(KeyRing::new(&secret(letter), None).expect("a secret"))
    }

    fn mint(keys: Arc<KeyRing>) -> String {
        let id = UserId { opaque_id: "id-of-alan".to_owned(), idp: "https://idp".to_owned(), ..UserId::default() };
        let user = User { id, username: "alan".to_owned(), ..User::default() };
        let minter = Minter::new(keys, Duration::from_mins(5), false);
        minter.mint(UNIX_EPOCH, &Authenticated::full(Arc::new(user), "basic")).expect("mints")
    }

    fn accepts(keys: Arc<KeyRing>, token: &str) -> bool {
        Verifier::new(keys).verify(UNIX_EPOCH, token).is_ok()
    }

    /// Row G9.
    #[tokio::test(start_paused = true)]
    async fn successor_is_accepted_at_once_and_signs_after_the_changeover() {
        let ring = only("a");
        let file = Arc::new(Mutex::new((secret("a"), None)));
        let reload = Reload::default();
        let read = {
            let file = Arc::clone(&file);
            move || Ok(file.lock().expect("no panic").clone())
        };
        let follower = Follower::of_token(&ring, secret("a"));
        tokio::spawn(follower.follow(Arc::new(read), reload.subscribe()));
        let write = |current: &str, previous: Option<&str>| {
            *file.lock().expect("no panic") = (secret(current), previous.map(secret));
            reload.announce();
        };
        tokio::task::yield_now().await;

        write("b", Some("a"));
        sleep(CHANGEOVER / 2).await;
        assert!(accepts(only("a"), &mint(Arc::clone(&ring))), "others may not have read the new secret yet");
        assert!(accepts(Arc::clone(&ring), &mint(only("b"))), "others may sign by it already");
        sleep(CHANGEOVER).await;
        let by_second = mint(Arc::clone(&ring));
        assert!(accepts(only("b"), &by_second) && accepts(Arc::clone(&ring), &mint(only("a"))));

        write("c", None);
        sleep(Duration::from_millis(1)).await;
        assert!(accepts(only("c"), &mint(Arc::clone(&ring))), "without a predecessor it signs at once");
        assert!(!accepts(Arc::clone(&ring), &by_second));
    }

    /// `docs/security-requirements.md#x9`
    #[tokio::test(start_paused = true)]
    async fn successor_of_the_transaction_secret_is_published_until_all_have_fetched_it_before_it_signs() {
        let keys_of = |letter| TransactionKeys::new(&secret(letter), None, Algorithm::Es256).expect("a secret");
        let kid = |keys: &TransactionKeys| keys.signer(UNIX_EPOCH).kid().to_owned();
        let (first, second) = (kid(&keys_of("a")), kid(&keys_of("b")));
        let keys = Arc::new(keys_of("a"));
        let reload = Reload::default();
        let follower = Follower::of_transactions(&keys, secret("a"));
        let read = || Ok((secret("b"), Some(secret("a"))));
        tokio::spawn(follower.follow(Arc::new(read), reload.subscribe()));
        tokio::task::yield_now().await;

        reload.announce();
        sleep(FRESH_FOR / 2).await;
        // what is read again without a change delays nothing
        reload.announce();
        sleep(FRESH_FOR / 2).await;
        assert_eq!(kid(&keys), first, "verifiers may not have the new keys yet");
        let published = String::from_utf8(keys.published(UNIX_EPOCH).to_vec()).expect("JSON");
        assert!(published.contains(&first) && published.contains(&second), "{published}");
        sleep(Duration::from_secs(61)).await;
        assert_eq!(kid(&keys), second);
    }

    #[tokio::test(start_paused = true)]
    async fn successor_signs_although_the_secrets_cannot_be_read_during_the_changeover() {
        let ring = only("a");
        let file = Arc::new(Mutex::new(Ok::<Secrets, String>((secret("b"), Some(secret("a"))))));
        let reload = Reload::default();
        let read = {
            let file = Arc::clone(&file);
            move || file.lock().expect("no panic").clone()
        };
        let follower = Follower::of_token(&ring, secret("a"));
        tokio::spawn(follower.follow(Arc::new(read), reload.subscribe()));
        tokio::task::yield_now().await;

        reload.announce();
        sleep(CHANGEOVER / 2).await;
        assert!(accepts(only("a"), &mint(Arc::clone(&ring))));
        *file.lock().expect("no panic") = Err("cannot be read".to_owned());
        reload.announce();
        sleep(CHANGEOVER * 2).await;
        assert!(accepts(only("b"), &mint(Arc::clone(&ring))));
    }
}
