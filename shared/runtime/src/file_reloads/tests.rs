use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
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

async fn reread(readings: &mut watch::Receiver<u64>) {
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
        reread(&mut readings).await;
        assert_eq!(*value.current(), expected, "{text:?}");
        metric("doorward_file_reload_success_timestamp_seconds", success);
        metric("doorward_file_reload_failures_total", failures);
    }
    std::fs::remove_file(&file).expect("removes");
    context.reload.announce();
    reread(&mut readings).await;
    assert_eq!(*value.current(), 3, "a missing file changes nothing");
    assert!(open(&file, &context).is_err(), "it is needed at the start");
}

/// Row [E30](../../../../docs/security-requirements.md#e30).
#[tokio::test]
async fn part_of_a_file_changes_nothing_and_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rules.yaml");
    let whole = "access:\n- /a\n- /b\nroutes:\n- /c\n";
    std::fs::write(&file, whole).expect("writes");
    let (path, context) = (file.clone(), context());
    let read = move |_: Option<&String>| {
        let value = std::fs::read_to_string(&path)?;
        Ok::<_, std::io::Error>(Reading { value, files: vec![path.clone()] })
    };
    let value = FileValue::open(setting(&file), read, |_, _| String::new(), &context).expect("is valid");
    let mut readings = value.readings();
    let complete = "access:\n- /a\nroutes: []\n# end\n";
    let parts = [("access:\n- /a\n- /b\n", 1), ("access:\n- /z\n", 2), ("access:\nroutes: [/c]\n", 3), ("# new\n", 4)];
    for (text, failures) in parts.into_iter().chain([(complete, 4), ("access:\n- /a\n", 5)]) {
        std::fs::write(&file, text).expect("writes");
        context.reload.announce();
        reread(&mut readings).await;
        let expected = if failures < 4 || text == "# new\n" { whole } else { complete };
        assert_eq!(*value.current(), expected, "{text:?}");
        let line =
            format!("doorward_file_reload_failures_total{{service=\"echo\",setting=\"ECHO_NUMBER_FILE\"}} {failures}");
        assert!(context.metrics.render().contains(&line), "{text:?}");
    }
}

/// Row [M12](../../../../docs/security-requirements.md#m12): the value depends on secrets that its setting does not name.
#[tokio::test]
async fn file_of_secrets_may_become_shorter_and_empty() {
    let folder = tempfile::tempdir().expect("a folder");
    let [list, secrets] = ["list.yaml", "secrets"].map(|name| folder.path().join(name));
    std::fs::write(&list, "accounts:\n- /a\n- /b\n").expect("writes");
    std::fs::write(&secrets, "SECRET=new\nSECRET_PREVIOUS=old\n").expect("writes");
    let (files, context) = ([list.clone(), secrets.clone()], context());
    let read = move |_: Option<&String>| {
        let value = files.iter().map(std::fs::read_to_string).collect::<std::io::Result<String>>()?;
        Ok::<_, std::io::Error>(Reading { value, files: files.to_vec() })
    };
    let value = FileValue::open(setting(&list), read, |_, _| String::new(), &context).expect("is valid");
    let mut readings = value.readings();
    let whole = "accounts:\n- /a\n- /b\n";
    let shorter = "accounts:\n- /a\n# end\n";
    for (file, text, expected) in [
        (&secrets, "SECRET=new\n", format!("{whole}SECRET=new\n")),
        (&secrets, "", whole.to_owned()),
        (&list, "accounts:\n- /a\n", whole.to_owned()),
        (&list, shorter, shorter.to_owned()),
    ] {
        std::fs::write(file, text).expect("writes");
        context.reload.announce();
        reread(&mut readings).await;
        assert_eq!(*value.current(), expected, "{text:?}");
    }
}

#[tokio::test]
async fn change_during_the_first_reading_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let [index, other] = ["index", "other"].map(|name| folder.path().join(name));
    std::fs::write(&index, "1").expect("writes");
    std::fs::write(&other, "1").expect("writes");
    let (paths, is_first) = ([index.clone(), other], AtomicBool::new(true));
    let read = move |_: Option<&u32>| {
        let mut value = 0;
        for path in &paths {
            value = value * 10 + number(path)?.value;
            if is_first.load(Ordering::Acquire) {
                std::fs::write(path, "2").map_err(|error| error.to_string())?;
            }
        }
        is_first.store(false, Ordering::Release);
        Ok::<_, String>(Reading { value, files: paths.to_vec() })
    };
    let value = FileValue::open(setting(&index), read, |_, _| String::new(), &context()).expect("is valid");
    assert_eq!(*value.current(), 22, "neither change would be announced any more");
}

#[tokio::test]
async fn file_that_changes_while_it_is_read_is_not_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("number");
    std::fs::write(&file, "1").expect("writes");
    let context = context();
    let mut reloads = FileReloads::new(setting(&file), &context);
    let (path, count) = (file.clone(), AtomicU32::new(1));
    let changing = move || {
        let reading = number(&path)?;
        let next = count.fetch_add(1, Ordering::AcqRel) + 1;
        std::fs::write(&path, next.to_string()).map_err(|error| error.to_string())?;
        Ok::<_, String>(reading)
    };
    let problem = reloads.read_again(changing).await.expect_err("is never the same");
    assert!(problem.to_string().contains("changes while it is read"), "{problem}");
    let path = file.clone();
    let read = reloads.read_again(move || number(&path)).await.expect("is at rest");
    assert_eq!(read as usize, ATTEMPTS + 1);
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
    context.reload.poll_until(shutdown.clone(), &context.background);

    symlink("two", path("..data_tmp")).expect("links");
    std::fs::rename(path("..data_tmp"), path("..data")).expect("renames");
    reread(&mut readings).await;
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
    context.reload.poll_until(shutdown.clone(), &context.background);
    std::fs::write(&other, "2").expect("writes");
    reread(&mut readings).await;
    context.reload.announce();
    reread(&mut readings).await;
    let mut own_readings = value.readings();
    if *own_readings.borrow() == 0 {
        reread(&mut own_readings).await;
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
    reread(&mut readings).await;
    assert_eq!(*sum.current(), 11);
}
