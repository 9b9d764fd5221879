//! Sealed texts: what leaves this process and comes back unread and unchanged. Codes, flows and opaque tokens are such
//! texts, so that nothing has to be written for them; private keys are sealed before they are stored.
//!
//! A sealed text is base64url of a key's number, a nonce and the ciphertext (`crypto::SealingKey`).

use std::fmt;
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use config::Secret;
use crypto::{HmacKey, KEY_LEN, KeyDerivation, SealingKey};
use runtime::Random;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// The longest sealed text that is opened, in bytes: a flow with the longest parameters of a request, escaped and encoded.
const MAX_SEALED: usize = 64 * 1024;

/// What a text is sealed for. A text that is sealed for one purpose is opened for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Authorization codes.
    Code,
    /// Authorization requests that wait for a user.
    Flow,
    /// Opaque access tokens.
    AccessToken,
    /// Private keys in the database.
    PrivateKey,
    /// Client secrets that have to be known in the clear (`client_secret_jwt`).
    ClientSecret,
    /// Secrets of the installation itself in the database.
    Installation,
    /// Secrets of second factors in the database.
    Factor,
    /// Second factors that wait for the user to confirm them.
    Enrolment,
    /// Challenges to passkeys.
    Ceremony,
}

impl Purpose {
    const ALL: [Self; Self::Ceremony as usize + 1] = [
        Self::Code,
        Self::Flow,
        Self::AccessToken,
        Self::PrivateKey,
        Self::ClientSecret,
        Self::Installation,
        Self::Factor,
        Self::Enrolment,
        Self::Ceremony,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Code => "doorward idp code",
            Self::Flow => "doorward idp flow",
            Self::AccessToken => "doorward idp access token",
            Self::PrivateKey => "doorward idp private key",
            Self::ClientSecret => "doorward idp client secret",
            Self::Installation => "doorward idp installation",
            Self::Factor => "doorward idp second factor",
            Self::Enrolment => "doorward idp enrolment",
            Self::Ceremony => "doorward idp passkey ceremony",
        }
    }
}

/// What a keyed digest is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tag {
    /// Refresh tokens.
    RefreshToken,
    /// CSRF tokens of forms.
    Csrf,
    /// Devices that users have signed in with.
    Device,
    /// Pairwise subject identifiers (OpenID Connect Core 8.1). They must never change: see
    /// [`Sealer::permanent_tag`].
    PairwiseSubject,
    /// Nonces for `DPoP` proofs.
    DpopNonce,
}

impl Tag {
    const ALL: [Self; Self::DpopNonce as usize + 1] =
        [Self::RefreshToken, Self::Csrf, Self::Device, Self::PairwiseSubject, Self::DpopNonce];

    const fn label(self) -> &'static str {
        match self {
            Self::RefreshToken => "doorward idp refresh token",
            Self::Csrf => "doorward idp csrf",
            Self::Device => "doorward idp device",
            Self::PairwiseSubject => "doorward idp pairwise subject",
            Self::DpopNonce => "doorward idp dpop nonce",
        }
    }
}

/// The text was not sealed here, was changed, or was sealed for another purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was not sealed here")]
pub struct NotSealedHere;

/// Seals and opens under the current secret, and opens under the one before it. Clones share the keys.
#[derive(Clone)]
pub struct Sealer(Arc<Inner>);

struct Inner {
    /// The current one first.
    rings: Vec<Ring>,
    /// The key of pairwise subject identifiers; it outlives the secrets.
    pairwise: OnceLock<HmacKey>,
    random: Random,
}

struct Ring {
    seals: Vec<SealingKey>,
    tags: Vec<HmacKey>,
    pairwise: Zeroizing<[u8; KEY_LEN]>,
}

impl Ring {
    fn of(secret: &Secret) -> Self {
        let derivation = KeyDerivation::new(b"doorward idp", secret.expose().as_bytes());
        let derive = |label: &str| derivation.key(label.as_bytes());
        // identifies the secret, so that only one is tried
        let number = derive("doorward idp key number")[0];
        Self {
            seals: Purpose::ALL.map(|purpose| SealingKey::new(&derive(purpose.label()), &[number])).into(),
            tags: Tag::ALL.map(|tag| HmacKey::new(&*derive(tag.label()))).into(),
            pairwise: derive(Tag::PairwiseSubject.label()),
        }
    }

    /// Opens what this secret has sealed.
    fn open(&self, purpose: Purpose, sealed: &[u8]) -> Option<Vec<u8>> {
        self.seals[purpose as usize].open(purpose.label().as_bytes(), sealed)
    }
}

impl Sealer {
    /// Keys of the current secret, and of the previous one if there is one.
    pub fn new(current: &Secret, previous: &Secret, random: Random) -> Self {
        let secrets = [Some(current), (!previous.is_empty()).then_some(previous)];
        let rings = secrets.into_iter().flatten().map(Ring::of).collect();
        Self(Arc::new(Inner { rings, pairwise: OnceLock::new(), random }))
    }

    /// The key of pairwise subjects, derived from the oldest known secret, as it was before the key was stored.
    pub(crate) fn oldest_pairwise_key(&self) -> &[u8; KEY_LEN] {
        &self.oldest().pairwise
    }

    /// Uses the stored key for pairwise subjects, whatever the secrets are. A key that was set before stays.
    pub(crate) fn keep_pairwise_key(&self, key: &[u8]) {
        let _ = self.0.pairwise.set(HmacKey::new(key));
    }

    fn oldest(&self) -> &Ring {
        self.0.rings.last().unwrap_or(&self.0.rings[0])
    }

    /// Seals bytes.
    pub fn seal_bytes(&self, purpose: Purpose, plain: &[u8]) -> Vec<u8> {
        let key = &self.0.rings[0].seals[purpose as usize];
        key.seal(self.0.random.bytes(), purpose.label().as_bytes(), plain)
    }

    /// Opens bytes.
    ///
    /// # Errors
    /// [`NotSealedHere`].
    pub fn open_bytes(&self, purpose: Purpose, sealed: &[u8]) -> Result<Vec<u8>, NotSealedHere> {
        // two secrets may have the same number: then both are tried
        self.0.rings.iter().find_map(|ring| ring.open(purpose, sealed)).ok_or(NotSealedHere)
    }

    /// The same bytes sealed under the current secret; none if they already are, or cannot be opened.
    pub fn reseal(&self, purpose: Purpose, sealed: &[u8]) -> Option<Vec<u8>> {
        if self.0.rings[0].open(purpose, sealed).is_some() {
            return None;
        }
        let plain = Zeroizing::new(self.open_bytes(purpose, sealed).ok()?);
        Some(self.seal_bytes(purpose, &plain))
    }

    /// Seals a value as a text that may stand in a URL.
    ///
    /// # Panics
    /// When the value cannot be written as JSON; those of this crate can.
    pub fn seal(&self, purpose: Purpose, value: &impl Serialize) -> String {
        let plain = serde_json::to_vec(value).expect("the value can be written as JSON");
        URL_SAFE_NO_PAD.encode(self.seal_bytes(purpose, &plain))
    }

    /// Opens such a text.
    ///
    /// # Errors
    /// [`NotSealedHere`], also for a value of an earlier version that is not understood any more.
    pub fn open<T: DeserializeOwned>(&self, purpose: Purpose, text: &str) -> Result<T, NotSealedHere> {
        if text.len() > MAX_SEALED {
            return Err(NotSealedHere);
        }
        let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotSealedHere)?;
        let plain = self.open_bytes(purpose, &sealed)?;
        serde_json::from_slice(&plain).map_err(|_| NotSealedHere)
    }

    /// A keyed digest (HMAC-SHA-256) under the current secret.
    pub fn tag(&self, tag: Tag, message: &[u8]) -> [u8; 32] {
        digest(&self.0.rings[0], tag, message)
    }

    /// The digests under every secret that is accepted, the current one's first; compare them in constant time.
    pub fn tags(&self, tag: Tag, message: &[u8]) -> impl Iterator<Item = [u8; 32]> {
        self.0.rings.iter().map(move |ring| digest(ring, tag, message))
    }

    /// The digest under the oldest secret that is known, for what has to stay the same while a secret is exchanged. That of
    /// pairwise subjects stays for ever: it is under a key that is kept in the database.
    pub fn permanent_tag(&self, tag: Tag, message: &[u8]) -> [u8; 32] {
        match self.0.pairwise.get().filter(|_| tag == Tag::PairwiseSubject) {
            Some(key) => key.digest(message),
            None => digest(self.oldest(), tag, message),
        }
    }
}

fn digest(ring: &Ring, tag: Tag, message: &[u8]) -> [u8; 32] {
    ring.tags[tag as usize].digest(message)
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({} secrets)", self.0.rings.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OLD: &str = "an-adequate-secret-of-32-bytes-ok";
    const NEW: &str = "another-adequate-secret-of-32-byte";

    fn sealer(current: &str, previous: &str) -> Sealer {
        Sealer::new(&current.into(), &previous.into(), Random::seeded(7))
    }

    #[test]
    fn what_is_sealed_is_opened_for_the_same_purpose_only() {
        let sealer = sealer(NEW, "");
        let text = sealer.seal(Purpose::Code, &("einstein", 7));
        assert_eq!(sealer.open(Purpose::Code, &text), Ok(("einstein".to_owned(), 7)));
        for other in Purpose::ALL.into_iter().filter(|other| *other != Purpose::Code) {
            assert_eq!(sealer.open::<(String, u8)>(other, &text), Err(NotSealedHere), "{other:?}");
        }
        assert_ne!(text, sealer.seal(Purpose::Code, &("einstein", 7)), "no two are alike");
    }

    /// Texts of earlier versions must stay readable.
    #[test]
    fn sealed_text_keeps_its_format() {
        let text = "9OjdlD02bKrnvrcGxtcErCIYI0JDY1nBNu6iITyMT4xgJJ47T4yJfCV3mQ";
        assert_eq!(sealer(OLD, "").seal(Purpose::Code, &("einstein", 7)), text);
        assert_eq!(sealer(NEW, OLD).open(Purpose::Code, text), Ok(("einstein".to_owned(), 7)));
    }

    #[test]
    fn the_secret_before_still_opens_and_does_not_seal() {
        let text = sealer(OLD, "").seal(Purpose::Flow, &1);
        assert_eq!(sealer(NEW, OLD).open(Purpose::Flow, &text), Ok(1));
        assert_eq!(sealer(NEW, "").open::<i32>(Purpose::Flow, &text), Err(NotSealedHere));
        let fresh = sealer(NEW, OLD).seal(Purpose::Flow, &1);
        assert_eq!(sealer(OLD, "").open::<i32>(Purpose::Flow, &fresh), Err(NotSealedHere));
        let tags: Vec<_> = sealer(NEW, OLD).tags(Tag::RefreshToken, b"x").collect();
        assert_eq!(tags, [sealer(NEW, "").tag(Tag::RefreshToken, b"x"), sealer(OLD, "").tag(Tag::RefreshToken, b"x")]);
    }

    #[test]
    fn what_the_secret_before_has_sealed_is_sealed_anew_once() {
        let old = sealer(OLD, "").seal_bytes(Purpose::PrivateKey, b"key");
        let both = sealer(NEW, OLD);
        let anew = both.reseal(Purpose::PrivateKey, &old).expect("is sealed anew");
        assert_eq!(sealer(NEW, "").open_bytes(Purpose::PrivateKey, &anew).as_deref(), Ok(b"key".as_slice()));
        assert_eq!(both.reseal(Purpose::PrivateKey, &anew), None);
        assert_eq!(both.reseal(Purpose::Code, &old), None, "of another purpose");
        assert_eq!(sealer(NEW, "").reseal(Purpose::PrivateKey, &old), None, "no key opens it");
    }

    #[test]
    fn a_changed_text_is_refused() {
        let sealer = sealer(NEW, "");
        let whole = sealer.seal_bytes(Purpose::Code, b"text");
        for index in 0..whole.len() {
            let mut changed = whole.clone();
            changed[index] ^= 1;
            assert_eq!(sealer.open_bytes(Purpose::Code, &changed), Err(NotSealedHere), "byte {index}");
        }
        for length in 0..whole.len() {
            assert_eq!(sealer.open_bytes(Purpose::Code, &whole[..length]), Err(NotSealedHere), "{length} bytes");
        }
    }

    #[test]
    fn nothing_of_a_secret_is_printed() {
        assert_eq!(format!("{:?}", sealer(NEW, OLD)), "Sealer(2 secrets)");
    }

    proptest! {
        #[test]
        fn junk_is_refused(text in ".{0,300}") {
            prop_assert_eq!(sealer(NEW, OLD).open::<String>(Purpose::Code, &text), Err(NotSealedHere));
        }

        #[test]
        fn every_text_comes_back(text in ".{0,300}") {
            let sealer = sealer(NEW, "");
            prop_assert_eq!(sealer.open::<String>(Purpose::Code, &sealer.seal(Purpose::Code, &text)), Ok(text));
        }
    }
}
