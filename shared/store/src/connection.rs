//! Where statements are run.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    TransactionOptions, TransactionTrait,
};

use crate::measures::Measures;

/// A pool of connections. Statements that belong together need a transaction; see
/// [`Database::begin_write`](crate::Database::begin_write).
#[derive(Clone, Debug)]
pub struct Connection {
    pool: Arc<DatabaseConnection>,
    session: Session,
    measures: Measures,
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
        Self { pool: Arc::new(pool), session, measures: Measures::default() }
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self, options: TransactionOptions) -> Result<DatabaseTransaction, DbErr> {
        let run = self.measures.begin(self.get_database_backend(), "BEGIN");
        run.of(self.begin_unmeasured(options)).await
    }

    async fn begin_unmeasured(&self, options: TransactionOptions) -> Result<DatabaseTransaction, DbErr> {
        let Session::PerTransaction(limits) = &self.session else {
            return self.measures.waiting(self.pool.begin_with_options(options)).await;
        };
        let transaction = self.measures.waiting(self.pool.begin()).await?;
        if let Some(level) = options.isolation_level {
            transaction.execute_unprepared(&format!("SET TRANSACTION ISOLATION LEVEL {level}")).await?;
        }
        transaction.execute_unprepared(limits).await?;
        // another client of the pooler may have left a statement behind that has the name of one of ours; by itself, as a pooler
        // that knows of prepared statements looks for just this text
        transaction.execute_unprepared("DEALLOCATE ALL").await?;
        Ok(transaction)
    }

    /// What is measured of its statements.
    pub(crate) fn measures(&self) -> &Measures {
        &self.measures
    }

    /// Measures its statements by these from now on.
    pub(crate) fn measure(&mut self, measures: Measures) {
        self.measures = measures;
    }

    /// Tells how many connections are used, and how many are idle, for as long as the pool is there.
    pub(crate) fn used_and_idle(&self) -> impl Fn() -> Option<(u32, u32)> + Clone + Send + Sync + use<> {
        let pool = Arc::downgrade(&self.pool);
        move || {
            let pool = pool.upgrade()?;
            let (open, idle) = if pool.get_database_backend() == DbBackend::Postgres {
                let pool = pool.get_postgres_connection_pool();
                (pool.size(), pool.num_idle())
            } else {
                let pool = pool.get_sqlite_connection_pool();
                (pool.size(), pool.num_idle())
            };
            let idle = u32::try_from(idle).unwrap_or(u32::MAX);
            Some((open.saturating_sub(idle), idle))
        }
    }

    /// Calls back with each statement.
    #[cfg(feature = "testing")]
    pub(crate) fn observe(&mut self, statement: impl Fn(&str) + Send + Sync + 'static) {
        Arc::make_mut(&mut self.pool).set_metric_callback(move |info| statement(&info.statement.sql));
    }

    /// Closes all connections once they are idle.
    pub(crate) async fn close(&self) -> Result<(), DbErr> {
        self.pool.close_by_ref().await
    }

    /// A transaction for one prepared statement, which is two messages to the server; `None` where it needs none.
    async fn for_one_statement(&self) -> Result<Option<DatabaseTransaction>, DbErr> {
        match self.session {
            Session::Own => Ok(None),
            Session::PerTransaction(_) => Ok(Some(self.begin_unmeasured(TransactionOptions::default()).await?)),
        }
    }
}

#[async_trait]
impl ConnectionTrait for Connection {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let run = self.measures.begin(self.get_database_backend(), &statement.sql);
        run.of(async {
            let Some(transaction) = self.for_one_statement().await? else {
                return self.measures.waiting(self.pool.execute_raw(statement)).await;
            };
            let result = transaction.execute_raw(statement).await?;
            transaction.commit().await?;
            Ok(result)
        })
        .await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let run = self.measures.begin(self.get_database_backend(), sql);
        run.of(self.measures.waiting(self.pool.execute_unprepared(sql))).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        // to the end: a statement that writes and returns rows is committed by SQLite after the last one, and the driver
        // would not say that it could not
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let run = self.measures.begin(self.get_database_backend(), &statement.sql);
        run.of(async {
            let Some(transaction) = self.for_one_statement().await? else {
                return self.measures.waiting(self.pool.query_all_raw(statement)).await;
            };
            let rows = transaction.query_all_raw(statement).await?;
            transaction.commit().await?;
            Ok(rows)
        })
        .await
    }
}
