//! The table. Times are microseconds since the epoch, so that both databases keep them exactly.

#![expect(unreachable_pub, reason = "what the derived code makes of it is public")]

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "proxy_signing_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub login: String,
    pub user_id: String,
    pub user_idp: String,
    pub fetcher: String,
    /// The browser session that has fetched it; the rest up to `sid` is of an access token.
    pub session: Option<String>,
    pub issuer: Option<String>,
    pub subject: Option<String>,
    pub sid: Option<String>,
    #[sea_orm(column_type = "Blob")]
    pub sealed: Vec<u8>,
    pub token_end: Option<i64>,
    pub created: i64,
    pub ends: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
