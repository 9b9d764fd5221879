//! Failed attempts, by the digest of what they are counted under.

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
        let table = Table::create()
            .table("password_attempts")
            .col(schema::blob("key").primary_key())
            .col(schema::double("failures"))
            .col(schema::big_integer("last"))
            .col(schema::big_integer("blocked_until"))
            .col(schema::boolean("known"))
            .to_owned();
        manager.create_table(table).await?;
        let index = Index::create().name("password_attempts_last").table("password_attempts").col("last").to_owned();
        manager.create_index(index).await
    }
}
