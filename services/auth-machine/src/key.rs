use aws_lc_rs::hmac;
use runtime::{Random, config::Secret};

/// The machine keys that are accepted. Only keyed digests are kept and compared, so that neither time nor memory tells
/// how much of a guess was right.
pub(crate) struct Keys {
    key: hmac::Key,
    accepted: Vec<hmac::Tag>,
}

impl Keys {
    /// Accepts these keys; empty ones are none.
    pub(crate) fn new(keys: &[&Secret], random: &Random) -> Self {
        let mut process_key = [0; 32];
        random.fill(&mut process_key);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &process_key);
        let digest = |secret: &&&Secret| hmac::sign(&key, secret.expose().as_bytes());
        let accepted = keys.iter().filter(|secret| !secret.is_empty()).map(|secret| digest(&secret)).collect();
        Self { key, accepted }
    }

    /// Whether this is one of the keys. Every key is compared, whichever fits.
    pub(crate) fn accept(&self, guess: &str) -> bool {
        let verify = |tag: &hmac::Tag| hmac::verify(&self.key, guess.as_bytes(), tag.as_ref()).is_ok();
        self.accepted.iter().fold(false, |found, tag| verify(tag) | found) && !guess.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m2_two_keys_are_accepted_and_nothing_else() {
        let (current, previous) = (Secret::from("a".repeat(32)), Secret::from("b".repeat(32)));
        let keys = Keys::new(&[&current, &previous], &Random::seeded(1));
        assert!(keys.accept(&"a".repeat(32)));
        assert!(keys.accept(&"b".repeat(32)));
        assert!(!keys.accept(&"a".repeat(31)));
        assert!(!keys.accept(""));
    }

    #[test]
    fn an_empty_key_accepts_nothing() {
        let keys = Keys::new(&[&Secret::default()], &Random::seeded(1));
        assert!(!keys.accept(""));
        assert!(!keys.accept("x"));
    }
}
