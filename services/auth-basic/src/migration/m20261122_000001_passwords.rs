//! The verifiers, by the person's identifier.

#![expect(
    elided_lifetimes_in_paths,
    reason = "the trait's method leaves the lifetime out, and so must its implementation"
)]

use sea_orm_migration::{prelude::*, schema};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("passwords")
            .col(schema::text("user_id").primary_key())
            .col(schema::text("verifier"))
            .col(schema::big_integer("updated"))
            .to_owned();
        manager.create_table(table).await
    }
}
