//! The table of what is limited.

#![expect(unreachable_pub, reason = "what the derived code makes of it is public")]

use sea_orm::entity::prelude::*;

/// A row. The time is in microseconds since the epoch, so that both databases keep it exactly.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idp_rates")]
pub struct Model {
    /// The digest of what the row is about.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Blob")]
    pub key: Vec<u8>,
    pub kind: i32,
    /// When everything that was done would have been done at the allowed rate.
    pub busy_until: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
