//! Announcements between pools, as between replicas.

use std::time::Duration;

use crate::Database;
use crate::announce::Listener;
use crate::testing::{self, Cluster};

const CHANNEL: &str = "something_new";
/// An announcement takes a millisecond or two; a busy machine may need more.
const SOON: Duration = Duration::from_secs(5);

async fn listen(database: &Database, channel: &'static str) -> Listener {
    database.listen(channel).await.expect("listens").expect("a server has listeners")
}

async fn receives(listener: &mut Listener) {
    tokio::time::timeout(SOON, listener.received()).await.expect("it arrives soon").expect("the listener is well");
}

async fn is_silent(listener: &mut Listener) -> bool {
    tokio::time::timeout(Duration::from_millis(200), listener.received()).await.is_err()
}

/// Ends the connections of all listeners on the server, as a failover would; how many there were.
async fn kill_listeners(database: &Database) -> i64 {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
    super::number(database, sql).await
}

#[tokio::test]
async fn announcements_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    let (here, there, third) = (place.open().await, place.open().await, place.open().await);
    let (mut one, mut two, mut other) =
        (listen(&there, CHANNEL).await, listen(&third, CHANNEL).await, listen(&there, "something_else").await);

    assert!(is_silent(&mut one).await, "nothing was announced yet");
    for _ in 0..3 {
        here.announce(CHANNEL).await.expect("announces");
    }
    for _ in 0..3 {
        receives(&mut one).await;
        receives(&mut two).await;
    }
    assert!(is_silent(&mut one).await && is_silent(&mut two).await, "each arrives once");
    assert!(is_silent(&mut other).await, "another channel's does not arrive");

    here.announce(CHANNEL).await.expect("announces");
    assert!(is_silent(&mut other).await);
    receives(&mut one).await;
    receives(&mut two).await;

    assert_eq!(kill_listeners(&here).await, 3);
    receives(&mut one).await;
    receives(&mut two).await;
    assert!(is_silent(&mut one).await && is_silent(&mut two).await, "a lost connection counts once");
    here.announce(CHANNEL).await.expect("announces");
    receives(&mut one).await;
    receives(&mut two).await;
}

#[tokio::test]
async fn file_is_announced_to_no_replica() {
    let database = testing::sqlite().open().await;
    database.announce(CHANNEL).await.expect("nothing happens");
    assert!(database.listen(CHANNEL).await.expect("nothing happens").is_none());
}
