//! Writes to a file that fail: by themselves, and behind another process's.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use status::Kind;

use super::{number, write};
use crate::{Database, Options, StoreError, sqlite_url, testing};

/// Checks that an error has the name of the file, of the settings, and of the user.
pub(super) fn assert_explained(error: &StoreError, file: &Path) {
    let text = error.to_string();
    assert_eq!(error.kind(), Kind::Unavailable, "{text}");
    let named = [file, file.parent().unwrap()].map(|path| path.display().to_string());
    let settings = ["OCIS_BASE_DATA_PATH", "OCIS_DATABASE_URL", "(uid "].map(str::to_owned);
    for wanted in named.iter().chain(&settings) {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}

#[tokio::test]
async fn file_that_cannot_be_opened_is_named_with_what_to_check() {
    let folder = tempfile::tempdir().unwrap();
    let below = |name: &str| folder.path().join(name);
    let options = Options::default();
    fs::create_dir(below("folder.db")).unwrap();
    fs::write(below("file"), "").unwrap();
    for file in [below("folder.db"), below("file/users.db")] {
        let url = sqlite_url(&file);
        assert_explained(&Database::connect(&url, &options).await.map(drop).unwrap_err(), &file);
        assert_explained(&Database::connect_alone(&url, &options).await.map(drop).unwrap_err(), &file);
    }
    let database = Database::connect(&sqlite_url(&below("users.db")), &options).await.unwrap();
    fs::create_dir(below("users.db.users.lock")).unwrap();
    let unlocked = database.claim("users", Duration::ZERO).await.map(drop).unwrap_err();
    assert_explained(&unlocked, &below("users.db.users.lock"));

    let text = below("text.db");
    fs::write(&text, "no database".repeat(100)).unwrap();
    let refused = Database::connect(&sqlite_url(&text), &options).await.map(drop).unwrap_err();
    assert_eq!(refused.kind(), Kind::Internal);
    assert!(refused.to_string().contains(&text.display().to_string()), "{refused}");
}

/// A transaction that `SQLite` has rolled back by itself, as after a full disk or an I/O error, and that the driver goes on
/// counting.
#[tokio::test]
async fn transaction_rolled_back_by_sqlite_does_not_swallow_later_ones() {
    let file = testing::sqlite();
    let database = file.open().await;
    write(&database, "CREATE TABLE things (id INTEGER PRIMARY KEY)").await.unwrap();
    write(&database, "INSERT INTO things VALUES (1)").await.unwrap();
    for _ in 0..6 {
        let transaction = database.begin_write().await.unwrap();
        transaction.execute_unprepared("INSERT OR ROLLBACK INTO things VALUES (1)").await.unwrap_err();
        transaction.commit().await.expect_err("there is none any more");
        // one that is given up next would leave a savepoint open, and with it a transaction that never ends
        drop(database.begin_write().await.unwrap());
    }
    for id in 2..12 {
        let transaction = database.begin_write().await.expect("a transaction begins");
        transaction.execute_unprepared(&format!("INSERT INTO things VALUES ({id})")).await.unwrap();
        transaction.commit().await.expect("it is acknowledged");
    }
    assert_eq!(number(&file.open().await, "SELECT count(*) FROM things").await, 11, "what is acknowledged is stored");
}

#[tokio::test]
async fn abandoned_transaction_leaves_a_usable_connection() {
    let file = testing::sqlite();
    let database = file.open().await;
    write(&database, "CREATE TABLE things (id INTEGER PRIMARY KEY)").await.unwrap();
    for _ in 0..3 {
        let transaction = database.begin_write().await.unwrap();
        transaction.execute_unprepared("INSERT INTO things VALUES (1)").await.unwrap();
        drop(transaction);
    }
    write(&database, "INSERT INTO things VALUES (2)").await.unwrap();
    assert_eq!(number(&file.open().await, "SELECT sum(id) FROM things").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_do_not_wait_for_writers() {
    let file = testing::sqlite();
    let (database, other) = (file.open().await, file.open().await);
    write(&database, "CREATE TABLE things (id INTEGER PRIMARY KEY)").await.unwrap();
    // as by another process: for it the file's lock is held for longer than the test lasts
    let held = other.begin_write().await.unwrap();
    let waiting: Vec<_> = (0..8)
        .map(|id| {
            let database = database.clone();
            let sql = format!("INSERT INTO things VALUES ({id})");
            tokio::spawn(async move { database.run(|| write(&database, &sql)).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begin = Instant::now();
    for _ in 0..20 {
        assert_eq!(number(&database, "SELECT count(*) FROM things").await, 0);
    }
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    assert!(waiting.iter().all(|one| !one.is_finished()), "they wait still");
    drop(held);
    for one in waiting {
        one.await.unwrap().expect("it is written");
    }
    assert_eq!(number(&database, "SELECT count(*) FROM things").await, 8);
}

#[tokio::test]
async fn connections_for_reading_refuse_to_write() {
    let file = testing::sqlite();
    let database = file.open().await;
    write(&database, "CREATE TABLE things (id INTEGER PRIMARY KEY)").await.unwrap();
    database.reader().execute_unprepared("INSERT INTO things VALUES (1)").await.unwrap_err();
}
