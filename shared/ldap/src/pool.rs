//! A few connections bound as the service, for searches.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ldap3::controls::{Control, ControlType, PagedResults};
use ldap3::{LdapResult, Scope, SearchOptions, SearchResult};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::entry::Entry;
use crate::failure::{Failure, code};
use crate::server::{PATIENCE, Server};

/// How many searches run at the same time.
const CONNECTIONS: usize = 8;

/// After so long without use a connection is not trusted: something between us and the server may have dropped it silently.
const TRUSTED: Duration = Duration::from_mins(1);

/// A search.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    pub(crate) base: &'a str,
    pub(crate) scope: Scope,
    pub(crate) filter: String,
    pub(crate) attributes: &'a [String],
    /// How many of the entries are wanted.
    pub(crate) limit: Limit,
    /// Whether a base that does not exist means that nothing was found; otherwise it is a fault of the configuration.
    pub(crate) optional_base: bool,
}

/// How many of the entries that match a filter are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// As many as this, whichever they are. A server that gives fewer is no failure.
    AtMost(i32),
    /// All of them. A part of them is a failure.
    All,
}

/// How many entries of [`Limit::All`] are asked for at a time (RFC 2696). Active Directory gives no more than 1,000.
const PAGE: i32 = 500;
/// How many entries [`Limit::All`] may find. Beyond that the search fails.
const MOST: usize = 10_000;

/// The connections.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) server: Server,
    permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: ldap3::Ldap,
    since: Instant,
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Idle").field("since", &self.since).finish_non_exhaustive()
    }
}

impl Pool {
    pub(crate) fn new(server: Server) -> Self {
        Self { server, permits: Semaphore::new(CONNECTIONS), idle: Mutex::default() }
    }

    /// Searches, on a fresh connection if a kept one has broken meanwhile.
    pub(crate) async fn search(&self, search: &Search<'_>) -> Result<Vec<Entry>, Failure> {
        let permit = timeout(PATIENCE, self.permits.acquire()).await.map_err(|_| Failure::Timeout)?;
        let _permit = permit.map_err(|_| Failure::Exhausted)?;
        if let Some(connection) = self.take() {
            match self.search_on(connection, search).await {
                Err(failure) if failure.is_stale_connection() => tracing::debug!("a kept LDAP connection has broken"),
                outcome => return outcome,
            }
        }
        let connection = self.server.connect_as_service().await.inspect_err(report)?;
        self.search_on(connection, search).await.inspect_err(report)
    }

    async fn search_on(&self, mut connection: ldap3::Ldap, search: &Search<'_>) -> Result<Vec<Entry>, Failure> {
        let outcome = match search.limit {
            Limit::AtMost(most) => at_most(&mut connection, search, most).await,
            Limit::All => all(&mut connection, search).await,
        };
        match &outcome {
            Err(failure) if !failure.spares_connection() => self.idle().clear(),
            _ => self.idle().push(Idle { connection, since: Instant::now() }),
        }
        outcome
    }

    fn take(&self) -> Option<ldap3::Ldap> {
        let mut idle = self.idle();
        idle.retain_mut(|one| one.since.elapsed() < TRUSTED && !one.connection.is_closed());
        idle.pop().map(|one| one.connection)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the operator, with what lies behind it.
fn report(failure: &Failure) {
    let cause = std::error::Error::source(failure).map(ToString::to_string).unwrap_or_default();
    tracing::warn!(error = %failure, cause, "LDAP");
}

async fn at_most(connection: &mut ldap3::Ldap, search: &Search<'_>, most: i32) -> Result<Vec<Entry>, Failure> {
    connection.with_search_options(SearchOptions::new().sizelimit(most));
    let (entries, result) = page(connection, search).await?;
    match result.rc {
        // there are more than were wanted
        code::SUCCESS | code::SIZE_LIMIT_EXCEEDED | code::ADMIN_LIMIT_EXCEEDED => Ok(entries),
        code::NO_SUCH_OBJECT if search.optional_base => Ok(entries),
        _ => Err(Failure::Answer { operation: "search", result }),
    }
}

/// Asks for page after page. A server that does not know the control ignores it, and gives everything at once or says that it
/// does not.
async fn all(connection: &mut ldap3::Ldap, search: &Search<'_>) -> Result<Vec<Entry>, Failure> {
    let (mut found, mut cookie) = (Vec::new(), Vec::new());
    loop {
        connection.with_controls(PagedResults { size: PAGE, cookie });
        let (entries, result) = page(connection, search).await?;
        found.extend(entries);
        match result.rc {
            code::SUCCESS => {}
            code::NO_SUCH_OBJECT if search.optional_base => {}
            code::SIZE_LIMIT_EXCEEDED | code::ADMIN_LIMIT_EXCEEDED => {
                tracing::warn!(base = search.base, found = found.len(), "{}", Failure::Truncated);
                return Err(Failure::Truncated);
            }
            _ => return Err(Failure::Answer { operation: "search", result }),
        }
        cookie = cookie_of(&result);
        if found.len() > MOST {
            let failure = Failure::TooMany { most: MOST };
            tracing::warn!(base = search.base, "{failure}");
            return Err(failure);
        }
        if cookie.is_empty() {
            return Ok(found);
        }
    }
}

/// The cookie that requests the next page; empty after the last one.
fn cookie_of(result: &LdapResult) -> Vec<u8> {
    let paged = result.ctrls.iter().find(|Control(kind, _)| matches!(kind, Some(ControlType::PagedResults)));
    paged.map(|Control(_, raw)| raw.parse::<PagedResults>().cookie).unwrap_or_default()
}

async fn page(connection: &mut ldap3::Ldap, search: &Search<'_>) -> Result<(Vec<Entry>, LdapResult), Failure> {
    let searching = connection.search(search.base, search.scope, &search.filter, search.attributes);
    let SearchResult(entries, result) = timeout(PATIENCE, searching).await.map_err(|_| Failure::Timeout)??;
    Ok((entries.into_iter().map(Entry::new).collect(), result))
}
