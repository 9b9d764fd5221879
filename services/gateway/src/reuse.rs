//! Reuses a minted token for the same credential for a while. Each request first makes sure that the authenticator would answer the
//! same: by calling it again, or, for one in this process that supports it, by checking that its answer is still valid. Only the
//! token is reused, never the verdict, so a revocation takes effect with the next request.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use authn::{Authenticated, Caller, Credentials};
use bounded_cache::{HeapSize, Lookups, MIB};
use crypto::{FINGERPRINT_LEN, fingerprint_of_parts};
use moka::sync::Cache;
use secrecy::ExposeSecret;
use token::KeyRing;

/// The longest that a token is reused; never longer than half its lifetime.
const REUSED_FOR: Duration = Duration::from_mins(1);

/// The cache of minted tokens.
pub(crate) struct Minted {
    tokens: Cache<Key, Arc<Entry>>,
    keys: Arc<KeyRing>,
    lookups: Lookups,
}

/// The key of a credential in the cache: a hash of all its parts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; FINGERPRINT_LEN]);

/// A minted token.
pub(crate) struct Fresh<'a> {
    pub(crate) token: &'a Arc<str>,
    pub(crate) answer: &'a Authenticated,
    pub(crate) generation: u64,
    pub(crate) life: Duration,
}

struct Entry {
    token: Arc<str>,
    /// When it was minted. It is not reused before that time, which occurs after a clock was set back.
    minted: SystemTime,
    until: SystemTime,
    answer: Authenticated,
    /// The generation of the secrets that signed it.
    generation: u64,
}

impl HeapSize for Key {}

impl HeapSize for Entry {
    fn heap_size(&self) -> usize {
        let Self { token, minted: _, until: _, answer, generation: _ } = self;
        token.heap_size() + answer.heap_size()
    }
}

impl Minted {
    /// A cache of so many MiB for tokens that this key ring signs.
    pub(crate) fn new(keys: Arc<KeyRing>, size: u32) -> Self {
        let bound = u64::from(size) * MIB;
        let tokens = bounded_cache::sync(bound).time_to_live(REUSED_FOR).build();
        Self { tokens, keys, lookups: Lookups::default() }
    }

    /// How often a token was reused, and how often one had to be minted.
    pub(crate) fn lookups(&self) -> &Lookups {
        &self.lookups
    }

    /// The token of a credential, and the answer for which it was minted, while that answer is valid.
    pub(crate) fn still_valid(&self, key: &Key, caller: &Caller, now: SystemTime) -> Option<(Arc<str>, Authenticated)> {
        let entry = self.reusable(key, now)?;
        let is_valid = entry.answer.revalidate.as_ref().is_some_and(|check| check.is_still_valid(caller));
        // without one it is looked for again once the authenticator has answered
        is_valid.then(|| self.lookups.counted(Some((Arc::clone(&entry.token), entry.answer.clone())))).flatten()
    }

    /// The token that was minted for an equal answer, while it may be reused.
    pub(crate) fn token(&self, key: Key, answer: &Authenticated, now: SystemTime) -> Option<Arc<str>> {
        let entry = self.lookups.counted(self.reusable(&key, now).filter(|entry| is_same(&entry.answer, answer)))?;
        if answer.revalidate.is_some() {
            // the validity of the former answer is no longer known
            let Entry { minted, until, generation, .. } = *entry;
            let (token, answer) = (Arc::clone(&entry.token), answer.clone());
            self.tokens.insert(key, Arc::new(Entry { token, minted, until, answer, generation }));
        }
        Some(Arc::clone(&entry.token))
    }

    fn reusable(&self, key: &Key, now: SystemTime) -> Option<Arc<Entry>> {
        self.tokens
            .get(key)
            .filter(|entry| entry.minted <= now && now < entry.until && entry.generation == self.keys.generation())
    }

    /// The present generation of the secrets; to be read before a token is minted.
    pub(crate) fn generation(&self) -> u64 {
        self.keys.generation()
    }

    /// Adds a token.
    pub(crate) fn keep(&self, key: Key, fresh: &Fresh<'_>, now: SystemTime) {
        let Fresh { token, answer, generation, life } = *fresh;
        let (minted, until) = (now, now + REUSED_FOR.min(life / 2));
        let (token, answer) = (Arc::clone(token), answer.clone());
        self.tokens.insert(key, Arc::new(Entry { token, minted, until, answer, generation }));
    }
}

impl Key {
    pub(crate) fn of(kind: &str, credentials: &Credentials) -> Self {
        let Credentials { client_id, secret, caller } = credentials;
        let secret = secret.expose_secret();
        if !secret.is_empty() {
            return Self(fingerprint_of_parts(&[kind, client_id, secret]));
        }
        // the certificate of the caller takes the place of the secret
        let [identity, forwarded] =
            [&caller.identity, &caller.forwarded].map(|name| name.as_deref().unwrap_or_default());
        Self(fingerprint_of_parts(&[kind, client_id, secret, identity, forwarded]))
    }
}

/// Whether tokens for the two answers would have the same content.
fn is_same(one: &Authenticated, other: &Authenticated) -> bool {
    (Arc::ptr_eq(&one.user, &other.user) || one.user == other.user)
        && (Arc::ptr_eq(&one.scopes, &other.scopes) || one.scopes == other.scopes)
        && one.not_after == other.not_after
        && one.amr == other.amr
        && one.actor == other.actor
        && one.sid == other.sid
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use authn::{Revalidate, User};

    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn minted() -> Minted {
        Minted::new(Arc::new(KeyRing::new(&"k".repeat(32).into(), None).expect("a secret")), 12)
    }

    fn answer() -> Authenticated {
        Authenticated::full(Arc::new(User::default()), "pwd")
    }

    fn keep(minted: &Minted, key: Key, seconds: u64) {
        keep_for(minted, key, &answer(), seconds);
    }

    fn keep_for(minted: &Minted, key: Key, answer: &Authenticated, seconds: u64) {
        let (generation, life) = (minted.generation(), Duration::from_secs(seconds));
        minted.keep(key, &Fresh { token: &"token".into(), answer, generation, life }, START);
    }

    /// `docs/security-requirements.md#g22`: no token contains it.
    #[test]
    fn propagated_metadata_is_no_part_of_the_key() {
        let mut metadata = tonic::metadata::MetadataMap::new();
        metadata.insert("autoprop-mfa-authenticated", tonic::metadata::MetadataValue::from_static("true"));
        let plain = Credentials::new("a", "b");
        let caller = Caller::default().with_propagated(&metadata);
        assert!(Key::of("basic", &plain) == Key::of("basic", &Credentials { caller, ..Credentials::new("a", "b") }));
    }

    /// An answer that is valid while its flag is set.
    #[derive(Debug)]
    struct Holding(AtomicBool);

    impl HeapSize for Holding {}

    impl Revalidate for Holding {
        fn is_still_valid(&self, _: &Caller) -> bool {
            self.0.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn no_authenticator_is_called_while_an_answer_is_valid() {
        let (minted, key) = (minted(), Key::of("basic", &Credentials::new("a", "b")));
        let is_valid =
            |seconds| minted.still_valid(&key, &Caller::default(), START + Duration::from_secs(seconds)).is_some();
        keep(&minted, key, 300);
        assert!(!is_valid(0), "an answer without a check is not valid");
        let holding = || Arc::new(Holding(true.into()));
        let first = holding();
        keep_for(&minted, key, &Authenticated { revalidate: Some(Arc::<Holding>::clone(&first)), ..answer() }, 300);
        assert!(is_valid(0) && is_valid(59) && !is_valid(60), "no longer than the token is reused");
        first.0.store(false, Ordering::SeqCst);
        assert!(!is_valid(0));
        let anew = Authenticated { revalidate: Some(holding()), ..answer() };
        assert!(minted.token(key, &anew, START).is_some(), "asked again it is the same");
        assert!(is_valid(0) && !is_valid(60), "and valid from then on, with the same token");
        minted.keys.replace(&"n".repeat(32).into(), None).expect("a secret");
        assert!(!is_valid(0), "a new secret ends that too");
    }

    #[test]
    fn a_token_is_reused_for_a_minute_or_half_its_life() {
        for (life, reused) in [(300, 60), (60, 30), (2, 1)] {
            let (minted, key) = (minted(), Key::of("basic", &Credentials::new("a", "b")));
            keep(&minted, key, life);
            let after = |seconds| minted.token(key, &answer(), START + Duration::from_secs(seconds));
            assert_eq!(after(reused), None, "{life}");
            assert!(after(reused - 1).is_some(), "{life}");
        }
    }

    #[test]
    fn whatever_a_token_says_must_be_the_same() {
        let (minted, key) = (minted(), Key::of("basic", &Credentials::new("a", "b")));
        keep(&minted, key, 300);
        assert!(minted.token(key, &answer(), START).is_some(), "an equal person need not be the same copy");
        let renamed = User { username: "b".into(), ..User::default() };
        for other in [
            Authenticated { user: Arc::new(renamed), ..answer() },
            Authenticated { scopes: Arc::default(), ..answer() },
            Authenticated { not_after: Some(START), ..answer() },
            Authenticated { amr: "app".into(), ..answer() },
            Authenticated { actor: Some("x".into()), ..answer() },
            Authenticated { sid: Some("x".into()), ..answer() },
        ] {
            assert_eq!(minted.token(key, &other, START), None, "{other:?}");
        }
    }

    #[test]
    fn tokens_of_users_in_many_groups_stay_within_the_bound() {
        let minted = minted();
        let groups: Vec<_> = (0..300).map(|number| format!("{number:036}")).collect();
        for number in 0..2_000 {
            let user = User { username: number.to_string(), groups: groups.clone(), ..User::default() };
            let key = Key::of("basic", &Credentials::new(number.to_string(), "b"));
            keep_for(&minted, key, &Authenticated::full(Arc::new(user), "pwd"), 300);
        }
        minted.tokens.run_pending_tasks();
        let bound = 12 * MIB;
        assert!(minted.tokens.weighted_size() <= bound, "{}", minted.tokens.weighted_size());
        let most = bound / (300 * (24 + 36));
        assert!((1..most).contains(&minted.tokens.entry_count()), "{}", minted.tokens.entry_count());
    }

    #[test]
    fn a_new_secret_ends_reuse() {
        let (minted, key) = (minted(), Key::of("basic", &Credentials::new("a", "b")));
        keep(&minted, key, 300);
        minted.keys.replace(&"n".repeat(32).into(), None).expect("a secret");
        assert_eq!(minted.token(key, &answer(), START), None);
    }

    #[test]
    fn no_two_credentials_have_one_name() {
        let of = |kind, login: &str, secret: &str| Key::of(kind, &Credentials::new(login, secret));
        assert!(of("basic", "ab", "c") != of("basic", "a", "bc"));
        assert!(of("basic", "a", "b") != of("appauth", "a", "b"));
        assert!(of("basic", "a", "b") == of("basic", "a", "b"));
        let by_certificate = |identity: &str, forwarded: &str| {
            let [identity, forwarded] = [identity, forwarded].map(|name| Some(name.to_owned()));
            let caller = Caller { identity, forwarded, ..Caller::default() };
            Key::of("machine", &Credentials { caller, ..Credentials::new("a", "") })
        };
        assert!(by_certificate("x", "y") == by_certificate("x", "y"));
        assert!(
            by_certificate("x", "y") != by_certificate("y", "x")
                && by_certificate("xy", "") != by_certificate("x", "y")
        );
    }
}
