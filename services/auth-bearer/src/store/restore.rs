//! What a restore ends: a session that has ended after the backup was made must not be valid again.

use std::fmt::Write;
use std::time::SystemTime;

use sea_orm::DbBackend;
use store::columns::{self, micros};
use store::transfer::Ending;

use super::TABLE;
use crate::sessions::{AT_MOST, IssuerName, Name};

/// Ends every session of every issuer until now (`docs/security-requirements.md#k3`). Access tokens are stored nowhere, so that they
/// cannot be counted.
pub(crate) fn end_credentials(now: SystemTime, backend: DbBackend) -> Vec<Ending> {
    let Name(name) = Name::everything();
    let (name, issuer) = (bytes(&name, backend), bytes(&IssuerName::default(), backend));
    let statement = format!(
        "INSERT INTO {TABLE} (name, issuer, ended, until, at) VALUES ({name}, {issuer}, {}, {}, {}) \
         ON CONFLICT (name) DO UPDATE SET ended = excluded.ended, until = excluded.until, at = excluded.at",
        micros(now),
        micros(now + AT_MOST),
        columns::now(backend)
    );
    vec![Ending { what: "", statement }]
}

/// Bytes in SQL.
fn bytes(bytes: &[u8], backend: DbBackend) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(digits, "{byte:02x}").expect("writing to a string cannot fail");
    }
    match backend {
        DbBackend::Postgres => format!("'\\x{digits}'::bytea"),
        _ => format!("X'{digits}'"),
    }
}
