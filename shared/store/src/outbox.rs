//! Tables in which a transaction leaves rows for other replicas, which each replica reads once they are committed.
//!
//! A row has the time at which it was written (`at`, by the clock of the database), and on `PostgreSQL` the transaction that has
//! written it (`transaction_id`). By the time alone, a replica reads the rows of the last [`WINDOW`], and misses those of a
//! transaction that takes longer to commit. By the transaction, it reads the rows of all transactions that had not ended at the
//! previous read, however long they last. It does both: a server that takes over from a failed one may have lost its last
//! transactions, and numbers others as it had numbered those. A replica that notices another server reads everything again.

mod migration;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sea_query::Expr;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::columns::{span, statement_time};
use crate::{Database, StoreError};

pub use migration::{number_transactions, postgres_version};

/// How far back each read goes by the clock of the database.
const WINDOW: Duration = Duration::from_secs(15);
/// A replica that has read nothing for so long forgets all that it remembers. Others have read all rows of transactions that
/// ended before that.
const READ_AFTER: Duration = Duration::from_mins(1);
/// A row of this age was committed long ago, whatever is known of its transaction.
const LONGEST_TRANSACTION: Duration = Duration::from_hours(24);

/// The rows of an outbox that a replica has to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// SQL that is the same for each poll, so that its plan is made once.
    condition: String,
    /// The values of its parameters.
    parameters: Vec<String>,
    may_lack_changes: bool,
}

impl Unread {
    /// The condition that they meet. Some that were read before meet it too.
    pub fn condition(&self) -> Expr {
        Expr::cust_with_values(self.condition.clone(), self.parameters.iter().cloned())
    }

    /// Whether other changes may have been missed before: then nothing that was read before them counts any more.
    pub fn may_lack_changes(&self) -> bool {
        self.may_lack_changes
    }

    /// The same, if other changes may have been missed.
    pub(crate) fn or_lacking(self, lacks_changes: bool) -> Self {
        Self { may_lack_changes: self.may_lack_changes || lacks_changes, ..self }
    }

    /// Those of the last [`WINDOW`].
    pub(crate) fn recent(backend: DbBackend, may_lack_changes: bool) -> Self {
        Self { condition: format!("({})", is_recent(backend)), parameters: Vec::new(), may_lack_changes }
    }
}

fn is_recent(backend: DbBackend) -> String {
    format!("at > {} - {}", statement_time(backend), span(WINDOW))
}

/// An outbox on `PostgreSQL`, and how far this replica has read it.
#[derive(Debug)]
pub(crate) struct Outbox {
    database: Database,
    /// `None` on servers without transaction numbers.
    progress: Option<Mutex<Progress>>,
}

impl Outbox {
    /// A table that is read from now on: what was committed before is not read.
    pub(crate) async fn open(table: &'static str, database: &Database) -> Result<Self, StoreError> {
        let mut outbox = Self { database: database.clone(), progress: None };
        if outbox.has_transaction_ids(table).await? {
            let progress = Progress::new(outbox.snapshot().await?, Instant::now());
            outbox.progress = Some(Mutex::new(progress));
        }
        Ok(outbox)
    }

    /// What to read, and how far all is read after that.
    pub(crate) async fn begin(&self) -> Result<(Unread, Option<Snapshot>), StoreError> {
        let Some(progress) = &self.progress else { return Ok((Unread::recent(DbBackend::Postgres, false), None)) };
        // before the rows are read, so that what is committed between the two is read twice and not missed
        let snapshot = self.snapshot().await?;
        let unread = lock(progress).unread(&snapshot);
        Ok((unread, Some(snapshot)))
    }

    /// Notes that all is read as far as [`begin`](Self::begin) has said.
    pub(crate) fn advance(&self, snapshot: Option<Snapshot>) {
        if let (Some(progress), Some(snapshot)) = (&self.progress, snapshot) {
            lock(progress).advance(snapshot, Instant::now());
        }
    }

    /// The SQL condition of rows of this age that every replica has read.
    pub(crate) fn read_by_all(&self, age: Duration) -> String {
        match &self.progress {
            Some(progress) => lock(progress).read_by_all(age),
            None => format!("({})", older(age)),
        }
    }

    /// Whether the migrations have found a server that numbers transactions.
    async fn has_transaction_ids(&self, table: &str) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT 1 AS found FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass('{table}') \
             AND attname = 'transaction_id' AND NOT attisdropped"
        );
        let read = || async {
            let query = Statement::from_string(DbBackend::Postgres, sql.as_str());
            Ok(self.database.reader().query_one_raw(query).await?.is_some())
        };
        self.database.run(read).await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let read = || async {
            let sql = "SELECT pg_current_snapshot()::text AS snapshot, \
                       extract(epoch FROM pg_postmaster_start_time())::text AS server";
            let row = self.database.reader().query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
            let row = row.ok_or_else(|| StoreError::internal("the server does not know its transactions"))?;
            Ok((row.try_get::<String>("", "snapshot")?, row.try_get::<String>("", "server")?))
        };
        let (text, server) = self.database.run(read).await?;
        Snapshot::parse(&text, &server)
            .ok_or_else(|| StoreError::internal(format!("{text:?} is no snapshot of transactions")))
    }
}

fn lock(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which transactions had ended at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// As the server writes it: `xmin:xmax:xip,...`.
    text: String,
    /// All transactions below this one had ended.
    oldest: u64,
    /// When the server was started, which tells servers apart.
    server: String,
}

impl Snapshot {
    fn parse(text: &str, server: &str) -> Option<Self> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':' || byte == b',');
        let oldest = text.split_once(':')?.0.parse().ok()?;
        is_plain.then(|| Self { text: text.to_owned(), oldest, server: server.to_owned() })
    }

    /// Whether it is a later one of the same server, whose numbers only grow.
    fn follows(&self, earlier: &Self) -> bool {
        self.server == earlier.server && self.oldest >= earlier.oldest
    }
}

#[derive(Debug)]
struct Progress {
    /// All rows of transactions that had ended here are read.
    read: Snapshot,
    /// A former [`Snapshot::oldest`], and when it was read.
    candidate: (u64, Instant),
    /// One that is at least [`READ_AFTER`] old.
    read_by_all: Option<u64>,
}

impl Progress {
    fn new(read: Snapshot, now: Instant) -> Self {
        Self { candidate: (read.oldest, now), read, read_by_all: None }
    }

    fn unread(&self, now: &Snapshot) -> Unread {
        let Snapshot { text, oldest, .. } = &self.read;
        let recent = is_recent(DbBackend::Postgres);
        // rows of another server, as after a restore, may have numbers that no transaction of this one has yet
        let condition = format!(
            "({recent} OR (transaction_id >= $1::text::xid8 AND transaction_id < pg_snapshot_xmax(pg_current_snapshot()) \
             AND NOT pg_visible_in_snapshot(transaction_id, $2::text::pg_snapshot)))"
        );
        let parameters = vec![oldest.to_string(), text.clone()];
        Unread { condition, parameters, may_lack_changes: !now.follows(&self.read) }
    }

    fn advance(&mut self, read: Snapshot, now: Instant) {
        if !read.follows(&self.read) {
            *self = Self::new(read, now);
            return;
        }
        let (oldest, at) = self.candidate;
        if now.saturating_duration_since(at) >= READ_AFTER {
            self.read_by_all = Some(oldest);
            self.candidate = (read.oldest, now);
        }
        self.read = read;
    }

    fn read_by_all(&self, age: Duration) -> String {
        let long_ago = older(age.max(LONGEST_TRANSACTION));
        match self.read_by_all {
            Some(oldest) => format!("({} AND (transaction_id < '{oldest}'::xid8 OR {long_ago}))", older(age)),
            None => format!("({long_ago})"),
        }
    }
}

fn older(age: Duration) -> String {
    format!("at < {} - {}", statement_time(DbBackend::Postgres), span(age))
}

#[cfg(test)]
mod tests {
    use sea_orm::sea_query::Query;

    use super::*;

    const NO_AGE: Duration = Duration::ZERO;

    fn snapshot(oldest: u64) -> Snapshot {
        of_server("1764450000.5", oldest)
    }

    fn of_server(server: &str, oldest: u64) -> Snapshot {
        Snapshot::parse(&format!("{oldest}:{}:", oldest + 5), server).expect("a snapshot")
    }

    #[test]
    fn snapshot_is_digits_and_separators() {
        let parsed = Snapshot::parse("10:20:10,14,15", "1").expect("a snapshot");
        assert_eq!((parsed.oldest, &*parsed.text), (10, "10:20:10,14,15"));
        for bad in ["", "10", ":20:", "10:20:'", "x:20:", "-1:20:", "10:20:10;", "99999999999999999999:20:"] {
            assert_eq!(Snapshot::parse(bad, "1"), None, "{bad}");
        }
    }

    #[test]
    fn polls_are_one_statement_whose_parameters_differ() {
        let poll = |oldest| {
            let unread = Progress::new(snapshot(oldest), Instant::now()).unread(&snapshot(oldest));
            DbBackend::Postgres
                .build(&Query::select().column("id").from("changes").and_where(unread.condition()).take())
        };
        let (first, second) = (poll(10), poll(20));
        assert_eq!(first.sql, second.sql);
        assert!(first.sql.contains("transaction_id >= $1::text::xid8"), "{}", first.sql);
        assert!(first.sql.contains("pg_visible_in_snapshot(transaction_id, $2::text::pg_snapshot)"), "{}", first.sql);
        assert_ne!(first.values, second.values);
        let sqlite = Query::select()
            .column("id")
            .from("changes")
            .and_where(Unread::recent(DbBackend::Sqlite, false).condition())
            .take();
        assert_eq!(DbBackend::Sqlite.build(&sqlite).values.map_or(0, |values| values.0.len()), 0);
    }

    /// Row [A16](../../../docs/security-requirements.md#a16).
    #[test]
    fn rows_are_read_by_all_once_their_transactions_ended_a_minute_ago() {
        let start = Instant::now();
        let mut progress = Progress::new(snapshot(10), start);
        progress.advance(snapshot(20), start + READ_AFTER / 2);
        assert_eq!(
            progress.read_by_all(NO_AGE),
            format!("({})", older(LONGEST_TRANSACTION)),
            "nothing is known of other replicas"
        );
        progress.advance(snapshot(30), start + READ_AFTER);
        assert!(progress.read_by_all(NO_AGE).contains("transaction_id < '10'"), "{}", progress.read_by_all(NO_AGE));
        progress.advance(snapshot(40), start + READ_AFTER * 3 / 2);
        assert!(progress.read_by_all(NO_AGE).contains("transaction_id < '10'"));
        progress.advance(snapshot(50), start + READ_AFTER * 2);
        assert!(progress.read_by_all(NO_AGE).contains("transaction_id < '30'"));
    }

    /// Row [A16](../../../docs/security-requirements.md#a16).
    #[test]
    fn server_that_has_lost_transactions_begins_anew() {
        let start = Instant::now();
        let mut progress = Progress::new(snapshot(10), start);
        assert!(!progress.unread(&snapshot(10)).may_lack_changes());
        progress.advance(snapshot(20), start + READ_AFTER);
        assert!(progress.unread(&snapshot(19)).may_lack_changes());
        progress.advance(snapshot(19), start + READ_AFTER);
        assert!(!progress.unread(&snapshot(19)).may_lack_changes());
        assert_eq!(progress.read_by_all, None, "what is known of the former server does not count");
    }

    /// Row [A16](../../../docs/security-requirements.md#a16).
    #[test]
    fn another_server_begins_anew_although_its_numbers_are_larger() {
        let start = Instant::now();
        let mut progress = Progress::new(snapshot(10), start);
        progress.advance(snapshot(20), start + READ_AFTER);
        let another = of_server("1764450001", 30);
        assert!(progress.unread(&another).may_lack_changes());
        progress.advance(another.clone(), start + READ_AFTER);
        assert!(!progress.unread(&another).may_lack_changes());
        assert_eq!(progress.read_by_all, None, "what is known of the former server does not count");
        assert!(progress.unread(&snapshot(40)).may_lack_changes(), "the former one answers again");
    }
}
