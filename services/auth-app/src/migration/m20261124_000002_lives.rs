//! Windows that slide, uses in a table of their own, word of revocations for other replicas, and tokens of other systems.

#![expect(
    elided_lifetimes_in_paths,
    reason = "the trait's method leaves the lifetime out, and so must its implementation"
)]

use sea_orm_migration::{prelude::*, schema};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// Also on `SQLite`: a start that is interrupted leaves nothing half done.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            schema::big_integer_null("slide"),
            schema::big_integer_null("imported_at"),
            schema::blob_null("imported"),
            schema::text_null("verifier"),
        ];
        for column in columns {
            manager.alter_table(Table::alter().table("app_tokens").add_column(column).to_owned()).await?;
        }
        let uses = Table::create()
            .table("app_token_uses")
            .col(schema::pk_uuid("id"))
            .col(schema::big_integer("used"))
            .col(schema::text("source"))
            .col(schema::text("agent"))
            .col(schema::big_integer("slid"))
            .to_owned();
        manager.create_table(uses).await?;
        let revocations = Table::create()
            .table("app_token_revocations")
            .col(schema::big_pk_auto("seq"))
            .col(schema::uuid("token"))
            // microseconds since the epoch by the database's own clock
            .col(schema::big_integer("at"))
            .to_owned();
        manager.create_table(revocations).await?;
        let at = Index::create().name("app_token_revocations_at").table("app_token_revocations").col("at").to_owned();
        manager.create_index(at).await?;
        // few tokens have these, and only questions for those few use them
        for index in [
            "CREATE INDEX app_tokens_revoked ON app_tokens (revoked) WHERE revoked IS NOT NULL",
            "CREATE INDEX app_tokens_slide ON app_tokens (slide) WHERE slide IS NOT NULL",
            "CREATE UNIQUE INDEX app_tokens_imported ON app_tokens (imported) WHERE imported IS NOT NULL",
            "CREATE INDEX app_tokens_verifier ON app_tokens (owner_id) WHERE verifier IS NOT NULL",
        ] {
            manager.get_connection().execute_unprepared(index).await?;
        }
        Ok(())
    }
}
