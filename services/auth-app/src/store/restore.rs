//! What a restore ends: tokens that were revoked after the backup was made must not be valid again.

use std::time::SystemTime;

use sea_orm::DbBackend;
use store::columns::micros;
use store::transfer::Ending;

/// Revokes all tokens (`docs/security-requirements.md#k3`).
pub(crate) fn end_credentials(now: SystemTime, _backend: DbBackend) -> Vec<Ending> {
    let statement = format!("UPDATE app_tokens SET revoked = {} WHERE revoked IS NULL", micros(now));
    vec![Ending { what: "app tokens", statement }]
}
