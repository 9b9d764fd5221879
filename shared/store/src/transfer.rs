//! Moves all rows of a service from one database to another, of the same or the other kind: row by row in the order of the primary
//! keys, from one consistent state of the source, in one transaction of the target. Rows are counted, and have a checksum that is
//! the same on both kinds of database.

use std::fmt;
use std::time::{Duration, SystemTime};

use crypto::FINGERPRINT_LEN;
use futures_util::TryStreamExt;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, IsolationLevel, Statement, StreamTrait, TransactionOptions, Value,
};

use crate::tables::{Table, describe};
use crate::{Database, Migrations, SchemaStatus, StoreError};

/// The most rows of one statement that inserts, and the most values: `SQLite` takes 32766.
const MOST_ROWS: usize = 500;
const MOST_VALUES: usize = 8_000;

/// The tables that the migrations of a service make.
#[derive(Debug, Clone)]
pub struct Tables {
    tables: Vec<Table>,
    /// What the migrations write into them.
    seeds: Vec<TableSummary>,
}

impl Tables {
    /// Those of these migrations, which run on a database in memory for it.
    ///
    /// # Errors
    /// [`StoreError::Internal`] for a table that cannot be copied.
    pub async fn of(migrations: Migrations) -> Result<Self, StoreError> {
        let database = Database::in_memory().await?;
        database.bring_up_to_date(migrations).await?;
        let history = migrations.history();
        let tables = describe(database.connection(), |name| name != history).await?;
        let seeds = summaries(&database.snapshot().await?.0, &tables).await?;
        Ok(Self { tables, seeds })
    }

    /// Their names, those first that others refer to.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(|table| table.name.as_str())
    }
}

/// What can be said about all rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSummary {
    /// Its name.
    pub table: String,
    /// How many rows it has.
    pub rows: u64,
    /// The SHA-256 of its columns and rows.
    pub checksum: Checksum,
}

/// The checksum of a table. It is shown in hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum([u8; FINGERPRINT_LEN]);

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A table that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    /// What was read.
    pub source: TableSummary,
    /// What was there when it was read again.
    pub target: TableSummary,
}

impl CopiedTable {
    /// Whether all that was read is there, and nothing else.
    pub fn is_equal(&self) -> bool {
        self.source == self.target
    }
}

/// A consistent state of a database. What is written later does not change it.
pub struct Snapshot(DatabaseTransaction);

impl Snapshot {
    /// How far the schema of a service is.
    ///
    /// # Errors
    /// When the database fails, as for all methods.
    pub async fn schema_status(&self, migrations: Migrations) -> Result<SchemaStatus, StoreError> {
        SchemaStatus::read(migrations, &self.0).await
    }

    /// The rows of tables, counted and with their checksums.
    pub async fn summaries(&self, tables: &Tables) -> Result<Vec<TableSummary>, StoreError> {
        summaries(&self.0, &tables.tables).await
    }

    /// The same of some tables of a `SQLite` database, described as they are there.
    pub(crate) async fn summaries_of(&self, names: &[String]) -> Result<Vec<TableSummary>, StoreError> {
        let tables = describe(&self.0, |name| names.iter().any(|wanted| wanted == name)).await?;
        summaries(&self.0, &tables).await
    }
}

/// Replaces all rows of services in one database, or none: dropped without a commit it has changed nothing.
pub struct Replacement(DatabaseTransaction);

impl Replacement {
    /// Whether the tables have no more rows than the migrations write.
    ///
    /// # Errors
    /// When the database fails, as for all methods.
    pub async fn is_empty(&self, tables: &Tables) -> Result<bool, StoreError> {
        for (table, seed) in tables.tables.iter().zip(&tables.seeds) {
            let is_empty = if seed.rows == 0 {
                let any = Statement::from_string(backend(&self.0), table.any());
                self.0.query_all_raw(any).await?.is_empty()
            } else {
                summary(&self.0, table).await? == *seed
            };
            if !is_empty {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Replaces the rows of tables by those of a snapshot, and reads them again. Both sides have the schema of these tables.
    pub async fn copy(&self, from: &Snapshot, tables: &Tables) -> Result<Vec<CopiedTable>, StoreError> {
        for table in tables.tables.iter().rev() {
            self.0.execute_unprepared(&table.delete()).await?;
        }
        let mut copied = Vec::new();
        for table in &tables.tables {
            let source = copy(&from.0, &self.0, table).await.map_err(|error| error.about(&table.name))?;
            let target = summary(&self.0, table).await.map_err(|error| error.about(&table.name))?;
            copied.push(CopiedTable { source, target });
        }
        Ok(copied)
    }

    /// Ends credentials: what, and how many of each.
    pub async fn end(
        &self,
        end_credentials: EndCredentials,
        now: SystemTime,
    ) -> Result<Vec<(&'static str, u64)>, StoreError> {
        let mut ended = Vec::new();
        for Ending { what, statement } in end_credentials(now, backend(&self.0)) {
            ended.push((what, self.0.execute_unprepared(&statement).await?.rows_affected()));
        }
        Ok(ended)
    }

    /// Makes it durable.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.0.commit().await?)
    }

    pub(crate) fn transaction(&self) -> &DatabaseTransaction {
        &self.0
    }
}

/// The statements that end what a service has handed out, at a time and for a kind of database.
pub type EndCredentials = fn(SystemTime, DbBackend) -> Vec<Ending>;

/// A statement that ends credentials, after a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// What it ends, in the plural; empty if it cannot be counted.
    pub what: &'static str,
    /// The statement.
    pub statement: String,
}

/// For a service that hands out no credentials.
pub fn no_credentials(_now: SystemTime, _backend: DbBackend) -> Vec<Ending> {
    Vec::new()
}

impl Database {
    /// The state of the database at this moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Snapshot::taken(self.begin_to_read().await?).await
    }

    /// The same of a database that was opened by [`connect_alone`](Self::connect_alone). Until it ends, no other session of `PostgreSQL`
    /// writes to these tables, which have to exist; `patience` is how long their locks are waited for.
    ///
    /// # Errors
    /// As of [`begin_replacement_alone`](Self::begin_replacement_alone).
    pub async fn snapshot_alone(&self, tables: &[Tables], patience: Duration) -> Result<Snapshot, StoreError> {
        let transaction = self.begin_to_read().await?;
        // before the first statement that reads, so that what others have written until now is in the snapshot
        lock(&transaction, tables, "SHARE", patience).await?;
        let snapshot = Snapshot::taken(transaction).await?;
        self.look_for_sessions(&snapshot.0).await?;
        Ok(snapshot)
    }

    async fn begin_to_read(&self) -> Result<DatabaseTransaction, StoreError> {
        let isolation_level = self.is_postgres().then_some(IsolationLevel::RepeatableRead);
        let options = TransactionOptions { isolation_level, ..TransactionOptions::default() };
        Ok(self.reader().begin(options).await?)
    }

    /// Begins to replace all rows of services.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_replacement(&self) -> Result<Replacement, StoreError> {
        Ok(Replacement(self.begin_as_writer().await?))
    }

    /// The same, with these tables locked: until it ends, no other session of `PostgreSQL` reads or writes them. `patience` is how long
    /// the locks are waited for.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] also if another session uses one of the tables for longer.
    pub async fn begin_locked_replacement(
        &self,
        tables: &[Tables],
        patience: Duration,
    ) -> Result<Replacement, StoreError> {
        let replacement = self.begin_replacement().await?;
        lock(&replacement.0, tables, "ACCESS EXCLUSIVE", patience).await?;
        Ok(replacement)
    }

    /// The same in a database that was opened by [`connect_alone`](Self::connect_alone). Other sessions are looked for again once the
    /// tables are locked: one that has begun since may have read them before.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] also if there is another session.
    pub async fn begin_replacement_alone(
        &self,
        tables: &[Tables],
        patience: Duration,
    ) -> Result<Replacement, StoreError> {
        let replacement = self.begin_locked_replacement(tables, patience).await?;
        self.look_for_sessions(&replacement.0).await?;
        Ok(replacement)
    }
}

/// Locks tables until the transaction ends, on `PostgreSQL`; a `SQLite` file is locked as a whole.
async fn lock(
    transaction: &DatabaseTransaction,
    tables: &[Tables],
    mode: &str,
    patience: Duration,
) -> Result<(), StoreError> {
    let names: Vec<_> = tables.iter().flat_map(|tables| &tables.tables).map(Table::quoted_name).collect();
    if names.is_empty() || backend(transaction) != DbBackend::Postgres {
        return Ok(());
    }
    transaction.execute_unprepared(&format!("SET LOCAL lock_timeout = {}", patience.as_millis())).await?;
    transaction.execute_unprepared(&format!("LOCK TABLE {} IN {mode} MODE", names.join(", "))).await?;
    Ok(())
}

impl Snapshot {
    async fn taken(transaction: DatabaseTransaction) -> Result<Self, StoreError> {
        // the first statement that reads decides which state all of them read
        let backend = backend(&transaction);
        let first = if backend == DbBackend::Postgres { "SELECT 1" } else { "SELECT count(*) FROM sqlite_master" };
        transaction.query_one_raw(Statement::from_string(backend, first)).await?;
        Ok(Self(transaction))
    }
}

async fn summaries(transaction: &DatabaseTransaction, tables: &[Table]) -> Result<Vec<TableSummary>, StoreError> {
    let mut summaries = Vec::with_capacity(tables.len());
    for table in tables {
        summaries.push(summary(transaction, table).await.map_err(|error| error.about(&table.name))?);
    }
    Ok(summaries)
}

async fn summary(transaction: &DatabaseTransaction, table: &Table) -> Result<TableSummary, StoreError> {
    read(transaction, table, None).await
}

async fn copy(from: &DatabaseTransaction, to: &DatabaseTransaction, table: &Table) -> Result<TableSummary, StoreError> {
    let mut batch = Batch::new(to, table);
    let summary = read(from, table, Some(&mut batch)).await?;
    batch.flush().await?;
    if let Some(sql) = table.advance_sequence().filter(|_| backend(to) == DbBackend::Postgres) {
        to.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    }
    Ok(summary)
}

/// Two traits have this method.
fn backend(transaction: &DatabaseTransaction) -> DbBackend {
    ConnectionTrait::get_database_backend(transaction)
}

/// Reads all rows of a table, one at a time.
async fn read(
    transaction: &DatabaseTransaction,
    table: &Table,
    mut into: Option<&mut Batch<'_>>,
) -> Result<TableSummary, StoreError> {
    let backend = backend(transaction);
    let mut fingerprinter = table.fingerprinter();
    let mut count = 0;
    let mut rows = transaction.stream_raw(Statement::from_string(backend, table.select(backend))).await?;
    while let Some(row) = rows.try_next().await? {
        let values = table.values(&row, &mut fingerprinter)?;
        if let Some(batch) = &mut into {
            batch.add(values).await?;
        }
        count += 1;
    }
    Ok(TableSummary { table: table.name.clone(), rows: count, checksum: Checksum(fingerprinter.finish()) })
}

/// Rows that are inserted together.
struct Batch<'a> {
    to: &'a DatabaseTransaction,
    table: &'a Table,
    values: Vec<Value>,
    rows: usize,
    most: usize,
}

impl<'a> Batch<'a> {
    fn new(to: &'a DatabaseTransaction, table: &'a Table) -> Self {
        let most = (MOST_VALUES / table.width().max(1)).clamp(1, MOST_ROWS);
        Self { to, table, values: Vec::new(), rows: 0, most }
    }

    async fn add(&mut self, row: Vec<Value>) -> Result<(), StoreError> {
        self.values.extend(row);
        self.rows += 1;
        if self.rows < self.most { Ok(()) } else { self.flush().await }
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        if self.rows == 0 {
            return Ok(());
        }
        let backend = backend(self.to);
        let sql = self.table.insert(backend, self.rows);
        let insert = Statement::from_sql_and_values(backend, sql, std::mem::take(&mut self.values));
        self.rows = 0;
        self.to.execute_raw(insert).await?;
        Ok(())
    }
}
