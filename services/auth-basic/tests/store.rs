//! One suite for every database.

use std::time::{Duration, UNIX_EPOCH};

use auth_basic::Migrator;
use auth_basic::store::PasswordStore;
use store::Database;

async fn suite(database: Database) {
    database.migrate::<Migrator>().await.expect("the schema");
    database.migrate::<Migrator>().await.expect("the schema is up to date already");
    let passwords = PasswordStore::new(database);
    let now = UNIX_EPOCH + Duration::from_hours(500_000);

    assert_eq!(passwords.verifier("einstein").await.expect("an answer"), None);
    assert!(!passwords.remove("einstein").await.expect("nothing to remove"));
    assert!(!passwords.replace("einstein", "one", "two", now).await.expect("nothing to replace"));

    passwords.set("einstein", "one", now).await.expect("set");
    passwords.set("marie", "hers", now).await.expect("set");
    assert_eq!(passwords.verifier("einstein").await.expect("an answer").as_deref(), Some("one"));
    passwords.set("einstein", "two", now).await.expect("set anew");
    assert_eq!(passwords.verifier("einstein").await.expect("an answer").as_deref(), Some("two"));

    assert!(!passwords.replace("einstein", "one", "three", now).await.expect("no longer what is kept"));
    assert_eq!(passwords.verifier("einstein").await.expect("an answer").as_deref(), Some("two"));
    assert!(passwords.replace("einstein", "two", "three", now).await.expect("replaced"));
    assert_eq!(passwords.verifier("einstein").await.expect("an answer").as_deref(), Some("three"));

    assert!(passwords.remove("einstein").await.expect("removed"));
    assert_eq!(passwords.verifier("einstein").await.expect("an answer"), None);
    assert_eq!(passwords.verifier("marie").await.expect("an answer").as_deref(), Some("hers"));
    assert_eq!(passwords.verifier("' OR 1=1 --").await.expect("an answer"), None);
}

#[tokio::test]
async fn sqlite() {
    suite(store::testing::sqlite().open().await).await;
}

#[tokio::test]
async fn postgresql() {
    let Some(cluster) = store::testing::Cluster::start().await else { return };
    suite(cluster.fresh_database().await.open().await).await;
}
