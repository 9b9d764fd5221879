//! The tables.

/// The accounts.
pub(super) mod account {
    #![expect(unreachable_pub, reason = "what the derived code makes of it is public")]

    use sea_orm::entity::prelude::*;

    /// A row. Times are microseconds since the epoch, so that both databases keep them exactly.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "service_accounts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub display_name: String,
        /// A JSON list, as text.
        pub scopes: String,
        pub disabled: bool,
        pub expires: Option<i64>,
        pub created: i64,
        pub created_by: String,
        /// The last use, from which address and by which program.
        pub used: Option<i64>,
        pub used_from: String,
        pub used_by: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(has_many = "super::secret::Entity")]
        Secret,
    }

    impl Related<super::secret::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Secret.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The secrets of accounts.
pub(super) mod secret {
    #![expect(unreachable_pub, reason = "what the derived code makes of it is public")]

    use sea_orm::entity::prelude::*;

    /// A row.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "service_account_secrets")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        /// The identifier of the account.
        pub account: String,
        #[sea_orm(column_type = "Blob")]
        pub hmac_key: Vec<u8>,
        #[sea_orm(column_type = "Blob")]
        pub digest: Vec<u8>,
        pub created: i64,
        pub created_by: String,
        pub expires: Option<i64>,
        pub used: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(belongs_to = "super::account::Entity", from = "Column::Account", to = "super::account::Column::Id")]
        Account,
    }

    impl Related<super::account::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Account.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}
