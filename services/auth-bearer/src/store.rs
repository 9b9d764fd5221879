//! Ended sessions of issuers in `SQLite` or `PostgreSQL`. What is acknowledged is durable.

mod entity;
mod restore;

use std::time::{Duration, SystemTime};

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, OnConflict, Query};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use store::columns::{self, micros, time};
use store::{Database, StoreError, Transaction, Unread};

use crate::sessions::{End, Name};
use entity::{logout, received};

pub(crate) use restore::end_credentials;

#[cfg(test)]
mod tests;

/// The table from which other replicas read what has ended.
pub(crate) const TABLE: &str = "auth_bearer_logouts";
/// The number of rows that one statement reads.
const PAGE: usize = 1000;
/// How long rows are kept that have expired: the clocks of replicas differ slightly.
const MARGIN: Duration = Duration::from_mins(5);

/// Ended sessions in a database.
#[derive(Debug, Clone)]
pub(crate) struct LogoutStore(Database);

impl LogoutStore {
    /// Those in this database, whose schema is up to date.
    pub(crate) fn new(database: Database) -> Self {
        Self(database)
    }

    /// The database.
    pub(crate) fn database(&self) -> &Database {
        &self.0
    }

    /// Records what a logout token ends, unless it was received before, by any replica; whether it was new. It is remembered until
    /// `expires`.
    ///
    /// # Errors
    /// When the database fails; then nothing counts as recorded.
    pub(crate) async fn record(&self, token: Name, expires: SystemTime, ends: &[End]) -> Result<bool, StoreError> {
        let mut ends = ends.to_vec();
        // two transactions that write the same rows in different orders would deadlock
        ends.sort_unstable_by_key(|end| end.name);
        let write = || async {
            let transaction = self.0.begin_write().await?;
            if !receive(&transaction, token, expires).await? {
                // dropped: nothing is written
                return Ok(false);
            }
            write(&transaction, &ends).await?;
            transaction.commit().await?;
            Ok(true)
        };
        self.0.run(write).await
    }

    /// What has ended and still counts, the earliest rows first: those that are unread, or all.
    ///
    /// # Errors
    /// When the database fails, or a row is damaged.
    pub(crate) async fn ends(&self, unread: Option<&Unread>, now: SystemTime) -> Result<Vec<End>, StoreError> {
        let mut wanted = logout::Entity::find().filter(logout::Column::Until.gt(micros(now)));
        if let Some(unread) = unread {
            wanted = wanted.filter(unread.condition());
        }
        let limit = u64::try_from(PAGE).unwrap_or(u64::MAX);
        let wanted = wanted.order_by_asc(logout::Column::At).order_by_asc(logout::Column::Name).limit(limit);
        let (mut found, mut last): (Vec<End>, Option<logout::Model>) = (Vec::new(), None);
        loop {
            let page = last.take().map_or_else(|| wanted.clone(), |last| wanted.clone().filter(after(&last)));
            let read = || async { Ok(page.clone().all(self.0.reader()).await?) };
            let rows = self.0.run(read).await?;
            let is_last = rows.len() < PAGE;
            for row in &rows {
                found.push(end(row)?);
            }
            last = rows.into_iter().next_back();
            if is_last {
                return Ok(found);
            }
        }
    }

    /// Removes at most `limit` rows of each kind that have expired; how many.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn prune(&self, now: SystemTime, limit: u64) -> Result<u64, StoreError> {
        let before = micros(now.checked_sub(MARGIN).unwrap_or(SystemTime::UNIX_EPOCH));
        let ends = self.0.remove(TABLE, "name", &format!("until < {before}"), limit).await?;
        let tokens = self.0.remove("auth_bearer_logout_tokens", "name", &format!("expires < {before}"), limit).await?;
        Ok(ends + tokens)
    }
}

/// Notes a logout token; whether it is received for the first time.
async fn receive(transaction: &Transaction, Name(name): Name, expires: SystemTime) -> Result<bool, StoreError> {
    let row = received::ActiveModel { name: Set(name.to_vec()), expires: Set(micros(expires)) };
    let conflict = OnConflict::column(received::Column::Name).do_nothing().to_owned();
    Ok(received::Entity::insert(row).on_conflict(conflict).exec_without_returning(transaction).await? > 0)
}

/// Writes what has ended. An existing row is written again, with the later times, so that replicas read it again.
async fn write(transaction: &Transaction, ends: &[End]) -> Result<(), StoreError> {
    let at = || Expr::cust(columns::now(transaction.get_database_backend()));
    let later = |column: &str| {
        Expr::cust(format!(
            "CASE WHEN excluded.{column} > {TABLE}.{column} THEN excluded.{column} ELSE {TABLE}.{column} END"
        ))
    };
    let conflict = OnConflict::column(logout::Column::Name)
        .value(logout::Column::Ended, later("ended"))
        .value(logout::Column::Until, later("until"))
        .value(logout::Column::At, at())
        .to_owned();
    for End { name: Name(name), issuer, at: ended, until } in ends {
        let mut insert = Query::insert()
            .into_table(logout::Entity)
            .columns([
                logout::Column::Name,
                logout::Column::Issuer,
                logout::Column::Ended,
                logout::Column::Until,
                logout::Column::At,
            ])
            .on_conflict(conflict.clone())
            .to_owned();
        let (ended, until) = (micros(*ended), micros(*until));
        insert.values_panic([name.to_vec().into(), issuer.to_vec().into(), ended.into(), until.into(), at()]);
        transaction.execute(&insert).await?;
    }
    Ok(())
}

/// The rows behind this one.
fn after(last: &logout::Model) -> Condition {
    let same_time =
        Condition::all().add(logout::Column::At.eq(last.at)).add(logout::Column::Name.gt(last.name.clone()));
    Condition::any().add(logout::Column::At.gt(last.at)).add(same_time)
}

/// A row that cannot be understood is a fault: what it ends must not go on.
fn end(row: &logout::Model) -> Result<End, StoreError> {
    let damaged = |_| StoreError::internal("the end of a session is damaged: invalid digest");
    let name = Name(row.name.as_slice().try_into().map_err(damaged)?);
    let issuer = row.issuer.as_slice().try_into().map_err(damaged)?;
    Ok(End { name, issuer, at: time(row.ended), until: time(row.until) })
}
