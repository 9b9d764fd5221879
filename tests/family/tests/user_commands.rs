//! Administering people, while the family runs and while it is stopped.

use status::Kind;
use testkit::{Finished, Layout, Mode, TestFamily, note_secret, run};

fn succeeded(finished: &Finished) -> &str {
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    finished.stdout.as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_takes_effect_on_the_next_request() {
    for mode in [Mode::OneProcess, Mode::Processes] {
        let family = TestFamily::start("process-disable", mode).await;
        let (password, machine) = (family.layout.password.clone(), family.layout.machine_key.clone());
        let token = family.app_token("marie").await;
        let kinds = [("basic", password.as_str()), ("appauth", token.as_str()), ("machine", machine.as_str())];
        for (kind, secret) in kinds {
            family.authenticate(kind, "marie", secret).await.expect(kind);
        }
        succeeded(&family.command(&["user", "disable", "marie"], "").await);
        for (kind, secret) in kinds {
            let (answered, _) = family.authenticate(kind, "marie", secret).await.expect_err(kind);
            let expected = if kind == "machine" { Kind::NotFound } else { Kind::Unauthenticated };
            assert_eq!(answered, expected, "{kind} in {mode:?}");
        }
        succeeded(&family.command(&["user", "enable", "marie"], "").await);
        for (kind, secret) in kinds {
            family.authenticate(kind, "marie", secret).await.expect(kind);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_replaces_the_old_one_at_once() {
    let family = TestFamily::start("process-passwd", Mode::OneProcess).await;
    let old = family.layout.password.clone();
    family.authenticate("basic", "einstein", &old).await.expect("the old password opens");
    let new = "an entirely new secret phrase";
    note_secret(new);
    succeeded(&family.command(&["user", "passwd", "einstein", "--password-stdin"], new).await);
    family.authenticate("basic", "einstein", new).await.expect("the new password opens");
    assert_eq!(family.authenticate("basic", "einstein", &old).await.expect_err("gone").0, Kind::Unauthenticated);
    let shown = family.command(&["user", "show", "einstein"], "").await;
    let id =
        succeeded(&shown).lines().find_map(|line| line.strip_prefix("id")).expect("an identifier").trim().to_owned();
    succeeded(&family.command(&["user", "delete", "einstein", "--yes"], "").await);
    let by_name = family.command(&["user", "delete", "einstein", "--yes"], "").await;
    assert!(by_name.code == 1 && by_name.stderr.contains("no user has the login name"), "{}", by_name.stderr);
    succeeded(&family.command(&["user", "delete", "--id", &id, "--yes"], "").await);
    assert_eq!(family.authenticate("basic", "einstein", new).await.expect_err("gone").0, Kind::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_seen_by_the_next_request() {
    let family = TestFamily::start("process-groups", Mode::OneProcess).await;
    succeeded(&family.command(&["group", "add", "physicists"], "").await);
    succeeded(&family.command(&["group", "member", "add", "physicists", "marie"], "").await);
    let list = family.command(&["group", "member", "list", "physicists"], "").await;
    assert!(succeeded(&list).contains("marie"));
    let (user, _) = family.authenticate("machine", "marie", &family.layout.machine_key).await.expect("marie");
    assert_eq!(user.groups.len(), 1);
    succeeded(&family.command(&["group", "member", "remove", "physicists", "marie"], "").await);
    let (user, _) = family.authenticate("machine", "marie", &family.layout.machine_key).await.expect("marie");
    assert!(user.groups.is_empty());
}

#[test]
fn a_stopped_family_is_administered_too() {
    let layout = Layout::new("process-stopped", false);
    let doorward = |arguments: &[&str], input: &str| run("doorward", arguments, layout.variables(), input);
    succeeded(&doorward(&["user", "add", "niels", "--password-stdin"], &layout.password));
    let list = doorward(&["user", "list"], "");
    assert!(succeeded(&list).contains("niels"));
    succeeded(&doorward(&["user", "disable", "niels"], ""));
    let shown = doorward(&["user", "show", "niels"], "");
    assert!(succeeded(&shown).contains("disabled"));
    let again = doorward(&["user", "add", "niels", "--password-stdin"], &layout.password);
    assert_eq!(again.code, 1, "a name is taken once");
    assert_eq!(again.stderr.lines().count(), 1, "{}", again.stderr);
}

#[test]
fn profile_is_changed_and_shown() {
    let layout = Layout::new("process-profile", false);
    let doorward = |arguments: &[&str]| run("doorward", arguments, layout.variables(), "");
    succeeded(&doorward(&["user", "add", "niels", "--no-password"]));
    let update = ["user", "update", "niels", "--mail", "niels@example.org", "--given-name", "Niels", "--locale", "da"];
    succeeded(&doorward(&update));
    succeeded(&doorward(&["user", "update", "niels", "--display-name", "Niels Bohr", "--locale", ""]));
    let shown = doorward(&["user", "show", "niels", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(succeeded(&shown)).expect("JSON");
    assert_eq!((&shown["mail"], &shown["display_name"]), (&"niels@example.org".into(), &"Niels Bohr".into()));
    assert_eq!(shown["profile"], serde_json::json!({ "given_name": "Niels" }));
    assert!(succeeded(&doorward(&["user", "show", "niels"])).contains("given_name: Niels"));
    let refused = doorward(&["user", "update", "niels", "--birthdate", "yesterday"]);
    assert_eq!((refused.code, refused.stderr.lines().count()), (1, 1), "{}", refused.stderr);
    assert_eq!(doorward(&["user", "update", "niels"]).code, 1, "nothing is given");
}

#[test]
fn rejected_password_adds_no_user() {
    let layout = Layout::new("process-refused", false);
    let doorward = |arguments: &[&str], input: &str| run("doorward", arguments, layout.variables(), input);
    let refused = doorward(&["user", "add", "niels", "--password-stdin"], "short");
    assert_eq!(refused.code, 1, "{}", refused.stdout);
    let list = doorward(&["user", "list"], "");
    assert!(!succeeded(&list).contains("niels"));
}
