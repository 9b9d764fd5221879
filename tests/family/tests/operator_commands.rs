//! Commands of operators: imports, changes of clients, health, the check of files, and everything that is stored.

mod state;

use std::fs;

use serde_json::{Value, json};
use testkit::{Finished, Layout, Mode, TestFamily, run};

const WEAK: &str = "relativity2026";
const GOOD: &str = "an entirely new secret phrase";

fn succeeded(finished: &Finished) -> &str {
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    finished.stdout.as_str()
}

fn doorward(layout: &Layout, arguments: &[&str], input: &str) -> Finished {
    run("doorward", arguments, layout.variables(), input)
}

fn users(layout: &Layout) -> Vec<Value> {
    let list = doorward(layout, &["user", "list", "--json"], "");
    serde_json::from_str(succeeded(&list)).expect("is JSON")
}

#[test]
fn users_of_a_file_are_added_with_groups_roles_and_passwords() {
    let layout = Layout::new("process-import", false);
    succeeded(&doorward(&layout, &["group", "add", "physicists"], ""));
    let file = layout.folder().join("users.csv");
    let text = format!(
        "user_name,display_name,mail,roles,groups,password\n\
         marie,Marie Curie,marie@example.org,,physicists,{GOOD}\n\
         niels,,,admin;user,,\n\
         lise,,,,chemists,\n"
    );
    fs::write(&file, text).expect("writes");
    let file = file.display().to_string();

    let planned = doorward(&layout, &["user", "import", &file, "--dry-run"], "");
    assert_eq!(planned.code, 1, "{}", planned.stderr);
    assert!(planned.stdout.contains("2 would be added, 1 failed"), "{}", planned.stdout);
    assert!(planned.stdout.contains("line 4: lise failed: there is no group \"chemists\""), "{}", planned.stdout);
    assert!(users(&layout).is_empty(), "nothing is changed");

    let imported = doorward(&layout, &["user", "import", &file, "--generate", "--json"], "");
    assert_eq!((imported.code, imported.stderr.lines().count()), (1, 1), "{}", imported.stderr);
    let report: Vec<Value> = imported.stdout.lines().map(|line| serde_json::from_str(line).expect("is JSON")).collect();
    assert_eq!(report.len(), 4, "{report:?}");
    assert!(report[0].get("password").is_none(), "has one of its own: {}", report[0]);
    assert_eq!(report[1]["password"].as_str().map(str::len), Some(29), "five groups of five: {}", report[1]);
    assert_eq!((&report[2]["line"], &report[2]["outcome"]), (&json!(4), &json!("failed")));
    assert_eq!(report[3], json!({ "dry_run": false, "added": 2, "failed": 1 }));

    let users = users(&layout);
    let names: Vec<_> = users.iter().map(|user| user["user_name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["marie", "niels"], "the row that failed has left nothing");
    let again = doorward(&layout, &["user", "import", &file], "");
    assert!(again.code == 1 && again.stdout.contains("0 added, 3 failed"), "{}", again.stdout);
}

/// `docs/security-requirements.md#b20`
#[test]
fn weak_passwords_of_an_import_are_refused() {
    let layout = Layout::new("process-import-weak", false);
    let lines = [json!({ "user_name": "marie", "password": WEAK }), json!({ "user_name": "niels", "password": GOOD })];
    let input = lines.map(|line| line.to_string()).join("\n");
    for dry_run in [&["--dry-run"][..], &[]] {
        let arguments = [&["user", "import", "-", "--format", "jsonl"], dry_run].concat();
        let refused = doorward(&layout, &arguments, &input);
        assert_eq!(refused.code, 1, "{}", refused.stderr);
        assert!(refused.stdout.contains("line 1: marie failed: the password"), "{}", refused.stdout);
        assert!(refused.stdout.contains("1 failed"), "{}", refused.stdout);
        assert!(!refused.stdout.contains(WEAK) && !refused.stderr.contains(WEAK), "{}", refused.stdout);
    }
    assert_eq!(users(&layout).len(), 1, "niels alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_asks_what_runs_whatever_the_environment_says() {
    let family = TestFamily::start_empty(Layout::new("process-health", false), Mode::OneProcess).await;
    let data = family.layout.folder().join("data");
    let running = data.join("running");
    let waiting = std::time::Instant::now();
    let is_noted = || {
        let mut files = fs::read_dir(&running).into_iter().flatten().flatten().map(|entry| entry.path());
        files.any(|file| file.extension().is_some_and(|extension| extension == "json"))
    };
    while !is_noted() {
        assert!(waiting.elapsed().as_secs() < 30, "no file in {}", running.display());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let bare = [("OCIS_BASE_DATA_PATH".to_owned(), data.display().to_string())].into_iter().collect();
    let health = run("doorward", &["health", "--json"], &bare, "");
    let answers: Vec<Value> = serde_json::from_str(succeeded(&health)).expect("is JSON");
    assert!(answers.len() > 5 && answers.iter().all(|answer| answer["ready"] == true), "{answers:?}");
    drop(family);
}

#[test]
fn config_check_reads_every_file_that_a_setting_names() {
    for (variable, service) in [
        ("IDP_CLIENTS_FILE", "idp"),
        ("PROXY_ROUTES_FILE", "proxy"),
        ("AUTH_SERVICE_ACCOUNTS_FILE", "auth-service"),
        ("OCIS_GRPC_CLIENT_TLS_CACERT", "gateway"),
        ("OCIS_LDAP_CACERT", "users"),
    ] {
        let mut layout = Layout::new("process-check-files", false);
        let file = layout.folder().join("is-not-there");
        layout.set(variable, &file.display().to_string());
        for arguments in [&["config", "check"][..], &["config", "check", service]] {
            let refused = doorward(&layout, arguments, "");
            assert_eq!((refused.code, refused.stderr.lines().count()), (64, 1), "{variable}: {}", refused.stderr);
            let expected = format!("names the file {}, which cannot be read", file.display());
            assert!(refused.stderr.contains(variable) && refused.stderr.contains(&expected), "{}", refused.stderr);
        }
        layout.set("OCIS_RUN_SERVICES", "auth-machine");
        if variable != "OCIS_GRPC_CLIENT_TLS_CACERT" {
            succeeded(&doorward(&layout, &["config", "check"], ""));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_is_updated_in_the_named_members() {
    let family = TestFamily::start_empty(Layout::new("process-client-update", false), Mode::OneProcess).await;
    let add = ["client", "add", "--id", "wiki", "--name", "Wiki", "--redirect-uri", "https://wiki.example/cb"];
    succeeded(&family.command(&add, "").await);
    let update = ["client", "update", "wiki", "--id-token-claim", "groups", "--name", "Our wiki", "--json"];
    let updated = family.command(&update, "").await;
    let shown: Value = serde_json::from_str(succeeded(&updated)).expect("is JSON");
    assert!(shown.get("client_secret").is_none(), "keeps the one it has: {shown}");
    let shown = family.command(&["client", "show", "wiki"], "").await;
    let shown: Value = serde_json::from_str(succeeded(&shown)).expect("is JSON");
    let metadata = &shown["metadata"];
    assert_eq!((&metadata["client_name"], &metadata["id_token_claims"]), (&json!("Our wiki"), &json!(["groups"])));
    assert_eq!(metadata["redirect_uris"], json!(["https://wiki.example/cb"]));
    let refused = family.command(&["client", "update", "wiki", "--id-token-claim", "grups"], "").await;
    assert!(refused.code == 1 && refused.stderr.contains("id_token_claims: \"grups\""), "{}", refused.stderr);
    let nothing = family.command(&["client", "update", "wiki"], "").await;
    assert!(nothing.code == 1 && nothing.stderr.contains("nothing is to be changed"), "{}", nothing.stderr);
}
