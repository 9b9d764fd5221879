//! Two who count and then insert at the same time.

use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectionTrait, Statement};
use tokio::sync::Barrier;

use crate::testing::{self, Cluster};
use crate::{Database, StoreError};

/// Takes a seat if fewer than so many are taken; whether there was one. At the first try it is waited for all others to have
/// counted too.
async fn sit(database: &Database, seats: i64, tries: &AtomicU32, counted: Option<&Barrier>) -> bool {
    let own = AtomicU32::new(0);
    let work = || async {
        tries.fetch_add(1, Ordering::Relaxed);
        let is_first = own.fetch_add(1, Ordering::Relaxed) == 0;
        let transaction = database.begin_serializable().await?;
        let question = Statement::from_string(transaction.get_database_backend(), "SELECT count(*) AS n FROM seats");
        let taken: i64 = transaction.query_one_raw(question).await?.expect("a count").try_get("", "n")?;
        if let Some(counted) = counted.filter(|_| is_first) {
            counted.wait().await;
        }
        if taken >= seats {
            return Ok(false);
        }
        transaction.execute_unprepared(&format!("INSERT INTO seats VALUES ({})", taken + 1)).await?;
        transaction.commit().await?;
        Ok::<_, StoreError>(true)
    };
    database.run(work).await.expect("it is decided")
}

/// Two come at the same time, to so many seats: how many got one, how many are taken, how often it was tried.
async fn two_come(database: &Database, seats: i64) -> (usize, i64, u32) {
    super::write(database, "DELETE FROM seats").await.unwrap();
    let (tries, barrier) = (AtomicU32::new(0), Barrier::new(2));
    // SQLite lets the second one count only when the first one is done
    let counted = database.is_postgres().then_some(&barrier);
    let (one, two) = tokio::join!(sit(database, seats, &tries, counted), sit(database, seats, &tries, counted));
    let taken = super::number(database, "SELECT count(*) FROM seats").await;
    ([one, two].into_iter().filter(|sits| *sits).count(), taken, tries.into_inner())
}

async fn suite(database: Database, tries: u32) {
    super::write(&database, "CREATE TABLE seats (number INTEGER)").await.unwrap();
    assert_eq!(two_come(&database, 1).await, (1, 1, tries), "never more than there are");
    assert_eq!(two_come(&database, 2).await, (2, 2, tries), "and never fewer than could be");
}

#[tokio::test]
async fn the_last_seat_is_taken_once_on_sqlite() {
    let file = testing::sqlite();
    suite(file.open().await, 2).await;
}

#[tokio::test]
async fn the_last_seat_is_taken_once_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    suite(cluster.fresh_database().await.open().await, 3).await;
}
