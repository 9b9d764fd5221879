//! Ends sessions, grants and tokens.
//!
//! What ends with a session: the session itself, and every access token that rests on it alone. Grants with the scope
//! `offline_access` outlive it (`OpenID` Connect Core 11), unless the user signs out everywhere, or ends the session
//! in the account.

pub(crate) mod every_user;
mod frontchannel;

use std::time::{Duration, SystemTime};

use store::StoreError;
use uuid::Uuid;

use self::frontchannel::KnownParticipant;
use super::clients::Client;
use super::connected_applications;
use super::provider::Provider;
use super::tokens::access_token::PresentedToken;
use crate::endpoints::{EndpointProfile, IssuerEndpoints};
use crate::lifetimes::ClientLifetimes;
use crate::model::{Session, seconds, time_of};
use crate::revocations::{self, Of};
use crate::store::Participant;

/// The longest life of an access token that the settings permit.
const LONGEST_TOKEN: Duration = Duration::from_hours(24);
/// How far clocks of replicas may be apart.
const SKEW: Duration = Duration::from_mins(1);
/// For how much longer than the longest access token a revocation of a grant is remembered: a token may be older than the
/// setting of its lifetime.
const MARGIN: Duration = Duration::from_hours(1);

/// Ends a session; returns what a browser may load to notify clients in the front channel.
///
/// - The session is deleted, and in the same transaction a message is queued for every client that took part in it and
///   has a back-channel, which the delivery of logout tokens sends.
/// - Access tokens that rest on the session are revoked at once: its identifier is written as a revocation, which holds
///   for every grant that ends with it.
/// - Grants with the scope `offline_access` and their tokens survive browser sign-out (`OpenID` Connect
///   Core 11). [`end_everywhere`] ends them too.
///
/// The revocation comes first: if the rest fails, nothing of the session is good any more, and trying again is safe.
///
/// # Errors
/// When the database does not take it.
pub async fn end(provider: &Provider, session: Uuid) -> Result<Vec<String>, StoreError> {
    let now = provider.clock.now();
    let known = provider.store.participants(session).await?;
    let until = now + remembered_for(provider, &clients(provider, &known).await?);
    // tokens from before the user signed in again rest on it by a former identifier
    provider.store.revoke_tokens(&provider.store.identifiers(session).await?, until, now).await?;
    let tell = provider.clients.with_backchannel().await?;
    let participants = provider.store.end_session(session, &tell, now).await?;
    Ok(frontchannel::frames(provider, &clients(provider, &participants).await?))
}

/// Ends a session as [`end`] does, and with it every grant that was given in it, also those with `offline_access`, as the user says that
/// its device shall have no access any more (`docs/security-requirements.md#s2`).
///
/// # Errors
/// When the database does not take it; trying again is safe.
pub async fn end_with_grants(provider: &Provider, session: &Session) -> Result<(), StoreError> {
    let now = provider.clock.now();
    let known = provider.store.participants(session.id).await?;
    let until = now + remembered_for(provider, &clients(provider, &known).await?);
    let identifiers = provider.store.identifiers(session.id).await?;
    provider.store.revoke_grants_of_sessions(&session.person, &identifiers, until, now).await?;
    end(provider, session.id).await.map(drop)
}

/// Ends all sessions of a user, and everything that the user has granted to any client, also what is under way: codes, devices
/// that were allowed and have not polled since, tokens from before the user signed in again. Refresh tokens end too.
///
/// # Errors
/// When the database does not take it; trying again is safe.
pub async fn end_everywhere(provider: &Provider, user: &str) -> Result<(), StoreError> {
    let now = provider.clock.now();
    // first what cannot be named, also what was issued in this very second: tokens, codes and devices under way
    let tokens = revocations::before(Of::Person(user), provider.revocations.next_end(user, seconds(now)));
    provider.store.revoke_token(tokens.id, tokens.until, now).await?;
    let until = now + remembered_for(provider, &[]);
    provider.store.revoke_person(user, None, None, until, now).await?;
    end_sessions(provider, user, None, now).await
}

/// Ends what a user has begun before a moment, for all clients: sessions, grants, and every token, also stateless ones. For a
/// changed password and a closed account (row I38): what is begun with the new password stays.
///
/// # Errors
/// When the database does not take it; trying again is safe.
pub async fn end_before(provider: &Provider, user: &str, moment: SystemTime) -> Result<(), StoreError> {
    let now = provider.clock.now();
    let tokens = revocations::before(Of::Person(user), seconds(moment));
    provider.store.revoke_token(tokens.id, tokens.until, now).await?;
    let until = now + remembered_for(provider, &[]);
    provider.store.revoke_person(user, None, Some(moment), until, now).await?;
    end_sessions(provider, user, Some(moment), now).await
}

/// Ends the sessions of a user, or those that began before a moment. The store lists a part of them at a time.
async fn end_sessions(
    provider: &Provider,
    user: &str,
    before: Option<SystemTime>,
    now: SystemTime,
) -> Result<(), StoreError> {
    loop {
        let sessions = match before {
            Some(moment) => provider.store.sessions_before(user, moment, now).await?,
            None => provider.store.sessions_of(user, now).await?,
        };
        if sessions.is_empty() {
            return Ok(());
        }
        for session in sessions {
            end(provider, session.id).await?;
        }
    }
}

/// Those of the participants that are still known.
async fn clients(provider: &Provider, participants: &[Participant]) -> Result<Vec<KnownParticipant>, StoreError> {
    let mut found = Vec::with_capacity(participants.len());
    for Participant { client, layout, sid } in participants {
        let Ok(layout) = layout.parse() else { continue };
        if let Some(client) = provider.clients.find(client).await? {
            found.push(KnownParticipant { client, layout, sid: *sid });
        }
    }
    Ok(found)
}

/// For how long a revocation has to be remembered: until a code that is under way now, and the token it is redeemed for,
/// would have ended.
fn remembered_for(provider: &Provider, clients: &[KnownParticipant]) -> Duration {
    let lifetimes = &provider.config.lifetimes;
    let usual = EndpointProfile::ALL.map(|layout| lifetimes.of(layout, &ClientLifetimes::default()));
    let own = clients.iter().map(|known| lifetimes.of(known.layout, &known.client.lifetimes));
    let longest = own.chain(usual).map(|life| life.code + life.access_token.max(LONGEST_TOKEN)).max();
    longest.unwrap_or(LONGEST_TOKEN) + SKEW
}

/// Until when it has to be remembered that a grant of this client was revoked now.
pub(crate) fn remembered_until(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    client: &Client,
    now: SystemTime,
) -> SystemTime {
    now + provider.config.lifetimes.of(endpoints.layout, &client.lifetimes).access_token + MARGIN
}

/// Ends a grant and everything derived from it.
///
/// # Errors
/// When the database does not take it.
pub(crate) async fn revoke_grant(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    client: &Client,
    grant: Uuid,
    now: SystemTime,
) -> Result<(), StoreError> {
    let until = remembered_until(provider, endpoints, client, now);
    provider.store.revoke_grant(grant, until, now).await
}

/// Ends one access token.
///
/// # Errors
/// When the database does not take it.
pub(crate) async fn revoke_token(
    provider: &Provider,
    token: &PresentedToken,
    now: SystemTime,
) -> Result<(), StoreError> {
    provider.store.revoke_token(token.token, time_of(token.expires), now).await
}

/// Ends what a client may do for a user: consent, refresh tokens, and all access tokens and codes.
///
/// # Errors
/// When the database does not take it.
pub(crate) async fn withdraw_consent(provider: &Provider, user: &str, client: &str) -> Result<(), StoreError> {
    let is_known = provider.clients.find(client).await?.is_some();
    // a user can name any client, and every replica holds each revocation in memory for a day
    if !is_known && !has_access(provider, user, client).await? {
        return Ok(());
    }
    let now = provider.clock.now();
    // also what was issued in this very second
    let tokens = revocations::before(Of::Consent { person: user, client }, seconds(now) + 1);
    provider.store.take_back_consent(user, client, tokens, now).await?;
    Ok(())
}

/// Whether a client that may be gone still has access to the account of a user.
async fn has_access(provider: &Provider, user: &str, client: &str) -> Result<bool, StoreError> {
    let applications = connected_applications::list(provider, user).await?;
    Ok(applications.iter().any(|application| application.client == client))
}
