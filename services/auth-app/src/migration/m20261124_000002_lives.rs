//! Windows that slide, uses in a table of their own, revocations for other replicas, and tokens of other systems.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, big_pk_auto, blob_null, pk_uuid, text, text_null, uuid,
};
use store::schema::{Change, Migration, column, index, table};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261124_000002_lives", || {
        let uses = [pk_uuid("id"), big_integer("used"), text("source"), text("agent"), big_integer("slid")];
        // `at` is by the clock of the database
        let revocations = [big_pk_auto("seq"), uuid("token"), big_integer("at")];
        vec![
            column("app_tokens", big_integer_null("slide")),
            column("app_tokens", big_integer_null("imported_at")),
            column("app_tokens", blob_null("imported")),
            column("app_tokens", text_null("verifier")),
            table("app_token_uses", uses),
            table("app_token_revocations", revocations),
            index("app_token_revocations_at", "app_token_revocations", ["at"]),
            // few tokens have these, and only queries for those few use them
            Change::Sql("CREATE INDEX app_tokens_revoked ON app_tokens (revoked) WHERE revoked IS NOT NULL"),
            Change::Sql("CREATE INDEX app_tokens_slide ON app_tokens (slide) WHERE slide IS NOT NULL"),
            Change::Sql("CREATE UNIQUE INDEX app_tokens_imported ON app_tokens (imported) WHERE imported IS NOT NULL"),
            Change::Sql("CREATE INDEX app_tokens_verifier ON app_tokens (owner_id) WHERE verifier IS NOT NULL"),
        ]
    })
}
