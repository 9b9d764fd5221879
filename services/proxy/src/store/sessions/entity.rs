//! The tables. Times are microseconds since the epoch, so that both databases keep them exactly.

/// The sessions.
pub(super) mod session {
    #![expect(unreachable_pub, reason = "what the derived code makes of it is public")]

    use sea_orm::entity::prelude::*;

    /// A row.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "proxy_sessions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub subject: String,
        pub sid: Option<String>,
        #[sea_orm(column_type = "Blob")]
        pub tokens: Vec<u8>,
        pub access_end: i64,
        pub created: i64,
        pub used: i64,
        pub ends: i64,
        pub version: i64,
        /// Until when one of the replicas exchanges the tokens; 0 if none does.
        pub claimed: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The logout tokens that have come.
pub(super) mod logout {
    #![expect(unreachable_pub, reason = "what the derived code makes of it is public")]

    use sea_orm::entity::prelude::*;

    /// A row.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "proxy_logouts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub jti: String,
        /// When the token is over anyway.
        pub expires: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
