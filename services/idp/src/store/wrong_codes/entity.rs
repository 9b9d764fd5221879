//! The table of wrong user codes.

#![expect(unreachable_pub, reason = "what the derived code makes of it is public")]

use sea_orm::entity::prelude::*;

/// A row. Times are in microseconds since the epoch, so that both databases keep them exactly.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idp_wrong_codes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub session: Uuid,
    /// The digest of the network, if it is known.
    #[sea_orm(column_type = "Blob", nullable)]
    pub source: Option<Vec<u8>>,
    pub at: i64,
    pub expires: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
