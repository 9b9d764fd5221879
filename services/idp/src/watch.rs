//! Noticing that people have another password, are disabled or are gone (row I38).
//!
//! Whoever uses a session or a token is looked up then and there. Stateless tokens are believed by others without asking, and
//! clients wait to be told of a sign-out: so those who are signed in somewhere are looked up in turn, whether they do
//! anything or not.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use authn::{DirectoryError, Groups};
use futures_util::{StreamExt, stream};
use store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::person::{self, Standing};
use crate::provider::Provider;
use crate::store::Begun;

/// How often some are looked up.
const EVERY: Duration = Duration::from_secs(1);
/// How many then, and how many of them at the same time: the directory has other things to do.
const AT_ONCE: u64 = 64;
const SIDE_BY_SIDE: usize = 4;
/// How many ticks a round lasts at least: so nobody is looked up more often than every five seconds.
const ROUND: u32 = 5;

/// How far a round has come.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Who was looked up last of those with sessions, and of those with refresh tokens.
    sessions: String,
    grants: String,
    ticks: u32,
}

/// Why a round stops.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stopped {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// Looks people up, until the service stops.
pub(crate) async fn keep_watching(provider: Provider, shutdown: CancellationToken) {
    let watching = async {
        let mut round = Round::default();
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = round.go_on(&provider).await {
                tracing::debug!(%error, "those who are signed in are not looked up for now");
            }
        }
    };
    shutdown.run_until_cancelled(watching).await;
}

impl Round {
    /// Looks up those who are next.
    ///
    /// # Errors
    /// [`Stopped`]; the round goes on behind those who could not be looked up, since others may still be.
    pub(crate) async fn go_on(&mut self, provider: &Provider) -> Result<(), Stopped> {
        self.ticks += 1;
        let (store, now) = (&provider.store, provider.clock.now());
        let sessions = store.people_with_sessions(&self.sessions, AT_ONCE, now).await?;
        let grants = store.people_with_grants(&self.grants, AT_ONCE, now).await?;
        if sessions.is_empty() && grants.is_empty() && self.ticks >= ROUND {
            *self = Self::default();
        }
        for (after, found) in [(&mut self.sessions, &sessions), (&mut self.grants, &grants)] {
            if let Some(last) = found.last() {
                after.clone_from(&last.person);
            }
        }
        let mut people: BTreeMap<String, SystemTime> = BTreeMap::new();
        for Begun { person, earliest } in sessions.into_iter().chain(grants) {
            let first = people.entry(person).or_insert(earliest);
            *first = earliest.min(*first);
        }
        let looking = people.into_iter().map(|(person, earliest)| look(provider, person, earliest));
        let outcomes: Vec<_> = stream::iter(looking).buffer_unordered(SIDE_BY_SIDE).collect().await;
        outcomes.into_iter().collect()
    }
}

/// Looks one up; what has to be ended is ended by that.
async fn look(provider: &Provider, person: String, earliest: SystemTime) -> Result<(), Stopped> {
    let standing = person::look_up(provider, &person, Groups::Skip, |changed| earliest < changed).await?;
    if let Standing::Lost(loss) = standing {
        tracing::info!(target: "audit", event = "sign_out", outcome = "done", reason = loss.reason(), subject = person);
    }
    Ok(())
}
