//! What has to be remembered. What must be atomic is one method.

mod account_round;
mod account_sessions;
mod clients;
mod codes;
mod consents;
mod deliveries;
mod devices;
mod documents;
mod entity;
mod events;
mod factor_changes;
mod factors;
mod families;
mod keys;
mod links;
mod once;
mod passkeys;
mod people;
mod prune;
mod pushed;
mod rates;
mod restore;
mod revocations;
mod rows;
mod secrets;
mod sessions;
mod versions;
mod wrong_codes;

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use store::Database;
use uuid::Uuid;

pub use account_round::RoundProgress;
pub use clients::{ClientChange, StoredClient};
pub use codes::Redeemed;
pub use consents::StoredConsent;
pub use deliveries::Delivery;
pub use devices::{Poll, StoredDevice};
pub use documents::StoredDocument;
pub use events::{EventFilter, StoredEvent};
pub use factor_changes::{FactorToRemove, Removal};
pub use factors::{FactorKind, StoredFactor};
pub use families::Rotation;
pub use keys::StoredKey;
pub use links::{LinkPurpose, StoredLink};
pub use people::Begun;
pub use rates::Rate;
pub(crate) use restore::end_credentials;
pub use sessions::Participant;
pub use wrong_codes::{CodeAttempt, CodeLimits, TooManyCodes};

use crate::revocations::{Revocation, Revocations};

/// The state of the provider, in `SQLite` or `PostgreSQL`. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    /// Learns of what is revoked and changed by way of this store before the one who did it is answered.
    memory: Arc<OnceLock<Revocations>>,
}

impl Store {
    /// State in this database, whose schema is up to date.
    pub fn new(database: Database) -> Self {
        Self { database, memory: Arc::default() }
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Has this memory learn at once of what is revoked from now on. The first one stays.
    pub(crate) fn inform(&self, memory: &Revocations) {
        // a second memory would be one of another set of parts over the same handle; it asks, as those of replicas do
        let _ = self.memory.set(memory.clone());
    }

    /// Tells of revocations that are durable.
    fn revoked(&self, ids: &[Uuid], until: SystemTime) {
        if let Some(memory) = self.memory.get().filter(|_| !ids.is_empty()) {
            memory.add(ids.iter().map(|&id| Revocation { id, until }));
        }
    }

    /// Tells of a change of clients or keys that is durable.
    fn changed(&self) {
        if let Some(memory) = self.memory.get() {
            memory.announce_change();
        }
    }
}
