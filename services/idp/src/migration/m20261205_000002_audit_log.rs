//! What administrators have done, and how they search the audit log.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text;
use store::schema::{Migration, column, index};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261205_000002_audit_log", || {
        vec![
            column("idp_events", text("administrator").default("").to_owned()),
            column("idp_events", text("object").default("").to_owned()),
            index("idp_events_outcome", "idp_events", ["outcome", "at", "id"]),
            index("idp_events_event_outcome", "idp_events", ["event", "outcome", "at", "id"]),
            index("idp_events_address", "idp_events", ["address", "at", "id"]),
        ]
    })
}
