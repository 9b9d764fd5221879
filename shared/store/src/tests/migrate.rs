//! Versions side by side: before (N-1), after (N), and one that went another way.

use runtime::CapturedLog;
use sea_orm::{ConnectionTrait, DynIden, sea_query::IntoIden};
use sea_orm_migration::prelude::{DbErr, MigrationName, MigrationTrait, MigratorTrait, SchemaManager};
use status::Kind;
use tracing::Level;

use super::disk::assert_explained;
use crate::testing::{self, Cluster};
use crate::{Database, Options, StoreError, sqlite_url};

/// A step's name, and what it does.
struct Step(&'static str, &'static str);

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.0
    }
}

#[expect(elided_lifetimes_in_paths, reason = "async_trait needs the lifetimes as the trait has them")]
#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(self.1).await.map(drop)
    }
}

const FIRST: Step = Step("m1_pets", "CREATE TABLE pets (name VARCHAR(20))");
const SECOND: Step = Step("m2_colours", "ALTER TABLE pets ADD COLUMN colour VARCHAR(20)");
const THIRD: Step = Step("m3_ages", "ALTER TABLE pets ADD COLUMN age INTEGER");
const OTHER: Step = Step("m2_weights", "ALTER TABLE pets ADD COLUMN weight INTEGER");

/// As where the file belongs to another user.
const REFUSED: Step = Step("m1_refused", "PRAGMA query_only = on; CREATE TABLE pets (name VARCHAR(20))");

pub(super) struct Before;
pub(super) struct After;
struct Otherwise;
struct Refused;

impl MigratorTrait for Refused {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(REFUSED)]
    }

    fn migration_table_name() -> DynIden {
        "pets_migrations".into_iden()
    }
}

impl MigratorTrait for Before {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(FIRST)]
    }

    fn migration_table_name() -> DynIden {
        "pets_migrations".into_iden()
    }
}

impl MigratorTrait for After {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(FIRST), Box::new(SECOND), Box::new(THIRD)]
    }

    fn migration_table_name() -> DynIden {
        "pets_migrations".into_iden()
    }
}

impl MigratorTrait for Otherwise {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(FIRST), Box::new(OTHER)]
    }

    fn migration_table_name() -> DynIden {
        "pets_migrations".into_iden()
    }
}

/// Its last step cannot be taken to its end.
struct Broken;

impl MigratorTrait for Broken {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(FIRST), Box::new(Step(SECOND.0, "CREATE TABLE colours (name VARCHAR(20)); no SQL"))]
    }

    fn migration_table_name() -> DynIden {
        "pets_migrations".into_iden()
    }
}

async fn taken(database: &Database) -> i64 {
    super::number(database, "SELECT count(*) FROM pets_migrations").await
}

/// Row D7: rolling from N-1 to N, and back.
async fn suite(database: Database) {
    let broken = database.migrate::<Broken>().await.unwrap_err();
    assert_eq!(broken.kind(), Kind::Internal, "{broken}");
    super::write(&database, "CREATE TABLE colours (name VARCHAR(20))").await.expect("nothing is left half done");
    database.migrate::<Before>().await.expect("N-1 starts");
    super::write(&database, "INSERT INTO pets (name) VALUES ('laika')").await.unwrap();
    database.migrate::<After>().await.expect("N starts");
    database.migrate::<Before>().await.expect("N-1 starts again while N runs");
    super::write(&database, "INSERT INTO pets (name) VALUES ('felix')").await.expect("N-1 works while N runs");
    database.migrate::<After>().await.expect("N starts again while N-1 runs");
    assert_eq!(taken(&database).await, 3, "nothing is taken twice, nor back");

    let refused = database.migrate::<Otherwise>().await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Internal);
    let text = refused.to_string();
    assert!(["m2_colours, m3_ages", "m2_weights"].iter().all(|name| text.contains(name)), "{text}");
    assert_eq!(taken(&database).await, 3, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_run_side_by_side_on_sqlite() {
    let file = testing::sqlite();
    suite(file.open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_run_side_by_side_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    suite(cluster.fresh_database().await.open().await).await;

    let place = cluster.fresh_database().await;
    let [one, two, three, four] = [place.open().await, place.open().await, place.open().await, place.open().await];
    let all: Result<Vec<()>, StoreError> = <[_; 4]>::from(tokio::join!(
        one.migrate::<Before>(),
        two.migrate::<After>(),
        three.migrate::<Before>(),
        four.migrate::<After>()
    ))
    .into_iter()
    .collect();
    all.expect("all start at the same time");
    assert_eq!(taken(&one).await, 3);
}

#[tokio::test]
async fn the_log_names_the_newer_steps_once() {
    let file = testing::sqlite();
    let database = file.open().await;
    database.migrate::<After>().await.unwrap();
    let log = CapturedLog::start(Level::WARN);
    database.migrate::<Before>().await.unwrap();
    database.migrate::<After>().await.unwrap();
    let text = log.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("WARN") && text.contains("m2_colours, m3_ages"), "{text}");
}

#[tokio::test]
async fn file_that_cannot_be_written_is_named_with_what_to_check() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pets.db");
    let database = Database::connect(&sqlite_url(&file), &Options::default()).await.unwrap();
    assert_explained(&database.migrate::<Refused>().await.unwrap_err(), &file);
}
