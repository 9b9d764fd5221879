//! `PgBouncer`, which hands out sessions transaction by transaction.

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use tokio::task::JoinSet;

use super::{number, suite, write};
use crate::testing::Cluster;
use crate::{Database, Options, Sessions};

/// Services, each with another set of statements, share two sessions.
#[tokio::test(flavor = "multi_thread")]
async fn conformance_behind_pgbouncer_in_transaction_mode() {
    let Some(cluster) = Cluster::start().await else { return };
    let Some(pooler) = cluster.pooler("").await else { return };
    let place = cluster.fresh_database().await;
    suite(Database::connect(&pooler.url(&place), &Options::default()).await.expect("it is reached")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_of_clients_of_a_pooler_are_not_mixed_up() {
    let Some(cluster) = Cluster::start().await else { return };
    // as some set it to let clients pass that send startup parameters
    for settings in ["", "ignore_startup_parameters = extra_float_digits, options"] {
        let Some(pooler) = cluster.pooler(settings).await else { return };
        let place = cluster.fresh_database().await;
        let mut clients = JoinSet::new();
        for client in 0..6_i64 {
            let url = pooler.url(&place);
            clients.spawn(async move {
                let database = Database::connect(&url, &Options::default()).await.expect("it is reached");
                for round in 0..25_i64 {
                    let sql = format!("SELECT $1::bigint * 1000 + {client} + {} * 0 AS n", round % 7);
                    let answers = database.run(|| async {
                        let values = [Value::from(round)];
                        let question = Statement::from_sql_and_values(DbBackend::Postgres, &sql, values);
                        let row = database.connection().query_one_raw(question).await?.expect("a row");
                        Ok(row.try_get::<i64>("", "n")?)
                    });
                    assert_eq!(answers.await.expect("it answers"), round * 1000 + client);
                }
                assert!(
                    database.listen("changes").await.expect("nothing happens").is_none(),
                    "no session to listen with"
                );
                database.announce("changes").await.expect("nothing happens");
            });
        }
        while let Some(client) = clients.join_next().await {
            client.expect("every client has its own answers");
        }
    }
}

/// Statements go by way of the pooler, and a listener goes past it.
#[tokio::test(flavor = "multi_thread")]
async fn announcements_arrive_where_listeners_reach_the_server_itself() {
    let Some(cluster) = Cluster::start().await else { return };
    let Some(pooler) = cluster.pooler("").await else { return };
    let place = cluster.fresh_database().await;
    let options = Options { listen_url: place.url().into(), ..Options::default() };
    let connect = async || Database::connect(&pooler.url(&place), &options).await.expect("it is reached");
    let (here, there) = (connect().await, connect().await);
    let mut listener = there.listen("changes").await.expect("listens").expect("the server has a session for it");
    for _ in 0..3 {
        here.announce("changes").await.expect("announces");
        let received = tokio::time::timeout(std::time::Duration::from_secs(5), listener.received()).await;
        received.expect("it arrives soon").expect("the listener is well");
    }
    let report = here.server_report().await.expect("answers").expect("is a server");
    assert_eq!(report.sessions, Sessions::PooledAndPushed);
    suite(there).await;

    for url in ["sqlite:///tmp/a.db", "nonsense", "postgres://host:port/"] {
        assert!(crate::url::check_listen_url(url).is_err_and(|problem| !problem.contains(url)), "{url}");
        let options = Options { listen_url: url.into(), ..Options::default() };
        Database::connect(place.url(), &options).await.expect_err("it is no server");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_a_statement_hold_behind_a_pooler() {
    let Some(cluster) = Cluster::start().await else { return };
    let Some(pooler) = cluster.pooler("").await else { return };
    let place = cluster.fresh_database().await;
    let options = Options { statement_timeout: std::time::Duration::from_millis(100), ..Options::default() };
    let database = Database::connect(&pooler.url(&place), &options).await.unwrap();
    let transaction = database.begin_write().await.unwrap();
    transaction.execute_unprepared("SELECT pg_sleep(30)").await.expect_err("it takes too long");
    drop(transaction);
    write(&database, "CREATE TABLE things (id INTEGER)").await.unwrap();
    assert_eq!(number(&database, "SELECT count(*) FROM things").await, 0);
}
