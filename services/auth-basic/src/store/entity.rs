//! The table.

use sea_orm::entity::prelude::*;

/// A row. The time is in microseconds since the epoch, so that both databases keep it exactly.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "passwords")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    /// A PHC string, or a bcrypt string.
    pub verifier: String,
    pub updated: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
