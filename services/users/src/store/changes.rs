//! The users that any writer has changed, for the replicas, which have users in memory. On `PostgreSQL` triggers record them, so that no
//! writer can omit it: neither a replica of a former version nor an operator with SQL. `SQLite` has one writer.

use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};
use store::{Database, StoreError, Unread};
use uuid::Uuid;

use super::UserStore;

/// The most changes that are applied user by user; with more of them all users are affected.
const MOST: usize = 10_000;
/// How many triggers the migration makes.
const TRIGGERS: i64 = 14;
/// A change of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserChange {
    /// What no other change has.
    pub(crate) id: Uuid,
    /// Which user; `None` if all may be affected.
    pub(crate) user_id: Option<String>,
}

impl UserStore {
    /// Whether all changes of users are known: to the one process that works with a file, or by triggers. Servers that only resemble
    /// `PostgreSQL` may have no such triggers.
    pub(crate) async fn records_changes(&self) -> Result<bool, StoreError> {
        if !self.database.is_postgres() {
            return Ok(true);
        }
        let sql = "SELECT count(*) AS n FROM pg_catalog.pg_trigger WHERE tgname LIKE 'user_changes_%' \
                   AND tgenabled IN ('O', 'A') AND tgrelid IN (to_regclass('people'), to_regclass('groups'), \
                   to_regclass('roles'), to_regclass('memberships'), to_regclass('user_changes'))";
        let read = || async {
            let row = self.database.reader().query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
            let count = row.map(|row| row.try_get::<i64>("", "n")).transpose()?;
            Ok(count.is_some_and(|count| count >= TRIGGERS))
        };
        self.database.run(read).await
    }

    /// The unread changes by any writer; `None` if there are too many to be told apart. None where there is one process.
    pub(crate) async fn changes(&self, unread: &Unread) -> Result<Option<Vec<UserChange>>, StoreError> {
        if !self.database.is_postgres() {
            return Ok(Some(Vec::new()));
        }
        // a row without a time has been replaced by one that has the time of the commit
        let query = Query::select()
            .columns(["id", "user_id"])
            .from("user_changes")
            .and_where(Expr::cust("at > 0"))
            .and_where(unread.condition())
            .limit(u64::try_from(MOST).unwrap_or(u64::MAX).saturating_add(1))
            .take();
        let read = || async { Ok(self.database.reader().query_all(&query).await?) };
        let rows = self.database.run(read).await?;
        if rows.len() > MOST {
            return Ok(None);
        }
        Ok(Some(rows.iter().map(change).collect::<Result<_, _>>()?))
    }

    /// Removes at most `limit` changes that meet an SQL condition; how many.
    pub(crate) async fn prune_changes(&self, condition: &str, limit: u64) -> Result<u64, StoreError> {
        self.database.remove("user_changes", "id", condition, limit).await
    }

    /// The database.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }
}

fn change(row: &QueryResult) -> Result<UserChange, DbErr> {
    Ok(UserChange { id: row.try_get("", "id")?, user_id: row.try_get("", "user_id")? })
}
