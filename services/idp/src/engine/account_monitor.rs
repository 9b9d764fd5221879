//! Notices that users have another password, are disabled or are gone (row I38).
//!
//! Each use of a session or a token looks the user up. Others accept stateless tokens without asking, and clients wait for a
//! logout token: so users with a session or a grant are looked up in turn, whether they do anything or not. Replicas do that
//! together: each user is looked up by one of them in a round.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use authn::audit::Event;
use authn::{Caller, DirectoryError, Groups};
use futures_util::{StreamExt, stream};
use store::StoreError;
use tokio_util::sync::CancellationToken;

use super::accounts::{self, AccountStatus, IneligibleReason};
use super::audit_events::{AuditedUser, Circumstances};
use super::provider::Provider;
use crate::store::{Begun, RoundProgress};

/// How often some are looked up.
const EVERY: Duration = Duration::from_secs(1);
/// How many then, and how many of them at the same time: the directory has other things to do.
const AT_ONCE: u64 = 64;
const SIDE_BY_SIDE: usize = 4;
/// How long a round lasts at least: so no user is looked up more often.
const ROUND: Duration = Duration::from_secs(5);
/// How long it is remembered that the end of what a user had begun is recorded.
const RECORDED_FOR: Duration = Duration::from_hours(24);

/// How far a round has come; on `PostgreSQL` replicas share one, which the store has.
#[derive(Debug, Default)]
pub(crate) struct Round(RoundProgress);

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
        let people = provider.store.next_people(&mut self.0, AT_ONCE, ROUND, provider.clock.now()).await?;
        let looking = people.into_iter().map(|begun| look_up(provider, begun));
        let outcomes: Vec<_> = stream::iter(looking).buffer_unordered(SIDE_BY_SIDE).collect().await;
        outcomes.into_iter().collect()
    }
}

/// Looks one user up, which ends what has to be ended, and records that once among all replicas.
async fn look_up(provider: &Provider, Begun { person, earliest }: Begun) -> Result<(), RoundError> {
    let status = accounts::look_up(provider, &person, Groups::Skip, |changed| earliest < changed).await?;
    if let AccountStatus::Ineligible(reason) = status
        && is_unrecorded(provider, &person, reason, earliest).await
    {
        let reason = reason.reason();
        let event = Event { reason: &reason, subject: &person, ..Event::new("sign_out", "done") };
        let user = AuditedUser::Id(person.clone());
        let unknown = Caller::default();
        let circumstances = Circumstances { object: reason, ..Circumstances::by(user, "", &unknown) };
        provider.audit_events.record(&event, circumstances, provider.clock.now());
    }
    Ok(())
}

/// Whether no replica has recorded this before: a look-up that takes longer than a round may be overtaken by that of another one. If the
/// database does not say, it is recorded rather twice than not at all.
async fn is_unrecorded(provider: &Provider, person: &str, reason: IneligibleReason, earliest: SystemTime) -> bool {
    let moment = if let IneligibleReason::PasswordChanged(changed) = reason { changed } else { earliest };
    let moment = moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros().to_string();
    let digest = crypto::fingerprint_of_parts(&["sign_out", person, reason.reason(), &moment]);
    let is_first = provider.store.first_time(digest, provider.clock.now() + RECORDED_FOR).await;
    is_first.unwrap_or_else(|error| {
        tracing::debug!(%error, "the end of what a user had begun may be recorded twice");
        true
    })
}
