//! Commands that work with everything that is stored: migrations, backups, restores, and moves between kinds of database.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::Duration;

use status::Kind;
use store::testing::Cluster;
use testkit::{Finished, Layout, Mode, TestFamily, binary};

use super::{doorward, succeeded};

const PASSPHRASE: &str = "correct horse battery staple";

/// A family in which a user may have any number of app tokens.
async fn start_for_load(name: &str) -> TestFamily {
    let mut layout = Layout::new(name, false);
    layout.set("AUTH_APP_MAX_TOKENS_PER_USER", "0");
    TestFamily::start_with(layout, Mode::OneProcess, |context| context).await
}

/// Runs a command while einstein makes one app token after the other. The second value has the tokens that were acknowledged before
/// the command began.
async fn run_under_load(family: &TestFamily, arguments: &[&str], input: &str) -> (Finished, Vec<String>) {
    let (made, has_ended) = (RefCell::new(Vec::new()), Cell::new(false));
    let load = async {
        while !has_ended.get() {
            let token = family.app_token("einstein").await;
            made.borrow_mut().push(token);
        }
    };
    let command = async {
        while made.borrow().len() < 10 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let acknowledged = made.borrow().clone();
        let finished = family.command(arguments, input).await;
        has_ended.set(true);
        (finished, acknowledged)
    };
    let ((), (finished, acknowledged)) = tokio::join!(load, command);
    assert!(made.borrow().len() > acknowledged.len(), "tokens were made meanwhile");
    (finished, acknowledged)
}

async fn assert_accepted(family: &TestFamily, login: &str, tokens: &[String]) {
    for token in tokens {
        let (user, _) = family.authenticate("appauth", login, token).await.expect("was acknowledged before");
        assert_eq!(user.username, login);
    }
}

async fn assert_refused(family: &TestFamily, login: &str, tokens: &[String]) {
    for token in tokens {
        let refused = family.authenticate("appauth", login, token).await.expect_err("was ended");
        assert_eq!(refused.0, Kind::Unauthenticated);
    }
}

#[test]
fn schemas_are_checked_and_brought_up_to_date() {
    let layout = Layout::new("migrate", false);
    let check = || doorward(&layout, &["migrate", "--check"], "");
    let behind = check();
    assert_eq!(behind.code, 1, "{}", behind.stdout);
    assert!(
        behind.stderr.contains("users, auth-basic, auth-service, auth-app, idp, auth-bearer, proxy are not up to date")
    );
    assert!(!layout.folder().join("data").exists(), "nothing is made");
    let migrated = doorward(&layout, &["migrate"], "");
    assert_eq!(succeeded(&migrated).matches("steps taken: m").count(), 7, "{}", migrated.stdout);
    let checked = check();
    assert_eq!(succeeded(&checked).matches(": up to date\n").count(), 7, "{}", checked.stdout);
}

/// A service in a process of its own runs whether this command has it enabled or not.
#[test]
fn schemas_of_services_that_are_not_enabled_are_made_on_request() {
    let mut layout = Layout::new("migrate-all", false);
    layout.unset("OCIS_ADD_RUN_SERVICES");
    let migrated = doorward(&layout, &["migrate"], "");
    let left = succeeded(&migrated).lines().find(|line| line.starts_with("auth-app")).expect("a line");
    assert!(left.contains("there is no schema") && left.contains("--all"), "{left}");
    let behind = doorward(&layout, &["migrate", "--check", "--all"], "");
    assert!(behind.code == 1 && behind.stderr.contains("the schemas of auth-app are not"), "{}", behind.stderr);
    let migrated = doorward(&layout, &["migrate", "--all"], "");
    assert_eq!(succeeded(&migrated).matches("steps taken: m").count(), 1, "{}", migrated.stdout);
    succeeded(&doorward(&layout, &["migrate", "--check", "--all"], ""));
}

/// `docs/security-requirements.md#k4`
#[test]
fn partial_backup_is_restored_on_a_new_machine_and_is_in_its_audit_log() {
    let mut layout = Layout::new("partial-backup", false);
    layout.unset("OCIS_LOG_FILE");
    succeeded(&doorward(&layout, &["migrate"], ""));
    fs::remove_file(layout.folder().join("data/idp.db")).expect("is removed");
    let file = layout.folder().join("doorward.backup").display().to_string();
    let refused = doorward(&layout, &["backup", &file], "");
    assert!(refused.code == 1 && refused.stderr.contains("stored nothing: idp in sqlite://"), "{}", refused.stderr);
    let left = format!("{file}.00112233445566778899aabbccddeeff.partial");
    fs::write(&left, "").expect("is written");
    let refused = doorward(&layout, &["backup", &file, "--partial"], "");
    assert!(refused.code == 1 && refused.stderr.contains("--force removes it"), "{}", refused.stderr);
    succeeded(&doorward(&layout, &["backup", &file, "--partial", "--force"], ""));
    assert!(!fs::exists(&left).expect("is looked for"));

    let elsewhere = layout.folder().join("elsewhere");
    layout.set("OCIS_BASE_DATA_PATH", &elsewhere.display().to_string());
    let restored = doorward(&layout, &["restore", &file, "--yes"], "");
    let text = succeeded(&restored);
    assert!(text.contains("idp.db: is not in the backup; what it stores is left as it is"), "{text}");
    let log = fs::read_to_string(elsewhere.join("audit.log")).expect("is read");
    assert!(log.contains("\"event\":\"restore\",\"outcome\":\"success\""), "{log}");
}

/// As through `kubectl exec` and `kubectl attach`; `docs/security-requirements.md#k1`
#[test]
fn backup_goes_through_standard_output_and_input() {
    let mut layout = Layout::new("backup-stream", false);
    layout.unset("OCIS_DATABASE_URL");
    succeeded(&doorward(&layout, &["group", "add", "physicists"], ""));
    succeeded(&doorward(&layout, &["migrate"], ""));
    let streamed = |layout: &Layout, arguments: &[&str], input: Stdio| {
        let mut command = Command::new(binary("doorward"));
        command.args(arguments).env_clear().envs(layout.variables()).stdin(input).output().expect("a command ends")
    };
    layout.set("OCIS_AUDIT_LOG_STDOUT", "true");
    let refused = streamed(&layout, &["backup", "-"], Stdio::null());
    let reason = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && reason.contains("OCIS_AUDIT_LOG_STDOUT=false"), "{reason}");
    layout.unset("OCIS_AUDIT_LOG_STDOUT");
    let written = streamed(&layout, &["backup", "-"], Stdio::null());
    let progress = String::from_utf8_lossy(&written.stderr);
    assert!(written.status.success() && progress.contains("the backup is complete"), "{progress}");
    assert!(written.stdout.starts_with(b"SQLite format 3\0"), "nothing but the backup is on standard output");
    let data = layout.folder().join("data");
    let left = || {
        fs::read_dir(&data)
            .expect("the folder")
            .flatten()
            .filter(|file| file.file_name().to_string_lossy().contains(".partial"))
    };
    assert_eq!(left().count(), 0);

    let file = layout.folder().join("received.backup");
    fs::write(&file, &written.stdout).expect("is written");
    let input = || Stdio::from(File::open(&file).expect("is there"));
    layout.set("OCIS_BASE_DATA_PATH", &layout.folder().join("elsewhere").display().to_string());
    let refused = streamed(&layout, &["restore", "-"], input());
    let reason = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && reason.contains("--yes"), "{reason}");
    let restored = streamed(&layout, &["restore", "-", "--yes"], input());
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let groups = doorward(&layout, &["group", "list"], "");
    assert!(succeeded(&groups).contains("physicists"), "{}", groups.stdout);
}

/// `docs/security-requirements.md#k2`, `#k3`, `#k4`
#[tokio::test(flavor = "multi_thread")]
async fn backup_under_load_is_restored_elsewhere_in_another_process() {
    let family = start_for_load("process-backup").await;
    let before = [family.app_token("marie").await];
    let file = family.layout.folder().join("doorward.backup").display().to_string();
    let backup = ["backup", &file, "--with-secrets", "--passphrase-stdin"];
    let (written, acknowledged) = run_under_load(&family, &backup, PASSPHRASE).await;
    assert!(succeeded(&written).contains("secrets       sealed"), "{}", written.stdout);
    let again = family.command(&["backup", &file], "").await;
    assert!(again.code == 1 && again.stderr.contains("--force replaces it"), "{}", again.stderr);

    let restore = ["restore", &file, "--yes", "--passphrase-stdin"];
    let running = family.command(&[&restore[..], &["--force"]].concat(), PASSPHRASE).await;
    assert!(running.code == 1 && running.stderr.contains("another process has"), "{}", running.stderr);
    assert_accepted(&family, "marie", &before).await;

    let data = family.layout.folder().join("data");
    let elsewhere = family.layout.folder().join("elsewhere");
    let family = family.restart(Mode::OneProcess, |layout| {
        layout.set("OCIS_BASE_DATA_PATH", &elsewhere.display().to_string());
        let wrong = doorward(layout, &restore, "correct horse battery stable");
        assert!(wrong.code == 1 && wrong.stderr.contains("the passphrase is another one"), "{}", wrong.stderr);
        assert!(!elsewhere.exists(), "nothing is made");
        succeeded(&doorward(layout, &[&restore[..], &["--keep-credentials"]].concat(), PASSPHRASE));
        let [before, after] = [&data, &elsewhere].map(|folder| fs::read(folder.join("secrets")).expect("is read"));
        assert_eq!(before, after);
    });
    let family = family.await;
    assert_accepted(&family, "marie", &before).await;
    assert_accepted(&family, "einstein", &acknowledged).await;

    let family = family.restart(Mode::OneProcess, |layout| {
        let full = doorward(layout, &restore, PASSPHRASE);
        assert!(full.code == 1 && full.stderr.contains("there is data in sqlite://"), "{}", full.stderr);
        let restored = doorward(layout, &["restore", &file, "--yes", "--force", "--without-secrets"], "");
        let text = succeeded(&restored);
        assert!(text.contains("app tokens\n") && text.contains("AUTH_APP_TOKEN_KEY"), "{text}");
        let log = fs::read_to_string(&layout.variables()["OCIS_LOG_FILE"]).expect("is read");
        let events = ["\"event\":\"backup\",\"outcome\":\"success\"", "\"event\":\"restore\",\"outcome\":\"failure\""];
        assert!(events.iter().all(|event| log.contains(event)), "the audit log has both");
    });
    let family = family.await;
    assert_refused(&family, "marie", &before).await;
    assert_refused(&family, "einstein", &acknowledged).await;
    let password = family.layout.password.clone();
    family.authenticate("basic", "marie", &password).await.expect("passwords are kept");
    let token = family.app_token("marie").await;
    family.authenticate("appauth", "marie", &token).await.expect("a new one works");
}

/// A rehearsal of the move, while the services run.
#[tokio::test(flavor = "multi_thread")]
async fn copy_to_postgres_under_load_has_what_was_acknowledged_before() {
    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    let family = start_for_load("process-copy-online").await;
    let copy = ["db", "copy", "--to", place.url(), "--online"];
    let (copied, acknowledged) = run_under_load(&family, &copy, "").await;
    let rows: Vec<Vec<&str>> = succeeded(&copied).lines().map(|line| line.split_whitespace().collect()).collect();
    let tables: Vec<_> = rows.iter().filter(|cells| cells.len() == 6).collect();
    assert!(tables.len() > 10 && tables.iter().all(|cells| cells[2] == cells[3] && cells[4] == cells[5]), "{tables:?}");
    let tokens = tables.iter().find(|cells| cells[1] == "app_tokens").expect("a table");
    let copied: usize = tokens[2].parse().expect("a number");
    assert!(copied >= acknowledged.len(), "{copied} rows, {} tokens", acknowledged.len());

    let family = family.restart(Mode::OneProcess, |layout| layout.set("OCIS_DATABASE_URL", place.url())).await;
    assert_accepted(&family, "einstein", &acknowledged).await;
}

/// `docs/security-requirements.md#k4`, `#k5`
#[tokio::test(flavor = "multi_thread")]
async fn family_moves_to_postgres_and_back() {
    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    let family = TestFamily::start("process-move", Mode::OneProcess).await;
    let token = family.app_token("marie").await;
    let copy = ["db", "copy", "--to", place.url()];
    let running = family.command(&copy, "").await;
    assert!(running.code == 1 && running.stderr.contains("another process has"), "{}", running.stderr);

    let family = family.restart(Mode::OneProcess, |layout| {
        let copied = doorward(layout, &copy, "");
        assert!(succeeded(&copied).contains("app_tokens") && copied.stdout.contains("both sides are the same"));
        let again = doorward(layout, &copy, "");
        assert!(again.code == 1 && again.stderr.contains("there is data in postgres://"), "{}", again.stderr);
        layout.set("OCIS_DATABASE_URL", place.url());
        succeeded(&doorward(layout, &["migrate", "--check"], ""));
    });
    let family = family.await;
    family.authenticate("appauth", "marie", &token).await.expect("the token was moved");
    let added = family.app_token("marie").await;
    let backup = family.layout.folder().join("doorward.backup").display().to_string();
    succeeded(&family.command(&["backup", &backup], "").await);
    let refused = family.command(&["restore", &backup, "--yes", "--force"], "").await;
    assert!(refused.code == 1 && refused.stderr.contains("other sessions are connected"), "{}", refused.stderr);

    let file = store::sqlite_url(&family.layout.folder().join("all.db"));
    let family = family.restart(Mode::OneProcess, |layout| {
        succeeded(&doorward(layout, &["db", "copy", "--to", &file], ""));
        layout.set("OCIS_DATABASE_URL", &file);
    });
    let family = family.await;
    for token in [&token, &added] {
        family.authenticate("appauth", "marie", token).await.expect("both were moved back");
    }
    let pooler = cluster.pooler("").await;
    let family = family.restart(Mode::OneProcess, |layout| {
        if let Some(pooler) = &pooler {
            layout.set("OCIS_DATABASE_URL", &pooler.url(&place));
            let hidden = doorward(layout, &["restore", &backup, "--yes", "--force"], "");
            assert!(hidden.code == 1 && hidden.stderr.contains("with --services-stopped"), "{}", hidden.stderr);
        } else {
            layout.set("OCIS_DATABASE_URL", place.url());
        }
        let restored = doorward(layout, &["restore", &backup, "--yes", "--force", "--services-stopped"], "");
        layout.set("OCIS_DATABASE_URL", place.url());
        assert!(succeeded(&restored).contains("auth-app      ended 2 app tokens\n"), "{}", restored.stdout);
    });
    let family = family.await;
    family.authenticate("appauth", "marie", &token).await.expect_err("was ended");
    let password = family.layout.password.clone();
    family.authenticate("basic", "marie", &password).await.expect("passwords are kept");
}
