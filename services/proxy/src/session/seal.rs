//! Sealed texts: a sign-in under way, in a cookie, and the tokens of a session or a key of signed URLs, in a row. AES-256-GCM-SIV, because nonces are
//! random: even should one come twice, nothing is revealed but that two texts are equal.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use config::Secret;
use runtime::Random;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a text is sealed for. One that is sealed for one purpose is opened for no other.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// A sign-in, in the cookie of this name.
    Login(&'a str),
    /// The tokens of the session with this key.
    Tokens(&'a str),
    /// The key of signed URLs with this identifier.
    SigningKey(&'a str),
}

impl Purpose<'_> {
    fn bound_to(&self) -> String {
        match self {
            Self::Login(name) => format!("login {name}"),
            Self::Tokens(key) => format!("tokens {key}"),
            Self::SigningKey(id) => format!("signing key {id}"),
        }
    }
}

/// Seals and opens.
pub(crate) struct Sealer {
    key: LessSafeKey,
    random: Random,
}

struct Derived;

impl KeyType for Derived {
    fn len(&self) -> usize {
        AES_256_GCM_SIV.key_len()
    }
}

impl Sealer {
    /// Under the secret of sessions.
    pub(crate) fn new(secret: &Secret, random: Random) -> Self {
        Self::derived(secret.expose(), b"doorward proxy sessions", random)
    }

    /// Under the machine key, without which there are no signed URLs, nor keys for them.
    pub(crate) fn of_machine_key(machine_key: &str, random: Random) -> Self {
        Self::derived(machine_key, b"doorward proxy signing keys", random)
    }

    fn derived(secret: &str, info: &[u8], random: Random) -> Self {
        let mut key = [0; 32];
        let extracted = Salt::new(HKDF_SHA256, b"doorward proxy").extract(secret.as_bytes());
        let info = [info];
        let output = extracted.expand(&info, Derived).and_then(|output| output.fill(&mut key));
        output.expect("so short a key can be derived");
        let key = UnboundKey::new(&AES_256_GCM_SIV, &key).expect("the key has the algorithm's length");
        Self { key: LessSafeKey::new(key), random }
    }

    /// Seals a value.
    pub(crate) fn seal(&self, purpose: Purpose<'_>, value: &impl Serialize) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = self.random.bytes();
        let mut text = serde_json::to_vec(value).expect("what is sealed has a JSON form");
        let aad = Aad::from(purpose.bound_to());
        let outcome = self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text);
        outcome.expect("a text of this length can be sealed");
        [&nonce[..], &text].concat()
    }

    /// Opens one; `None` if it was not sealed here for this purpose, or was changed.
    pub(crate) fn open<T: DeserializeOwned>(&self, purpose: Purpose<'_>, sealed: &[u8]) -> Option<T> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let (mut text, aad) = (text.to_vec(), Aad::from(purpose.bound_to()));
        let plain = self.key.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut text).ok()?;
        serde_json::from_slice(plain).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_here_for_its_purpose_only() {
        let under = |secret: &str| Sealer::new(&Secret::from(secret), Random::seeded(1));
        let one = under("a-secret-of-at-least-32-characters");
        let sealed = one.seal(Purpose::Login("s"), &"text");
        assert_eq!(one.open::<String>(Purpose::Login("s"), &sealed).as_deref(), Some("text"));
        assert_eq!(one.open::<String>(Purpose::Login("t"), &sealed), None);
        assert_eq!(one.open::<String>(Purpose::Tokens("s"), &sealed), None);
        assert_eq!(under("another-secret-of-32-characters---").open::<String>(Purpose::Login("s"), &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(one.open::<String>(Purpose::Login("s"), &changed), None, "{at}");
            assert_eq!(one.open::<String>(Purpose::Login("s"), &sealed[..at]), None, "{at}");
        }
    }
}
