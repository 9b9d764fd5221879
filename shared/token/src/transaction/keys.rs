//! The keys of transaction tokens: derived from a secret, a pair for each day and algorithm, so that all processes with the
//! secret have the same keys without storing or exchanging any, and change them by the clock.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::{ArcSwap, ArcSwapOption};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::KeyDerivation;
use oidc::jose::{self, Algorithm, SigningKey, VerifyingKey};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::claims::seconds;
use crate::KeyError;
use crate::keys::bytes;

/// What transaction tokens may be signed with. The keys of both are published, so that the algorithm can be changed in one process
/// after the other.
pub const ALGORITHMS: [Algorithm; 2] = [Algorithm::Es256, Algorithm::EdDsa];
/// How long a published key set may be used before it is fetched again: a new key is published a day before it signs, and one of a changed
/// secret for longer than this.
pub const FRESH_FOR: Duration = Duration::from_mins(10);

const DAY: u64 = 24 * 60 * 60;
/// Separates these keys from others that are derived from the same secret.
const SALT: &[u8] = b"doorward transaction tokens";
/// How many bytes of a derived text name a key.
const KID_LEN: usize = 16;

/// The keys by which transaction tokens are signed and verified. They change at midnight (UTC); those of the day before and of the day
/// after are accepted and published too, as clocks differ and key sets are cached.
pub struct TransactionKeys {
    secrets: ArcSwap<Secrets>,
    algorithm: Algorithm,
}

/// The secrets of the moment.
struct Secrets {
    signs: Arc<KeyDerivation>,
    /// Those whose keys are published, the current one first.
    accepted: Vec<Arc<KeyDerivation>>,
    /// The keys of the day that was last in use.
    today: ArcSwapOption<Day>,
}

/// The keys of one day, with those of the days around it.
struct Day {
    number: u64,
    signer: Arc<SigningKey>,
    accepted: Vec<Arc<VerifyingKey>>,
    published: Arc<[u8]>,
}

impl TransactionKeys {
    /// The keys of the current secret, which signs, and of the one before it, if any; an empty previous secret is none.
    ///
    /// # Errors
    /// [`KeyError::TooShort`], and [`KeyError::Algorithm`] for one that is not of [`ALGORITHMS`].
    pub fn new(current: &SecretString, previous: Option<&SecretString>, signs: Algorithm) -> Result<Self, KeyError> {
        if !ALGORITHMS.contains(&signs) {
            return Err(KeyError::Algorithm(signs.name()));
        }
        Ok(Self { secrets: ArcSwap::from_pointee(Secrets::new(current, previous)?), algorithm: signs })
    }

    /// Replaces both secrets at once. On an error the old ones stay.
    ///
    /// # Errors
    /// [`KeyError::TooShort`].
    pub fn replace(&self, current: &SecretString, previous: Option<&SecretString>) -> Result<(), KeyError> {
        self.secrets.store(Secrets::new(current, previous)?.into());
        Ok(())
    }

    /// Accepts and publishes the keys of both secrets from now on, and signs by the previous one until
    /// [`replace`](Self::replace): those that verify tokens may not have the keys of the current one yet. On an error the old
    /// secrets stay.
    ///
    /// # Errors
    /// [`KeyError::TooShort`].
    pub fn introduce(&self, current: &SecretString, previous: &SecretString) -> Result<(), KeyError> {
        let secrets = Secrets::new(current, Some(previous))?;
        let signs = Arc::clone(secrets.accepted.last().unwrap_or(&secrets.signs));
        self.secrets.store(Secrets { signs, ..secrets }.into());
        Ok(())
    }

    /// The key that signs at this time.
    ///
    /// # Panics
    /// If the cryptographic library cannot make a key, as when there is no memory left.
    pub fn signer(&self, now: SystemTime) -> Arc<SigningKey> {
        Arc::clone(&self.day(now).signer)
    }

    /// The public keys that are accepted at this time, as a JSON Web Key Set (RFC 7517 5): at most twelve. All processes with the
    /// same secrets publish the same bytes.
    ///
    /// # Panics
    /// As [`signer`](Self::signer).
    pub fn published(&self, now: SystemTime) -> Arc<[u8]> {
        Arc::clone(&self.day(now).published)
    }

    /// The key of this name for this algorithm, if it is accepted at this time.
    pub(super) fn find(&self, kid: &str, algorithm: Algorithm, now: SystemTime) -> Option<Arc<VerifyingKey>> {
        let day = self.day(now);
        let found = day.accepted.iter().find(|key| key.kid() == Some(kid) && key.is_for(algorithm));
        found.cloned()
    }

    /// The keys of a day; derived at its first use, also by several threads at once, which derive the same.
    fn day(&self, now: SystemTime) -> Arc<Day> {
        let secrets = self.secrets.load();
        let number = seconds(now) / DAY;
        let known = secrets.today.load_full().filter(|day| day.number == number);
        known.unwrap_or_else(|| {
            let day = Arc::new(secrets.derive(number, self.algorithm));
            secrets.today.store(Some(Arc::clone(&day)));
            day
        })
    }
}

impl Secrets {
    fn new(current: &SecretString, previous: Option<&SecretString>) -> Result<Self, KeyError> {
        let derivation = |secret: &[u8]| Arc::new(KeyDerivation::new(SALT, secret));
        let signs = derivation(bytes(current, "OCIS_TRANSACTION_SECRET")?);
        let mut accepted = vec![Arc::clone(&signs)];
        let differs = |previous: &&SecretString| {
            !previous.expose_secret().is_empty() && previous.expose_secret() != current.expose_secret()
        };
        if let Some(previous) = previous.filter(differs) {
            accepted.push(derivation(bytes(previous, "OCIS_TRANSACTION_SECRET_PREVIOUS")?));
        }
        Ok(Self { signs, accepted, today: ArcSwapOption::empty() })
    }

    fn derive(&self, number: u64, algorithm: Algorithm) -> Day {
        let days = number.saturating_sub(1)..=number + 1;
        let pairs = self.accepted.iter().flat_map(|secret| {
            let days = days.clone();
            days.flat_map(move |day| ALGORITHMS.map(|algorithm| key_of(secret, day, algorithm)))
        });
        let public: Vec<_> = pairs.map(|pair| pair.jwk().clone()).collect();
        let accepted = public.iter().filter_map(|jwk| VerifyingKey::from_jwk(jwk).ok()).map(Arc::new).collect();
        let published = json!({ "keys": public }).to_string().into_bytes().into();
        let signer = key_of(&self.signs, number, algorithm).into();
        Day { number, signer, accepted, published }
    }
}

/// The key of a day. A derived text may be no scalar of P-256, so that the next is tried (as in RFC 9180 7.1.3).
fn key_of(secret: &KeyDerivation, day: u64, algorithm: Algorithm) -> SigningKey {
    let kid = secret.key(&info("kid", algorithm, day, &[]));
    let kid: String = URL_SAFE_NO_PAD.encode(&kid[..KID_LEN]);
    let candidates = (0..=u8::MAX).map(|counter| {
        let seed = secret.key(&info("key", algorithm, day, &[0, counter]));
        SigningKey::from_seed(algorithm, &kid, &seed)
    });
    let mut made = candidates.skip_while(|made| matches!(made, Err(jose::KeyError::Malformed)));
    made.next().and_then(Result::ok).expect("the cryptographic library makes a key of 32 bytes")
}

/// What a derived text is for: `use 0 algorithm 0 day`, and what follows.
fn info(usage: &str, algorithm: Algorithm, day: u64, rest: &[u8]) -> Vec<u8> {
    [usage.as_bytes(), &[0], algorithm.name().as_bytes(), &[0], &day.to_be_bytes(), rest].concat()
}
