//! Servers that refuse, and what is in between.

use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use status::Kind;

use super::{Schema, number, write};
use crate::testing::{Balancer, Cluster};
use crate::{Database, Options, Sessions, StoreError};

/// A server that is the former primary after a switch-over: open sessions do not write any more, new ones do.
#[tokio::test(flavor = "multi_thread")]
async fn connections_to_a_former_primary_are_discarded() {
    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    let database = place.open().await;
    write(&database, "CREATE TABLE things (id INTEGER PRIMARY KEY)").await.unwrap();
    make_sessions_read_only(&database).await;
    for id in 0..10 {
        let sql = format!("INSERT INTO things VALUES ({id})");
        database.run(|| write(&database, &sql)).await.expect("a new connection writes");
    }

    make_sessions_read_only(&database).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    database.check_writable().await.expect("readiness looks for the primary too");
    write(&database, "INSERT INTO things VALUES (10)").await.expect("no former connection is left");
}

/// Has all sessions of the pool refuse to write.
async fn make_sessions_read_only(database: &Database) {
    let mut held = Vec::new();
    for _ in 0..Options::default().max_connections {
        held.push(database.begin_write().await.unwrap());
    }
    for transaction in held {
        let sql = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY";
        transaction.execute_unprepared(sql).await.unwrap();
        transaction.commit().await.unwrap();
    }
    let refused = write(database, "CREATE TABLE others (id INTEGER)").await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Unavailable, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_server_is_not_ready() {
    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    let (database, operator) = (place.open().await, place.open().await);
    database.check_writable().await.expect("it takes writes");
    let name = place.name();
    write(&operator, &format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await.unwrap();
    make_sessions_read_only(&database).await;
    let problem = database.check_writable().await.unwrap_err();
    assert_eq!(problem.kind(), Kind::Unavailable, "{problem}");
    assert!(problem.to_string().contains("read-only"), "{problem}");
    let begin = Instant::now();
    let refused = database.run(|| write(&database, "CREATE TABLE things (id INTEGER)")).await.unwrap_err();
    assert!(refused.kind() == Kind::Unavailable && begin.elapsed() < Duration::from_secs(2), "{refused}");
    assert_eq!(number(&database, "SELECT 1::bigint").await, 1, "it can be read from");
}

#[tokio::test(flavor = "multi_thread")]
async fn balancer_without_a_server_is_unavailable() {
    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    for farewell in [&b""[..], b"HTTP/1.0 503 Service Unavailable\r\n\r\n"] {
        let balancer = Balancer::start(&place, farewell).await;
        let database = Database::connect(balancer.url(), &Options::default()).await.unwrap();
        let ask = async || database.run(|| async { number_of(&database).await }).await;
        assert_eq!(ask().await.expect("it answers"), 1);
        balancer.lose_server().await;
        for _ in 0..6 {
            let problem = ask().await.unwrap_err();
            assert_eq!(problem.kind(), Kind::Unavailable, "{problem} after {farewell:?}");
        }
        assert_eq!(database.check_writable().await.unwrap_err().kind(), Kind::Unavailable);
        balancer.find_server();
        assert_eq!(ask().await.expect("it answers again"), 1);
    }
}

async fn number_of(database: &Database) -> Result<i64, StoreError> {
    let question = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, "SELECT 1::bigint AS n");
    let row = database.connection().query_one_raw(question).await?.expect("a row");
    Ok(row.try_get("", "n")?)
}

#[tokio::test(flavor = "multi_thread")]
async fn reason_for_no_connection_is_named() {
    let options = Options { patience: Duration::ZERO, ..Options::default() };
    let refused = Database::connect("postgres://doorward@127.0.0.1:1/people", &options).await.unwrap_err();
    assert!(refused.to_string().contains("refused"), "{refused}");

    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    let acquire_timeout = Duration::from_millis(200);
    let one = Options { max_connections: 1, acquire_timeout, ..Options::default() };
    let database = Database::connect(place.url(), &one).await.unwrap();
    let held = database.begin_write().await.unwrap();
    let busy = database.run(|| number_of(&database)).await.unwrap_err();
    assert!(busy.to_string().contains("all 1 connections of this pool are in use"), "{busy}");
    drop(held);

    let operator = place.open().await;
    let name = place.name();
    write(&operator, "CREATE ROLE guest LOGIN CONNECTION LIMIT 1").await.unwrap();
    write(&operator, &format!("GRANT ALL ON DATABASE {name} TO guest")).await.unwrap();
    let url = place.url().replace("doorward@", "guest@");
    let first = Database::connect(&url, &one).await.unwrap();
    let _held = first.begin_write().await.unwrap();
    let problem = Database::connect(&url, &Options { patience: Duration::ZERO, ..one }).await.unwrap_err();
    assert!(problem.kind() == Kind::Unavailable && problem.to_string().contains("too many"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn migrated_schema_needs_no_right_to_create() {
    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    let owner = place.open().await;
    owner.migrate::<Schema>().await.unwrap();
    write(&owner, "CREATE ROLE worker LOGIN").await.unwrap();
    write(&owner, "REVOKE CREATE ON SCHEMA public FROM PUBLIC").await.unwrap();
    write(&owner, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO worker").await.unwrap();
    let url = place.url().replace("doorward@", "worker@");
    let worker = Database::connect(&url, &Options::default()).await.unwrap();
    write(&worker, "CREATE TABLE more (id INTEGER)").await.expect_err("it may not");
    worker.migrate::<Schema>().await.expect("there is nothing to create");
    write(&worker, "INSERT INTO things VALUES (1, 'one')").await.expect("it can work");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_says_what_its_role_may_do_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    let database = place.open().await;
    let report = async || database.server_report().await.expect("answers").expect("is a server");
    let owner = report().await;
    assert!(!owner.version.is_empty() && owner.max_connections > 0, "{owner:?}");
    assert!(owner.may_create && owner.sessions == Sessions::Own && !owner.is_standby, "{owner:?}");
    let file = crate::testing::sqlite();
    assert_eq!(file.open().await.server_report().await.expect("needs no answer"), None);
}

/// Two names of a host, or a pooler, may lead to one database.
#[tokio::test(flavor = "multi_thread")]
async fn database_has_the_same_identity_by_every_url() {
    let Some(cluster) = Cluster::start().await else { return };
    let (place, other) = (cluster.fresh_database().await, cluster.fresh_database().await);
    let identity = async |url: &str| {
        let database = Database::connect(url, &Options::default()).await.expect("the server answers");
        database.server_identity().await.expect("the server answers").expect("it is a server")
    };
    let own = identity(place.url()).await;
    assert_eq!(identity(place.url()).await, own);
    assert_ne!(identity(other.url()).await, own);
    let Some(pooler) = cluster.pooler("").await else { return };
    assert_eq!(identity(&pooler.url(&place)).await, own);
}
