use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

use super::*;
use crate::ServiceAccount;

const SECRET: &str = "0123456789abcdef-long";

fn one() -> Config {
    let service_account = ServiceAccount { id: "robot".into(), secret: SECRET.into(), ..ServiceAccount::default() };
    Config { service_account, ..Config::default() }
}

fn from_file(text: &str) -> Result<Accounts, AccountsError> {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("accounts.yaml");
    fs::write(&file, text).expect("writes");
    Accounts::load(&Config { accounts_file: Some(file), ..Config::default() }, &Random::seeded(1))
}

fn complaint(text: &str) -> String {
    let complaint = from_file(text).err().expect("is refused").to_string();
    assert!(!complaint.contains('\n') && !complaint.contains("0123456789"), "{complaint}");
    complaint
}

#[test]
fn a_good_secret_is_the_account() {
    let who = Accounts::load(&one(), &Random::seeded(1))
        .expect("loads")
        .verify("robot", SECRET, UNIX_EPOCH)
        .expect("is good");
    assert_eq!((who.user.id.opaque_id.as_str(), who.user.id.idp.as_str()), ("robot", "none"));
    assert_eq!(who.user.id.kind, UserType::Service);
    assert!(who.scopes.is_full_user() && who.amr == "service" && who.not_after.is_none());
}

/// Row M12.
#[test]
fn previous_secret_is_accepted_until_it_is_removed() {
    let mut config = one();
    config.service_account.secret_previous = "the-secret-before-it".into();
    let accepts = |config: &Config, secret: &str| {
        Accounts::load(config, &Random::seeded(1)).expect("loads").verify("robot", secret, UNIX_EPOCH).is_ok()
    };
    assert!(accepts(&config, SECRET) && accepts(&config, "the-secret-before-it") && !accepts(&config, "another"));
    config.service_account.secret_previous = config::Secret::default();
    assert!(accepts(&config, SECRET) && !accepts(&config, "the-secret-before-it"));
}

#[test]
fn everything_else_is_refused() {
    let accounts = Accounts::load(&one(), &Random::seeded(1)).expect("loads");
    let refusal = |id, secret| accounts.verify(id, secret, UNIX_EPOCH).expect_err("is refused");
    assert_eq!(refusal("robot", ""), Reason::EmptySecret);
    assert_eq!(refusal("robot", "0123456789abcdef-lon"), Reason::WrongSecret);
    assert_eq!(refusal("unknown", SECRET), Reason::UnknownUser);
    assert_eq!(refusal("", "unknown"), Reason::UnknownUser);
    assert_eq!(refusal("Robot", SECRET), Reason::UnknownUser);
}

/// Row M18.
#[test]
fn account_of_a_workload_has_no_secret_and_accepts_none() {
    let text = "- {id: a}\n- {id: b, disabled: true}\n- {id: c, expires: 1970-01-01T00:01:00Z}\n";
    assert!(complaint(text).contains("must have either secret or secret_file"), "there is no policy");
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("accounts.yaml");
    fs::write(&file, text).expect("writes");
    let workload_policy = config::WorkloadPolicy { policy_file: Some(folder.path().join("policy.yaml")) };
    let config = Config { accounts_file: Some(file.clone()), workload_policy, ..Config::default() };
    let load = || Accounts::load(&config, &Random::seeded(1));
    let accounts = load().expect("loads");
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    assert_eq!(accounts.verify("a", "0123456789012345", at(0)).expect_err("has no secret"), Reason::WrongSecret);
    assert_eq!(accounts.verify("a", "", at(0)).expect_err("has no secret"), Reason::EmptySecret);
    assert_eq!(accounts.granted("a", at(0)).expect("is one").user.id.opaque_id, "a");
    assert_eq!(accounts.granted("b", at(0)).expect_err("is off"), Reason::Disabled);
    assert_eq!(accounts.granted("c", at(59)).expect("is one").not_after, Some(at(60)));
    assert_eq!(accounts.granted("c", at(60)).expect_err("is over"), Reason::Expired);
    assert_eq!(accounts.granted("d", at(0)).expect_err("is none"), Reason::UnknownUser);
    fs::write(&file, "- {id: a, secret: eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl}\n").expect("writes");
    assert!(load().err().expect("is a token").to_string().contains("form of a token"));
}

#[test]
fn the_file_adds_accounts_with_their_end_and_state() {
    let accounts = from_file(
        "- {id: a, secret: 0123456789012345}\n- {id: b, secret: 0123456789abcdef, scopes: [user], expires: 1970-01-01T00:01:00Z}\n- {id: c, secret: 0123456789abcdef, disabled: true}\n",
    )
    .expect("loads");
    assert_eq!(accounts.len(), 3);
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    assert!(accounts.verify("a", "0123456789012345", at(0)).is_ok(), "a number keeps its text");
    assert_eq!(accounts.verify("b", "0123456789abcdef", at(59)).expect("is good").not_after, Some(at(60)));
    assert_eq!(accounts.verify("b", "0123456789abcdef", at(60)).expect_err("is over"), Reason::Expired);
    assert_eq!(accounts.verify("c", "0123456789abcdef", at(0)).expect_err("is off"), Reason::Disabled);
    assert_eq!(accounts.verify("c", "wrong", at(0)).expect_err("is wrong"), Reason::WrongSecret);
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let folder = TempDir::new().expect("a folder");
    let secret = folder.path().join("secret");
    fs::write(&secret, format!("{SECRET}\n")).expect("writes");
    let mode = |mode| fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).expect("sets the mode");
    mode(0o644);
    let refused = complaint(&format!("- id: a\n  secret_file: {}\n", secret.display()));
    assert!(refused.contains("other accounts of this machine can read (mode 0644)"), "{refused}");
    mode(0o600);
    let accounts = from_file(&format!("- id: a\n  secret_file: {}\n", secret.display())).expect("loads");
    assert!(accounts.verify("a", SECRET, UNIX_EPOCH).is_ok());
}

#[test]
fn byte_order_mark_before_the_accounts_is_skipped() {
    let accounts =
        from_file(&format!("\u{feff}- {{id: a, secret: {SECRET}}}\n- {{id: b, secret: {SECRET}}}\n")).expect("loads");
    assert!(["a", "b"].iter().all(|id| accounts.verify(id, SECRET, UNIX_EPOCH).is_ok()));
}

#[test]
fn secrets_without_entropy_are_refused() {
    for guessable in ["'                        '", "aaaaaaaaaaaaaaaaaaaaaaaa", "a a a a a a a a a a a a"] {
        let refused = complaint(&format!("- {{id: a, secret: {guessable}}}"));
        assert!(refused.contains("the secret consists of blanks or of one character"), "{refused}");
    }
}

#[test]
fn wrong_accounts_are_refused_with_one_clear_line() {
    assert!(complaint("- {id: a, secret: short}").contains("at least 16 bytes"));
    assert!(complaint("- {id: a, secret: ''}").contains("at least 16 bytes"));
    assert!(complaint("- {id: a}").contains("either secret or secret_file"));
    assert!(complaint("- {id: '', secret: 0123456789abcdef}").contains("must have an id"));
    let twice = "- {id: a, secret: 0123456789abcdef}\n- {id: a, secret: 0123456789abcdef}";
    assert!(complaint(twice).contains("no other account"));
    assert!(complaint("- {id: a, secret: 0123456789abcdef, scopes: ['node:*:rw']}").contains("no scope \"node:*:rw\""));
    assert!(complaint("- {id: a, secret: 0123456789abcdef, scopes: []}").contains("must not be empty"));
    assert!(complaint("- {id: a, secret: 0123456789abcdef, expires: tomorrow}").contains("a time like"));
    assert!(complaint("- {id: a, secrte: 0123456789abcdef}").contains("line 1"));
    assert!(complaint("id: a").contains("not a list"));
    let missing = Config { accounts_file: Some("/nowhere/accounts.yaml".into()), ..Config::default() };
    let missing = Accounts::load(&missing, &Random::seeded(1)).err().expect("is refused").to_string();
    for (complaint, file) in [(complaint("id: a"), "accounts.yaml"), (missing, "/nowhere/accounts.yaml")] {
        assert!(complaint.starts_with("AUTH_SERVICE_ACCOUNTS_FILE: ") && complaint.contains(file), "{complaint}");
    }
}
