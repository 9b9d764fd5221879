//! What a database does, on both kinds.

mod announce;
mod backup;
mod disk;
mod measures;
mod migrate;
mod outbox;
mod pooler;
mod prune;
mod serializable;
mod server;
mod tls;
mod transfer;

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use runtime::Metrics;
use sea_orm::{ConnectionTrait, DynIden, sea_query::IntoIden};
use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, MigratorTrait, SchemaManager};
use status::Kind;

use crate::testing::{self, Cluster};
use crate::url::check_url;
use crate::{Database, Options, StoreError, redacted, sqlite_url};

struct Schema;

#[async_trait::async_trait]
impl MigratorTrait for Schema {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Things)]
    }

    fn migration_table_name() -> DynIden {
        "things_migrations".into_iden()
    }
}

#[derive(DeriveMigrationName)]
struct Things;

#[expect(elided_lifetimes_in_paths, reason = "async_trait needs the lifetimes as the trait has them")]
#[async_trait::async_trait]
impl MigrationTrait for Things {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = "CREATE TABLE things (id INTEGER PRIMARY KEY, name VARCHAR(20) UNIQUE);
            CREATE TABLE parts (thing INTEGER REFERENCES things (id))";
        manager.get_connection().execute_unprepared(tables).await.map(drop)
    }
}

async fn write(database: &Database, sql: &str) -> Result<(), StoreError> {
    Ok(database.connection().execute_unprepared(sql).await.map(drop)?)
}

/// The only number that a question has for an answer.
async fn number(database: &Database, sql: &str) -> i64 {
    let question = sea_orm::Statement::from_string(database.connection().get_database_backend(), sql);
    let row = database.reader().query_one_raw(question).await.unwrap().expect("a row");
    row.try_get_by_index(0).expect("a number")
}

async fn suite(database: Database) {
    let (one, two) = tokio::join!(database.migrate::<Schema>(), database.migrate::<Schema>());
    if database.is_postgres() {
        one.and(two).expect("two replicas migrate at the same time");
    }
    database.migrate::<Schema>().await.expect("migrating again changes nothing");
    database.check_writable().await.expect("it answers");
    assert_eq!(database.time().await.expect("it answers").is_some(), database.is_postgres());

    write(&database, "INSERT INTO things VALUES (1, 'one')").await.unwrap();
    let taken = write(&database, "INSERT INTO things VALUES (2, 'one')").await.unwrap_err();
    assert_eq!(taken.kind(), Kind::AlreadyExists);
    assert!(taken.is_taken("name") && !taken.is_taken("colour") && !taken.is_missing_reference(), "{taken}");
    let missing = write(&database, "INSERT INTO parts VALUES (7)").await.unwrap_err();
    assert!(missing.is_missing_reference() && !missing.is_taken("thing"), "{missing}");
    assert_eq!(write(&database, "no SQL").await.unwrap_err().kind(), Kind::Internal);

    let undone = database.begin_write().await.unwrap();
    undone.execute_unprepared("INSERT INTO things VALUES (3, 'three')").await.unwrap();
    drop(undone);
    write(&database, "INSERT INTO things VALUES (3, 'three')").await.expect("what was not committed is undone");
    competing_writers(&database).await;
}

/// Both read, then write what they read plus one: nothing may be lost.
async fn competing_writers(database: &Database) {
    write(database, "INSERT INTO things VALUES (10, '0')").await.unwrap();
    let increment = async || {
        for _ in 0..10 {
            database.run(|| increment_once(database)).await.unwrap();
        }
    };
    tokio::join!(increment(), increment(), increment());
    let row = sea_orm::Statement::from_string(
        database.connection().get_database_backend(),
        "SELECT name FROM things WHERE id = 10",
    );
    let row = database.connection().query_one_raw(row).await.unwrap().unwrap();
    assert_eq!(row.try_get::<String>("", "name").unwrap(), "30");
}

async fn increment_once(database: &Database) -> Result<(), StoreError> {
    let transaction = database.begin_serializable().await?;
    let row =
        sea_orm::Statement::from_string(transaction.get_database_backend(), "SELECT name FROM things WHERE id = 10");
    let row = transaction.query_one_raw(row).await?.expect("the row is there");
    let count: u32 = row.try_get::<String>("", "name")?.parse().expect("a number");
    transaction.execute_unprepared(&format!("UPDATE things SET name = '{}' WHERE id = 10", count + 1)).await?;
    Ok(transaction.commit().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance_on_sqlite() {
    let database = testing::sqlite();
    let opened = database.open().await;
    opened.migrate::<Schema>().await.unwrap();
    suite(opened).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    let metrics = Metrics::default();
    suite(cluster.fresh_database().await.open().await.measured(&metrics)).await;
    let text = metrics.render();
    assert!(text.contains("doorward_database_connections"), "{text}");
    assert!(!text.contains("doorward_database_pool_wait_seconds_count 0\n"), "{text}");

    let database = cluster.fresh_database().await;
    let limits = Options { statement_timeout: Duration::from_millis(100), ..Options::default() };
    let database = Database::connect(database.url(), &limits).await.unwrap();
    let slow = write(&database, "SELECT pg_sleep(30)").await.unwrap_err();
    assert_eq!(slow.kind(), Kind::Unavailable, "{slow}");
}

#[tokio::test]
async fn sqlite_files_are_private_and_synced() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/er 100%?/people.db");
    let database = Database::connect(&sqlite_url(&file), &Options::default()).await.unwrap();
    write(&database, "CREATE TABLE t (a INTEGER)").await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&file.with_extension("db-wal")), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    for (pragma, expected) in [("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 5000), ("cache_size", -512)] {
        let sql = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, format!("PRAGMA {pragma}"));
        let row = database.connection().query_one_raw(sql).await.unwrap().unwrap();
        assert_eq!(row.try_get_by_index::<i32>(0).unwrap(), expected, "{pragma}");
    }
}

#[tokio::test]
async fn a_claim_keeps_others_out_until_it_is_dropped() {
    let database = testing::sqlite();
    let first = database.open().await.claim("users", Duration::ZERO).await.unwrap();
    let clone = first.clone();
    let refused = database.open().await.claim("users", Duration::from_millis(60)).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Unavailable);
    database.open().await.claim("passwords", Duration::ZERO).await.expect("another service's claim is its own");
    drop((first, clone));
    database.open().await.claim("users", Duration::ZERO).await.expect("it is free again");
}

#[tokio::test]
async fn only_what_may_succeed_is_tried_again() {
    let database = testing::sqlite().open().await;
    let tries = AtomicU32::new(0);
    let outcome = database
        .run(|| {
            tries.fetch_add(1, Ordering::Relaxed);
            async { Err::<(), _>(StoreError::internal("no")) }
        })
        .await;
    assert_eq!(outcome.unwrap_err().kind(), Kind::Internal);
    assert_eq!(tries.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_dead_server_is_unavailable_and_its_password_stays_secret() {
    let url = "postgres://doorward:s3cret@127.0.0.1:1/people?password=s3cret";
    let options = Options { patience: Duration::ZERO, ..Options::default() };
    let error = Database::connect(url, &options).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}

#[test]
fn urls_are_redacted() {
    let cases = [
        ("postgres://doorward:p%40ss@db:5432/people?password=x", "postgres://***@db:5432/people"),
        ("postgres://a:b@c@db/people", "postgres://***@db/people"),
        ("sqlite:///var/lib/people.db", "sqlite:///var/lib/people.db"),
        ("password", "***"),
    ];
    for (url, shown) in cases {
        assert_eq!(redacted(url), shown);
    }
}

#[test]
fn urls_are_checked() {
    for good in ["sqlite:///a/b.db", "sqlite://b.db", "postgres://u:p@h/d", "postgresql://h/d"] {
        assert_eq!(check_url(good), Ok(()), "{good}");
    }
    for bad in ["", "mysql://h/d", "sqlite::memory:", "sqlite://", "postgres://h:port/d", "/a/b.db"] {
        assert!(check_url(bad).is_err(), "{bad}");
    }
}
