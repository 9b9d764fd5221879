//! Secrets of the installation itself, sealed: what has to stay the same while `IDP_ENCRYPTION_SECRET` is exchanged.

#![expect(
    elided_lifetimes_in_paths,
    reason = "the trait's method leaves the lifetime out, and so must its implementation"
)]

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{blob, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// Also on `SQLite`: a start that is interrupted leaves nothing half done.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let name = text("name").primary_key().to_owned();
        let table = Table::create().table("idp_secrets").col(name).col(blob("sealed")).to_owned();
        manager.create_table(table).await
    }
}
