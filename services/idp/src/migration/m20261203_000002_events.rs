//! Events of users' accounts. Times are microseconds.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, pk_uuid, text, text_null};
use store::schema::{Migration, index, table};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261203_000002_events", || {
        let events = [
            pk_uuid("id"),
            big_integer("at"),
            text("person"),
            text("event"),
            text("outcome"),
            text("client"),
            text_null("address"),
            text("user_agent"),
        ];
        vec![
            table("idp_events", events),
            index("idp_events_person", "idp_events", ["person", "at", "id"]),
            index("idp_events_event", "idp_events", ["event", "at", "id"]),
            index("idp_events_at", "idp_events", ["at", "id"]),
        ]
    })
}
