//! When a person's password was last changed.

use sea_orm_migration::{prelude::*, schema};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[expect(elided_lifetimes_in_paths, reason = "async_trait needs the lifetimes as the trait has them")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// Also on `SQLite`: a start that is interrupted leaves nothing half done.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // microseconds since the Unix epoch; may be absent, as replicas of the version before add people without it
        let column = schema::big_integer_null("password_changed");
        manager.alter_table(Table::alter().table("people").add_column(column).to_owned()).await
    }
}
