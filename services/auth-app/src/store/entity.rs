//! The table.

#![expect(unreachable_pub, reason = "what the derived code makes of it is public")]

use sea_orm::entity::prelude::*;

/// A row. Times are microseconds since the epoch, so that both databases keep them exactly.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "app_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: String,
    pub owner_idp: String,
    pub owner_type: i32,
    pub kind: String,
    pub label: String,
    /// A JSON list of grants in words.
    pub grants: String,
    pub key_id: String,
    #[sea_orm(column_type = "Blob")]
    pub digest: Vec<u8>,
    pub created: i64,
    pub created_by: String,
    pub last_used: Option<i64>,
    pub expires: i64,
    pub revoked: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
