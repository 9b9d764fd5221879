//! Notices that users have another password, are disabled or are gone (row I38).
//!
//! Each use of a session or a token looks the user up. Others accept stateless tokens without asking, and clients wait for a
//! logout token: so users with a session or a grant are looked up in turn, whether they do anything or not.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use authn::audit::Event;
use authn::{Caller, DirectoryError, Groups};
use futures_util::{StreamExt, stream};
use store::StoreError;
use tokio_util::sync::CancellationToken;

use super::accounts::{self, AccountStatus};
use super::audit_events::{AuditedUser, Circumstances};
use super::provider::Provider;
use crate::store::Begun;

/// How often some are looked up.
const EVERY: Duration = Duration::from_secs(1);
/// How many then, and how many of them at the same time: the directory has other things to do.
const AT_ONCE: u64 = 64;
const SIDE_BY_SIDE: usize = 4;
/// How many ticks a round lasts at least: so no user is looked up more often than every five seconds.
const ROUND: u32 = 5;

/// How far a round has come.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// The last users that were looked up, of those with sessions and of those with refresh tokens.
    sessions: String,
    grants: String,
    ticks: u32,
}

/// Why users are not looked up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RoundError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// Looks users up, until the service stops.
pub(crate) async fn monitor(provider: Provider, shutdown: CancellationToken) {
    let monitoring = async {
        let mut round = Round::default();
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = round.advance(&provider).await {
                tracing::debug!(%error, "users with sessions and grants are not looked up for now");
            }
        }
    };
    shutdown.run_until_cancelled(monitoring).await;
}

impl Round {
    /// Looks up the next users.
    ///
    /// # Errors
    /// [`RoundError`]; the round continues behind the users that could not be looked up.
    pub(crate) async fn advance(&mut self, provider: &Provider) -> Result<(), RoundError> {
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
        let looking = people.into_iter().map(|(person, earliest)| look_up(provider, person, earliest));
        let outcomes: Vec<_> = stream::iter(looking).buffer_unordered(SIDE_BY_SIDE).collect().await;
        outcomes.into_iter().collect()
    }
}

/// Looks one user up, which ends what has to be ended.
async fn look_up(provider: &Provider, person: String, earliest: SystemTime) -> Result<(), RoundError> {
    let status = accounts::look_up(provider, &person, Groups::Skip, |changed| earliest < changed).await?;
    if let AccountStatus::Ineligible(reason) = status {
        let reason = reason.reason();
        let event = Event { reason: &reason, subject: &person, ..Event::new("sign_out", "done") };
        let user = AuditedUser::Id(person.clone());
        let unknown = Caller::default();
        let circumstances = Circumstances { object: reason, ..Circumstances::by(user, "", &unknown) };
        provider.audit_events.record(&event, circumstances, provider.clock.now());
    }
    Ok(())
}
