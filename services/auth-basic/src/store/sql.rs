//! Verifiers in `SQLite` or `PostgreSQL`.

use std::time::SystemTime;

use async_trait::async_trait;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use store::{Database, StoreError};

use super::entity::{ActiveModel, Column, Entity};
use super::{Passwords, micros};

/// Verifiers in a database.
pub struct Sql(Database);

impl Sql {
    /// Verifiers in this database, whose schema is up to date.
    pub fn new(database: Database) -> Self {
        Self(database)
    }
}

#[async_trait]
impl Passwords for Sql {
    async fn verifier(&self, user_id: &str) -> Result<Option<String>, StoreError> {
        let read = || async { Ok(Entity::find_by_id(user_id).one(self.0.connection()).await?) };
        Ok(self.0.run(read).await?.map(|row| row.verifier))
    }

    async fn set(&self, user_id: &str, verifier: &str, now: SystemTime) -> Result<(), StoreError> {
        let updated = micros(now);
        let write = || async {
            let row = ActiveModel {
                user_id: Set(user_id.to_owned()),
                verifier: Set(verifier.to_owned()),
                updated: Set(updated),
            };
            let in_place =
                OnConflict::column(Column::UserId).update_columns([Column::Verifier, Column::Updated]).to_owned();
            Entity::insert(row).on_conflict(in_place).exec_without_returning(self.0.connection()).await?;
            Ok(())
        };
        self.0.run(write).await
    }

    async fn replace(&self, user_id: &str, old: &str, new: &str, now: SystemTime) -> Result<bool, StoreError> {
        let updated = micros(now);
        let write = || async {
            let update = Entity::update_many()
                .col_expr(Column::Verifier, Expr::value(new))
                .col_expr(Column::Updated, Expr::value(updated))
                .filter(Column::UserId.eq(user_id))
                .filter(Column::Verifier.eq(old));
            Ok(update.exec(self.0.connection()).await?.rows_affected > 0)
        };
        self.0.run(write).await
    }

    async fn remove(&self, user_id: &str) -> Result<bool, StoreError> {
        let write = || async { Ok(Entity::delete_by_id(user_id).exec(self.0.connection()).await?.rows_affected > 0) };
        self.0.run(write).await
    }
}
