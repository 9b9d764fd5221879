//! Browser sessions: which user has signed in, found by the value of a cookie.

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use authn::{Caller, Groups, UserId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::StoreError;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::provider::Provider;
use super::termination;
use crate::model::{Session, seconds, time_of};
use crate::revocations::Of;
use crate::seal::Tag;

/// How exactly it is known when a session was last used: not every request writes.
const SEEN: Duration = Duration::from_mins(1);
const SECRET_LEN: usize = 32;
const ID_LEN: usize = 16;
/// The most that is stored of what a browser calls itself, in characters.
const MAX_USER_AGENT: usize = 256;

/// How a user who gave a password has signed in (RFC 8176).
pub(crate) const PASSWORD: &str = "pwd";

/// A user who has signed in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedInUser<'a> {
    /// The identifier.
    pub(crate) user: &'a str,
    /// By what means (RFC 8176), with spaces between them.
    pub(crate) amr: &'a str,
    /// Whether the session shall outlive the browser.
    pub(crate) remember: bool,
}

/// A session that has just begun.
pub(crate) struct NewSession {
    pub(crate) session: Session,
    /// What the cookie holds, by which the session is found.
    pub(crate) cookie: String,
    /// How long the cookie is kept; until the browser is closed if there is no such time.
    pub(crate) cookie_lifetime: Option<Duration>,
}

/// The session that a cookie names, if it is alive and the cookie holds its secret.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn current(provider: &Provider, cookie: Option<&str>) -> Result<Option<Session>, StoreError> {
    let Some((id, secret)) = cookie.and_then(parse) else { return Ok(None) };
    let Some(session) = provider.store.session(id).await? else { return Ok(None) };
    let is_its: bool = crypto::fingerprint(&secret).ct_eq(&session.digest).into();
    let now = provider.clock.now();
    // also one that could not be removed when everything of the user was ended
    let is_ended = || provider.revocations.ends_sign_in(&session.person, seconds(session.signed_in));
    if !is_its || !session.is_alive(now) || is_ended() {
        return Ok(None);
    }
    if now.duration_since(session.seen).unwrap_or_default() >= SEEN {
        provider.store.touch_session(id, now).await?;
    }
    Ok(Some(session))
}

fn parse(text: &str) -> Option<(Uuid, [u8; SECRET_LEN])> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == ID_LEN + SECRET_LEN)?;
    let (id, secret) = bytes.split_at(ID_LEN);
    Some((Uuid::from_slice(id).ok()?, secret.try_into().ok()?))
}

/// When a sign-in of this user counts as done: never before the last change of the password, nor before everything was ended.
/// Where the clock has been corrected those may lie in the future.
async fn dated(provider: &Provider, user: &str, now: SystemTime) -> SystemTime {
    let id = UserId { opaque_id: user.to_owned(), ..UserId::default() };
    // where the directory does not say, the sign-in is at worst one that has to be repeated
    let found = provider.directory.user(&id, Groups::Skip).await.ok();
    let changed = found.map_or(now, |found| found.credential_time(now));
    let ended = provider.revocations.cutoff(Of::Person(user)).map_or(now, time_of);
    // an end counts to the end of its second
    let latest = if ended > now + Duration::from_secs(1) { changed.max(ended) } else { changed };
    if latest <= now {
        return now;
    }
    tracing::warn!(person = user, "the password was changed, or all was ended, ahead of this clock; check the clock");
    // in whole seconds, as grants and tokens have it
    time_of(seconds(latest) + 1)
}

/// Begins a session of this user, in place of the browser's former one: its identifier is new, so that knowing the old one is
/// of no use (row I19). A former session of another user ends as if that user had signed out. `caller` is what its user will
/// recognize the session by.
///
/// # Errors
/// When it cannot be written.
pub(crate) async fn begin(
    provider: &Provider,
    former: Option<&Session>,
    SignedInUser { user, amr, remember }: SignedInUser<'_>,
    caller: &Caller,
) -> Result<NewSession, StoreError> {
    let now = provider.clock.now();
    let signed_in = dated(provider, user, now).await;
    let lifetimes = &provider.config.lifetimes;
    let secret: [u8; SECRET_LEN] = provider.random.bytes();
    let (life, idle) = if remember {
        (lifetimes.remembered_session, lifetimes.remembered_session)
    } else {
        (lifetimes.session, lifetimes.session_idle)
    };
    let session = Session {
        id: provider.random.uuid(),
        digest: crypto::fingerprint(&secret),
        person: user.to_owned(),
        signed_in,
        amr: amr.to_owned(),
        seen: now,
        idle,
        end: now + life,
        remembered: remember,
        user_agent: caller.user_agent.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT).collect(),
        address: caller.source,
    };
    match former {
        Some(former) if former.person == user => provider.store.replace_session(former.id, &session).await?,
        former => {
            // clients that know only the former session have to be notified
            if let Some(former) = former {
                termination::end(provider, former.id).await?;
            }
            provider.store.begin_session(&session).await?;
        }
    }
    let cookie = cookie(session.id, &secret);
    Ok(NewSession { session, cookie, cookie_lifetime: remember.then_some(life) })
}

/// Replaces a session by one of a higher level, when its user has given a further factor by now. Its secret and identifier are
/// new (row I19); the time of the sign-in and its end stay.
///
/// # Errors
/// When it cannot be written.
pub(crate) async fn step_up(provider: &Provider, former: &Session, amr: &str) -> Result<NewSession, StoreError> {
    let now = provider.clock.now();
    let secret: [u8; SECRET_LEN] = provider.random.bytes();
    let session = Session {
        id: provider.random.uuid(),
        digest: crypto::fingerprint(&secret),
        amr: amr.to_owned(),
        seen: now,
        ..former.clone()
    };
    provider.store.replace_session(former.id, &session).await?;
    let left = session.end.duration_since(now).unwrap_or_default();
    let cookie_lifetime = session.remembered.then_some(left);
    Ok(NewSession { cookie: cookie(session.id, &secret), session, cookie_lifetime })
}

/// What the cookie of a session holds.
fn cookie(id: Uuid, secret: &[u8; SECRET_LEN]) -> String {
    URL_SAFE_NO_PAD.encode([id.as_bytes().as_slice(), secret].concat())
}

/// The state of the browser as clients may know it (`OpenID` Connect Session Management 1.0): another one after every
/// sign-in and sign-out, and of no use for signing in. Without a session it is the same for all.
pub(crate) fn browser_state(provider: &Provider, session: Option<Uuid>) -> String {
    match session {
        None => "none".to_owned(),
        Some(id) => {
            let tag = provider.sealer.permanent_tag(Tag::Csrf, &[b"browser state ", id.as_bytes().as_slice()].concat());
            URL_SAFE_NO_PAD.encode(&tag[..16])
        }
    }
}
