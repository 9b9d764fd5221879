//! Rows are copied between both kinds of database, and are the same there.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::prelude::{Strategy, any};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DbBackend, DynIden, Statement, Value, sea_query::IntoIden};
use sea_orm_migration::prelude::{ForeignKey, Index, MigrationTrait, MigratorTrait, Table};
use sea_orm_migration::schema::{
    big_integer_null, big_pk_auto, blob_null, boolean, double, integer, pk_uuid, text, text_null, uuid_null,
};
use status::Kind;

use super::{number, write};
use crate::schema::{Change, Migration, index, pk_text, table};
use crate::testing::{self, Cluster};
use crate::transfer::{CopiedTable, Ending, Tables, no_credentials};
use crate::{Database, Migrations, Options, OtherUsers};

pub(super) struct Zoo;

impl MigratorTrait for Zoo {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Migration::boxed("m1_zoo", changes)]
    }

    fn migration_table_name() -> DynIden {
        "zoo_migrations".into_iden()
    }
}

pub(super) const ZOO: Migrations = Migrations::of::<Zoo>();

/// A table that refers to one which is later in the alphabet, a composite key, each type, a sequence, and a row of the migration.
fn changes() -> Vec<Change> {
    let animals = Table::create()
        .table("animals")
        .col(text("species"))
        .col(text("order"))
        .primary_key(Index::create().col("species").col("order"))
        .foreign_key(ForeignKey::create().from("animals", "species").to("species", "name"))
        .to_owned();
    let species = [
        pk_text("name"),
        integer("legs"),
        big_integer_null("seen"),
        boolean("extinct"),
        double("weight"),
        blob_null("picture"),
        text_null("note"),
        uuid_null("keeper"),
    ];
    vec![
        table("species", species),
        animals.into(),
        table("visits", [big_pk_auto("seq"), text("visitor")]),
        index("visits_visitor", "visits", ["visitor"]),
        table("tickets", [pk_uuid("id"), text("visitor")]),
        table("versions", [integer("id").primary_key().to_owned(), integer("number")]),
        Change::Sql("INSERT INTO versions (id, number) VALUES (1, 0)"),
    ]
}

type Species = (i32, Option<i64>, bool, f64, Option<Vec<u8>>, Option<String>, Option<u128>);

/// What a zoo has: species by their names, visits by their numbers, and tickets.
#[derive(Debug, Clone)]
struct Rows {
    species: BTreeMap<String, Species>,
    visits: BTreeMap<i64, String>,
    tickets: BTreeMap<u128, String>,
}

/// `PostgreSQL` has no texts with a character of the code 0.
fn texts() -> impl Strategy<Value = String> {
    "[^\u{0}]{0,12}"
}

fn rows() -> impl Strategy<Value = Rows> {
    let species = (
        any::<i32>(),
        any::<Option<i64>>(),
        any::<bool>(),
        any::<f64>(),
        proptest::option::of(vec(any::<u8>(), 0..40)),
        proptest::option::of(texts()),
        any::<Option<u128>>(),
    );
    let visits = btree_map(1_i64..1_000_000, texts(), 0..700);
    (btree_map(texts(), species, 0..30), visits, btree_map(any::<u128>(), texts(), 0..5))
        .prop_map(|(species, visits, tickets)| Rows { species, visits, tickets })
}

async fn insert(database: &impl ConnectionTrait, table: &str, values: Vec<Value>) {
    let sql = format!("INSERT INTO {table} VALUES ({})", vec!["?"; values.len()].join(", "));
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
    database.execute_raw(statement).await.expect("is inserted");
}

/// Writes rows into a `SQLite` database.
async fn fill(database: &Database, rows: &Rows) {
    let transaction = database.begin_write().await.expect("begins");
    for (name, (legs, seen, extinct, weight, picture, note, keeper)) in &rows.species {
        let keeper = keeper.map(Uuid::from_u128);
        let values = vec![
            name.clone().into(),
            (*legs).into(),
            (*seen).into(),
            (*extinct).into(),
            (*weight).into(),
            picture.clone().into(),
            note.clone().into(),
            keeper.into(),
        ];
        insert(&transaction, "species", values).await;
        insert(&transaction, "animals", vec![name.clone().into(), "first".into()]).await;
        insert(&transaction, "animals", vec![name.clone().into(), "Zweites".into()]).await;
    }
    for (seq, visitor) in &rows.visits {
        insert(&transaction, "visits", vec![(*seq).into(), visitor.clone().into()]).await;
    }
    for (id, visitor) in &rows.tickets {
        insert(&transaction, "tickets", vec![Uuid::from_u128(*id).into(), visitor.clone().into()]).await;
    }
    transaction.execute_unprepared("UPDATE versions SET number = 7").await.expect("is updated");
    transaction.commit().await.expect("is durable");
}

async fn copy(from: &Database, to: &Database) -> Vec<CopiedTable> {
    to.bring_up_to_date(ZOO).await.expect("migrates");
    let tables = Tables::of(ZOO).await.expect("can be copied");
    let snapshot = from.snapshot().await.expect("begins");
    let replacement = to.begin_replacement().await.expect("begins");
    assert!(replacement.is_empty(&tables).await.expect("is read"));
    let copied = replacement.copy(&snapshot, &tables).await.expect("is copied");
    assert!(!replacement.is_empty(&tables).await.expect("is read"), "the migration wrote another version");
    replacement.commit().await.expect("is durable");
    copied
}

async fn round_trip(rows: &Rows, other: &Database) -> Result<(), TestCaseError> {
    let (first, last) = (testing::sqlite(), testing::sqlite());
    let (first, last) = (first.open().await, last.open().await);
    first.bring_up_to_date(ZOO).await.expect("migrates");
    fill(&first, rows).await;
    let (there, back) = (copy(&first, other).await, copy(other, &last).await);
    let names: Vec<_> = there.iter().map(|table| table.source.table.as_str()).collect();
    assert_eq!(names, ["species", "tickets", "versions", "visits", "animals"]);
    let counts: Vec<_> = there.iter().map(|table| table.source.rows).collect();
    let (species, visits) = (rows.species.len() as u64, rows.visits.len() as u64);
    assert_eq!(counts, [species, rows.tickets.len() as u64, 1, visits, 2 * species]);
    assert!(there.iter().all(CopiedTable::is_equal), "{there:?}");
    assert_eq!(there, back, "the checksums of both kinds are the same");

    let next = rows.visits.keys().max().map_or(1, |last| last + 1);
    for database in [other, &last] {
        write(database, "INSERT INTO visits (visitor) VALUES ('the next one')").await.expect("has a number");
        assert_eq!(number(database, "SELECT max(seq) FROM visits").await, next);
    }
    Ok(())
}

fn property(other: impl AsyncFn() -> Database) {
    let mut runner = TestRunner::new(Config { cases: 6, failure_persistence: None, ..Config::default() });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runner.run(&rows(), |rows| runtime.block_on(async { round_trip(&rows, &other().await).await })).expect("holds");
}

#[test]
fn copied_rows_are_the_same_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = std::sync::atomic::AtomicU32::new(0);
    property(async || {
        let number = file.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let url = crate::sqlite_url(&folder.path().join(format!("{number}.db")));
        Database::connect(&url, &Options::default()).await.expect("opens")
    });
}

#[test]
fn copied_rows_are_the_same_on_postgres() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let Some(cluster) = runtime.block_on(Cluster::start()) else { return };
    property(async || cluster.fresh_database().await.open().await);
}

async fn checksum(database: &Database) -> Vec<String> {
    let tables = Tables::of(ZOO).await.expect("can be copied");
    let summaries = database.snapshot().await.expect("begins").summaries(&tables).await.expect("is read");
    summaries.iter().map(|table| format!("{} {}", table.table, table.checksum)).collect()
}

/// What is written after a snapshot is not in it, and each change of a value, a row or a column changes the checksum.
async fn snapshots(database: Database) {
    database.bring_up_to_date(ZOO).await.expect("migrates");
    write(&database, "INSERT INTO species (name, legs, extinct, weight, note) VALUES ('dodo', 2, true, 10.5, NULL)")
        .await
        .expect("is inserted");
    let tables = Tables::of(ZOO).await.expect("can be copied");
    let snapshot = database.snapshot().await.expect("begins");
    let before = snapshot.summaries(&tables).await.expect("is read");
    let mut seen = vec![checksum(&database).await];
    for change in [
        "UPDATE species SET note = ''",
        "UPDATE species SET note = 'x'",
        "UPDATE species SET weight = 10.25",
        "UPDATE species SET extinct = false",
        "UPDATE species SET legs = 3",
        "UPDATE species SET seen = 0",
        "INSERT INTO animals (species, \"order\") VALUES ('dodo', 'a')",
        "INSERT INTO visits (visitor) VALUES ('a')",
    ] {
        write(&database, change).await.expect("is changed");
        let now = checksum(&database).await;
        assert!(!seen.contains(&now), "{change}");
        seen.push(now);
    }
    assert_eq!(snapshot.summaries(&tables).await.expect("is read"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshot_is_consistent_on_sqlite() {
    let file = testing::sqlite();
    snapshots(file.open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshot_is_consistent_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    snapshots(cluster.fresh_database().await.open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_replacement_changes_nothing() {
    let (from, to) = (testing::sqlite(), testing::sqlite());
    let (from, to) = (from.open().await, to.open().await);
    for (database, visitor) in [(&from, "new"), (&to, "old")] {
        database.bring_up_to_date(ZOO).await.expect("migrates");
        write(database, &format!("INSERT INTO visits (visitor) VALUES ('{visitor}')")).await.expect("is inserted");
    }
    let tables = Tables::of(ZOO).await.expect("can be copied");
    let replacement = to.begin_replacement().await.expect("begins");
    assert!(!replacement.is_empty(&tables).await.expect("is read"));
    let copied = replacement.copy(&from.snapshot().await.expect("begins"), &tables).await.expect("is copied");
    assert!(copied.iter().all(CopiedTable::is_equal));
    drop(replacement);
    assert_eq!(number(&to, "SELECT count(*) FROM visits WHERE visitor = 'old'").await, 1);
}

#[tokio::test]
async fn credentials_end_in_the_transaction_that_replaces() {
    let file = testing::sqlite();
    let database = file.open().await;
    database.bring_up_to_date(ZOO).await.expect("migrates");
    write(&database, "INSERT INTO visits (visitor) VALUES ('a'), ('b')").await.expect("is inserted");
    let replacement = database.begin_replacement().await.expect("begins");
    let now = std::time::UNIX_EPOCH;
    let ended = replacement.end(|_, _| vec![ending("visits"), ending("tickets")], now).await.expect("is ended");
    assert_eq!(ended, [("visits", 2), ("tickets", 0)]);
    assert!(replacement.end(no_credentials, now).await.expect("ends nothing").is_empty());
    drop(replacement);
    assert_eq!(number(&database, "SELECT count(*) FROM visits").await, 2);
}

fn ending(table: &'static str) -> Ending {
    Ending { what: table, statement: format!("DELETE FROM {table}") }
}

/// `docs/security-requirements.md#k4`
#[tokio::test(flavor = "multi_thread")]
async fn file_that_is_open_elsewhere_is_not_opened_alone() {
    let file = testing::sqlite();
    let options = Options::default().for_transfer();
    let running = file.open().await;
    write(&running, "CREATE TABLE things (id INTEGER PRIMARY KEY)").await.expect("is made");
    let refused = Database::connect_alone(file.url(), &options).await.map(drop).expect_err("it is open");
    assert!(refused.kind() == Kind::Unavailable && refused.to_string().contains("open"), "{refused}");
    write(&running, "INSERT INTO things VALUES (1)").await.expect("the other one works on");
    running.close().await.expect("closes");
    let (alone, users) = Database::connect_alone(file.url(), &options).await.expect("nothing else has it open");
    assert_eq!(users, OtherUsers::None);
    let again = Database::connect_alone(file.url(), &options).await.map(drop).expect_err("it is open");
    assert_eq!(again.kind(), Kind::Unavailable);
    assert_eq!(number(&alone, "SELECT count(*) FROM things").await, 1);
    alone.close().await.expect("closes");
    assert_eq!(number(&file.open().await, "SELECT count(*) FROM things").await, 1);
}

/// `docs/security-requirements.md#k4`
#[tokio::test(flavor = "multi_thread")]
async fn database_with_other_sessions_is_not_opened_alone_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    let options = Options::default().for_transfer();
    let running = place.open().await;
    assert_eq!(number(&running, "SELECT 1::bigint").await, 1);
    let refused = Database::connect_alone(place.url(), &options).await.map(drop).expect_err("it is in use");
    assert!(refused.kind() == Kind::Unavailable && refused.to_string().contains("1 other sessions"), "{refused}");
    running.close().await.expect("closes");
    let (alone, users) = Database::connect_alone(place.url(), &options).await.expect("nothing else uses it");
    assert_eq!((users, number(&alone, "SELECT 1::bigint").await), (OtherUsers::None, 1));
    let Some(pooler) = cluster.pooler("").await else { return };
    alone.close().await.expect("closes");
    let through = pooler.url(&place);
    let (_, users) = Database::connect_alone(&through, &options).await.expect("opens");
    assert_eq!(users, OtherUsers::Unknown);
}

/// `docs/security-requirements.md#k5`
#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_moved_are_locked_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    let (patience, impatience) = (Duration::from_secs(10), Duration::from_millis(50));
    let (alone, _) = Database::connect_alone(place.url(), &Options::default().for_transfer()).await.expect("opens");
    alone.bring_up_to_date(ZOO).await.expect("migrates");
    let tables = [Tables::of(ZOO).await.expect("can be copied")];

    // a service that starts after the first look for other sessions
    let options = Options::default();
    let service = Database::connect(place.url(), &options).await.expect("opens");
    let (read, insert) = ("SELECT count(*) FROM visits", "INSERT INTO visits (visitor) VALUES ('marie')");
    assert_eq!(number(&service, read).await, 0);
    for refused in [
        alone.begin_replacement_alone(&tables, patience).await.map(drop),
        alone.snapshot_alone(&tables, patience).await.map(drop),
    ] {
        let refused = refused.expect_err("it may use what it has read");
        assert!(refused.kind() == Kind::Unavailable && refused.to_string().contains("1 other sessions"), "{refused}");
    }
    let writing = service.begin_write().await.expect("begins");
    writing.execute_unprepared(insert).await.expect("is inserted");
    let refused = alone.begin_locked_replacement(&tables, impatience).await.map(drop).expect_err("a table is in use");
    assert!(refused.kind() == Kind::Unavailable && refused.to_string().contains("another session"), "{refused}");
    writing.rollback().await.expect("is undone");

    let replacement = alone.begin_locked_replacement(&tables, patience).await.expect("no table is in use");
    for statement in [read, insert] {
        let refused = write(&service, statement).await.expect_err("the table is locked");
        assert_eq!(refused.kind(), Kind::Unavailable, "{refused}");
    }
    replacement.commit().await.expect("ends");
    write(&service, insert).await.expect("is inserted");

    service.close().await.expect("closes");
    let snapshot = alone.snapshot_alone(&tables, patience).await.expect("nothing else uses it");
    let service = Database::connect(place.url(), &options).await.expect("opens");
    assert_eq!(number(&service, read).await, 1);
    write(&service, insert).await.expect_err("the table is locked");
    let summaries = snapshot.summaries(&tables[0]).await.expect("is read");
    assert!(summaries.iter().any(|table| table.table == "visits" && table.rows == 1), "{summaries:?}");
}
