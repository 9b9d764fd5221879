//! Keys in memory.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::SystemTime;

use oidc::jose::{Algorithm, KeyError, SigningKey, UnverifiedJwt, VerifyingKey};
use serde::Serialize;
use serde_json::{Map, Value};

use super::Listed;
use crate::engine::document::Rendered;

/// What a key is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It is published and does not sign yet.
    Next,
    /// It signs.
    Current,
    /// It signs no more; what it has signed is still good.
    Retired,
    /// Nothing that it has signed is good any more.
    Over,
}

/// A key pair, with both its sides parsed.
pub(super) struct Pair {
    pub(super) signing: Arc<SigningKey>,
    pub(super) verifying: VerifyingKey,
}

impl Pair {
    pub(super) fn new(signing: SigningKey) -> Result<Self, KeyError> {
        let verifying = VerifyingKey::from_jwk(signing.jwk())?;
        Ok(Self { signing: Arc::new(signing), verifying })
    }
}

/// A key pair, with its times.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) pair: Arc<Pair>,
    pub(super) created: SystemTime,
    pub(super) active: SystemTime,
    pub(super) retired: Option<SystemTime>,
    pub(super) claimed: Option<SystemTime>,
}

impl Key {
    pub(super) fn kid(&self) -> &str {
        self.pair.signing.kid()
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.pair.signing.algorithm()
    }

    /// Whether what it has signed, or will sign, is good.
    pub(super) fn is_published(&self, now: SystemTime) -> bool {
        self.retired.is_none_or(|end| now < end)
    }

    /// Puts the newest key of an algorithm first. Of those that begin in the same second, that is the one that was made last; the name
    /// decides between equals, so that all replicas decide alike.
    pub(super) fn newest_first(&self) -> (Reverse<SystemTime>, Reverse<SystemTime>, &str) {
        (Reverse(self.active), Reverse(self.created), self.kid())
    }

    /// Whether it may sign now.
    pub(super) fn may_sign(&self, now: SystemTime) -> bool {
        self.retired.is_none() && self.active <= now
    }
}

/// The keys, for each algorithm one that signs.
pub(super) struct KeySet {
    /// One for each of [`Algorithm::SIGNING`], in its order; for those that are signed with at least one key that is not
    /// retired.
    lines: [Line; Algorithm::SIGNING.len()],
    rendered: Rendered,
}

/// The keys of one algorithm, the newest first.
struct Line(Vec<Key>);

impl Line {
    fn of(algorithm: Algorithm, keys: &[Key]) -> Self {
        let mut line: Vec<_> = keys.iter().filter(|key| key.algorithm() == algorithm).cloned().collect();
        line.sort_by(|one, other| one.newest_first().cmp(&other.newest_first()));
        Self(line)
    }

    /// The newest that may sign. A replica whose clock is behind may see none yet; then it is the one that will be first.
    fn signer(&self, now: SystemTime) -> Option<&Key> {
        let mut standing = self.0.iter().filter(|key| key.retired.is_none());
        self.0.iter().find(|key| key.may_sign(now)).or_else(|| standing.next_back())
    }
}

#[derive(Serialize)]
struct Document<'a> {
    keys: Vec<&'a Map<String, Value>>,
}

impl KeySet {
    /// These keys, rendered as they are published now.
    ///
    /// # Errors
    /// One of the `algorithms` that no key could sign with.
    pub(super) fn new(keys: &[Key], algorithms: &[Algorithm], now: SystemTime) -> Result<Self, Algorithm> {
        let lines = Algorithm::SIGNING.map(|algorithm| Line::of(algorithm, keys));
        for (line, algorithm) in lines.iter().zip(Algorithm::SIGNING) {
            if algorithms.contains(&algorithm) && line.0.iter().all(|key| key.retired.is_some()) {
                return Err(algorithm);
            }
        }
        let rendered = render(&lines, now);
        Ok(Self { lines, rendered })
    }

    fn line(&self, algorithm: Algorithm) -> &Line {
        let place = Algorithm::SIGNING.iter().position(|one| *one == algorithm);
        &self.lines[place.unwrap_or_default()]
    }

    /// The key that signs with this algorithm, which is one that is signed with.
    pub(super) fn signer(&self, algorithm: Algorithm, now: SystemTime) -> Arc<SigningKey> {
        let signer = self.line(algorithm).signer(now).expect("an algorithm that is signed with has a key");
        Arc::clone(&signer.pair.signing)
    }

    pub(super) fn verifies(&self, jwt: &UnverifiedJwt<'_>, now: SystemTime) -> bool {
        let Some(kid) = jwt.kid() else { return false };
        let key = self.keys().find(|key| key.kid() == kid && key.is_published(now));
        key.is_some_and(|key| jwt.verify(&key.pair.verifying).is_ok())
    }

    pub(super) const fn rendered(&self) -> &Rendered {
        &self.rendered
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.lines.iter().flat_map(|line| &line.0)
    }

    pub(super) fn list(&self, now: SystemTime) -> Vec<Listed> {
        let listed = |key: &Key| Listed {
            kid: key.kid().to_owned(),
            algorithm: key.algorithm(),
            state: self.state(key, now),
            created: key.created,
            active: key.active,
            retired: key.retired,
        };
        self.keys().map(listed).collect()
    }

    fn state(&self, key: &Key, now: SystemTime) -> State {
        if !key.is_published(now) {
            State::Over
        } else if self.line(key.algorithm()).signer(now).is_some_and(|signer| signer.kid() == key.kid()) {
            State::Current
        } else if now < key.active {
            State::Next
        } else {
            State::Retired
        }
    }
}

/// The key set (RFC 7517 5). The key that signs stands before the others of its algorithm, for clients that take the first.
fn render(lines: &[Line], now: SystemTime) -> Rendered {
    let mut keys = Vec::new();
    for line in lines {
        let signer = line.signer(now);
        let is_other = |key: &&Key| signer.is_none_or(|signer| signer.kid() != key.kid());
        let others = line.0.iter().filter(|key| key.is_published(now)).filter(is_other);
        keys.extend(signer.into_iter().chain(others).map(|key| key.pair.signing.jwk()));
    }
    let json = serde_json::to_vec(&Document { keys }).expect("keys can be written as JSON");
    Rendered::new(json)
}
