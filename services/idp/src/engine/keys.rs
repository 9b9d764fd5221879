//! The signing keys.
//!
//! Each algorithm has one key that signs. Before it becomes too old its successor is published, which signs some time later;
//! the old key stays published until everything that it signed has expired (`docs/security-requirements.md#i40`). The time
//! alone decides which key signs, so that all replicas switch at the same moment and nothing has to be written then.

mod making;
mod plan;
mod sealed;
mod set;
mod tending;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use oidc::jose::{Algorithm, KeyError, SigningKey, UnverifiedJwt};
use runtime::{Clock, Metrics, Random};
use status::Kind;
use store::StoreError;
use tokio::sync::Mutex;

pub use plan::{MARGIN, Schedule};
use set::KeySet;
pub use set::State;

use crate::engine::document::Rendered;
use crate::seal::Sealer;
use crate::store::Store;

/// The signing keys, parsed and held in memory. Clones share them.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    set: ArcSwap<KeySet>,
    /// Held while keys are read and changed, so that what was read earlier does not replace what was read later.
    tending: Mutex<()>,
    parts: Parts,
}

/// What the keys are managed with.
pub struct Parts {
    /// Stores them.
    pub store: Store,
    /// Seals their private parts.
    pub sealer: Sealer,
    /// The schedule of their rotation.
    pub schedule: Schedule,
    /// The clock.
    pub clock: Clock,
    /// The source of their identifiers.
    pub random: Random,
    /// The signing algorithms, without repetition. The first is the default.
    pub algorithms: Vec<Algorithm>,
}

/// The description of a key for administrators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its `kid`.
    pub kid: String,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its state.
    pub state: State,
    /// When it was made.
    pub created: SystemTime,
    /// When it begins to sign.
    pub active: SystemTime,
    /// Until when it is published, if another key has replaced it.
    pub retired: Option<SystemTime>,
}

/// When a new key begins to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// After it has been published long enough for clients to fetch it.
    Published,
    /// Now: clients that cache the key set have to fetch it again when the first token comes.
    AtOnce,
}

/// Why an operation on the keys fails.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The store fails.
    #[error("the signing keys cannot be read or written")]
    Store(#[from] StoreError),
    /// A row was sealed by another secret, was changed, or is another key's.
    #[error(
        "the signing key {0} cannot be opened: IDP_ENCRYPTION_SECRET or IDP_ENCRYPTION_SECRET_PREVIOUS has to be the \
         secret that it was sealed with"
    )]
    Sealed(String),
    /// The cryptographic library does not make it or does not read it.
    #[error("a signing key cannot be made or read")]
    Making(#[from] KeyError),
    /// Something else removes keys as quickly as they are made.
    #[error("there is no key for {0}")]
    Missing(Algorithm),
    /// There is no key with this `kid`.
    #[error("there is no such key")]
    Unknown,
    /// The algorithm is not a signing algorithm of this server.
    #[error("nothing is signed with {0}: name it in IDP_SIGNING_ALGORITHMS and start again")]
    NotOffered(Algorithm),
    /// No other key could sign.
    #[error("no other key signs with {0} now: make one first, and let it sign at once")]
    Only(Algorithm),
}

impl KeysError {
    /// The kind, which decides the gRPC code.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Sealed(_) | Self::Making(_) | Self::Missing(_) => Kind::Internal,
            Self::Unknown => Kind::NotFound,
            Self::Only(_) | Self::NotOffered(_) => Kind::FailedPrecondition,
        }
    }
}

impl Keys {
    /// The algorithm to sign with for a client that is registered for this one: the first that is configured where it is
    /// registered for none, or for one that has no key pair here.
    pub fn choose(&self, registered: Option<Algorithm>) -> Algorithm {
        let has_key = |algorithm: &Algorithm| self.0.parts.algorithms.contains(algorithm);
        registered.filter(has_key).unwrap_or_else(|| self.default_algorithm())
    }

    /// The first algorithm that is configured.
    fn default_algorithm(&self) -> Algorithm {
        self.0.parts.algorithms.first().copied().unwrap_or(Algorithm::Rs256)
    }

    /// The key that signs with this algorithm now; that of the first one for an algorithm without a key. Costs no lock and no
    /// allocation.
    pub fn signer(&self, algorithm: Algorithm) -> Arc<SigningKey> {
        self.0.set.load().signer(self.choose(Some(algorithm)), self.0.parts.clock.now())
    }

    /// Whether a JWT was signed with one of the published keys.
    pub fn verifies(&self, jwt: &UnverifiedJwt<'_>) -> bool {
        self.0.set.load().verifies(jwt, self.0.parts.clock.now())
    }

    /// The key set as it is published.
    pub fn published(&self) -> Rendered {
        self.0.set.load().rendered().clone()
    }

    /// Shows how long the keys that sign have been signing, and when other keys are due.
    pub fn measure(&self, metrics: &Metrics) {
        for &algorithm in &self.0.parts.algorithms {
            let inner = Arc::downgrade(&self.0);
            metrics.gauge_of(
                "doorward_signing_key_age_seconds",
                "How long the key that signs with an algorithm has been signing, in seconds",
                vec![("algorithm", algorithm.to_string())],
                move || Some(Keys(inner.upgrade()?).age(algorithm)?.as_secs_f64()),
            );
            let inner = Arc::downgrade(&self.0);
            metrics.gauge_of(
                "doorward_signing_key_rotation_seconds",
                "The time until another key has to sign with an algorithm, in seconds; negative when that is overdue",
                vec![("algorithm", algorithm.to_string())],
                move || Keys(inner.upgrade()?).until_rotation(algorithm),
            );
        }
    }

    /// How long the key that signs with this algorithm has been signing.
    fn age(&self, algorithm: Algorithm) -> Option<Duration> {
        let since = self.signing_since(algorithm)?;
        Some(self.0.parts.clock.now().duration_since(since).unwrap_or_default())
    }

    /// The seconds until a successor of the key that signs with this algorithm has to sign, negative when that is overdue; `None` if keys
    /// are not rotated.
    fn until_rotation(&self, algorithm: Algorithm) -> Option<f64> {
        let Schedule { rotation, ahead, .. } = self.0.parts.schedule;
        if rotation.is_zero() {
            return None;
        }
        let due = self.signing_since(algorithm)? + rotation + ahead;
        let left = due.duration_since(self.0.parts.clock.now());
        Some(left.map_or_else(|past| -past.duration().as_secs_f64(), |left| left.as_secs_f64()))
    }

    /// When the key that signs with this algorithm has begun to.
    fn signing_since(&self, algorithm: Algorithm) -> Option<SystemTime> {
        let signs = |key: &Listed| key.state == State::Current && key.algorithm == algorithm;
        self.list().into_iter().find(signs).map(|key| key.active)
    }

    /// The known keys, in the order of the algorithms, the newest first.
    pub fn list(&self) -> Vec<Listed> {
        self.0.set.load().list(self.0.parts.clock.now())
    }
}
