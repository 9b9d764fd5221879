//! Commands that work with everything that is stored: migrations, backups, restores, and moves between kinds of database.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use status::Kind;
use store::testing::Cluster;
use testkit::{Layout, Mode, TestFamily};

use super::{doorward, succeeded};

const PASSPHRASE: &str = "correct horse battery staple";

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

/// `docs/security-requirements.md#k2`, `#k3`, `#k4`
#[tokio::test(flavor = "multi_thread")]
async fn backup_under_load_is_restored_elsewhere_in_another_process() {
    let family = TestFamily::start("process-backup", Mode::OneProcess).await;
    let mut acknowledged = Vec::new();
    for _ in 0..10 {
        acknowledged.push(family.app_token("marie").await);
    }
    let file = family.layout.folder().join("doorward.backup").display().to_string();
    let is_written = AtomicBool::new(false);
    let load = async {
        let mut made = 0;
        while !is_written.load(Ordering::Relaxed) {
            family.app_token("einstein").await;
            made += 1;
        }
        made
    };
    let backup = async {
        let written = family.command(&["backup", &file, "--with-secrets", "--passphrase-stdin"], PASSPHRASE).await;
        is_written.store(true, Ordering::Relaxed);
        written
    };
    let (made, written) = tokio::join!(load, backup);
    assert!(succeeded(&written).contains("secrets       sealed") && made > 0, "{}", written.stdout);
    let again = family.command(&["backup", &file], "").await;
    assert!(again.code == 1 && again.stderr.contains("--force replaces it"), "{}", again.stderr);

    let restore = ["restore", &file, "--yes", "--passphrase-stdin"];
    let running = family.command(&[&restore[..], &["--force"]].concat(), PASSPHRASE).await;
    assert!(running.code == 1 && running.stderr.contains("another process has"), "{}", running.stderr);
    let token = &acknowledged[0];
    family.authenticate("appauth", "marie", token).await.expect("nothing was changed");

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
    for token in &acknowledged {
        let (user, _) = family.authenticate("appauth", "marie", token).await.expect("was acknowledged before");
        assert_eq!(user.username, "marie");
    }

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
    for token in &acknowledged {
        let refused = family.authenticate("appauth", "marie", token).await.expect_err("was ended");
        assert_eq!(refused.0, Kind::Unauthenticated);
    }
    let password = family.layout.password.clone();
    family.authenticate("basic", "marie", &password).await.expect("passwords are kept");
    let token = family.app_token("marie").await;
    family.authenticate("appauth", "marie", &token).await.expect("a new one works");
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
