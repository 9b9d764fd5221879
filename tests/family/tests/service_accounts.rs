//! Service accounts of the database: added by commands, and authenticated through the gateway.

use std::time::{Duration, Instant};

use authn::kind;
use serde_json::Value;
use status::Kind;
use testkit::{Finished, Layout, Mode, TestFamily, note_secret, run};

/// How long a use may take to be written down.
const WRITTEN_SOON: Duration = Duration::from_secs(30);

fn succeeded(finished: &Finished) -> &str {
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    finished.stdout.as_str()
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(succeeded(finished)).expect("is JSON")
}

fn text(value: &Value) -> String {
    value.as_str().expect("is a text").to_owned()
}

/// The secret that a command has made, which no log may have, and its identifier.
fn secret_of(made: &Value) -> (String, String) {
    let secret = text(&made["secret"]);
    note_secret(&secret);
    (secret, text(&made["secret_id"]))
}

/// Whether the gateway accepts this secret of the account `backup`.
async fn accepts(family: &TestFamily, secret: &str) -> bool {
    match family.authenticate(kind::SERVICE, "backup", secret).await {
        Ok((user, _)) => user.id.unwrap_or_default().opaque_id == "backup",
        Err((refused, _)) => {
            assert_eq!(refused, Kind::Unauthenticated);
            false
        }
    }
}

/// Rows M8 and M9 of `docs/security-requirements.md`.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_a_service_account_hold_from_the_next_request_on() {
    for mode in [Mode::OneProcess, Mode::Processes] {
        let family = TestFamily::start_empty(Layout::new("process-service-accounts", false), mode).await;
        let command = async |line: &[&str]| family.command(&[&["service-account"][..], line].concat(), "").await;
        let added = json(&command(&["add", "backup", "--display-name", "Nightly", "--json"]).await);
        let (first, first_id) = secret_of(&added);
        assert!(accepts(&family, &first).await, "{mode:?}");
        let second = json(&command(&["add-secret", "backup", "--json"]).await);
        assert_eq!(second["secrets"].as_array().map(Vec::len), Some(2), "{second}");
        let (second, second_id) = secret_of(&second);
        assert!(accepts(&family, &first).await && accepts(&family, &second).await, "{mode:?}");
        let third = command(&["add-secret", "backup"]).await;
        assert!(third.code == 1 && third.stderr.contains("remove one first"), "{}", third.stderr);

        let unconfirmed = command(&["remove-secret", "backup", &first_id]).await;
        assert!(unconfirmed.code == 1 && unconfirmed.stderr.contains("--yes"), "{}", unconfirmed.stderr);
        succeeded(&command(&["remove-secret", "backup", &first_id, "--yes"]).await);
        assert!(!accepts(&family, &first).await && accepts(&family, &second).await, "{mode:?}");
        assert!(succeeded(&command(&["update", "backup", "--disable"]).await).contains("is disabled"));
        assert!(!accepts(&family, &second).await, "{mode:?}");
        assert!(succeeded(&command(&["list", "NIGHT"]).await).contains("disabled"));

        let family = family.restart(mode, |_| ()).await;
        let command = async |line: &[&str]| family.command(&[&["service-account"][..], line].concat(), "").await;
        assert!(!accepts(&family, &second).await, "is still disabled");
        succeeded(&command(&["update", "backup", "--enable"]).await);
        assert!(!accepts(&family, &first).await && accepts(&family, &second).await, "{mode:?}");
        let start = Instant::now();
        let shown = loop {
            let shown = json(&command(&["show", "backup", "--json"]).await);
            // the use before the restart is written when the process ends, and the one after it a minute later
            if !shown["last_used"].is_null() {
                break shown;
            }
            assert!(start.elapsed() < WRITTEN_SOON, "the use is not written: {shown}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert_eq!((&shown["secrets"][0]["id"], &shown["display_name"]), (&second_id.into(), &"Nightly".into()));
        assert!(shown.get("secret").is_none() && !shown["secrets"][0]["last_used"].is_null(), "{shown}");
        let deleted = json(&command(&["delete", "backup", "--yes", "--json"]).await);
        assert_eq!(deleted, serde_json::json!({ "id": "backup", "deleted": true }));
        assert!(!accepts(&family, &second).await, "{mode:?}");
    }
}

/// Row M10 of `docs/security-requirements.md`.
#[tokio::test(flavor = "multi_thread")]
async fn account_of_the_environment_is_not_in_the_database() {
    let family = TestFamily::start_empty(Layout::new("process-service-taken", false), Mode::OneProcess).await;
    let taken = family.command(&["service-account", "add", "jobs"], "").await;
    assert!(taken.code == 1 && taken.stderr.contains("the configuration"), "{}", taken.stderr);
    assert_eq!(taken.stderr.lines().count(), 1, "{}", taken.stderr);
    family.authenticate(kind::SERVICE, "jobs", &family.layout.service_secret).await.expect("is accepted");
    let listed = json(&family.command(&["service-account", "list", "--json"], "").await);
    assert_eq!(listed, serde_json::json!([]));
}

#[test]
fn accounts_of_a_stopped_family_are_administered_too() {
    let layout = Layout::new("process-service-stopped", false);
    let doorward = |line: &[&str]| run("doorward", &[&["service-account"][..], line].concat(), layout.variables(), "");
    let added = json(&doorward(&["add", "backup", "--expires", "2100-01-31T00:00:00Z", "--json"]));
    secret_of(&added);
    assert_eq!(added["expires"], "2100-01-31T00:00:00Z");
    let again = doorward(&["add", "backup"]);
    assert_eq!((again.code, again.stderr.lines().count()), (1, 1), "{}", again.stderr);
    let past = doorward(&["add", "other", "--expires", "2000-01-31T00:00:00Z"]);
    assert!(past.code == 1 && past.stderr.contains("in the future"), "{}", past.stderr);
    succeeded(&doorward(&["update", "backup", "--expires", "never"]));
    let shown = doorward(&["show", "backup"]);
    assert!(succeeded(&shown).contains("expires     never"), "{}", shown.stdout);
    assert_eq!(doorward(&["update", "backup"]).code, 1, "nothing is given");
    assert_eq!(doorward(&["show", "unknown"]).code, 1);
}

#[test]
fn service_without_a_database_says_how_to_get_one() {
    let mut layout = Layout::new("process-service-not-stored", false);
    layout.set("AUTH_SERVICE_STORE_ACCOUNTS", "false");
    let refused = run("doorward", &["service-account", "list"], layout.variables(), "");
    assert!(refused.code == 1 && refused.stderr.contains("AUTH_SERVICE_STORE_ACCOUNTS=true"), "{}", refused.stderr);
}
