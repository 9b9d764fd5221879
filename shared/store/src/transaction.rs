//! Statements that belong together.

use std::fmt;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement};

use crate::measures::Measures;

/// A transaction. Dropped without a commit it is undone.
pub struct Transaction {
    inner: DatabaseTransaction,
    measures: Measures,
}

impl Transaction {
    pub(crate) fn new(inner: DatabaseTransaction, measures: Measures) -> Self {
        Self { inner, measures }
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// When the database cannot; then nothing was written.
    pub async fn commit(self) -> Result<(), DbErr> {
        let run = self.measures.begin(self.inner.get_database_backend(), "COMMIT");
        run.of(self.inner.commit()).await
    }

    /// Undoes what was written.
    ///
    /// # Errors
    /// When the database does not answer; it undoes it nevertheless.
    pub async fn rollback(self) -> Result<(), DbErr> {
        let run = self.measures.begin(self.inner.get_database_backend(), "ROLLBACK");
        run.of(self.inner.rollback()).await
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").finish_non_exhaustive()
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let run = self.measures.begin(self.get_database_backend(), &statement.sql);
        run.of(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let run = self.measures.begin(self.get_database_backend(), sql);
        run.of(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let run = self.measures.begin(self.get_database_backend(), &statement.sql);
        run.of(self.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let run = self.measures.begin(self.get_database_backend(), &statement.sql);
        run.of(self.inner.query_all_raw(statement)).await
    }
}
