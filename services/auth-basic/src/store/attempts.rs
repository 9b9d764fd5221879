//! The table of failed attempts.

use sea_orm::entity::prelude::*;

/// A row. Times are in microseconds since the epoch, so that both databases keep them exactly.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "password_attempts")]
pub(super) struct Model {
    /// The keyed digest of what the row is about.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: Vec<u8>,
    #[sea_orm(column_type = "Double")]
    pub failures: f64,
    pub last: i64,
    pub blocked_until: i64,
    pub known: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
