//! What a restore ends: sessions that were ended after the backup was made must not be valid again.

use std::time::SystemTime;

use sea_orm::DbBackend;
use store::transfer::Ending;

/// Ends all sessions and keys of signed URLs (`docs/security-requirements.md#k3`).
pub(crate) fn end_credentials(_now: SystemTime, _backend: DbBackend) -> Vec<Ending> {
    [("sessions at the edge", "DELETE FROM proxy_sessions"), ("keys of signed URLs", "DELETE FROM proxy_signing_keys")]
        .map(|(what, statement)| Ending { what, statement: statement.to_owned() })
        .to_vec()
}
