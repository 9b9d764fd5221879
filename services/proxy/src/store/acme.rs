//! Stores what replicas share of ACME: one row for each set of host names. What is acknowledged is durable.

mod entity;

use std::time::SystemTime;

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter};
use store::columns::micros;
use store::{Database, StoreError};

use entity::{ActiveModel, Column, Entity};

/// The challenges of no order.
const NO_CHALLENGES: &str = "[]";

/// One row, in `SQLite` or `PostgreSQL`.
#[derive(Clone)]
pub(crate) struct Row {
    database: Database,
    id: String,
}

impl Row {
    /// The row with this identifier, in a database whose schema is up to date.
    pub(crate) fn new(database: Database, id: String) -> Self {
        Self { database, id }
    }

    /// Its identifier.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The time by the clock that all replicas share; `None` if that is this process's.
    ///
    /// # Errors
    /// When the database fails, as for all methods.
    pub(crate) async fn time(&self) -> Result<Option<SystemTime>, StoreError> {
        self.database.time().await
    }

    /// The sealed state; `None` if none was written yet.
    pub(crate) async fn state(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.find().await?.and_then(|row| row.sealed))
    }

    /// The challenges of the running order, as JSON.
    pub(crate) async fn challenges(&self) -> Result<Option<String>, StoreError> {
        Ok(self.find().await?.map(|row| row.challenges))
    }

    /// Takes the row for a replica until `until`. Returns `true` to one replica only; to that one again, as the answer to its claim may
    /// have been lost.
    pub(crate) async fn claim(&self, holder: &str, now: SystemTime, until: SystemTime) -> Result<bool, StoreError> {
        let write = || async {
            let row = ActiveModel {
                id: Set(self.id.clone()),
                sealed: Set(None),
                challenges: Set(NO_CHALLENGES.to_owned()),
                holder: Set(String::new()),
                held_until: Set(0),
            };
            let once = OnConflict::column(Column::Id).do_nothing().to_owned();
            Entity::insert(row).on_conflict(once).exec_without_returning(self.database.connection()).await?;
            let update = Entity::update_many()
                .col_expr(Column::Holder, Expr::value(holder))
                .col_expr(Column::HeldUntil, Expr::value(micros(until)))
                .filter(Column::Id.eq(&self.id))
                .filter(Condition::any().add(Column::HeldUntil.lte(micros(now))).add(Column::Holder.eq(holder)));
            Ok(update.exec(self.database.connection()).await?.rows_affected > 0)
        };
        self.database.run(write).await
    }

    /// Releases the row, with its challenges.
    pub(crate) async fn release(&self, holder: &str) -> Result<(), StoreError> {
        let write = || async {
            let update = Entity::update_many()
                .col_expr(Column::Holder, Expr::value(String::new()))
                .col_expr(Column::HeldUntil, Expr::value(0_i64))
                .col_expr(Column::Challenges, Expr::value(NO_CHALLENGES));
            Ok(update.filter(self.held_by(holder)).exec(self.database.connection()).await.map(drop)?)
        };
        self.database.run(write).await
    }

    /// Replaces the state; `false` if another replica has taken the row meanwhile.
    pub(crate) async fn write_state(&self, holder: &str, sealed: &[u8]) -> Result<bool, StoreError> {
        let write = || async {
            let update = Entity::update_many().col_expr(Column::Sealed, Expr::value(sealed.to_vec()));
            let update = update.filter(self.held_by(holder));
            Ok(update.exec(self.database.connection()).await?.rows_affected > 0)
        };
        self.database.run(write).await
    }

    /// Replaces the challenges; `false` as of [`write_state`](Self::write_state).
    pub(crate) async fn write_challenges(&self, holder: &str, challenges: &str) -> Result<bool, StoreError> {
        let write = || async {
            let update = Entity::update_many().col_expr(Column::Challenges, Expr::value(challenges));
            let update = update.filter(self.held_by(holder));
            Ok(update.exec(self.database.connection()).await?.rows_affected > 0)
        };
        self.database.run(write).await
    }

    async fn find(&self) -> Result<Option<entity::Model>, StoreError> {
        let read = || async {
            let rows = Entity::find().filter(Column::Id.eq(&self.id)).all(self.database.reader()).await?;
            Ok(rows.into_iter().next())
        };
        self.database.run(read).await
    }

    fn held_by(&self, holder: &str) -> Condition {
        Condition::all().add(Column::Id.eq(&self.id)).add(Column::Holder.eq(holder))
    }
}
