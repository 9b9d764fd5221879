//! A token minted once serves the same credential for a while. Its authenticator has been asked again by then: what is
//! reused is the token, never the verdict, so a revocation holds from the next request on.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::{Authenticated, Credentials};
use aws_lc_rs::digest::{Context, Digest, SHA256};
use moka::sync::Cache;
use secrecy::ExposeSecret;
use token::KeyRing;

/// The most tokens that are kept.
const TOKENS: u64 = 65_536;
/// How long one is reused at most; never longer than half its life.
const REUSED_FOR: Duration = Duration::from_mins(1);

/// What was minted lately.
pub(crate) struct Minted {
    tokens: Cache<Key, Arc<Entry>>,
    keys: Arc<KeyRing>,
}

/// A credential's name among them: a hash of all that it consists of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

/// A token that was just minted.
pub(crate) struct Fresh<'a> {
    pub(crate) token: &'a Arc<str>,
    pub(crate) answer: &'a Authenticated,
    pub(crate) generation: u64,
    pub(crate) life: Duration,
}

struct Entry {
    token: Arc<str>,
    until: SystemTime,
    answer: Authenticated,
    /// Which secrets were in force.
    generation: u64,
}

impl Minted {
    /// For tokens that are signed by this ring.
    pub(crate) fn new(keys: Arc<KeyRing>) -> Self {
        Self { tokens: Cache::builder().max_capacity(TOKENS).time_to_live(REUSED_FOR).build(), keys }
    }

    /// The token that was minted for this very answer, as long as it may be reused.
    pub(crate) fn token(&self, key: &Key, answer: &Authenticated, now: SystemTime) -> Option<Arc<str>> {
        let entry = self.tokens.get(key)?;
        let is_good = now < entry.until && entry.generation == self.keys.generation() && is_same(&entry.answer, answer);
        is_good.then(|| Arc::clone(&entry.token))
    }

    /// Which secrets are in force; to be asked before a token is minted.
    pub(crate) fn generation(&self) -> u64 {
        self.keys.generation()
    }

    /// Remembers a token.
    pub(crate) fn keep(&self, key: Key, fresh: &Fresh<'_>, now: SystemTime) {
        let Fresh { token, answer, generation, life } = *fresh;
        let until = now + REUSED_FOR.min(life / 2);
        self.tokens
            .insert(key, Arc::new(Entry { token: Arc::clone(token), until, answer: answer.clone(), generation }));
    }
}

impl Key {
    pub(crate) fn of(kind: &str, credentials: &Credentials) -> Self {
        let mut hash = Context::new(&SHA256);
        for part in [kind, &credentials.client_id, credentials.secret.expose_secret()] {
            // with the length, so that no two lists of parts are one text
            hash.update(&part.len().to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest: Digest = hash.finish();
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }
}

/// Whether a token for the one says what a token for the other would.
fn is_same(one: &Authenticated, other: &Authenticated) -> bool {
    (Arc::ptr_eq(&one.user, &other.user) || one.user == other.user)
        && one.scopes == other.scopes
        && one.not_after == other.not_after
        && one.amr == other.amr
        && one.actor == other.actor
}

#[cfg(test)]
mod tests {
    use authn::{Scopes, User};

    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn minted() -> Minted {
        Minted::new(Arc::new(KeyRing::new(&"k".repeat(32).into(), None).expect("a secret")))
    }

    fn answer() -> Authenticated {
        Authenticated::full(Arc::new(User::default()), "pwd")
    }

    fn keep(minted: &Minted, key: Key, seconds: u64) {
        let (answer, life) = (answer(), Duration::from_secs(seconds));
        minted.keep(
            key,
            &Fresh { token: &"token".into(), answer: &answer, generation: minted.generation(), life },
            START,
        );
    }

    #[test]
    fn a_token_is_reused_for_a_minute_or_half_its_life() {
        for (life, reused) in [(300, 60), (60, 30), (2, 1)] {
            let (minted, key) = (minted(), Key::of("basic", &Credentials::new("a", "b")));
            keep(&minted, key, life);
            let after = |seconds| minted.token(&key, &answer(), START + Duration::from_secs(seconds));
            assert_eq!(after(reused), None, "{life}");
            assert!(after(reused - 1).is_some(), "{life}");
        }
    }

    #[test]
    fn whatever_a_token_says_must_be_the_same() {
        let (minted, key) = (minted(), Key::of("basic", &Credentials::new("a", "b")));
        keep(&minted, key, 300);
        assert!(minted.token(&key, &answer(), START).is_some(), "an equal person need not be the same copy");
        let renamed = User { username: "b".into(), ..User::default() };
        for other in [
            Authenticated { user: Arc::new(renamed), ..answer() },
            Authenticated { scopes: Scopes::default(), ..answer() },
            Authenticated { not_after: Some(START), ..answer() },
            Authenticated { amr: "app".into(), ..answer() },
            Authenticated { actor: Some("x".into()), ..answer() },
        ] {
            assert_eq!(minted.token(&key, &other, START), None, "{other:?}");
        }
    }

    #[test]
    fn a_new_secret_ends_reuse() {
        let (minted, key) = (minted(), Key::of("basic", &Credentials::new("a", "b")));
        keep(&minted, key, 300);
        minted.keys.replace(&"n".repeat(32).into(), None).expect("a secret");
        assert_eq!(minted.token(&key, &answer(), START), None);
    }

    #[test]
    fn no_two_credentials_have_one_name() {
        let of = |kind, login: &str, secret: &str| Key::of(kind, &Credentials::new(login, secret));
        assert!(of("basic", "ab", "c") != of("basic", "a", "bc"));
        assert!(of("basic", "a", "b") != of("appauth", "a", "b"));
        assert!(of("basic", "a", "b") == of("basic", "a", "b"));
    }
}
