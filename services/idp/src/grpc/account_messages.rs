//! What `AccountAPI` and `AccountAdminAPI` do alike, and their messages.

use std::time::SystemTime;

use ::token::Claims;
use authn::Caller;
use authn::audit::Event;
use proto::doorward::idp::v1::{AccountSession, ConnectedApplication as ApplicationMessage};
use status::Kind;
use tonic::Status;
use tracing::field::display;
use uuid::Uuid;

use super::failed;
use crate::Provider;
use crate::engine::connected_applications::ConnectedApplication;
use crate::engine::termination;
use crate::model::{Session, seconds};

/// The most of a client's identifier that is written to the audit log, in characters: callers choose it.
const MAX_NAME: usize = 256;

/// Something that is done with an account.
pub(super) enum Act<'a> {
    /// One session is ended.
    EndSession(Uuid),
    /// The user is signed out everywhere.
    EndAllSessions,
    /// The access of a client is ended.
    Disconnect(&'a str),
}

/// Writes what was done with a user's account to the audit log. An administrator's act is an event of its own.
pub(super) fn audit((claims, caller): (&Claims, &Caller), user: &str, act: &Act<'_>) {
    let is_own = claims.user.id.opaque_id == user;
    let (event, session, client) = match act {
        Act::EndSession(id) if is_own => ("session_end", Some(id), ""),
        Act::EndSession(id) => ("session_end_by_administrator", Some(id), ""),
        Act::EndAllSessions if is_own => ("session_end_all", None, ""),
        Act::EndAllSessions => ("session_end_all_by_administrator", None, ""),
        Act::Disconnect(client) if is_own => ("disconnect", None, *client),
        Act::Disconnect(client) => ("disconnect_by_administrator", None, *client),
    };
    let client: String = client.chars().take(MAX_NAME).collect();
    Event {
        subject: &user,
        caller: &claims.user.id.opaque_id,
        session: &session.map(display),
        client: &client,
        source: &caller.source.map(display),
        trace_id: &display(&caller.trace_id),
        ..Event::new(event, "done")
    }
    .log();
}

/// Whether a session has neither expired nor been ended.
pub(super) fn is_live(provider: &Provider, session: &Session) -> bool {
    session.is_alive(provider.clock.now())
        && !provider.revocations.ends_sign_in(&session.person, seconds(session.signed_in))
}

/// The live session with this identifier.
pub(super) async fn find_session(provider: &Provider, id: &str) -> Result<Option<Session>, Status> {
    let Ok(id) = id.parse() else { return Ok(None) };
    let found = provider.store.session(id).await.map_err(|error| failed(&error))?;
    Ok(found.filter(|session| is_live(provider, session)))
}

/// The status for a session that does not exist, or is not the caller's.
pub(super) fn no_session() -> Status {
    status::grpc(Kind::NotFound, "there is no such session")
}

/// Ends a session with what was granted in it, and has its clients notified.
pub(super) async fn end_session(provider: &Provider, session: &Session) -> Result<(), Status> {
    termination::end_with_grants(provider, session).await.map_err(|error| failed(&error))?;
    provider.deliveries.notify_one();
    Ok(())
}

/// Signs a user out everywhere, and has the clients notified.
pub(super) async fn end_everywhere(provider: &Provider, user: &str) -> Result<(), Status> {
    termination::end_everywhere(provider, user).await.map_err(|error| failed(&error))?;
    provider.deliveries.notify_one();
    Ok(())
}

/// A session.
pub(super) fn session(session: &Session, current: bool) -> AccountSession {
    let idle_end = session.seen.checked_add(session.idle).unwrap_or(session.end);
    AccountSession {
        id: session.id.to_string(),
        user_id: session.person.clone(),
        created: epoch(session.signed_in),
        last_used: epoch(session.seen),
        expires: epoch(session.end.min(idle_end)),
        user_agent: session.user_agent.clone(),
        address: session.address.map(|address| address.to_string()).unwrap_or_default(),
        current,
    }
}

/// A connected application.
pub(super) fn application(application: &ConnectedApplication) -> ApplicationMessage {
    ApplicationMessage {
        client_id: application.client.clone(),
        name: application.name.clone(),
        scopes: application.scope.iter().map(str::to_owned).collect(),
        since: epoch(application.since),
        last_used: application.last_used.map(epoch),
    }
}

/// Whole seconds since the epoch.
pub(super) fn epoch(time: SystemTime) -> i64 {
    i64::try_from(seconds(time)).unwrap_or(i64::MAX)
}
