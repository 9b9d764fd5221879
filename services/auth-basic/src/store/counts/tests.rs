use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use ::store::testing::Cluster;
use authn::{Caller, Login};
use config::Secret;
use sea_orm::{DbBackend, Statement};

use super::*;
use crate::Migrator;
use crate::digest::shared_key;
use crate::throttle::Throttle;

#[tokio::test(flavor = "multi_thread")]
async fn failure_is_counted_while_the_only_other_one_is_taken_back_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    let fresh = cluster.fresh_database().await;
    let database = fresh.open().await;
    database.migrate::<Migrator>().await.expect("migrates");
    let secret = Secret::from("a secret of the tests, at least 32 bytes long");
    let counts = Arc::new(SqlCounts(database.clone()));
    let throttle = Throttle::new(Rules::default(), shared_key(&secret), counts);
    let caller = Caller { source: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))), ..Caller::default() };
    let begin = async || {
        let keys = throttle.keys(&Login::new("einstein"), &caller);
        throttle.begin(UNIX_EPOCH + Duration::from_hours(500_000), keys).await.map(drop).expect("may be made");
    };
    let failures = async || {
        let rows = Entity::find().all(database.reader()).await.expect("reads");
        rows.iter().map(|row| row.failures.to_string()).collect::<Vec<_>>()
    };
    begin().await;
    let before = failures().await;
    // as a replica does that takes failures back: it locks the rows, and removes them
    let transaction = database.begin_write().await.expect("begins");
    transaction.execute_unprepared("SELECT 1 FROM password_attempts FOR UPDATE").await.expect("locks");
    let remove = async {
        let is_waiting = async || {
            let waiting = Statement::from_string(DbBackend::Postgres, "SELECT 1 FROM pg_locks WHERE NOT granted");
            database.reader().query_one_raw(waiting).await.expect("tells").is_some()
        };
        while !is_waiting().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        transaction.execute_unprepared("DELETE FROM password_attempts").await.expect("removes");
        transaction.commit().await.expect("commits");
    };
    tokio::join!(begin(), remove);
    assert_eq!(failures().await, before, "the one that came meanwhile");
}
