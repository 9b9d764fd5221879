//! What can go wrong with a database.

use std::fmt;

use runtime::Misconfigured;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, sqlx};
use sqlx::sqlite::SqliteError;
use status::Kind;

/// Why the database did not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or has no capacity; the same call may succeed later.
    #[error("the database is not available: {0}")]
    Unavailable(Cause),
    /// The write contradicts what is stored: a value that must be unique is taken, or a row that is referred to is gone.
    #[error("the database holds something that is in conflict: {0}")]
    Conflict(Cause),
    /// A fault of ours, or a damaged database.
    #[error("the database failed: {0}")]
    Internal(Cause),
    /// The settings do not permit the connection.
    #[error("{0}")]
    Misconfigured(#[source] Misconfigured),
}

impl StoreError {
    /// The kind, which decides the CS3 code, the gRPC code and the HTTP status.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unavailable(_) => Kind::Unavailable,
            Self::Conflict(_) => Kind::AlreadyExists,
            Self::Internal(_) => Kind::Internal,
            Self::Misconfigured(_) => Kind::FailedPrecondition,
        }
    }

    /// Whether only another transaction was in the way, so that repeating the whole makes sense.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(cause) if cause.nature == Nature::Transient)
    }

    /// Whether a value is taken in the column or unique index of this name.
    pub fn is_taken(&self, name: &str) -> bool {
        matches!(self, Self::Conflict(cause) if cause.nature == Nature::Unique && cause.text.contains(name))
    }

    /// Whether the row that was referred to does not exist (any more).
    pub fn is_missing_reference(&self) -> bool {
        matches!(self, Self::Conflict(cause) if cause.nature == Nature::Reference)
    }

    /// Whether the disk did not take a write, or fails.
    pub(crate) fn is_of_disk(&self) -> bool {
        matches!(self, Self::Unavailable(cause) if cause.nature == Nature::Disk)
    }

    /// Whether the server refuses to write.
    pub(crate) fn is_read_only(&self) -> bool {
        matches!(self, Self::Unavailable(cause) if cause.nature == Nature::ReadOnly)
    }

    /// Whether there was no connection in time.
    pub(crate) fn is_without_connection(&self) -> bool {
        matches!(self, Self::Unavailable(cause) if cause.nature == Nature::NoConnection)
    }

    /// The server refuses to write.
    pub(crate) fn read_only() -> Self {
        Self::Unavailable(Cause { text: "the server is read-only".to_owned(), nature: Nature::ReadOnly })
    }

    /// There was no connection in time, for this reason.
    pub(crate) fn without_connection(reason: &str) -> Self {
        Self::Unavailable(Cause { text: format!("no connection in time: {reason}"), nature: Nature::NoConnection })
    }

    /// The database did not answer in time.
    pub(crate) fn timed_out() -> Self {
        Self::Unavailable(Cause::new("no answer in time"))
    }

    /// A file cannot be opened or written, for this reason.
    pub(crate) fn of_disk(text: String) -> Self {
        Self::Unavailable(Cause { text, nature: Nature::Disk })
    }

    /// The same error, with what it is about before its text.
    pub(crate) fn about(self, what: &str) -> Self {
        self.with_text(|text| format!("{what}: {text}"))
    }

    /// The same error, with what to do about it after its text.
    pub(crate) fn with_remedy(self, remedy: &str) -> Self {
        self.with_text(|text| format!("{text}; {remedy}"))
    }

    fn with_text(self, change: impl FnOnce(&str) -> String) -> Self {
        let changed = |cause: Cause| Cause { text: change(&cause.text), ..cause };
        match self {
            Self::Unavailable(cause) => Self::Unavailable(changed(cause)),
            Self::Conflict(cause) => Self::Conflict(changed(cause)),
            Self::Internal(cause) => Self::Internal(changed(cause)),
            Self::Misconfigured(error) => Self::Misconfigured(error),
        }
    }

    /// An internal error, described in text.
    pub fn internal(text: impl Into<String>) -> Self {
        Self::Internal(Cause::new(text))
    }
}

/// What the database said, without the values that were written.
#[derive(Clone)]
pub struct Cause {
    text: String,
    nature: Nature,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Nature {
    Plain,
    Transient,
    Disk,
    ReadOnly,
    NoConnection,
    Unique,
    Reference,
}

impl Cause {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), nature: Nature::Plain }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        // the text only: a driver's error may carry the row that it refused
        let text = error.to_string();
        match &error {
            DbErr::Exec(RuntimeErr::SqlxError(source))
            | DbErr::Query(RuntimeErr::SqlxError(source))
            | DbErr::Conn(RuntimeErr::SqlxError(source)) => Self::of_driver(source, text),
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => {
                Self::Unavailable(Cause { text, nature: Nature::NoConnection })
            }
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::Unavailable(Cause::new(text)),
            _ => Self::Internal(Cause::new(text)),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let text = error.to_string();
        Self::of_driver(&error, text)
    }
}

impl StoreError {
    fn of_driver(error: &sqlx::Error, text: String) -> Self {
        use sqlx::Error;
        match error {
            Error::Database(refusal) => {
                let code = refusal.code().unwrap_or_default();
                match refusal.try_downcast_ref::<SqliteError>() {
                    Some(_) => Self::of_sqlite(&code, text),
                    None => Self::of_postgres(&code, text),
                }
            }
            Error::PoolTimedOut => Self::Unavailable(Cause { text, nature: Nature::NoConnection }),
            // what the driver cannot make sense of is an end of the connection in the middle of an answer, or a balancer's own
            // answer: the database is not at the other end
            Error::Io(_)
            | Error::Tls(_)
            | Error::Protocol(_)
            | Error::BeginFailed
            | Error::InvalidSavePointStatement
            | Error::PoolClosed
            | Error::WorkerCrashed => Self::Unavailable(Cause::new(text)),
            _ => Self::Internal(Cause::new(text)),
        }
    }

    /// Extended result codes: <https://www.sqlite.org/rescode.html>; the lowest byte is the primary one.
    fn of_sqlite(code: &str, text: String) -> Self {
        let code: u32 = code.parse().unwrap_or_default();
        match (code, code & 0xff) {
            (1555 | 2067, _) => Self::Conflict(Cause { text, nature: Nature::Unique }),
            (787, _) => Self::Conflict(Cause { text, nature: Nature::Reference }),
            // SQLITE_BUSY, SQLITE_LOCKED
            (_, 5 | 6) => Self::Unavailable(Cause { text, nature: Nature::Transient }),
            // SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN
            (_, 8 | 10 | 13 | 14) => Self::Unavailable(Cause { text, nature: Nature::Disk }),
            _ => Self::Internal(Cause::new(text)),
        }
    }

    /// SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn of_postgres(code: &str, text: String) -> Self {
        match code {
            "23505" => Self::Conflict(Cause { text, nature: Nature::Unique }),
            "23503" => Self::Conflict(Cause { text, nature: Nature::Reference }),
            // serialization_failure, deadlock_detected
            "40001" | "40P01" => Self::Unavailable(Cause { text, nature: Nature::Transient }),
            // read_only_sql_transaction: a standby, or the former primary after a switch-over
            "25006" => Self::Unavailable(Cause { text, nature: Nature::ReadOnly }),
            // lock_not_available: only migrations and commands that move all rows limit how long they wait for a lock
            "55P03" => Self::Unavailable(Cause::new(format!(
                "another session, as of a service or a dump, uses the tables ({text}): end it, or wait for it"
            ))),
            // query_canceled: a statement that took too long
            "57014" => Self::Unavailable(Cause::new(text)),
            // connection exceptions, insufficient resources, operator intervention
            _ if ["08", "53", "57P"].iter().any(|class| code.starts_with(class)) => Self::Unavailable(Cause::new(text)),
            _ => Self::Internal(Cause::new(text)),
        }
    }
}
