use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::*;
use crate::testing::context;

/// How long a test waits at most for what happens at once on an idle machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn setting(file: &Path) -> FileSetting {
    FileSetting { service: "echo", name: "ECHO_NUMBER_FILE", files: vec![file.to_owned()] }
}

fn number(file: &Path) -> Result<Reading<u32>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let value = text.trim().parse().map_err(|_| format!("{text:?} is not a number"))?;
    Ok(Reading { value, files: vec![file.to_owned()] })
}

fn open(file: &Path, context: &Context) -> Result<Arc<FileValue<u32>>, String> {
    let path = file.to_owned();
    FileValue::open(setting(file), move |_| number(&path), |before, after| format!("{before} -> {after}"), context)
}

async fn read(readings: &mut watch::Receiver<u64>) {
    tokio::time::timeout(PATIENCE, readings.changed()).await.expect("in time").expect("is followed");
}

/// Row [E30](../../../../docs/security-requirements.md#e30).
#[tokio::test]
async fn invalid_file_changes_nothing_and_is_counted_until_a_valid_one_replaces_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("number");
    std::fs::write(&file, "1").expect("writes");
    let clock = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1000));
    let context = Context { clock: clock.clone(), ..context() };
    let value = open(&file, &context).expect("is valid");
    let mut readings = value.readings();
    let metric = |name: &str, value: u64| {
        let line = format!("{name}{{service=\"echo\",setting=\"ECHO_NUMBER_FILE\"}} {value}");
        assert!(context.metrics.render().contains(&line), "{line} in {}", context.metrics.render());
    };
    metric("doorward_file_reload_success_timestamp_seconds", 1000);

    clock.advance(Duration::from_secs(1));
    for (text, expected, success, failures) in
        [("two", 1, 1000, 1), ("", 1, 1000, 2), ("3", 3, 1001, 2), ("3", 3, 1001, 2), ("four", 3, 1001, 3)]
    {
        std::fs::write(&file, text).expect("writes");
        context.reload.announce();
        read(&mut readings).await;
        assert_eq!(*value.current(), expected, "{text:?}");
        metric("doorward_file_reload_success_timestamp_seconds", success);
        metric("doorward_file_reload_failures_total", failures);
    }
    std::fs::remove_file(&file).expect("removes");
    context.reload.announce();
    read(&mut readings).await;
    assert_eq!(*value.current(), 3, "a missing file changes nothing");
    assert!(open(&file, &context).is_err(), "it is needed at the start");
}

#[test]
fn file_with_nothing_but_comments_is_empty_and_a_missing_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("routes.yaml");
    EmptyFile::refuse(&file).expect("is missing");
    for text in ["", "\n", "\u{feff}", "# routes of the cloud\n", "---\n  # more\n\t\n"] {
        std::fs::write(&file, text).expect("writes");
        EmptyFile::refuse(&file).expect_err(text);
    }
    for text in ["{}", "[]", "# routes\naccess: []\n", "x"] {
        std::fs::write(&file, text).expect("writes");
        EmptyFile::refuse(&file).expect(text);
    }
}

#[tokio::test]
async fn folder_that_a_link_replaces_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    // as Kubernetes mounts a ConfigMap: number -> ..data/number, ..data -> a folder that is replaced
    for (name, text) in [("one", "1"), ("two", "2")] {
        std::fs::create_dir(path(name)).expect("creates");
        std::fs::write(path(name).join("number"), text).expect("writes");
    }
    symlink("one", path("..data")).expect("links");
    symlink("..data/number", path("number")).expect("links");
    let context = Context { reload: Reload::every(Duration::from_millis(20)), ..context() };
    let value = open(&path("number"), &context).expect("is valid");
    let mut readings = value.readings();
    let shutdown = CancellationToken::new();
    context.reload.poll_until(shutdown.clone());

    symlink("two", path("..data_tmp")).expect("links");
    std::fs::rename(path("..data_tmp"), path("..data")).expect("renames");
    read(&mut readings).await;
    assert_eq!(*value.current(), 2);
    shutdown.cancel();
}

#[tokio::test]
async fn change_of_another_file_reads_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (own, other) = (folder.path().join("own"), folder.path().join("other"));
    std::fs::write(&own, "1").expect("writes");
    std::fs::write(&other, "1").expect("writes");
    let context = Context { reload: Reload::every(Duration::from_millis(20)), ..context() };
    let (value, another) = (open(&own, &context).expect("is valid"), open(&other, &context).expect("is valid"));
    let mut readings = another.readings();
    let shutdown = CancellationToken::new();
    context.reload.poll_until(shutdown.clone());
    std::fs::write(&other, "2").expect("writes");
    read(&mut readings).await;
    context.reload.announce();
    read(&mut readings).await;
    let mut own_readings = value.readings();
    if *own_readings.borrow() == 0 {
        read(&mut own_readings).await;
    }
    assert_eq!((*value.current(), *own_readings.borrow(), *another.current()), (1, 1, 2));
    shutdown.cancel();
}

#[tokio::test]
async fn value_in_use_is_shown_to_the_next_reading() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("number");
    std::fs::write(&file, "1").expect("writes");
    let (path, context) = (file.clone(), context());
    let add = move |before: Option<&u32>| {
        let Reading { value, files } = number(&path)?;
        Ok::<_, String>(Reading { value: value + before.copied().unwrap_or_default(), files })
    };
    let sum = FileValue::open(setting(&file), add, |_, _| String::new(), &context).expect("is valid");
    let mut readings = sum.readings();
    std::fs::write(&file, "10").expect("writes");
    context.reload.announce();
    read(&mut readings).await;
    assert_eq!(*sum.current(), 11);
}
