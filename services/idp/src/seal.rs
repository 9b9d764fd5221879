//! Sealed texts: what leaves this process and comes back unread and unchanged. Codes, flows and opaque tokens are such
//! texts, so that nothing has to be written for them; private keys are sealed before they are stored.
//!
//! A sealed text is base64url of a key's number, a nonce and the AES-256-GCM-SIV ciphertext. SIV, because nonces are random:
//! even should one come twice, nothing is revealed but that two texts are equal.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use config::Secret;
use runtime::Random;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest sealed text that is opened, in bytes: a flow with the longest parameters of a request, escaped and encoded.
const MAX_SEALED: usize = 64 * 1024;
const KEY_LEN: usize = 32;

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
}

impl Purpose {
    const ALL: [Self; Self::Installation as usize + 1] =
        [Self::Code, Self::Flow, Self::AccessToken, Self::PrivateKey, Self::ClientSecret, Self::Installation];

    const fn label(self) -> &'static str {
        match self {
            Self::Code => "doorward idp code",
            Self::Flow => "doorward idp flow",
            Self::AccessToken => "doorward idp access token",
            Self::PrivateKey => "doorward idp private key",
            Self::ClientSecret => "doorward idp client secret",
            Self::Installation => "doorward idp installation",
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
}

impl Tag {
    const ALL: [Self; Self::PairwiseSubject as usize + 1] =
        [Self::RefreshToken, Self::Csrf, Self::Device, Self::PairwiseSubject];

    const fn label(self) -> &'static str {
        match self {
            Self::RefreshToken => "doorward idp refresh token",
            Self::Csrf => "doorward idp csrf",
            Self::Device => "doorward idp device",
            Self::PairwiseSubject => "doorward idp pairwise subject",
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
    pairwise: OnceLock<hmac::Key>,
    random: Random,
}

struct Ring {
    /// Identifies the secret, so that only one is tried.
    number: u8,
    seals: Vec<LessSafeKey>,
    tags: Vec<hmac::Key>,
    pairwise: [u8; KEY_LEN],
}

struct Derived;

impl KeyType for Derived {
    fn len(&self) -> usize {
        KEY_LEN
    }
}

impl Ring {
    fn of(secret: &Secret) -> Self {
        let extracted = Salt::new(HKDF_SHA256, b"doorward idp").extract(secret.expose().as_bytes());
        let derive = |label: &str| {
            let mut key = [0; KEY_LEN];
            let info = [label.as_bytes()];
            let output = extracted.expand(&info, Derived).and_then(|output| output.fill(&mut key));
            output.expect("so short a key can be derived");
            key
        };
        let seal = |purpose: Purpose| {
            let key = UnboundKey::new(&AES_256_GCM_SIV, &derive(purpose.label()));
            LessSafeKey::new(key.expect("the key has the algorithm's length"))
        };
        Self {
            number: derive("doorward idp key number")[0],
            seals: Purpose::ALL.map(seal).into(),
            tags: Tag::ALL.map(|tag| hmac::Key::new(hmac::HMAC_SHA256, &derive(tag.label()))).into(),
            pairwise: derive(Tag::PairwiseSubject.label()),
        }
    }
}

impl Ring {
    /// Opens what this secret has sealed.
    fn open(&self, purpose: Purpose, sealed: &[u8]) -> Option<Vec<u8>> {
        let (number, rest) = sealed.split_first()?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>()?;
        if *number != self.number {
            return None;
        }
        let mut text = text.to_vec();
        let (nonce, aad) = (Nonce::assume_unique_for_key(*nonce), Aad::from(purpose.label().as_bytes()));
        let length = self.seals[purpose as usize].open_in_place(nonce, aad, &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
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
    pub(crate) fn oldest_pairwise_key(&self) -> [u8; 32] {
        self.oldest().pairwise
    }

    /// Uses the stored key for pairwise subjects, whatever the secrets are. A key that was set before stays.
    pub(crate) fn keep_pairwise_key(&self, key: &[u8]) {
        let _ = self.0.pairwise.set(hmac::Key::new(hmac::HMAC_SHA256, key));
    }

    fn oldest(&self) -> &Ring {
        self.0.rings.last().unwrap_or(&self.0.rings[0])
    }

    /// Seals bytes.
    pub fn seal_bytes(&self, purpose: Purpose, plain: &[u8]) -> Vec<u8> {
        let ring = &self.0.rings[0];
        let nonce: [u8; NONCE_LEN] = self.0.random.bytes();
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + plain.len() + AES_256_GCM_SIV.tag_len());
        sealed.push(ring.number);
        sealed.extend_from_slice(&nonce);
        let mut text = plain.to_vec();
        let aad = Aad::from(purpose.label().as_bytes());
        let outcome =
            ring.seals[purpose as usize].seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text);
        outcome.expect("a text of this length can be sealed");
        sealed.append(&mut text);
        sealed
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
        let plain = zeroize::Zeroizing::new(self.open_bytes(purpose, sealed).ok()?);
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
            Some(key) => hmac::sign(key, message).as_ref().try_into().expect("SHA-256 has 32 bytes"),
            None => digest(self.oldest(), tag, message),
        }
    }
}

fn digest(ring: &Ring, tag: Tag, message: &[u8]) -> [u8; 32] {
    let digest = hmac::sign(&ring.tags[tag as usize], message);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
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
