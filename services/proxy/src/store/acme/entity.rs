//! The table. Times are microseconds since the epoch, so that both databases keep them exactly.

#![expect(unreachable_pub, reason = "what the derived code makes of it is public")]

use sea_orm::entity::prelude::*;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "proxy_acme")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Account, certificate and attempts; `None` until the first are written.
    #[sea_orm(column_type = "Blob", nullable)]
    pub sealed: Option<Vec<u8>>,
    /// The challenges of the running order, as JSON.
    pub challenges: String,
    /// The replica that runs an order; empty for none.
    pub holder: String,
    pub held_until: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
