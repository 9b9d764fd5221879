//! Where a verifier has the keys from: the secret itself, or the key set that a minter publishes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use oidc::jose::{Algorithm, JwtError, KeyError, KeySet, UnverifiedJwt};

use super::{TransactionDefect, TransactionKeys};

/// The keys of a verifier.
#[derive(Clone)]
pub enum KeySource {
    /// Derived from the secret, in a process that mints tokens itself.
    Derived(Arc<TransactionKeys>),
    /// Fetched from a process that mints tokens.
    Published(Arc<PublishedKeys>),
}

/// A key set that another process publishes. Who fetches it [replaces](Self::replace) it here; a token that names an unknown key
/// asks for that.
#[derive(Default)]
pub struct PublishedKeys {
    set: ArcSwapOption<KeySet>,
    is_wanted: AtomicBool,
}

impl KeySource {
    /// Checks the signature of a token with the key that it names.
    pub(super) fn verify(
        &self,
        jwt: &UnverifiedJwt<'_>,
        algorithm: Algorithm,
        now: SystemTime,
    ) -> Result<(), TransactionDefect> {
        let kid = jwt.kid().ok_or(TransactionDefect::Key)?;
        let verdict = match self {
            Self::Derived(keys) => {
                let key = keys.find(kid, algorithm, now).ok_or(TransactionDefect::Key)?;
                jwt.verify(&key)
            }
            Self::Published(published) => {
                let set = published.set()?;
                let key = set.find(Some(kid), algorithm).ok_or_else(|| published.unknown(&set, kid))?;
                jwt.verify(key)
            }
        };
        verdict.map_err(|error| match error {
            JwtError::Algorithm => TransactionDefect::Algorithm,
            _ => TransactionDefect::Signature,
        })
    }
}

impl PublishedKeys {
    /// Puts a fetched key set to use.
    ///
    /// # Errors
    /// [`KeyError`] for a text that is no key set; the former one stays then. A set without usable keys is
    /// [`KeyError::Malformed`].
    pub fn replace(&self, json: &[u8]) -> Result<(), KeyError> {
        let set = KeySet::parse(json)?;
        if set.is_empty() {
            return Err(KeyError::Malformed);
        }
        self.set.store(Some(Arc::new(set)));
        Ok(())
    }

    /// Forgets the key set, which could not be fetched again for too long.
    pub fn forget(&self) {
        self.set.store(None);
    }

    /// Whether a token has named an unknown key since the previous call, so that fetching the set again may help.
    pub fn take_wanted(&self) -> bool {
        self.is_wanted.swap(false, Ordering::AcqRel)
    }

    fn set(&self) -> Result<Arc<KeySet>, TransactionDefect> {
        self.set.load_full().ok_or_else(|| {
            self.is_wanted.store(true, Ordering::Release);
            TransactionDefect::KeysUnknown
        })
    }

    fn unknown(&self, set: &KeySet, kid: &str) -> TransactionDefect {
        if !set.has_kid(kid) {
            self.is_wanted.store(true, Ordering::Release);
        }
        TransactionDefect::Key
    }
}
