//! The one handle to a database.

mod single;
mod writable;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use runtime::Metrics;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, IsolationLevel, SqliteTransactionMode, SqlxPostgresConnector,
    SqlxSqliteConnector, Statement, TransactionOptions,
};
use tokio::time::Instant;

pub use single::OtherUsers;
use writable::Writes;

use crate::connection::{Connection, Session};
use crate::measures::Measures;
use crate::postgres::Server;
use crate::url::Target;
use crate::{Options, StoreError, Transaction, columns, protection, redacted, sqlite, url};

/// An open database; clones share it. Its `Debug` form shows where it is, without user and password.
#[derive(Clone)]
pub struct Database {
    writer: Connection,
    reader: Connection,
    place: Place,
    shown: String,
    call_timeout: Duration,
    pub(crate) writes: Arc<Writes>,
    /// Held as long as this process is the only one to work with the file.
    pub(crate) claim: Option<Arc<File>>,
}

#[derive(Clone)]
enum Place {
    File(PathBuf),
    Server(Arc<Server>),
}

impl Database {
    /// Opens the database behind a `sqlite://` or `postgres://` URL. A `SQLite` file is made if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot be reached or opened; [`StoreError::Internal`] if the URL is not understood
    /// (see [`validate_url`](crate::validate_url)); [`StoreError::Misconfigured`] for a server on another machine whose certificate is not
    /// verified, unless the options permit it.
    pub async fn connect(url: &str, options: &Options) -> Result<Self, StoreError> {
        let target = url::parse(url).map_err(|problem| StoreError::internal(format!("the database URL {problem}")))?;
        let (writing, reading, place) = match target {
            Target::Sqlite(file) => {
                let path = file.get_filename().to_owned();
                let pools = sqlite::connect(file).await?;
                let [writer, reader] = [pools.writer, pools.readers]
                    .map(|pool| Connection::new(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool), Session::Own));
                (writer, reader, Place::File(path))
            }
            Target::Postgres(address) => {
                protection::require(&address, options)?;
                let server = Arc::new(patiently(options.patience, || Server::reach(&address, options)).await?);
                let pool = SqlxPostgresConnector::from_sqlx_postgres_pool(server.pool(options));
                let connection = Connection::new(pool, server.session.clone());
                (connection.clone(), connection, Place::Server(server))
            }
        };
        let (shown, call_timeout, writes) = (redacted(url), options.call_timeout, Arc::default());
        Ok(Self { writer: writing, reader: reading, place, shown, call_timeout, writes, claim: None })
    }

    /// Where statements go.
    pub fn connection(&self) -> &Connection {
        &self.writer
    }

    /// Where statements go that only read: on `SQLite` they do not wait for those that write, and cannot write themselves.
    pub fn reader(&self) -> &Connection {
        &self.reader
    }

    /// Begins a transaction that will write. On `SQLite` it is the writer from the start, so that what it reads first cannot
    /// change before it writes. Dropped without a commit it is undone.
    pub async fn begin_write(&self) -> Result<Transaction, StoreError> {
        Ok(self.transaction(self.begin_as_writer().await?))
    }

    /// The same as the library has it, for its migrations.
    pub(crate) async fn begin_as_writer(&self) -> Result<DatabaseTransaction, StoreError> {
        let sqlite_transaction_mode = (!self.is_postgres()).then_some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() };
        Ok(self.writer.begin(options).await?)
    }

    /// Begins a transaction that will write, and that ends as if no other had run at the same time: what it has read still
    /// holds when it is committed. Give it to [`Database::run`], as `PostgreSQL` may refuse it for another one's sake.
    pub async fn begin_serializable(&self) -> Result<Transaction, StoreError> {
        if !self.is_postgres() {
            return self.begin_write().await;
        }
        let isolation_level = Some(IsolationLevel::Serializable);
        let options = TransactionOptions { isolation_level, ..TransactionOptions::default() };
        Ok(self.transaction(self.writer.begin(options).await?))
    }

    fn transaction(&self, transaction: DatabaseTransaction) -> Transaction {
        Transaction::new(transaction, self.writer.measures().clone())
    }

    /// The same database, with its statements and connections measured.
    #[must_use]
    pub fn measured(mut self, metrics: &Metrics) -> Self {
        let measures = Measures::new(metrics);
        self.reader.measure(measures.clone());
        self.writer.measure(measures);
        let pools = if self.is_postgres() {
            vec![("all", &self.writer)]
        } else {
            vec![("read", &self.reader), ("write", &self.writer)]
        };
        for (pool, connection) in pools {
            for state in ["used", "idle"] {
                let count = connection.used_and_idle();
                let select = move |(used, idle): (u32, u32)| if state == "used" { used } else { idle };
                metrics.gauge_of(
                    "doorward_database_connections",
                    "Open connections to the database, by pool and state",
                    vec![("pool", pool.to_owned()), ("state", state.to_owned())],
                    move || Some(select(count()?).into()),
                );
            }
        }
        self
    }

    /// What time it is for the server, which is the same for all replicas; `None` on `SQLite`, whose clock is this process's.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server cannot be reached.
    pub async fn time(&self) -> Result<Option<SystemTime>, StoreError> {
        if !self.is_postgres() {
            return Ok(None);
        }
        let read = || async {
            let sql = format!("SELECT {} AS at", columns::now(DbBackend::Postgres));
            let row = self.reader.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
            let row = row.ok_or_else(|| StoreError::internal("the server does not know the time"))?;
            Ok(row.try_get::<i64>("", "at")?)
        };
        Ok(Some(columns::time(self.run(read).await?)))
    }

    /// A handle that calls back with the SQL of each statement that it runs, for tests that count them.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn observed(mut self, statement: impl Fn(&str) + Clone + Send + Sync + 'static) -> Self {
        self.reader.observe(statement.clone());
        self.writer.observe(statement);
        self
    }

    /// Whether it is `PostgreSQL`, which other replicas may write to, or else `SQLite`.
    pub fn is_postgres(&self) -> bool {
        matches!(self.place, Place::Server(_))
    }

    /// A text in lower case as the function `lower` of the database has it, which in `SQLite` knows only the letters of ASCII.
    pub fn lower(&self, text: &str) -> String {
        if self.is_postgres() { text.to_lowercase() } else { text.to_ascii_lowercase() }
    }

    /// Closes all connections once they are idle; later calls fail.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.reader.close().await?;
        Ok(self.writer.close().await?)
    }

    /// The server, if there is one.
    pub(crate) fn server(&self) -> Option<&Arc<Server>> {
        match &self.place {
            Place::File(_) => None,
            Place::Server(server) => Some(server),
        }
    }

    pub(crate) fn file(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Server(_) => None,
        }
    }

    /// `SQLite` has its own end to waiting, and cutting a write short would only hide its outcome.
    pub(crate) fn call_timeout(&self) -> Option<Duration> {
        self.is_postgres().then_some(self.call_timeout)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.shown)
    }
}

/// Tries to connect until it works, or until more than `patience` has passed.
async fn patiently<T, F>(patience: Duration, connect: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let begin = Instant::now();
    loop {
        match connect().await {
            Err(error @ StoreError::Unavailable(_)) if begin.elapsed() < patience => {
                tracing::info!(%error, "waiting for the database");
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            outcome => return outcome,
        }
    }
}
