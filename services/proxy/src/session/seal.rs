//! Sealed texts: a sign-in under way, in a cookie, and the tokens of a session or a key of signed URLs, in a row.

use config::Secret;
use crypto::{KeyDerivation, SealingKey};
use runtime::Random;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What the key of sessions is derived for.
const SESSIONS: &[u8] = b"doorward proxy sessions";

/// What the key of ACME is derived for.
const ACME: &[u8] = b"doorward proxy acme";

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
    /// Opens what was sealed before the secret was changed.
    previous: Option<SealingKey>,
    random: Random,
}

impl Sealer {
    /// Under the secret of sessions. What the previous one has sealed is opened too; an empty one is none.
    pub(crate) fn new(secret: &Secret, previous: &Secret, random: Random) -> Self {
        Self::under((secret, previous), SESSIONS, random)
    }

    /// Under the secret of sessions, for what replicas share of ACME; with the previous one as in [`new`](Self::new).
    pub(crate) fn of_acme(secret: &Secret, previous: &Secret, random: Random) -> Self {
        Self::under((secret, previous), ACME, random)
    }

    fn under((secret, previous): (&Secret, &Secret), info: &[u8], random: Random) -> Self {
        let previous = (!previous.is_empty()).then(|| Self::key(previous.expose(), info));
        Self { key: Self::key(secret.expose(), info), previous, random }
    }

    /// Under the machine key, or the secret in its place, for the keys of signed URLs.
    pub(crate) fn of_machine_key(machine_key: &str, random: Random) -> Self {
        Self { key: Self::key(machine_key, b"doorward proxy signing keys"), previous: None, random }
    }

    fn key(secret: &str, info: &[u8]) -> SealingKey {
        SealingKey::new(&KeyDerivation::new(b"doorward proxy", secret.as_bytes()).key(info), &[])
    }

    /// Seals a value.
    pub(crate) fn seal(&self, purpose: Purpose<'_>, value: &impl Serialize) -> Vec<u8> {
        let text = serde_json::to_vec(value).expect("what is sealed has a JSON form");
        self.key.seal(self.random.bytes(), purpose.bound_to().as_bytes(), &text)
    }

    /// Opens one; `None` if it was not sealed here for this purpose, or was changed.
    pub(crate) fn open<T: DeserializeOwned>(&self, purpose: Purpose<'_>, sealed: &[u8]) -> Option<T> {
        let purpose = purpose.bound_to();
        let mut keys = std::iter::once(&self.key).chain(&self.previous);
        let plain = keys.find_map(|key| key.open(purpose.as_bytes(), sealed))?;
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
        let under = |secret: &str| Sealer::new(&Secret::from(secret), &Secret::default(), Random::seeded(1));
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

    /// Row E31.
    #[test]
    fn previous_secret_opens_and_does_not_seal() {
        let [former, current, none] =
            ["a-secret-of-at-least-32-characters", "another-secret-of-32-characters---", ""].map(Secret::from);
        let before = Sealer::new(&former, &none, Random::seeded(1)).seal(Purpose::Tokens("s"), &"text");
        let sealer = Sealer::new(&current, &former, Random::seeded(1));
        assert_eq!(sealer.open::<String>(Purpose::Tokens("s"), &before).as_deref(), Some("text"));
        let after = sealer.seal(Purpose::Tokens("s"), &"text");
        let alone = Sealer::new(&current, &none, Random::seeded(1));
        assert_eq!(alone.open::<String>(Purpose::Tokens("s"), &after).as_deref(), Some("text"));
        assert_eq!(alone.open::<String>(Purpose::Tokens("s"), &before), None);
    }

    /// Cookies and rows of earlier versions must stay readable.
    #[test]
    fn sealed_value_keeps_its_format() {
        const SECRET: &str = "a-secret-of-at-least-32-characters";
        let sessions = Sealer::new(&Secret::from(SECRET), &Secret::default(), Random::seeded(1));
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
