//! Events of users' accounts and of their administration: written to the audit log at once, and to the database a moment later, so that no sign-in waits for it.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use authn::audit::Event;
use authn::{Caller, Claim, Directory, DirectoryError, Groups};
use prometheus_client::metrics::counter::Counter;
use runtime::{Metrics, Random};
use store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::store::{Store, StoredEvent};

/// How often waiting events are stored.
const EVERY: Duration = Duration::from_secs(1);
/// How many one statement stores at most.
const BATCH: usize = 500;
/// How many may wait: for some seconds without a database. Further ones are in the audit log only.
const MOST_WAITING: usize = 8 * BATCH;
/// The longest text of an event, in characters: callers choose some of them.
const MAX_TEXT: usize = 256;
/// The longest login name that is looked up, in bytes.
const MAX_LOGIN_NAME: usize = 1024;

/// Whose account an event concerns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum AuditedUser {
    /// The user with this identifier.
    Id(String),
    /// The user with this login name, if there is one. A name that no user has is not stored, as passwords are typed there by mistake.
    LoginName(String),
}

/// What an event says besides its name and outcome.
pub(crate) struct Circumstances<'a> {
    /// Whose account it concerns.
    pub(crate) user: AuditedUser,
    /// The client; empty if there is none.
    pub(crate) client: &'a str,
    /// From where, if that is known.
    pub(crate) address: Option<IpAddr>,
    /// What the browser or program calls itself.
    pub(crate) user_agent: &'a str,
    /// The identifier of the administrator who does it to another's account or to the installation; empty otherwise.
    pub(crate) administrator: &'a str,
    /// What it is done to besides an account, or why it is done; empty if that is nothing.
    pub(crate) object: &'a str,
}

impl<'a> Circumstances<'a> {
    /// An event of the user with this identifier, in a call.
    pub(crate) fn of(user: &str, client: &'a str, caller: &'a Caller) -> Self {
        Self::by(AuditedUser::Id(user.to_owned()), client, caller)
    }

    /// An event of this user, in a call.
    pub(crate) fn by(user: AuditedUser, client: &'a str, caller: &'a Caller) -> Self {
        let (address, user_agent) = (caller.source, caller.user_agent.as_str());
        Self { user, client, address, user_agent, administrator: "", object: "" }
    }

    /// What an administrator does to the account of the user with this identifier, or to the installation if that is empty.
    pub(crate) fn of_administrator(administrator: &'a str, user: &str, caller: &'a Caller) -> Self {
        Self { administrator, ..Self::of(user, "", caller) }
    }
}

/// An event that is not stored yet.
#[derive(Clone)]
struct WaitingEvent {
    user: AuditedUser,
    /// Without its user.
    event: StoredEvent,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<WaitingEvent>,
    /// How many have found the queue full since that was logged last.
    dropped: u64,
}

/// Records events. Clones share the queue.
#[derive(Clone)]
pub struct AuditEvents {
    queue: Arc<Mutex<Queue>>,
    dropped: Counter,
    random: Random,
}

impl AuditEvents {
    /// An empty queue.
    pub fn new(metrics: &Metrics, random: Random) -> Self {
        let dropped = metrics.counter(
            "doorward_idp_audit_events_dropped",
            "How many events of users' accounts were not stored, since too many were waiting; they are in the audit log",
            Counter::default(),
        );
        Self { queue: Arc::default(), dropped, random }
    }

    /// Writes an event to the audit log, and has it stored.
    pub(crate) fn record(&self, log: &Event<'_>, circumstances: Circumstances<'_>, now: SystemTime) {
        let Circumstances { user, client, address, user_agent, administrator, object } = circumstances;
        let user = match user {
            // no user has such a name, and many of them would fill the memory
            AuditedUser::LoginName(name) if name.len() > MAX_LOGIN_NAME => AuditedUser::Id(String::new()),
            user => user,
        };
        let event = StoredEvent {
            id: self.random.uuid(),
            at: now,
            user: String::new(),
            event: bounded(log.event),
            outcome: bounded(log.outcome),
            client: bounded(client),
            address,
            user_agent: bounded(user_agent),
            administrator: bounded(administrator),
            object: bounded(object),
        };
        (*log).log();
        let mut queue = self.lock();
        if queue.waiting.len() < MOST_WAITING {
            queue.waiting.push_back(WaitingEvent { user, event });
        } else {
            queue.dropped += 1;
            self.dropped.inc();
        }
    }

    /// Stores what is waiting.
    ///
    /// # Errors
    /// When the database does not take it; it stays in the queue then.
    pub(crate) async fn flush(&self, store: &Store, directory: &dyn Directory) -> Result<(), StoreError> {
        loop {
            // only this removes from the queue, one at a time: its front stays as it is meanwhile
            let batch: Vec<_> = self.lock().waiting.iter().take(BATCH).cloned().collect();
            if batch.is_empty() {
                return Ok(());
            }
            let count = batch.len();
            store.add_events(&with_users(batch, directory).await).await?;
            self.lock().waiting.drain(..count);
        }
    }

    async fn store_waiting(&self, store: &Store, directory: &dyn Directory) {
        if let Err(error) = self.flush(store, directory).await {
            tracing::warn!(%error, "events of users' accounts are not stored for now; they are in the audit log");
        }
        let count = self.take_dropped();
        if count > 0 {
            tracing::warn!(count, "events of users' accounts are in the audit log only, since too many were waiting");
        }
    }

    /// How many events were not stored since this was asked last.
    fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.lock().dropped)
    }

    // each change is one step, so that one who panicked has left the queue whole
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

/// Finds the users of login names, here and not at the sign-in, whose duration would tell whether there is such a user. A directory that
/// does not answer is not asked again for the batch: events would wait for it by the hundred.
async fn with_users(batch: Vec<WaitingEvent>, directory: &dyn Directory) -> Vec<StoredEvent> {
    let mut known: HashMap<String, String> = HashMap::new();
    let mut answers = true;
    let mut events = Vec::with_capacity(batch.len());
    for WaitingEvent { user, event } in batch {
        let user = match user {
            AuditedUser::Id(id) => bounded(&id),
            AuditedUser::LoginName(name) => match known.get(&name) {
                Some(id) => id.clone(),
                None if answers => {
                    let found = find(name.clone(), directory).await;
                    answers = found.is_some();
                    known.entry(name).or_insert(found.unwrap_or_default()).clone()
                }
                None => String::new(),
            },
        };
        events.push(StoredEvent { user, ..event });
    }
    events
}

/// The identifier of the user with this login name, empty if there is none; `None` if the directory does not answer.
async fn find(name: String, directory: &dyn Directory) -> Option<String> {
    match directory.user_by_claim(&Claim::Username(name), Groups::Skip).await {
        Ok(user) => Some(bounded(&user.id.opaque_id)),
        Err(DirectoryError::NotFound | DirectoryError::Ambiguous | DirectoryError::Malformed(_)) => Some(String::new()),
        Err(error) => {
            tracing::debug!(%error, "the user of a failed sign-in is not known");
            None
        }
    }
}

/// Stores events until the service stops, and then those that are left.
pub async fn keep_storing(
    events: AuditEvents,
    store: Store,
    directory: Arc<dyn Directory>,
    shutdown: CancellationToken,
) {
    let storing = async {
        loop {
            tokio::time::sleep(EVERY).await;
            events.store_waiting(&store, &*directory).await;
        }
    };
    shutdown.run_until_cancelled(storing).await;
    events.store_waiting(&store, &*directory).await;
}
