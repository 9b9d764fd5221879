//! What metrics show of a database.

use std::time::Duration;

use runtime::Metrics;

use super::{number, write};
use crate::testing;

#[tokio::test(flavor = "multi_thread")]
async fn statements_and_the_wait_for_a_connection_are_measured() {
    let (place, metrics) = (testing::sqlite(), Metrics::default());
    let database = place.open().await.measured(&metrics);
    write(&database, "CREATE TABLE things (id INTEGER)").await.unwrap();
    assert_eq!(number(&database, "SELECT count(*) FROM things").await, 0);
    let held = database.begin_write().await.unwrap();
    let waiting = tokio::spawn({
        let database = database.clone();
        async move { write(&database, "INSERT INTO things VALUES (1)").await }
    });
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(!waiting.is_finished(), "there is one connection that writes");
    held.commit().await.unwrap();
    waiting.await.unwrap().unwrap();

    let text = metrics.render();
    for operation in ["OTHER", "SELECT", "BEGIN", "INSERT", "COMMIT"] {
        let line = format!("doorward_database_statement_duration_seconds_count{{operation=\"{operation}\"}} 1\n");
        assert!(text.contains(&line), "{line} in {text}");
    }
    assert!(text.contains("doorward_database_pool_wait_seconds_count 4\n"), "all but the commit: {text}");
    assert!(text.contains("doorward_database_pool_wait_seconds_bucket{le=\"0.025\"} 3\n"), "one waited: {text}");
    for pool in ["read", "write"] {
        assert!(text.contains(&format!("doorward_database_connections{{pool=\"{pool}\",state=\"used\"}}")), "{text}");
    }
}
