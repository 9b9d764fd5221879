//! Replicas that remove rows at the same time.

use sea_orm::ConnectionTrait;

use super::{number, write};
use crate::testing::{Cluster, sqlite};
use crate::{Database, prune};

const COUNT: &str = "SELECT CAST(count(*) AS bigint) AS n FROM rows_over";

async fn fill(database: &Database) {
    write(database, "CREATE TABLE rows_over (id INTEGER PRIMARY KEY, ends INTEGER)").await.expect("is made");
    let rows: Vec<_> = (0..1200).map(|id| format!("({id}, {})", id % 2)).collect();
    write(database, &format!("INSERT INTO rows_over VALUES {}", rows.join(", "))).await.expect("is written");
}

/// 600 rows have ended.
async fn remove(database: &Database, limit: u64) -> u64 {
    database.remove("rows_over", "id", "ends = 0", limit).await.expect("removes")
}

#[tokio::test]
async fn so_many_rows_are_removed_on_sqlite() {
    let file = sqlite();
    let database = file.open().await;
    fill(&database).await;
    assert_eq!([remove(&database, 599).await, remove(&database, 599).await, remove(&database, 599).await], [599, 1, 0]);
    assert_eq!(number(&database, COUNT).await, 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_on_postgres_share_what_is_to_be_removed() {
    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    let (one, other) = (place.open().await, place.open().await);
    fill(&one).await;
    let held = one.begin_write().await.expect("begins");
    held.execute_unprepared("DELETE FROM rows_over WHERE ends = 0 AND id < 200").await.expect("removes");
    // it would be cancelled if it waited
    assert_eq!(remove(&other, 1000).await, 500, "what is locked is left to the other replica");
    held.rollback().await.expect("is undone");
    assert_eq!(remove(&other, 60).await, 60);
    assert_eq!(remove(&other, 60).await, 40);

    write(&one, "UPDATE rows_over SET ends = 0").await.expect("is written");
    let both = tokio::join!(
        prune(|limit| one.remove("rows_over", "id", "ends = 0", limit.min(50))),
        prune(|limit| other.remove("rows_over", "id", "ends = 0", limit.min(50)))
    );
    let (first, second) = (both.0.expect("removes"), both.1.expect("removes"));
    let mut rest = 600 - first - second;
    while rest > 0 {
        let removed = remove(&one, 50).await;
        assert!(removed > 0, "{rest} are left");
        rest -= removed;
    }
    assert_eq!(number(&one, COUNT).await, 0);
}
