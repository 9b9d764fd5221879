//! Records of failures in `SQLite` or `PostgreSQL`.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Order, Query};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};
use store::columns::{micros, time};
use store::{Database, StoreError, Transaction};

use super::attempts::{ActiveModel, Column, Entity, Model};
use crate::digest::Digest;
use crate::throttle::{Change, Counts, Record, Rules, SKEW};

/// Records in a database, shared by all replicas.
pub(crate) struct SqlCounts(pub(crate) Database);

#[async_trait]
impl Counts for SqlCounts {
    async fn read(&self, keys: &[Digest]) -> Result<Vec<Record>, StoreError> {
        let read = || async { Ok(find(keys).all(self.0.reader()).await?) };
        Ok(in_order(keys, &self.0.run(read).await?))
    }

    async fn change(&self, keys: &[Digest], change: &Change<'_>) -> Result<Result<(), Duration>, StoreError> {
        self.0.run(|| self.change_once(keys, change)).await
    }

    async fn prune(&self, now: SystemTime, rules: &Rules, most: u64) -> Result<(), StoreError> {
        self.0.run(|| self.correct(now)).await?;
        store::prune(|limit| self.remove_over(now, rules, limit)).await?;
        let surplus = self.count().await?.saturating_sub(most);
        if surplus > 0 {
            tracing::warn!(surplus, "more failed sign-ins are counted than fit; those without a delay are forgotten");
            self.0.run(|| self.remove_surplus(now, surplus)).await?;
        }
        Ok(())
    }
}

impl SqlCounts {
    /// How many records there are.
    pub(crate) async fn count(&self) -> Result<u64, StoreError> {
        self.0.run(|| async { Ok(Entity::find().count(self.0.reader()).await?) }).await
    }

    async fn change_once(&self, keys: &[Digest], change: &Change<'_>) -> Result<Result<(), Duration>, StoreError> {
        let transaction = self.0.begin_write().await?;
        // in one order for all, so that no two wait for each other; a row that is there can be locked
        let mut sorted = keys.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let found = loop {
            let rows = sorted.iter().map(|key| row(key, &Record::default()));
            let as_it_is = OnConflict::column(Column::Key).do_nothing().to_owned();
            Entity::insert_many(rows).on_conflict(as_it_is).exec_without_returning(&transaction).await?;
            let found = find(&sorted).order_by_asc(Column::Key).lock_exclusive().all(&transaction).await?;
            // a row that was there may be removed before it is locked; what would be written to it then would be lost
            if found.len() == sorted.len() {
                break found;
            }
        };
        let mut records = in_order(keys, &found);
        if let Err(wait) = change(&mut records) {
            // dropped: nothing is written
            return Ok(Err(wait));
        }
        for (key, record) in keys.iter().zip(&records) {
            write(&transaction, key, record).await?;
        }
        transaction.commit().await?;
        Ok(Ok(()))
    }

    /// As [`Record::correct`].
    async fn correct(&self, now: SystemTime) -> Result<(), StoreError> {
        let delay = Expr::col("blocked_until").sub(Expr::col("last"));
        let is_delayed = Expr::col("blocked_until").gt(Expr::col("last"));
        let anew = Expr::case(is_delayed, delay.add(micros(now))).finally(0_i64);
        let update = Entity::update_many()
            .col_expr(Column::BlockedUntil, anew.into())
            .col_expr(Column::Last, Expr::value(micros(now)))
            .filter(Column::Last.gt(micros(now + SKEW)));
        update.exec(self.0.connection()).await?;
        Ok(())
    }

    /// Removes at most `limit` records that mean nothing any more; how many.
    async fn remove_over(&self, now: SystemTime, rules: &Rules, limit: u64) -> Result<u64, StoreError> {
        let before = |age: Duration| micros(now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH));
        let forgotten = format!("(NOT known AND last <= {})", before(rules.kept_for()));
        let unknown = format!("(known AND last <= {})", before(rules.known_for));
        let over = format!("blocked_until <= {} AND ({forgotten} OR {unknown})", micros(now));
        self.0.remove("password_attempts", "key", &over, limit).await
    }

    /// In the order of [`Record::worth`].
    async fn remove_surplus(&self, now: SystemTime, surplus: u64) -> Result<(), StoreError> {
        let is_delayed = Expr::case(Expr::col("blocked_until").gt(micros(now)), 1).finally(0);
        let least = Query::select()
            .column("key")
            .from("password_attempts")
            .order_by_expr(is_delayed.into(), Order::Asc)
            .order_by("known", Order::Asc)
            .order_by("last", Order::Asc)
            .limit(surplus)
            .take();
        let delete =
            Query::delete().from_table("password_attempts").and_where(Expr::col("key").in_subquery(least)).take();
        self.0.connection().execute(&delete).await?;
        Ok(())
    }
}

fn find(keys: &[Digest]) -> sea_orm::Select<Entity> {
    Entity::find().filter(Column::Key.is_in(keys.iter().map(|key| key.to_vec())))
}

fn in_order(keys: &[Digest], found: &[Model]) -> Vec<Record> {
    let record = |key: &Digest| found.iter().find(|row| row.key == *key).map(of_row).unwrap_or_default();
    keys.iter().map(record).collect()
}

async fn write(transaction: &Transaction, key: &Digest, record: &Record) -> Result<(), StoreError> {
    if record.is_empty() {
        Entity::delete_by_id(key.to_vec()).exec(transaction).await?;
    } else {
        let same = Column::Key.eq(key.to_vec());
        Entity::update_many().set(row(key, record)).filter(same).exec(transaction).await?;
    }
    Ok(())
}

fn row(key: &Digest, record: &Record) -> ActiveModel {
    ActiveModel {
        key: Set(key.to_vec()),
        failures: Set(record.failures),
        last: Set(micros(record.last)),
        blocked_until: Set(micros(record.blocked_until)),
        known: Set(record.is_known),
    }
}

fn of_row(row: &Model) -> Record {
    Record { failures: row.failures, last: time(row.last), blocked_until: time(row.blocked_until), is_known: row.known }
}

#[cfg(test)]
mod tests;
