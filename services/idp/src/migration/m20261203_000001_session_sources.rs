//! From where users signed in, and the order in which administrators list sessions.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{text, text_null};
use store::schema::{Migration, column, index};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261203_000001_session_sources", || {
        vec![
            column("idp_sessions", text("user_agent").default("").to_owned()),
            column("idp_sessions", text_null("address")),
            index("idp_sessions_signed_in", "idp_sessions", ["signed_in", "id"]),
        ]
    })
}
