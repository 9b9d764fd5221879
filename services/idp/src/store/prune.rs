//! Removes expired rows.

use std::time::{Duration, SystemTime};

use store::StoreError;
use store::columns::micros;

use super::Store;

/// How long expired rows are kept: the clocks of replicas differ slightly, and a device gets `expired_token` meanwhile.
const MARGIN: Duration = Duration::from_mins(5);
/// How long the delivery of a logout token is attempted.
const GIVEN_UP: Duration = Duration::from_hours(24);

/// How long the document of a client is kept that is granted nothing any more.
const DOCUMENTS: Duration = Duration::from_hours(24 * 400);

/// Tables, their keys, and the column with the time of expiry.
const OVER: [(&str, &str, &str); 12] = [
    ("idp_used_codes", "grant_id", "expires"),
    ("idp_grants", "id", "over"),
    ("idp_revocations", "id", "until"),
    ("idp_sessions", "id", "over"),
    ("idp_initial_access", "digest", "expires"),
    ("idp_pushed", "digest", "expires"),
    ("idp_devices", "digest", "expires"),
    ("idp_once", "digest", "expires"),
    ("idp_trusted_devices", "digest", "expires"),
    ("idp_links", "digest", "expires"),
    ("idp_rates", "key", "busy_until"),
    ("idp_wrong_codes", "id", "expires"),
];

impl Store {
    /// Removes at most `limit` rows of each kind that expired five minutes ago, deliveries that have been pending for a
    /// day, and documents of clients that have not been used for 400. Returns their number. Keys are removed by [`prune_keys`](Self::prune_keys).
    pub async fn prune(&self, now: SystemTime, limit: u64) -> Result<u64, StoreError> {
        let before = |age| micros(now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH));
        let mut removed = self.remove(("idp_deliveries", "id", "created"), before(GIVEN_UP), limit).await?;
        removed += self.remove(("idp_client_documents", "id", "used"), before(DOCUMENTS), limit).await?;
        for kind in OVER {
            removed += self.remove(kind, before(MARGIN), limit).await?;
        }
        Ok(removed)
    }

    pub(super) async fn remove(
        &self,
        (table, key, column): (&str, &str, &str),
        before: i64,
        limit: u64,
    ) -> Result<u64, StoreError> {
        self.database.remove(table, key, &format!("{column} < {before}"), limit).await
    }
}
