//! The signing keys.
//!
//! Each algorithm has one key that signs. Before it becomes too old its successor is published, signs some time later,
//! and the old one stays published until nothing that it signed is valid any more (row I40). Which key signs follows from
//! the time alone, so that all replicas change over at the same moment and nothing has to be written then.

mod making;
mod plan;
mod sealed;
mod set;
mod tending;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use oidc::jose::{Algorithm, KeyError, SigningKey, UnverifiedJwt};
use runtime::{Clock, Random};
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

/// What keys are made with and kept in.
pub struct Parts {
    /// Where they are kept.
    pub store: Store,
    /// What seals their private parts.
    pub sealer: Sealer,
    /// When they change.
    pub schedule: Schedule,
    /// What time it is.
    pub clock: Clock,
    /// What names them.
    pub random: Random,
    /// What is signed with, without repetition. The first is the one where nothing else is asked for.
    pub algorithms: Vec<Algorithm>,
}

/// A key, as it is told to who administers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// What it is doing.
    pub state: State,
    /// When it was made.
    pub created: SystemTime,
    /// From when on it signs.
    pub active: SystemTime,
    /// Until when it is published, if another one has taken its place.
    pub retired: Option<SystemTime>,
}

/// When a new key begins to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// When everybody has had the time to read it in the key set.
    Published,
    /// Now: who keeps the key set has to fetch it again when the first token comes.
    AtOnce,
}

/// Why something cannot be done with the keys.
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
    /// No key is called that.
    #[error("there is no such key")]
    Unknown,
    /// It is not among the algorithms that are signed with.
    #[error("nothing is signed with {0}: name it in IDP_SIGNING_ALGORITHMS and start again")]
    NotOffered(Algorithm),
    /// Nothing else could sign.
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

    /// Whether a JWT was signed by one of our published keys.
    pub fn verifies(&self, jwt: &UnverifiedJwt<'_>) -> bool {
        self.0.set.load().verifies(jwt, self.0.parts.clock.now())
    }

    /// The key set as it is published.
    pub fn published(&self) -> Rendered {
        self.0.set.load().rendered().clone()
    }

    /// The keys that are known, in the order of the algorithms, the newest first.
    pub fn list(&self) -> Vec<Listed> {
        self.0.set.load().list(self.0.parts.clock.now())
    }
}
