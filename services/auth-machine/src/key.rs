use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use config::Secret;
use crypto::{HMAC_LEN, HmacKey};
use runtime::Random;

/// The machine keys that are accepted. Only keyed digests are kept and compared, so that neither time nor memory tells
/// how much of a guess was right.
pub(crate) struct Keys {
    key: HmacKey,
    accepted: ArcSwap<Vec<[u8; HMAC_LEN]>>,
    replacements: AtomicU64,
}

impl Keys {
    /// Accepts these keys; empty ones are none.
    pub(crate) fn new(keys: [&Secret; 2], random: &Random) -> Self {
        let keyed = Self {
            key: HmacKey::new(&random.bytes::<HMAC_LEN>()),
            accepted: ArcSwap::from_pointee(Vec::new()),
            replacements: AtomicU64::default(),
        };
        keyed.replace(keys);
        keyed
    }

    /// Accepts these keys from now on, and no others.
    pub(crate) fn replace(&self, keys: [&Secret; 2]) {
        let digest = |secret: &Secret| self.key.digest(secret.expose().as_bytes());
        let accepted = keys.into_iter().filter(|secret| !secret.is_empty()).map(digest).collect();
        self.accepted.store(Arc::new(accepted));
        self.replacements.fetch_add(1, Ordering::SeqCst);
    }

    /// How often the keys were replaced. If it is the same as before an earlier [`Keys::accept`], that result still holds.
    pub(crate) fn replacements(&self) -> u64 {
        self.replacements.load(Ordering::SeqCst)
    }

    /// Whether this is one of the keys. All keys are compared, whichever matches.
    pub(crate) fn accept(&self, guess: &str) -> bool {
        let verify = |digest: &[u8; HMAC_LEN]| self.key.verify(guess.as_bytes(), digest);
        self.accepted.load().iter().fold(false, |found, digest| verify(digest) | found) && !guess.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(sign: &str) -> Secret {
        Secret::from(sign.repeat(32))
    }

    #[test]
    fn m2_two_keys_are_accepted_and_nothing_else() {
        let keys = Keys::new([&secret("a"), &secret("b")], &Random::seeded(1));
        assert!(keys.accept(&"a".repeat(32)));
        assert!(keys.accept(&"b".repeat(32)));
        assert!(!keys.accept(&"a".repeat(31)));
        assert!(!keys.accept(""));
    }

    #[test]
    fn an_empty_key_accepts_nothing() {
        let keys = Keys::new([&Secret::default(), &Secret::default()], &Random::seeded(1));
        assert!(!keys.accept(""));
        assert!(!keys.accept("x"));
    }

    #[test]
    fn a_replaced_key_is_refused_at_once() {
        let keys = Keys::new([&secret("a"), &Secret::default()], &Random::seeded(1));
        keys.replace([&secret("c"), &secret("a")]);
        assert!(keys.accept(&"a".repeat(32)) && keys.accept(&"c".repeat(32)));
        keys.replace([&secret("c"), &Secret::default()]);
        assert!(!keys.accept(&"a".repeat(32)) && keys.accept(&"c".repeat(32)));
    }
}
