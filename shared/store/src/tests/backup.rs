//! Backups: files that are complete or not there, and that are refused if they are not what was written.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use status::Kind;
use tempfile::TempDir;

use super::migrate::{After, Before};
use super::transfer::ZOO;
use super::{number, write};
use crate::backup::{BackupContents, BackupError, BackupReader, BackupWriter, Existing, ReceivedBackup, unfinished};
use crate::testing;
use crate::transfer::Tables;
use crate::{Database, Migrations, StoreError};

/// Tells temporary files apart.
const SUFFIX: &str = "00112233445566778899aabbccddeeff";

/// A backup of a zoo with visits that only has to be completed.
async fn writer(path: &Path) -> BackupWriter {
    let source = testing::sqlite();
    let source = source.open().await;
    source.bring_up_to_date(ZOO).await.expect("migrates");
    write(&source, "INSERT INTO visits (visitor) VALUES ('marie'), ('niels')").await.expect("is inserted");
    let writer = BackupWriter::create(path, SUFFIX, &[ZOO], Existing::Kept).await.expect("begins");
    let tables = Tables::of(ZOO).await.expect("can be copied");
    let snapshot = source.snapshot().await.expect("begins");
    let summaries = writer.add("zoo", &snapshot, &tables).await.expect("is added");
    assert_eq!(summaries.iter().map(|table| table.rows).sum::<u64>(), 3);
    writer.add_secret("secrets", vec![1, 2, 3]).await.expect("is added");
    writer.add_property("created", "today").await.expect("is added");
    assert!(!path.exists(), "it is not complete");
    writer
}

/// A backup of a zoo with visits, and its folder.
async fn backup() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("zoo.backup");
    writer(&path).await.finish("1.2.3").await.expect("is complete");
    (folder, path)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

async fn refusal(path: &Path, folder: &Path) -> BackupError {
    BackupReader::open(path, folder, SUFFIX).await.map(drop).expect_err("is refused")
}

/// `docs/security-requirements.md#k1`
#[tokio::test]
async fn backup_for_a_stream_is_read_from_one_and_leaves_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut unnamed =
        writer(&folder.path().join("zoo.backup")).await.finish_unnamed("1.2.3").await.expect("is complete");
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
    let mut content = Vec::new();
    unnamed.read_to_end(&mut content).expect("is read");

    let left = folder.path().join(format!("standard-input.{}.partial", SUFFIX.replace('0', "f")));
    fs::write(&left, "left by a killed command").expect("is written");
    let received = ReceivedBackup::read(&mut &*content, folder.path(), SUFFIX).expect("is written");
    assert!(!left.exists());
    assert_eq!(fs::metadata(received.path()).expect("is there").permissions().mode() & 0o777, 0o600);
    let reader = BackupReader::open(received.path(), folder.path(), &SUFFIX.replace('0', "e")).await.expect("is one");
    assert_eq!((reader.contents.services(), reader.contents.property("version")), (vec!["zoo"], "1.2.3"));
    drop((reader, received));
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
}

/// `docs/security-requirements.md#k1`
#[tokio::test]
async fn backup_is_one_file_for_its_owner_that_has_everything() {
    let (folder, path) = backup().await;
    assert_eq!(names(folder.path()), ["zoo.backup"]);
    assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
    let before = fs::read(&path).expect("is read");

    let contents = BackupContents::of(&path).await.expect("is a backup");
    assert_eq!((contents.property("version"), contents.property("created")), ("1.2.3", "today"));
    assert_eq!((contents.services(), &contents.secrets), (vec!["zoo"], &vec![("secrets".to_owned(), vec![1, 2, 3])]));

    let reader = BackupReader::open(&path, folder.path(), SUFFIX).await.expect("is as it was written");
    reader.migrate(ZOO).await.expect("is up to date");
    let target = testing::sqlite();
    let target = target.open().await;
    target.bring_up_to_date(ZOO).await.expect("migrates");
    let replacement = target.begin_replacement().await.expect("begins");
    let tables = Tables::of(ZOO).await.expect("can be copied");
    replacement.copy(&reader.snapshot().await.expect("begins"), &tables).await.expect("is copied");
    replacement.commit().await.expect("is durable");
    assert_eq!(number(&target, "SELECT count(*) FROM visits").await, 2);
    drop(reader);
    assert_eq!(names(folder.path()), ["zoo.backup"], "the copy is removed");
    assert_eq!(fs::read(&path).expect("is read"), before, "the file is not changed");
}

/// `docs/security-requirements.md#k1`
#[tokio::test]
async fn interrupted_backup_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("zoo.backup");
    let writer = BackupWriter::create(&path, SUFFIX, &[ZOO], Existing::Kept).await.expect("begins");
    let partial = folder.path().join(format!("zoo.backup.{SUFFIX}.partial"));
    assert_eq!(fs::metadata(partial).expect("is there").permissions().mode() & 0o777, 0o600);
    drop(writer);
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

/// `docs/security-requirements.md#k1`
#[tokio::test]
async fn file_that_appears_while_a_backup_is_written_is_not_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("zoo.backup");
    let writer = BackupWriter::create(&path, SUFFIX, &[ZOO], Existing::Kept).await.expect("begins");
    fs::write(&path, "another").expect("is written");
    let refused = writer.finish("1.2.3").await.expect_err("there is one");
    assert!(matches!(refused, BackupError::Exists(_)) && refused.kind() == Kind::AlreadyExists, "{refused}");
    assert_eq!(
        (names(folder.path()), fs::read_to_string(&path).expect("is read").as_str()),
        (vec!["zoo.backup".to_owned()], "another")
    );
    let writer = BackupWriter::create(&path, SUFFIX, &[ZOO], Existing::Replaced).await.expect("begins");
    writer.finish("1.2.3").await.expect("replaces it");
    BackupContents::of(&path).await.expect("is a backup");
    assert_eq!(names(folder.path()), ["zoo.backup"]);
}

/// A process that is killed removes nothing (`docs/security-requirements.md#k1`).
#[tokio::test]
async fn files_of_killed_backups_are_refused_until_they_are_to_be_replaced() {
    let (folder, path) = backup().await;
    let other = "ffeeddccbbaa99887766554433221100";
    for name in ["zoo.backup", "zoo.backup.old", "backup"] {
        for ending in ["partial", "partial-journal"] {
            fs::write(folder.path().join(format!("{name}.{other}.{ending}")), "rows").expect("is written");
        }
    }
    assert_eq!(unfinished(&path).expect("is read").len(), 6);
    let create = async |existing| BackupWriter::create(&path, SUFFIX, &[ZOO], existing).await;
    let refused = create(Existing::Kept).await.map(drop).expect_err("there are files of another one");
    assert!(matches!(&refused, BackupError::Unfinished(file) if file.starts_with(folder.path())), "{refused}");
    assert_eq!(unfinished(&path).expect("is read").len(), 6, "nothing is removed");
    create(Existing::Replaced).await.expect("begins").finish("1.2.3").await.expect("is complete");
    let left = |name: &str| unfinished(&path).expect("is read").iter().filter(|(_, of)| of == name).count();
    assert_eq!((left("zoo.backup"), left("zoo.backup.old"), left("backup")), (0, 2, 2), "others stay");
    BackupReader::open(&path, folder.path(), SUFFIX).await.expect("is as it was written");
    assert_eq!((left("zoo.backup.old"), left("backup")), (2, 0), "copies that a restore has left are removed");
}

/// `docs/security-requirements.md#k4`
#[tokio::test]
async fn changed_backup_is_refused() {
    for change in [
        "UPDATE visits SET visitor = 'lise' WHERE seq = 1",
        "DELETE FROM visits WHERE seq = 2",
        "INSERT INTO visits (visitor) VALUES ('lise')",
        "DROP TABLE visits",
        "ALTER TABLE visits ADD COLUMN note TEXT",
        "UPDATE doorward_backup_tables SET row_count = 7 WHERE name = 'visits'",
    ] {
        let (folder, path) = backup().await;
        let file = Database::open_file(&path).await.expect("is a database");
        write(&file, change).await.expect("is changed");
        file.close().await.expect("closes");
        let refused = refusal(&path, folder.path()).await;
        assert!(matches!(refused, BackupError::Damaged { .. }), "{change}: {refused}");
        assert!(refused.kind() == Kind::InvalidArgument && refused.to_string().contains("zoo.backup"), "{refused}");
        assert_eq!(names(folder.path()), ["zoo.backup"]);
    }
}

/// `docs/security-requirements.md#k4`
#[tokio::test]
async fn damaged_and_foreign_files_are_refused() {
    let (folder, path) = backup().await;
    let whole = fs::read(&path).expect("is read");
    for length in [0, 10, 16, 100, 4096, whole.len() / 2] {
        fs::write(&path, &whole[..length]).expect("is written");
        let refused = refusal(&path, folder.path()).await;
        assert!(matches!(refused, BackupError::Damaged { .. } | BackupError::Foreign(_)), "{length}: {refused}");
    }
    let mut overwritten = whole.clone();
    overwritten[4096..8192].fill(0xff);
    fs::write(&path, overwritten).expect("is written");
    assert!(matches!(refusal(&path, folder.path()).await, BackupError::Damaged { .. }));

    fs::write(&path, "no database at all, but more than sixteen bytes").expect("is written");
    assert!(matches!(refusal(&path, folder.path()).await, BackupError::Foreign(_)));
    fs::remove_file(&path).expect("is removed");
    let other = Database::open_file(&path).await.expect("is made");
    write(&other, "CREATE TABLE visits (seq INTEGER PRIMARY KEY)").await.expect("is made");
    other.close().await.expect("closes");
    assert!(matches!(refusal(&path, folder.path()).await, BackupError::Foreign(_)));
    let missing = refusal(&folder.path().join("missing"), folder.path()).await;
    assert!(matches!(missing, BackupError::File { .. }) && missing.kind() == Kind::FailedPrecondition, "{missing}");
}

/// `docs/security-requirements.md#k4`
#[tokio::test]
async fn backup_of_a_newer_version_is_refused_and_an_older_one_is_migrated() {
    let (before, after) = (Migrations::of::<Before>(), Migrations::of::<After>());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pets.backup");
    for (made_by, read_by, is_newer) in [(after, before, true), (before, after, false)] {
        let writer = BackupWriter::create(&path, SUFFIX, &[made_by], Existing::Replaced).await.expect("begins");
        writer.finish("9.9.9").await.expect("is complete");
        let reader = BackupReader::open(&path, folder.path(), SUFFIX).await.expect("is as it was written");
        let outcome = reader.migrate(read_by).await;
        if is_newer {
            let refused = outcome.expect_err("has steps that are not known").to_string();
            assert!(refused.contains("newer version (9.9.9, with the steps m2_colours, m3_ages)"), "{refused}");
        } else {
            outcome.expect("is migrated");
        }
    }
    let file = Database::open_file(&path).await.expect("is a database");
    write(&file, "UPDATE doorward_backup SET value = '2' WHERE name = 'format'").await.expect("is changed");
    file.close().await.expect("closes");
    assert!(matches!(refusal(&path, folder.path()).await, BackupError::Newer { .. }));
}

#[tokio::test]
async fn status_of_a_schema_names_what_is_pending_and_what_is_newer() -> Result<(), StoreError> {
    let (before, after) = (Migrations::of::<Before>(), Migrations::of::<After>());
    let file = testing::sqlite();
    let database = file.open().await;
    let status = database.schema_status(before).await?;
    assert!(status.is_absent && status.pending == ["m1_pets"] && status.newer.is_empty());
    assert_eq!(crate::SchemaStatus::absent(before), status);
    database.bring_up_to_date(before).await?;
    let status = database.schema_status(after).await?;
    assert!(!status.is_absent && status.pending == ["m2_colours", "m3_ages"] && status.newer.is_empty());
    database.bring_up_to_date(after).await?;
    let status = database.schema_status(before).await?;
    assert!(!status.is_absent && status.pending.is_empty() && status.newer == ["m2_colours", "m3_ages"]);
    Ok(())
}
