//! People, groups, who is in which, and who has which role.

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
        people(manager).await?;
        groups(manager).await?;
        memberships(manager).await?;
        roles(manager).await
    }
}

async fn people(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("people")
        .col(schema::text("id").primary_key())
        .col(schema::text("username"))
        // username and mail as they are compared, and everything a search looks at: in lower case
        .col(schema::text("username_key"))
        .col(schema::text_null("mail"))
        .col(schema::text_null("mail_key"))
        .col(schema::text("search_text"))
        .col(schema::text("display_name"))
        // the numbers of the CS3 UserStatus
        .col(schema::integer("status"))
        .col(schema::big_integer_null("uid_number"))
        .col(schema::big_integer_null("gid_number"))
        // seconds since the Unix epoch
        .col(schema::big_integer("created"))
        .col(schema::big_integer("updated"))
        .to_owned();
    manager.create_table(table).await?;
    unique(manager, "people", "username_key").await?;
    unique(manager, "people", "mail_key").await?;
    index(manager, "people", "uid_number").await?;
    index(manager, "people", "gid_number").await
}

async fn groups(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("groups")
        .col(schema::text("id").primary_key())
        .col(schema::text("name"))
        .col(schema::text("name_key"))
        .col(schema::text_null("description"))
        .to_owned();
    manager.create_table(table).await?;
    unique(manager, "groups", "name_key").await
}

async fn memberships(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("memberships")
        .col(schema::text("user_id"))
        .col(schema::text("group_id"))
        .primary_key(Index::create().col("user_id").col("group_id"))
        .foreign_key(&mut belongs("memberships", "user_id", "people"))
        .foreign_key(&mut belongs("memberships", "group_id", "groups"))
        .to_owned();
    manager.create_table(table).await?;
    index(manager, "memberships", "group_id").await
}

async fn roles(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("roles")
        .col(schema::text("user_id"))
        .col(schema::text("role_id"))
        .primary_key(Index::create().col("user_id").col("role_id"))
        .foreign_key(&mut belongs("roles", "user_id", "people"))
        .to_owned();
    manager.create_table(table).await
}

fn belongs(table: &'static str, column: &'static str, owner: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, column).to(owner, "id").on_delete(ForeignKeyAction::Cascade).to_owned()
}

async fn unique(manager: &SchemaManager<'_>, table: &'static str, column: &'static str) -> Result<(), DbErr> {
    manager.create_index(indexed(table, column).unique().to_owned()).await
}

async fn index(manager: &SchemaManager<'_>, table: &'static str, column: &'static str) -> Result<(), DbErr> {
    manager.create_index(indexed(table, column)).await
}

fn indexed(table: &'static str, column: &'static str) -> IndexCreateStatement {
    Index::create().name(format!("{table}_{column}")).table(table).col(column).to_owned()
}
