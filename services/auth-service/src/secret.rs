//! Secrets of stored accounts. Their form is that of [`authn::app_token`], with the prefix `dws_`.

use std::fmt;

use authn::app_token;
use crypto::{HMAC_LEN, HmacKey};
use runtime::Random;
use secrecy::SecretString;

/// How each secret begins.
pub const PREFIX: &str = "dws_";

/// Makes a secret.
pub fn generate(random: &Random) -> SecretString {
    app_token::generate(PREFIX, |bytes| random.fill(bytes))
}

/// Whether a text has the form of a secret and the right checksum. Whether an account has that secret is not known.
pub fn is_well_formed(text: &str) -> bool {
    app_token::is_well_formed(PREFIX, text)
}

/// All that is stored of a secret: its HMAC-SHA-256 under a random key of its own. A secret has 178 random bits, so that the database
/// alone reveals nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    pub(crate) key: [u8; HMAC_LEN],
    pub(crate) digest: [u8; HMAC_LEN],
}

impl Verifier {
    /// The verifier of a secret.
    pub fn new(secret: &str, random: &Random) -> Self {
        let key = random.bytes();
        Self { digest: HmacKey::new(&key).digest(secret.as_bytes()), key }
    }

    /// A verifier that accepts no secret, and costs as much.
    pub(crate) fn decoy(random: &Random) -> Self {
        Self { key: random.bytes(), digest: random.bytes() }
    }

    /// Whether it is the verifier of this secret, in a time that does not depend on where they differ.
    pub fn accepts(&self, secret: &str) -> bool {
        HmacKey::new(&self.key).verify(secret.as_bytes(), &self.digest)
    }
}

/// Shows nothing of it.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use authn::app_token::{ALPHABET, CHECKSUM, RANDOM};
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    /// How long each secret is, in bytes.
    const LENGTH: usize = PREFIX.len() + RANDOM + CHECKSUM;

    fn secrets(count: usize) -> impl Iterator<Item = String> {
        let random = Random::seeded(7);
        (0..count).map(move |_| generate(&random).expose_secret().to_owned())
    }

    #[test]
    fn secrets_differ_and_have_their_form() {
        let all: BTreeSet<_> = secrets(1000).collect();
        assert_eq!(all.len(), 1000);
        assert!(all.iter().all(|secret| secret.starts_with("dws_") && secret.len() == 40 && is_well_formed(secret)));
    }

    #[test]
    fn every_character_is_equally_likely() {
        let mut counts = [0_u32; 62];
        for secret in secrets(2000) {
            for byte in secret[PREFIX.len()..LENGTH - CHECKSUM].bytes() {
                counts[ALPHABET.iter().position(|known| *known == byte).expect("base62")] += 1;
            }
        }
        // 60,000 characters over 62 places: 968 each, with a standard deviation of 31
        assert!(counts.iter().all(|count| (800..1140).contains(count)), "{counts:?}");
    }

    #[test]
    fn verifier_accepts_its_secret_only_and_shows_nothing() {
        let random = Random::seeded(1);
        let verifier = Verifier::new("one", &random);
        assert!(verifier.accepts("one") && !verifier.accepts("two") && !verifier.accepts(""));
        assert!(!Verifier::decoy(&random).accepts("one"));
        assert_ne!(verifier, Verifier::new("one", &random), "each has a key of its own");
        assert_eq!(format!("{verifier:?}"), "Verifier");
    }

    proptest! {
        #[test]
        fn junk_is_not_well_formed(text in ".{0,80}", shaped in "dws_[0-9A-Za-z]{36}") {
            prop_assert!(!is_well_formed(&text) && !is_well_formed(&shaped));
        }

        #[test]
        fn changed_secret_is_not_well_formed(seed: u64, at in 0..LENGTH, other in prop::char::range('!', '~')) {
            let secret = generate(&Random::seeded(seed));
            let mut text: Vec<char> = secret.expose_secret().chars().collect();
            prop_assume!(text[at] != other);
            text[at] = other;
            prop_assert!(!is_well_formed(&text.into_iter().collect::<String>()));
            prop_assert!(!is_well_formed(&secret.expose_secret()[..at]));
        }
    }
}
