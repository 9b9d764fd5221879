//! The tokens: found by digest at each use, by owner for lists, by expiry for pruning.

#![expect(
    elided_lifetimes_in_paths,
    reason = "the trait's method leaves the lifetime out, and so must its implementation"
)]

use sea_orm_migration::{prelude::*, schema};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const TABLE: &str = "app_tokens";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(TABLE)
            .col(schema::pk_uuid("id"))
            .col(schema::text("owner_id"))
            .col(schema::text("owner_idp"))
            .col(schema::integer("owner_type"))
            .col(schema::text("kind"))
            .col(schema::text("label"))
            .col(schema::text("grants"))
            .col(schema::text("key_id"))
            .col(schema::blob("digest"))
            .col(schema::big_integer("created"))
            .col(schema::text("created_by"))
            .col(schema::big_integer_null("last_used"))
            .col(schema::big_integer("expires"))
            .col(schema::big_integer_null("revoked"))
            .to_owned();
        manager.create_table(table).await?;
        let index = |name: &str| Index::create().name(name).table(TABLE).to_owned();
        manager.create_index(index("app_tokens_digest").col("digest").unique().to_owned()).await?;
        manager.create_index(index("app_tokens_owner").col("owner_id").col("id").to_owned()).await?;
        manager.create_index(index("app_tokens_expires").col("expires").to_owned()).await
    }
}
