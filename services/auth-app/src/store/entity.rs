//! The tables.

/// The tokens. Nothing here changes when a token is used.
pub(super) mod token {
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
        /// A JSON list of grants, as text.
        pub grants: String,
        pub key_id: String,
        #[sea_orm(column_type = "Blob")]
        pub digest: Vec<u8>,
        pub created: i64,
        pub created_by: String,
        /// When it was taken over from another system.
        pub imported_at: Option<i64>,
        /// When it ends whatever happens; the largest number if never.
        pub expires: i64,
        /// The window of a sliding token, in microseconds.
        pub slide: Option<i64>,
        pub revoked: Option<i64>,
        /// SHA-256 of the verifier by which it was taken over from another system.
        #[sea_orm(column_type = "Blob", nullable)]
        pub imported: Option<Vec<u8>>,
        /// That verifier, where it has to be tried, until the secret was seen.
        pub verifier: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(has_one = "super::usage::Entity")]
        Usage,
    }

    impl Related<super::usage::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Usage.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The columns that each use updates: a narrow row for each token that was ever used or that slides.
pub(super) mod usage {
    #![expect(unreachable_pub, reason = "what the derived code makes of it is public")]

    use sea_orm::entity::prelude::*;

    /// A row.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "app_token_uses")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        /// The last use; 0 if there was none yet.
        pub used: i64,
        pub source: String,
        pub agent: String,
        /// The end that uses have moved a sliding token to; 0 for one that does not slide.
        pub slid: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(belongs_to = "super::token::Entity", from = "Column::Id", to = "super::token::Column::Id")]
        Token,
    }

    impl Related<super::token::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Token.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}
