//! A few connections bound as the service, for searches.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ldap3::{Scope, SearchOptions};
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
    /// No more entries than this are wanted.
    pub(crate) limit: i32,
    /// Whether a base that does not exist means that nothing was found; otherwise it is a fault of the configuration.
    pub(crate) optional_base: bool,
}

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
        let outcome = timeout(PATIENCE, run(&mut connection, search)).await.unwrap_or(Err(Failure::Timeout));
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

async fn run(connection: &mut ldap3::Ldap, search: &Search<'_>) -> Result<Vec<Entry>, Failure> {
    connection.with_search_options(SearchOptions::new().sizelimit(search.limit));
    let found = connection.search(search.base, search.scope, &search.filter, search.attributes).await?;
    let (entries, result) = (found.0, found.1);
    match result.rc {
        // more than was wanted: what came is kept
        code::SUCCESS | code::SIZE_LIMIT_EXCEEDED | code::ADMIN_LIMIT_EXCEEDED => {}
        code::NO_SUCH_OBJECT if search.optional_base => {}
        _ => return Err(Failure::Answer { operation: "search", result }),
    }
    Ok(entries.into_iter().map(Entry::new).collect())
}
