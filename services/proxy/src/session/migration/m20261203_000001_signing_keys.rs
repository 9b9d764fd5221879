//! The keys of signed URLs: found by login when a URL is verified, by user and fetcher when a key is fetched, and by what the
//! issuer calls the session when that ends.

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
        let keys = Table::create()
            .table("proxy_signing_keys")
            .col(schema::text("id").primary_key())
            .col(schema::text("login"))
            .col(schema::text("user_id"))
            .col(schema::text("user_idp"))
            .col(schema::text("fetcher"))
            .col(schema::text_null("session"))
            .col(schema::text_null("issuer"))
            .col(schema::text_null("subject"))
            .col(schema::text_null("sid"))
            .col(schema::blob("sealed"))
            .col(schema::big_integer_null("token_end"))
            .col(schema::big_integer("created"))
            .col(schema::big_integer("ends"))
            .to_owned();
        manager.create_table(keys).await?;
        for column in ["login", "user_id", "session", "issuer", "ends"] {
            let name = format!("proxy_signing_keys_{column}");
            let index = Index::create().name(name).table("proxy_signing_keys").col(column).to_owned();
            manager.create_index(index).await?;
        }
        Ok(())
    }
}
