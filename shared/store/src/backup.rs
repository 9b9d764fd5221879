//! A backup: one `SQLite` file with the tables of all services, a list of them with counts and checksums, and sealed secrets.

mod files;

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value};
use status::Kind;

pub use self::files::{Existing, ReceivedBackup, unfinished};
use self::files::{TemporaryFile, publish};
use crate::transfer::{Replacement, Snapshot, TableSummary, Tables};
use crate::{Database, Migrations, SchemaStatus, StoreError};

/// The number of this layout of the file.
const FORMAT: &str = "1";
/// How every `SQLite` file begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// The tables of the file that are not a service's.
const LAYOUT: &str = "CREATE TABLE doorward_backup (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE doorward_backup_tables (
        service TEXT NOT NULL, name TEXT PRIMARY KEY, row_count INTEGER NOT NULL, checksum TEXT NOT NULL
    );
    CREATE TABLE doorward_backup_secrets (name TEXT PRIMARY KEY, sealed BLOB NOT NULL)";

/// Why a backup cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It is another kind of file.
    #[error("{}: is no backup of doorward", .0.display())]
    Foreign(PathBuf),
    /// A newer version has written it.
    #[error("{}: was made by a newer version ({version}): restore it with that version or a later one", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// That version.
        version: String,
    },
    /// It was changed since it was written, or is incomplete.
    #[error("{}: is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is a file of the name of a new backup.
    #[error("{}: there is such a file already", .0.display())]
    Exists(PathBuf),
    /// There is a file that an earlier backup of the same name has not completed.
    #[error("{}: another backup of this name is being written, or was interrupted and has left this file", .0.display())]
    Unfinished(PathBuf),
    /// A database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    /// The kind of the failure.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Foreign(_) | Self::Newer { .. } | Self::Damaged { .. } => Kind::InvalidArgument,
            Self::File { .. } | Self::Unfinished(_) => Kind::FailedPrecondition,
            Self::Exists(_) => Kind::AlreadyExists,
            Self::Store(error) => error.kind(),
        }
    }
}

/// A backup that is being written, to a file with another name until it is complete.
pub struct BackupWriter {
    database: Database,
    replacement: Replacement,
    temporary: TemporaryFile,
    path: PathBuf,
    existing: Existing,
}

impl BackupWriter {
    /// Begins a backup in an empty file, which has these services. `suffix` (32 hexadecimal digits) tells the temporary file apart from
    /// others; `existing` says what becomes of a file that has the name already, and of what an interrupted backup has left.
    ///
    /// # Errors
    /// When the file cannot be made, or [`BackupError::Unfinished`].
    pub async fn create(
        path: &Path,
        suffix: &str,
        services: &[Migrations],
        existing: Existing,
    ) -> Result<Self, BackupError> {
        files::clear(path, existing)?;
        let (temporary, _) = TemporaryFile::create(files::temporary(path, suffix))?;
        let database = Database::open_file(temporary.path()).await?;
        database.connection().execute_unprepared(LAYOUT).await.map_err(StoreError::from)?;
        for migrations in services {
            database.bring_up_to_date(*migrations).await?;
        }
        let replacement = database.begin_replacement().await?;
        Ok(Self { database, replacement, temporary, path: path.to_owned(), existing })
    }

    /// Adds the rows of a service.
    ///
    /// # Errors
    /// When a database fails, or the rows are not the same when they are read again.
    pub async fn add(&self, service: &str, from: &Snapshot, tables: &Tables) -> Result<Vec<TableSummary>, BackupError> {
        let copied = self.replacement.copy(from, tables).await?;
        if let Some(other) = copied.iter().find(|table| !table.is_equal()) {
            let table = &other.source.table;
            return Err(StoreError::internal(format!(
                "{table}: the rows that were written are not those that were read"
            ))
            .into());
        }
        let summaries: Vec<_> = copied.into_iter().map(|table| table.source).collect();
        for TableSummary { table, rows, checksum } in &summaries {
            let rows = i64::try_from(*rows).unwrap_or(i64::MAX);
            let values = [service.into(), table.as_str().into(), rows.into(), checksum.to_string().into()];
            self.insert("doorward_backup_tables (service, name, row_count, checksum)", values).await?;
        }
        Ok(summaries)
    }

    /// Adds a sealed secret.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn add_secret(&self, name: &str, sealed: Vec<u8>) -> Result<(), BackupError> {
        self.insert("doorward_backup_secrets (name, sealed)", [name.into(), sealed.into()]).await
    }

    /// Adds a property of the backup.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn add_property(&self, name: &str, value: &str) -> Result<(), BackupError> {
        self.insert("doorward_backup (name, value)", [name.into(), value.into()]).await
    }

    async fn insert<const N: usize>(&self, into: &str, values: [Value; N]) -> Result<(), BackupError> {
        let sql = format!("INSERT INTO {into} VALUES ({})", vec!["?"; N].join(", "));
        let insert = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
        self.replacement.transaction().execute_raw(insert).await.map_err(StoreError::from)?;
        Ok(())
    }

    /// Completes the backup by a program of this version: the file has its name once all of it is on disk.
    ///
    /// # Errors
    /// When it cannot be written, or [`BackupError::Exists`]; then there is no new file.
    pub async fn finish(self, version: &str) -> Result<(), BackupError> {
        let (temporary, path, existing) = self.complete(version).await?;
        let failed = |source| BackupError::File { path: path.clone(), source };
        let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all());
        sync(temporary.path()).map_err(failed)?;
        match publish(temporary.path(), &path, existing, |from, to| std::fs::hard_link(from, to)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(BackupError::Exists(path)),
            outcome => outcome.map_err(failed)?,
        }
        drop(temporary);
        sync(files::folder(&path)).map_err(failed)
    }

    /// Completes the backup by a program of this version. It is never a file with its name: what is returned has none any more, and is gone
    /// when it is closed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn finish_unnamed(self, version: &str) -> Result<File, BackupError> {
        let (temporary, ..) = self.complete(version).await?;
        let path = temporary.path();
        File::open(path).map_err(|source| BackupError::File { path: path.to_owned(), source })
    }

    /// Writes all of it, into the file with another name.
    async fn complete(self, version: &str) -> Result<(TemporaryFile, PathBuf, Existing), BackupError> {
        self.add_property("format", FORMAT).await?;
        self.add_property("version", version).await?;
        let Self { database, replacement, temporary, path, existing } = self;
        replacement.commit().await?;
        database.close().await?;
        Ok((temporary, path, existing))
    }
}

/// What a backup says about itself. Backups with equal contents have the same rows, as far as those are verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupContents {
    properties: Vec<(String, String)>,
    tables: Vec<ListedTable>,
    /// The sealed secrets, by their names.
    pub secrets: Vec<(String, Vec<u8>)>,
}

/// A table of a backup, as it was when the backup was made.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ListedTable {
    service: String,
    name: String,
    rows: i64,
    checksum: String,
}

impl BackupContents {
    /// Those of a file, whose rows are not looked at. The file is not written to.
    ///
    /// # Errors
    /// When it is no backup, a newer one or damaged.
    pub async fn of(path: &Path) -> Result<Self, BackupError> {
        open_backup(path)?;
        let database = Database::open_read_only(path).await.map_err(|error| damaged(path, &error))?;
        let contents = Self::read(path, &database).await?;
        database.close().await?;
        Ok(contents)
    }

    async fn read(path: &Path, database: &Database) -> Result<Self, BackupError> {
        let properties = properties(database).await.map_err(|error| damaged(path, &error))?;
        let properties = properties.ok_or_else(|| BackupError::Foreign(path.to_owned()))?;
        let property =
            |wanted: &str| properties.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        match property("format") {
            Some(format) if format == FORMAT => {}
            Some(_) => {
                let version = property("version").unwrap_or_default();
                return Err(BackupError::Newer { path: path.to_owned(), version });
            }
            None => return Err(BackupError::Foreign(path.to_owned())),
        }
        let tables = listed(database).await.map_err(|error| damaged(path, &error))?;
        let secrets = secrets(database).await.map_err(|error| damaged(path, &error))?;
        Ok(Self { properties, tables, secrets })
    }

    /// A property of the backup; empty if it has none of this name.
    pub fn property(&self, name: &str) -> &str {
        self.properties.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// The services, each once.
    pub fn services(&self) -> Vec<&str> {
        let mut services: Vec<_> = self.tables.iter().map(|table| table.service.as_str()).collect();
        services.dedup();
        services
    }
}

/// A backup that is read: a copy of the file, which stays as it is.
pub struct BackupReader {
    database: Database,
    /// What it says about itself.
    pub contents: BackupContents,
    /// The file that the operator named.
    path: PathBuf,
    /// Removed after the database is closed.
    _copy: TemporaryFile,
}

impl BackupReader {
    /// Opens a backup by a copy in a folder. All rows are read and compared with their checksums. `suffix` (32 hexadecimal digits) tells
    /// the copy apart from others; copies that interrupted commands have left in the folder are removed.
    ///
    /// # Errors
    /// When it is no backup, a newer one or damaged.
    pub async fn open(path: &Path, folder: &Path, suffix: &str) -> Result<Self, BackupError> {
        let copy = folder.join("backup");
        files::clear(&copy, Existing::Replaced)?;
        let (copy, mut file) = TemporaryFile::create(files::temporary(&copy, suffix))?;
        let copied = io::copy(&mut open_backup(path)?, &mut file);
        copied.map_err(|source| BackupError::File { path: path.to_owned(), source })?;
        let database = Database::open_file(copy.path()).await.map_err(|error| damaged(path, &error))?;
        let contents = BackupContents::read(path, &database).await?;
        let reader = Self { database, contents, path: path.to_owned(), _copy: copy };
        reader.verify().await?;
        Ok(reader)
    }

    /// Brings the schema of a service up to date, in the copy.
    ///
    /// # Errors
    /// [`BackupError::Newer`] if a newer version has made it.
    pub async fn migrate(&self, migrations: Migrations) -> Result<(), BackupError> {
        let SchemaStatus { newer, pending, .. } = self.database.schema_status(migrations).await?;
        if !newer.is_empty() {
            let version = format!("{}, with the steps {}", self.contents.property("version"), newer.join(", "));
            return Err(BackupError::Newer { path: self.path.clone(), version });
        }
        if !pending.is_empty() {
            self.database.bring_up_to_date(migrations).await?;
        }
        Ok(())
    }

    /// The rows.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn snapshot(&self) -> Result<Snapshot, BackupError> {
        Ok(self.database.snapshot().await?)
    }

    async fn verify(&self) -> Result<(), BackupError> {
        let failed = |error: StoreError| damaged(&self.path, &error);
        let names: Vec<String> = self.contents.tables.iter().map(|table| table.name.clone()).collect();
        let snapshot = self.database.snapshot().await.map_err(failed)?;
        let found = snapshot.summaries_of(&names).await.map_err(failed)?;
        for table in &self.contents.tables {
            let is_same = |one: &TableSummary| {
                one.table == table.name
                    && i64::try_from(one.rows) == Ok(table.rows)
                    && one.checksum.to_string() == table.checksum
            };
            if !found.iter().any(is_same) {
                let problem = format!("the table {} has not the rows that were written", table.name);
                return Err(BackupError::Damaged { path: self.path.clone(), problem });
            }
        }
        Ok(())
    }
}

fn damaged(path: &Path, error: &StoreError) -> BackupError {
    BackupError::Damaged { path: path.to_owned(), problem: error.to_string() }
}

/// The properties; `None` for a database that is no backup.
async fn properties(database: &Database) -> Result<Option<Vec<(String, String)>>, StoreError> {
    let sql = "SELECT name FROM sqlite_master WHERE name = 'doorward_backup'";
    if query(database, sql, |row| row.try_get::<String>("", "name")).await?.is_empty() {
        return Ok(None);
    }
    let pair = |row: &QueryResult| -> Result<_, DbErr> { Ok((row.try_get("", "name")?, row.try_get("", "value")?)) };
    query(database, "SELECT name, value FROM doorward_backup", pair).await.map(Some)
}

async fn listed(database: &Database) -> Result<Vec<ListedTable>, StoreError> {
    let table = |row: &QueryResult| -> Result<_, DbErr> {
        let (service, name) = (row.try_get("", "service")?, row.try_get("", "name")?);
        Ok(ListedTable { service, name, rows: row.try_get("", "row_count")?, checksum: row.try_get("", "checksum")? })
    };
    let sql = "SELECT service, name, row_count, checksum FROM doorward_backup_tables ORDER BY rowid";
    query(database, sql, table).await
}

async fn secrets(database: &Database) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let secret = |row: &QueryResult| -> Result<_, DbErr> { Ok((row.try_get("", "name")?, row.try_get("", "sealed")?)) };
    query(database, "SELECT name, sealed FROM doorward_backup_secrets ORDER BY name", secret).await
}

async fn query<T>(
    database: &Database,
    sql: &str,
    read: impl Fn(&QueryResult) -> Result<T, DbErr>,
) -> Result<Vec<T>, StoreError> {
    let rows = database.connection().query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// A file that begins as a `SQLite` file does.
fn open_backup(path: &Path) -> Result<File, BackupError> {
    let failed = |source| BackupError::File { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut head = [0; MAGIC.len()];
    match file.read_exact(&mut head) {
        Ok(()) if head == *MAGIC => {}
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(failed(error)),
        _ => return Err(BackupError::Foreign(path.to_owned())),
    }
    file.rewind().map_err(failed)?;
    Ok(file)
}
