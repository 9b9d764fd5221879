//! The tables. Times are in microseconds since the epoch, so that both databases keep them exactly.

/// What has ended.
pub(super) mod logout {
    #![expect(unreachable_pub, reason = "what the derived code makes of it is public")]

    use sea_orm::entity::prelude::*;

    /// A row.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "auth_bearer_logouts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_type = "Blob")]
        pub name: Vec<u8>,
        #[sea_orm(column_type = "Blob")]
        pub issuer: Vec<u8>,
        pub ended: i64,
        pub until: i64,
        /// When the row was written, by the clock of the database.
        pub at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The logout tokens that were received.
pub(super) mod received {
    #![expect(unreachable_pub, reason = "what the derived code makes of it is public")]

    use sea_orm::entity::prelude::*;

    /// A row.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "auth_bearer_logout_tokens")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_type = "Blob")]
        pub name: Vec<u8>,
        pub expires: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
