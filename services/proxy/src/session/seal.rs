//! Sealed texts: a sign-in under way, in a cookie, and the tokens of a session or a key of signed URLs, in a row.

use config::Secret;
use crypto::{KeyDerivation, SealingKey};
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
    /// What replicas share of ACME, in the row with this identifier.
    Acme(&'a str),
}

impl Purpose<'_> {
    fn bound_to(&self) -> String {
        match self {
            Self::Login(name) => format!("login {name}"),
            Self::Tokens(key) => format!("tokens {key}"),
            Self::SigningKey(id) => format!("signing key {id}"),
            Self::Acme(id) => format!("acme {id}"),
        }
    }
}

/// Seals and opens.
pub(crate) struct Sealer {
    key: SealingKey,
    random: Random,
}

impl Sealer {
    /// Under the secret of sessions.
    pub(crate) fn new(secret: &Secret, random: Random) -> Self {
        Self::derived(secret.expose(), b"doorward proxy sessions", random)
    }

    /// Under the secret of sessions, for what replicas share of ACME.
    pub(crate) fn of_acme(secret: &Secret, random: Random) -> Self {
        Self::derived(secret.expose(), b"doorward proxy acme", random)
    }

    /// Under the machine key, without which there are no signed URLs, nor keys for them.
    pub(crate) fn of_machine_key(machine_key: &str, random: Random) -> Self {
        Self::derived(machine_key, b"doorward proxy signing keys", random)
    }

    fn derived(secret: &str, info: &[u8], random: Random) -> Self {
        let key = KeyDerivation::new(b"doorward proxy", secret.as_bytes()).key(info);
        Self { key: SealingKey::new(&key, &[]), random }
    }

    /// Seals a value.
    pub(crate) fn seal(&self, purpose: Purpose<'_>, value: &impl Serialize) -> Vec<u8> {
        let text = serde_json::to_vec(value).expect("what is sealed has a JSON form");
        self.key.seal(self.random.bytes(), purpose.bound_to().as_bytes(), &text)
    }

    /// Opens one; `None` if it was not sealed here for this purpose, or was changed.
    pub(crate) fn open<T: DeserializeOwned>(&self, purpose: Purpose<'_>, sealed: &[u8]) -> Option<T> {
        let plain = self.key.open(purpose.bound_to().as_bytes(), sealed)?;
        serde_json::from_slice(&plain).ok()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

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

    /// Cookies and rows of earlier versions must stay readable.
    #[test]
    fn sealed_value_keeps_its_format() {
        const SECRET: &str = "a-secret-of-at-least-32-characters";
        let sessions = Sealer::new(&Secret::from(SECRET), Random::seeded(1));
        let signing = Sealer::of_machine_key(SECRET, Random::seeded(1));
        let cases = [
            (sessions, Purpose::Login("s"), "eDglgipvnmLaIZDoNHXKXMpwk7xvHTnXuR9pdsY1RozfbA"),
            (signing, Purpose::SigningKey("k"), "eDglgipvnmLaIZDoi_ZafYIBZrTPgZ0CkWIZ_O5NQTnOXg"),
        ];
        for (sealer, purpose, text) in cases {
            let sealed = sealer.seal(purpose, &"text");
            assert_eq!(URL_SAFE_NO_PAD.encode(&sealed), text);
            assert_eq!(sealer.open::<String>(purpose, &sealed).as_deref(), Some("text"));
        }
    }
}
