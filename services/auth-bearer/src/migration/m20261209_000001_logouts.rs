//! What has ended at issuers, for all replicas, and which logout tokens were received.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::{big_integer, blob};
use store::schema::{Migration, index, pk_blob, table};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261209_000001_logouts", || {
        // `at` is by the clock of the database
        let logouts = [pk_blob("name"), blob("issuer"), big_integer("ended"), big_integer("until"), big_integer("at")];
        vec![
            table("auth_bearer_logouts", logouts),
            index("auth_bearer_logouts_at", "auth_bearer_logouts", ["at"]),
            index("auth_bearer_logouts_until", "auth_bearer_logouts", ["until"]),
            table("auth_bearer_logout_tokens", [pk_blob("name"), big_integer("expires")]),
            index("auth_bearer_logout_tokens_expires", "auth_bearer_logout_tokens", ["expires"]),
        ]
    })
}
