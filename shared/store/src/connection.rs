//! Where statements are run.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    TransactionOptions, TransactionTrait,
};

/// A pool of connections. Statements that belong together need a transaction; see
/// [`Database::begin_write`](crate::Database::begin_write).
#[derive(Clone, Debug)]
pub struct Connection {
    pool: DatabaseConnection,
    session: Session,
}

/// Whose the sessions of the server are.
#[derive(Clone, Debug)]
pub(crate) enum Session {
    /// Each connection has one.
    Own,
    /// A pooler gives a connection another session for each transaction. The text sets the limits of a transaction.
    PerTransaction(Arc<str>),
}

impl Connection {
    pub(crate) fn new(pool: DatabaseConnection, session: Session) -> Self {
        Self { pool, session }
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self, options: TransactionOptions) -> Result<DatabaseTransaction, DbErr> {
        let Session::PerTransaction(limits) = &self.session else { return self.pool.begin_with_options(options).await };
        let transaction = self.pool.begin().await?;
        if let Some(level) = options.isolation_level {
            transaction.execute_unprepared(&format!("SET TRANSACTION ISOLATION LEVEL {level}")).await?;
        }
        transaction.execute_unprepared(limits).await?;
        // another client of the pooler may have left a statement behind that has the name of one of ours; by itself, as a pooler
        // that knows of prepared statements looks for just this text
        transaction.execute_unprepared("DEALLOCATE ALL").await?;
        Ok(transaction)
    }

    /// Calls back with each statement.
    #[cfg(feature = "testing")]
    pub(crate) fn observe(&mut self, statement: impl Fn(&str) + Send + Sync + 'static) {
        self.pool.set_metric_callback(move |info| statement(&info.statement.sql));
    }

    /// Closes all connections once they are idle.
    pub(crate) async fn close(&self) -> Result<(), DbErr> {
        self.pool.close_by_ref().await
    }

    /// A transaction for one prepared statement, which is two messages to the server; `None` where it needs none.
    async fn for_one_statement(&self) -> Result<Option<DatabaseTransaction>, DbErr> {
        match self.session {
            Session::Own => Ok(None),
            Session::PerTransaction(_) => Ok(Some(self.begin(TransactionOptions::default()).await?)),
        }
    }
}

#[async_trait]
impl ConnectionTrait for Connection {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let Some(transaction) = self.for_one_statement().await? else { return self.pool.execute_raw(statement).await };
        let result = transaction.execute_raw(statement).await?;
        transaction.commit().await?;
        Ok(result)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.pool.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        // to the end: a statement that writes and returns rows is committed by SQLite after the last one, and the driver
        // would not say that it could not
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let Some(transaction) = self.for_one_statement().await? else {
            return self.pool.query_all_raw(statement).await;
        };
        let rows = transaction.query_all_raw(statement).await?;
        transaction.commit().await?;
        Ok(rows)
    }
}
