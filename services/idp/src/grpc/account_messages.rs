//! What `AccountAPI` and `AccountAdminAPI` do alike, and their messages.

use std::time::SystemTime;

use ::store::page::{Position, PositionError};
use ::token::Claims;
use authn::Caller;
use authn::audit::Event;
use proto::doorward::idp::v1::{AccountEvent, AccountSession, ConnectedApplication as ApplicationMessage};
use status::Kind;
use tonic::Status;
use tracing::field::display;
use uuid::Uuid;

use super::{PAGE, failed, invalid};
use crate::Provider;
use crate::engine::audit_events::Circumstances;
use crate::engine::connected_applications::ConnectedApplication;
use crate::engine::termination;
use crate::model::{Session, seconds};
use crate::store::{EventFilter, StoredEvent};

/// The most of a client's identifier that is written to the audit log, in characters: callers choose it.
const MAX_NAME: usize = 256;

/// Something that is done with an account.
pub(super) enum Act<'a> {
    /// One session is ended.
    EndSession(Uuid),
    /// So many sessions are ended, all but the current one.
    EndOtherSessions(u32),
    /// The user is signed out everywhere.
    EndAllSessions,
    /// The access of a client is ended.
    Disconnect(&'a str),
}

/// Records what was done with a user's account. An administrator's act is an event of its own.
pub(super) fn audit(provider: &Provider, (claims, caller): (&Claims, &Caller), user: &str, act: &Act<'_>) {
    let own_id = claims.user.id.opaque_id.as_str();
    let is_own = own_id == user;
    let (event, session, client) = match act {
        Act::EndSession(id) if is_own => ("session_end", Some(id), ""),
        Act::EndSession(id) => ("session_end_by_administrator", Some(id), ""),
        Act::EndOtherSessions(_) => ("session_end_others", None, ""),
        Act::EndAllSessions if is_own => ("session_end_all", None, ""),
        Act::EndAllSessions => ("session_end_all_by_administrator", None, ""),
        Act::Disconnect(client) if is_own => ("disconnect", None, *client),
        Act::Disconnect(client) => ("disconnect_by_administrator", None, *client),
    };
    let client: String = client.chars().take(MAX_NAME).collect();
    let (source, trace_id) = (caller.source.map(display), display(&caller.trace_id));
    let count = match act {
        Act::EndOtherSessions(count) => Some(*count),
        _ => None,
    };
    let event = Event {
        subject: &user,
        caller: &own_id,
        session: &session.map(display),
        client: &client,
        count: &count,
        source: &source,
        trace_id: &trace_id,
        ..Event::new(event, "done")
    };
    let object = session.map(Uuid::to_string).or_else(|| count.map(|count| count.to_string())).unwrap_or_default();
    let administrator = if is_own { "" } else { own_id };
    let circumstances = Circumstances {
        client: &client,
        object: &object,
        ..Circumstances::of_administrator(administrator, user, caller)
    };
    provider.audit_events.record(&event, circumstances, provider.clock.now());
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

/// Who reads events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// The user whose account they concern.
    User,
    /// An administrator.
    Administrator,
}

/// A page of events, and `page_token` of the next one.
pub(super) async fn events(
    provider: &Provider,
    reader: Reader,
    filter: &EventFilter,
    (size, page_token): (u32, &str),
) -> Result<(Vec<AccountEvent>, String), Status> {
    let (size, after) = (page_size(size), position(page_token)?);
    let found = provider.store.events(filter, after, u64::from(size) + 1).await;
    let mut found = found.map_err(|error| failed(&error))?;
    let next = cut(&mut found, size, |event| Position { at: event.at, id: event.id });
    Ok((found.into_iter().map(|found| event(found, reader)).collect(), next))
}

fn event(event: StoredEvent, reader: Reader) -> AccountEvent {
    let is_for_administrator = reader == Reader::Administrator;
    // the user is not shown from where an administrator has done something
    let is_shown = is_for_administrator || event.administrator.is_empty();
    let only = |text: String, is_shown: bool| if is_shown { text } else { String::new() };
    AccountEvent {
        time: epoch(event.at),
        user_id: event.user,
        event: event.event,
        outcome: event.outcome,
        client_id: event.client,
        address: only(event.address.map(|address| address.to_string()).unwrap_or_default(), is_shown),
        user_agent: only(event.user_agent, is_shown),
        administrator_id: only(event.administrator, is_for_administrator),
        object: only(event.object, is_for_administrator),
        id: only(event.id.to_string(), is_for_administrator),
    }
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

/// How many rows a page has, of those that are asked for.
pub(super) fn page_size(wanted: u32) -> u32 {
    if wanted == 0 { PAGE } else { wanted.min(PAGE) }
}

/// The position behind which a page begins; none for the first page.
pub(super) fn position(page_token: &str) -> Result<Option<Position>, Status> {
    if page_token.is_empty() {
        return Ok(None);
    }
    page_token.parse().map(Some).map_err(|error: PositionError| invalid(error.to_string()))
}

/// Cuts rows that were read one more than fit a page to the page; `page_token` of the next one, empty if there is none.
pub(super) fn cut<T>(rows: &mut Vec<T>, size: u32, position: impl Fn(&T) -> Position) -> String {
    let size = size as usize;
    let has_more = rows.len() > size;
    rows.truncate(size);
    rows.last().filter(|_| has_more).map(|last| position(last).to_string()).unwrap_or_default()
}

/// Whole seconds since the epoch.
pub(super) fn epoch(time: SystemTime) -> i64 {
    i64::try_from(seconds(time)).unwrap_or(i64::MAX)
}
