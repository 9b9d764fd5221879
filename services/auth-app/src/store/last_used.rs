//! Writing uses down.

use sea_orm::EntityTrait;
use sea_orm::sea_query::{Expr, OnConflict};
use store::StoreError;

use super::entity::usage;
use super::{TokenStore, Use, rows};

impl TokenStore {
    /// Writes uses down, in one statement. What another replica has written of the same tokens stays where it is later, so that an
    /// end only ever moves ahead.
    pub async fn write_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        let later = |column: &'static str, by: &'static str| {
            let sql = format!(
                "CASE WHEN excluded.{by} > app_token_uses.{by} THEN excluded.{column} ELSE app_token_uses.{column} END"
            );
            Expr::cust(sql)
        };
        let write = || async {
            let conflict = OnConflict::column(usage::Column::Id)
                .value(usage::Column::Used, later("used", "used"))
                .value(usage::Column::Source, later("source", "used"))
                .value(usage::Column::Agent, later("agent", "used"))
                .value(usage::Column::Slid, later("slid", "slid"))
                .to_owned();
            let rows = uses.iter().map(rows::of_use);
            usage::Entity::insert_many(rows).on_conflict(conflict).exec_without_returning(self.0.connection()).await?;
            Ok(())
        };
        self.0.run(write).await
    }
}
