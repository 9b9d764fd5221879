//! When a replica last said that it signs with a key: another one whose settings name fewer algorithms leaves it alone until then.

#![expect(
    elided_lifetimes_in_paths,
    reason = "the trait's method leaves the lifetime out, and so must its implementation"
)]

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer_null;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// Also on `SQLite`: a start that is interrupted leaves nothing half done.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter().table("idp_keys").add_column(big_integer_null("claimed")).to_owned();
        manager.alter_table(table).await
    }
}
