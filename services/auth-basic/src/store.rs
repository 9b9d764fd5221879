//! Verifiers of passwords, and the counts of failed attempts.

mod attempts;
mod counts;
mod entity;

use std::time::SystemTime;

use bounded_cache::MIB;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use store::columns::micros;
use store::{Database, Recent, StoreError};

pub(crate) use counts::SqlCounts;

use entity::{ActiveModel, Column, Entity};

/// The bound of the verifiers that are known while the database is away, in bytes.
const RECENT: u64 = MIB;

/// Verifiers of passwords, by the identifier of the user, in `SQLite` or `PostgreSQL`.
pub struct PasswordStore(Database, Recent<String>);

impl PasswordStore {
    /// Verifiers in this database, whose schema is up to date.
    pub fn new(database: Database) -> Self {
        Self(database, Recent::new(RECENT))
    }

    /// The verifier of a user, if there is one.
    pub async fn verifier(&self, user_id: &str) -> Result<Option<String>, StoreError> {
        let read = || async { Ok(Entity::find_by_id(user_id).one(self.0.reader()).await?) };
        self.1.read(user_id, async { Ok(self.0.run(read).await?.map(|row| row.verifier)) }).await
    }

    /// Sets the verifier of a user, in place of any there is.
    pub async fn set(&self, user_id: &str, verifier: &str, now: SystemTime) -> Result<(), StoreError> {
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
        self.write(user_id, self.0.run(write)).await
    }

    /// Adds the verifier of a user who has none; whether there was none.
    pub async fn add(&self, user_id: &str, verifier: &str, now: SystemTime) -> Result<bool, StoreError> {
        let updated = micros(now);
        let write = || async {
            let row = ActiveModel {
                user_id: Set(user_id.to_owned()),
                verifier: Set(verifier.to_owned()),
                updated: Set(updated),
            };
            let only_new = OnConflict::column(Column::UserId).do_nothing().to_owned();
            let insert = Entity::insert(row).on_conflict(only_new);
            Ok(insert.exec_without_returning(self.0.connection()).await? > 0)
        };
        self.write(user_id, self.0.run(write)).await
    }

    /// Removes the verifier of a user if it still is this one; whether it was.
    pub async fn remove_if(&self, user_id: &str, verifier: &str) -> Result<bool, StoreError> {
        let write = || async {
            let delete = Entity::delete_many().filter(Column::UserId.eq(user_id)).filter(Column::Verifier.eq(verifier));
            Ok(delete.exec(self.0.connection()).await?.rows_affected > 0)
        };
        self.write(user_id, self.0.run(write)).await
    }

    /// Sets the verifier to `new` if it still is `old`; whether it was.
    pub async fn replace(&self, user_id: &str, old: &str, new: &str, now: SystemTime) -> Result<bool, StoreError> {
        let updated = micros(now);
        let write = || async {
            let update = Entity::update_many()
                .col_expr(Column::Verifier, Expr::value(new))
                .col_expr(Column::Updated, Expr::value(updated))
                .filter(Column::UserId.eq(user_id))
                .filter(Column::Verifier.eq(old));
            Ok(update.exec(self.0.connection()).await?.rows_affected > 0)
        };
        self.write(user_id, self.0.run(write)).await
    }

    /// Removes the verifier of a user; whether there was one.
    pub async fn remove(&self, user_id: &str) -> Result<bool, StoreError> {
        let write = || async { Ok(Entity::delete_by_id(user_id).exec(self.0.connection()).await?.rows_affected > 0) };
        self.write(user_id, self.0.run(write)).await
    }

    /// What was read of a user before a write is not used after it, however the write has ended.
    async fn write<T>(
        &self,
        user_id: &str,
        write: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let _forgetting = self.1.forgetting(Some(user_id.to_owned()));
        write.await
    }
}
