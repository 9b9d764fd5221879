//! The table of rounds that replicas do together.

#![expect(unreachable_pub, reason = "what the derived code makes of it is public")]

use sea_orm::entity::prelude::*;

/// A row. The time is in microseconds since the epoch, so that both databases keep it exactly.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idp_rounds")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The last one that was given to a replica.
    pub last: String,
    pub began: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
