//! Changes that replicas read from a table, however long a transaction lasts.

use std::time::Duration;

use sea_orm::sea_query::{IntoIden, Order, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DbBackend, DynIden};
use sea_orm_migration::prelude::{MigrationTrait, MigratorTrait};
use sea_orm_migration::schema::{big_integer, integer};

use super::write;
use crate::schema::{Migration, index, table};
use crate::testing::{Cluster, TestDatabase};
use crate::{Database, Options, ReplicaSync, StoreError, Unread, columns, number_transactions};

const TABLE: &str = "changes";
const NOTHING: [[i32; 0]; 2] = [[], []];
/// A time that does not leave the window.
const LATER: i64 = -3600;

/// The table as the version before has it.
struct Former;

/// The table as it is.
struct Present;

#[async_trait::async_trait]
impl MigratorTrait for Former {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Migration::boxed("changes", || {
            let columns = [integer("id").primary_key().to_owned(), big_integer("at")];
            vec![table(TABLE, columns), index("changes_at", TABLE, ["at"])]
        })]
    }

    fn migration_table_name() -> DynIden {
        "changes_migrations".into_iden()
    }
}

#[async_trait::async_trait]
impl MigratorTrait for Present {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut all = Former::migrations();
        all.push(number_transactions("transactions", TABLE));
        all
    }

    fn migration_table_name() -> DynIden {
        Former::migration_table_name()
    }
}

/// A replica that polls when a test has it do it.
struct Replica {
    database: Database,
    sync: ReplicaSync,
}

impl Replica {
    async fn open(url: &str) -> Self {
        let database = Database::connect(url, &Options::default()).await.expect("the server answers");
        let sync = ReplicaSync::open("changes", TABLE, &database).await.expect("it is read");
        Self { database, sync }
    }

    /// The identifiers of what it reads.
    async fn poll(&self) -> Vec<i32> {
        self.sync.read(|unread| async move { self.rows(&unread).await }).await.expect("the server answers")
    }

    async fn rows(&self, unread: &Unread) -> Result<Vec<i32>, StoreError> {
        let query = select(unread).order_by("id", Order::Asc).take();
        let rows = self.database.reader().query_all(&query).await?;
        Ok(rows.iter().map(|row| row.try_get("", "id")).collect::<Result<_, _>>()?)
    }

    async fn plan(&self, unread: &Unread) -> Result<String, StoreError> {
        let transaction = self.database.begin_write().await?;
        // a few rows are read faster than an index
        transaction.execute_unprepared("SET LOCAL enable_seqscan = off").await?;
        let mut query = DbBackend::Postgres.build(&select(unread));
        query.sql.insert_str(0, "EXPLAIN ");
        let plan = transaction.query_all_raw(query).await?;
        Ok(plan.iter().map(|line| line.try_get_by_index::<String>(0)).collect::<Result<_, _>>()?)
    }
}

fn select(unread: &Unread) -> SelectStatement {
    Query::select().column("id").from(TABLE).and_where(unread.condition()).take()
}

/// Adds a row that was written so many seconds ago.
fn insert(id: i32, seconds: i64) -> String {
    let now = columns::now(DbBackend::Postgres);
    format!("INSERT INTO changes (id, at) VALUES ({id}, {now} - {seconds} * 1000000::bigint)")
}

/// A writer, and two replicas: one reaches the server itself, the other may go by way of a pooler.
async fn slow_transactions_are_seen(place: &TestDatabase, url: &str) {
    let writer = place.open().await;
    writer.migrate::<Present>().await.expect("the schema");
    write(&writer, &insert(1, 3600)).await.expect("is written");
    let replicas = [Replica::open(place.url()).await, Replica::open(url).await];
    let poll = async || [replicas[0].poll().await, replicas[1].poll().await];

    let slow = writer.begin_write().await.expect("begins");
    slow.execute_unprepared(&insert(2, 60)).await.expect("is written");
    assert_eq!(poll().await, NOTHING, "what was committed before is not read, and what is not committed neither");
    write(&writer, &insert(3, LATER)).await.expect("is written");
    assert_eq!(poll().await, [[3], [3]]);
    slow.commit().await.expect("is committed");
    assert_eq!(poll().await, [[2, 3], [2, 3]], "the time of the row has left the window, its transaction has not");
    assert_eq!(poll().await, [[3], [3]], "once, but for the window");

    // without the column, as the version before does it
    let again = writer.begin_write().await.expect("begins");
    again.execute_unprepared("UPDATE changes SET at = at + 1 WHERE id = 1").await.expect("is written");
    poll().await;
    again.commit().await.expect("is committed");
    assert_eq!(poll().await, [[1, 3], [1, 3]]);

    // as a dump of another server has it
    let foreign = "INSERT INTO changes VALUES (4, 1, '18000000000000000000')";
    write(&writer, foreign).await.expect("is written");
    assert_eq!(poll().await, [[3], [3]], "no transaction of this server has the number");
}

/// Rows [A16](../../../../docs/security-requirements.md#a16) and [U1](../../../../docs/security-requirements.md#u1).
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_slow_transactions_are_read_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    slow_transactions_are_seen(&place, place.url()).await;
    failed_read_is_repeated(&place).await;
    poll_uses_indexes(&place).await;
    servers_without_numbers_are_polled_by_time(&cluster.fresh_database().await).await;
    let Some(pooler) = cluster.pooler("").await else { return };
    let place = cluster.fresh_database().await;
    slow_transactions_are_seen(&place, &pooler.url(&place)).await;
}

async fn failed_read_is_repeated(place: &TestDatabase) {
    let replica = Replica::open(place.url()).await;
    write(&replica.database, &insert(5, 60)).await.expect("is written");
    let failed = replica.sync.read(|_| async { Err::<(), _>(StoreError::internal("the cache is gone")) }).await;
    failed.expect_err("the read fails");
    assert_eq!(replica.poll().await, [3, 5]);
    assert_eq!(replica.poll().await, [3]);
}

async fn poll_uses_indexes(place: &TestDatabase) {
    let replica = Replica::open(place.url()).await;
    let replica = &replica;
    let plan = replica.sync.read(|unread| async move { replica.plan(&unread).await }).await;
    let plan = plan.expect("it is explained");
    for index in ["changes_at", "changes_transaction_id"] {
        assert!(plan.contains(&format!("Index Scan on {index}")), "{plan}");
    }
    assert!(!plan.contains("Seq Scan"), "{plan}");
}

/// As `CockroachDB` and `YugabyteDB`, or before `PostgreSQL` 13.
async fn servers_without_numbers_are_polled_by_time(place: &TestDatabase) {
    let writer = place.open().await;
    writer.migrate::<Former>().await.expect("the schema");
    let replica = Replica::open(place.url()).await;
    write(&writer, &format!("{}; {}", insert(1, LATER), insert(2, 60))).await.expect("is written");
    assert_eq!(replica.poll().await, [1]);
    let condition = replica.sync.read_by_all(Duration::from_secs(30)).expect("there are replicas");
    assert_eq!(writer.remove(TABLE, "id", &condition, 10).await.expect("removes"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn migration_to_numbers_is_for_postgres_with_writers_of_both_versions() {
    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    let writer = place.open().await;
    writer.migrate::<Former>().await.expect("the schema");
    write(&writer, &insert(1, 60)).await.expect("is written");
    writer.migrate::<Present>().await.expect("the schema");
    let replica = Replica::open(place.url()).await;
    writer.migrate::<Former>().await.expect("the version before works with it");
    write(&writer, &insert(2, 60)).await.expect("is written");
    assert_eq!(replica.poll().await, [2]);
    let sqlite = crate::testing::sqlite();
    sqlite.open().await.migrate::<Present>().await.expect("there is nothing to number");
}
