//! Limits wrong user codes (`docs/security-requirements.md#i26`): five in a browser session, and ten a minute from one network. All
//! replicas count together.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use runtime::Random;
use store::StoreError;
use uuid::Uuid;

use crate::engine::network::network;
use crate::model::Session;
use crate::store::{CodeAttempt, CodeLimits, Store, TooManyCodes};

/// A user who has used up the wrong codes of one session signs in again.
const LIMITS: CodeLimits = CodeLimits { per_session: 5, per_source: 10, period: Duration::from_mins(1) };
/// The longest time for which a session's wrong codes are counted: sessions of remembered browsers last long.
const LONGEST: Duration = Duration::from_hours(24 * 31);

/// Counts the attempts.
#[derive(Clone, Debug)]
pub(crate) struct Attempts {
    store: Store,
    random: Random,
}

/// Why a code is not looked up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttemptError {
    /// The limit is reached.
    #[error("there were too many wrong codes: {0:?}")]
    TooMany(TooManyCodes),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The lookup of a code. It counts as wrong unless it is forgiven.
#[derive(Debug)]
pub(crate) struct Attempt {
    store: Store,
    id: Uuid,
}

impl Attempts {
    pub(crate) fn new(store: Store, random: Random) -> Self {
        Self { store, random }
    }

    /// Begins the lookup of a code. It counts as wrong until it is known to be right, so that concurrent attempts count too. An
    /// unknown network has no count, as all unknown ones would share it.
    ///
    /// # Errors
    /// [`AttemptError`].
    pub(crate) async fn begin(
        &self,
        session: &Session,
        source: Option<IpAddr>,
        now: SystemTime,
    ) -> Result<Attempt, AttemptError> {
        let id = self.random.uuid();
        let session = (session.id, session.end.min(now + LONGEST));
        let source = source.map(|source| crypto::fingerprint(network(source).to_string().as_bytes()));
        let outcome = self.store.begin_code_attempt(&CodeAttempt { id, session, source, at: now }, &LIMITS).await?;
        outcome.map_err(AttemptError::TooMany)?;
        Ok(Attempt { store: self.store.clone(), id })
    }
}

impl Attempt {
    /// The code was not wrong, or it is not known whether it was. Where that cannot be written, it counts nevertheless.
    pub(crate) async fn forgive(self) {
        if let Err(error) = self.store.forgive_code_attempt(self.id).await {
            tracing::debug!(%error, "a user code that was not wrong counts as wrong");
        }
    }
}

#[cfg(test)]
mod tests;
