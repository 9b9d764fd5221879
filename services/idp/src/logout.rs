//! Signing out: the end-session endpoint (`OpenID` Connect RP-Initiated Logout 1.0), how clients are told of it by the
//! server (Back-Channel Logout 1.0) and by the browser (Front-Channel Logout 1.0), and the page by which their scripts
//! notice it (Session Management 1.0).
//!
//! What ends with a session: the session itself, and every access token that rests on it alone. What somebody has granted
//! for good (the scope `offline_access`) outlives it (`OpenID` Connect Core 11), unless the person signs out everywhere.

mod backchannel;
mod check_session;
mod decision;
mod endpoint;
mod frontchannel;
mod hint;
pub(crate) mod parameters;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use store::StoreError;
use tokio::sync::Notify;
use uuid::Uuid;

pub use backchannel::{deliver, deliver_due};
pub(crate) use endpoint::form_of;

use crate::clients::{Client, Lifetimes};
use crate::endpoints::Layout;
use crate::model::{Grant, seconds};
use crate::provider::Provider;
use crate::revocations::{self, Of};
use crate::store::Participant;

/// The longest life of an access token that the settings permit.
const LONGEST_TOKEN: Duration = Duration::from_hours(24);
/// How far clocks of replicas may be apart.
const SKEW: Duration = Duration::from_mins(1);

/// Wakes the task that tells clients, so that they learn of a sign-out at once. Clones wake the same task.
#[derive(Clone, Debug, Default)]
pub struct Logouts(Arc<Notify>);

impl Logouts {
    /// One for the routes and the task of a process.
    pub fn new() -> Self {
        Self::default()
    }

    /// There is something to tell. Without this it is told within a second.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    async fn woken(&self) {
        self.0.notified().await;
    }
}

/// The routes of signing out: the end-session endpoint and the check-session page of every issuer, and the pages.
pub fn router(provider: &Provider, logouts: &Logouts) -> Router {
    endpoint::router(provider, logouts).merge(check_session::router(provider))
}

/// The session that a grant ends with: that of the sign-in, unless it was granted for good. Tokens of such a grant are
/// refused, and its codes are not redeemed, once [`Revocations`](crate::revocations::Revocations) has the session.
pub fn ends_with(grant: &Grant) -> Option<Uuid> {
    let session = grant.sign_in.as_ref()?.session?;
    (!grant.scope.asks_offline()).then_some(session)
}

/// Ends a session; returns what a browser may load to tell clients in the front channel.
///
/// - The session is deleted, and in the same transaction a message is queued for every client that took part in it and
///   has a back-channel; [`deliver`] sends it.
/// - Access tokens that rest on the session are revoked at once: its identifier is written as a revocation, which holds
///   for every grant of which [`ends_with`] names it.
/// - Grants with the scope `offline_access` and their tokens survive (`OpenID` Connect Core 11): a program that somebody
///   has let in for good is not turned out when a browser signs out. [`end_everywhere`] ends them too.
///
/// The revocation comes first: if the rest fails, nothing of the session is good any more, and trying again is safe.
///
/// # Errors
/// When the database does not take it.
pub async fn end(provider: &Provider, session: Uuid) -> Result<Vec<String>, StoreError> {
    let now = provider.clock.now();
    let known = provider.store.participants(session).await?;
    let until = now + remembered_for(provider, &clients(provider, &known).await?);
    // tokens of before the person has signed in again rest on the session by the identifier of then
    let mut ids: Vec<_> = known.iter().map(|participant| participant.sid).chain([session]).collect();
    ids.sort_unstable();
    ids.dedup();
    provider.store.revoke_tokens(&ids, until, now).await?;
    let tell = provider.clients.with_backchannel().await?;
    let participants = provider.store.end_session(session, &tell, now).await?;
    Ok(frontchannel::frames(provider, &clients(provider, &participants).await?))
}

/// Ends all sessions of a user, and everything that the user has granted to anybody, also what is under way: a code, a device
/// that was allowed and has not asked since, a token from before the user signed in again. Refresh tokens end too.
///
/// # Errors
/// When the database does not take it; trying again is safe.
pub async fn end_everywhere(provider: &Provider, person: &str) -> Result<(), StoreError> {
    let now = provider.clock.now();
    // first what cannot be named, also what was issued in this very second: tokens, codes and devices under way
    let tokens = revocations::before(Of::Person(person), provider.revocations.next_end(person, seconds(now)));
    provider.store.revoke_token(tokens.id, tokens.until, now).await?;
    let until = now + remembered_for(provider, &[]);
    provider.store.revoke_person(person, None, None, until, now).await?;
    for session in provider.store.sessions_of(person, now).await? {
        end(provider, session.id).await?;
    }
    Ok(())
}

/// Ends what a person has begun before a moment, for all clients: sessions, grants, and every token, also those that nobody
/// has written down. For when a password was changed or an account is closed (row I38): what is begun with the new password
/// stays.
///
/// # Errors
/// When the database does not take it; trying again is safe.
pub async fn end_before(provider: &Provider, person: &str, moment: SystemTime) -> Result<(), StoreError> {
    let now = provider.clock.now();
    let tokens = revocations::before(Of::Person(person), seconds(moment));
    provider.store.revoke_token(tokens.id, tokens.until, now).await?;
    let until = now + remembered_for(provider, &[]);
    provider.store.revoke_person(person, None, Some(moment), until, now).await?;
    for session in provider.store.sessions_of(person, now).await? {
        if session.signed_in < moment {
            end(provider, session.id).await?;
        }
    }
    Ok(())
}

/// A participant that is still known.
struct Known {
    client: Arc<Client>,
    /// The issuer at which it took part.
    layout: Layout,
    /// By which identifier it knows the session.
    sid: Uuid,
}

/// Those of the participants that are still known.
async fn clients(provider: &Provider, participants: &[Participant]) -> Result<Vec<Known>, StoreError> {
    let mut found = Vec::with_capacity(participants.len());
    for Participant { client, layout, sid } in participants {
        let Ok(layout) = layout.parse() else { continue };
        if let Some(client) = provider.clients.find(client).await? {
            found.push(Known { client, layout, sid: *sid });
        }
    }
    Ok(found)
}

/// For how long a revocation has to be remembered: until a code that is under way now, and the token it is redeemed for,
/// would have ended.
fn remembered_for(provider: &Provider, clients: &[Known]) -> Duration {
    let lives = &provider.config.lives;
    let usual = Layout::ALL.map(|layout| lives.of(layout, &Lifetimes::default()));
    let own = clients.iter().map(|known| lives.of(known.layout, &known.client.lifetimes));
    let longest = own.chain(usual).map(|life| life.code + life.access_token.max(LONGEST_TOKEN)).max();
    longest.unwrap_or(LONGEST_TOKEN) + SKEW
}
