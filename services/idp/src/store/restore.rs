//! What a restore ends: what was revoked after the backup was made must not be valid again, and what was used must not be usable
//! again.

use std::time::SystemTime;

use sea_orm::DbBackend;
use store::columns::{self, micros};
use store::transfer::Ending;

use crate::model::seconds;
use crate::revocations::{Of, Revocation, before};

/// Ends sessions, refresh tokens, codes of all kinds, links and remembered devices, and everything stateless that was issued until now.
/// Consents go, as one that was withdrawn after the backup would give an application tokens without a question.
/// The signing keys go too, as one that was retired after the backup would sign again: new ones are made at the next start
/// (`docs/security-requirements.md#k3`).
pub(crate) fn end_credentials(now: SystemTime, backend: DbBackend) -> Vec<Ending> {
    let all = |what, table: &str| Ending { what, statement: format!("DELETE FROM {table}") };
    vec![
        all("sessions at idp", "idp_sessions"),
        all("refresh tokens", "idp_grants"),
        all("consents", "idp_consents"),
        all("device codes", "idp_devices"),
        all("pushed requests", "idp_pushed"),
        all("one-time links", "idp_links"),
        all("remembered devices", "idp_trusted_devices"),
        all("initial access tokens", "idp_initial_access"),
        // a client could have changed its keys and redirect URIs since
        all("documents of clients", "idp_client_documents"),
        all("signing keys", "idp_keys"),
        end_everything(before(Of::Everyone, seconds(now) + 1), backend),
    ]
}

/// Writes a revocation; codes and access tokens are stored nowhere, so that they cannot be counted.
fn end_everything(Revocation { id, until }: Revocation, backend: DbBackend) -> Ending {
    let id = match backend {
        DbBackend::Postgres => format!("'{id}'::uuid"),
        _ => format!("X'{}'", id.simple()),
    };
    let statement = format!(
        "INSERT INTO idp_revocations (id, until, at) VALUES ({id}, {}, {}) \
         ON CONFLICT (id) DO UPDATE SET until = excluded.until, at = excluded.at",
        micros(until),
        columns::now(backend)
    );
    Ending { what: "", statement }
}
