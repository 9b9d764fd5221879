//! The sessions: found by key at each use, by subject and `sid` when an issuer ends them; and the logout tokens that have come.

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
        let sessions = Table::create()
            .table("proxy_sessions")
            .col(schema::text("id").primary_key())
            .col(schema::text("subject"))
            .col(schema::text_null("sid"))
            .col(schema::blob("tokens"))
            .col(schema::big_integer("access_end"))
            .col(schema::big_integer("created"))
            .col(schema::big_integer("used"))
            .col(schema::big_integer("ends"))
            .col(schema::big_integer("version"))
            .col(schema::big_integer("claimed"))
            .to_owned();
        manager.create_table(sessions).await?;
        let index = |name: &str, column: &str| {
            Index::create().name(name).table("proxy_sessions").col(column.to_owned()).to_owned()
        };
        manager.create_index(index("proxy_sessions_subject", "subject")).await?;
        manager.create_index(index("proxy_sessions_sid", "sid")).await?;
        manager.create_index(index("proxy_sessions_used", "used")).await?;
        manager.create_index(index("proxy_sessions_ends", "ends")).await?;
        let logouts = Table::create()
            .table("proxy_logouts")
            .col(schema::text("jti").primary_key())
            .col(schema::big_integer("expires"))
            .to_owned();
        manager.create_table(logouts).await
    }
}
