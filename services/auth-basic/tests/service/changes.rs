//! The directory is notified of changed passwords.

use std::time::Duration;

use crate::support::{Bench, PASSWORD, TOKEN, cheap};
use auth_basic::{Administration, AdministrationError};
use authn::testing::{PasswordChange, refusal_reason};
use authn::{DirectoryError, Reason};
use secrecy::SecretString;
use status::Kind;

const NEW: &str = "a password that is new";

/// With nothing noted yet.
async fn start() -> Bench {
    let bench = Bench::start(cheap()).await;
    assert_eq!(bench.directory.password_changes().len(), 3, "a first password is a change too");
    bench.context.clock.advance(Duration::from_hours(1));
    bench
}

fn administration(bench: &Bench) -> &Administration {
    bench.opened.administration.as_ref().expect("passwords are kept here")
}

async fn set(bench: &Bench) -> Result<(), AdministrationError> {
    administration(bench).set_password("id-of-marie", &SecretString::from(NEW), TOKEN).await
}

fn marie(bench: &Bench) -> PasswordChange {
    PasswordChange { user_id: "id-of-marie".into(), at: bench.context.clock.now(), token: TOKEN.into() }
}

fn unavailable() -> DirectoryError {
    DirectoryError::Unavailable("no server answers".into())
}

#[tokio::test]
async fn setting_and_removing_are_noted() {
    let bench = start().await;
    set(&bench).await.expect("set");
    assert_eq!(bench.directory.password_changes(), [marie(&bench)]);
    bench.context.clock.advance(Duration::from_hours(1));
    assert!(administration(&bench).remove_password("id-of-marie", TOKEN).await.expect("removed"));
    assert_eq!(bench.directory.password_changes(), [marie(&bench)]);
}

#[tokio::test]
async fn refused_change_does_not_notify_the_directory() {
    let bench = start().await;
    let weak = SecretString::from("short");
    administration(&bench).set_password("id-of-marie", &weak, TOKEN).await.expect_err("a bad password");
    let unknown = administration(&bench).set_password("id-of-unknown", &SecretString::from(NEW), TOKEN).await;
    assert_eq!(unknown.expect_err("no such user").kind(), Kind::NotFound);
    assert_eq!(bench.directory.password_changes(), []);
}

#[tokio::test]
async fn password_of_a_deleted_user_is_removed() {
    let bench = start().await;
    bench.directory.remove("marie");
    assert!(administration(&bench).remove_password("id-of-marie", TOKEN).await.expect("removed"));
    assert!(!administration(&bench).remove_password("id-of-marie", TOKEN).await.expect("nothing to remove"));
}

#[tokio::test]
async fn read_only_directory_does_not_prevent_password_changes() {
    let bench = start().await;
    bench.directory.fail_password_changes(Some(|| DirectoryError::ReadOnly));
    set(&bench).await.expect("set");
    bench.sign_in("marie", NEW).await.expect("the new password");
    assert!(administration(&bench).remove_password("id-of-marie", TOKEN).await.expect("removed"));
}

#[tokio::test]
async fn failed_notification_is_reported_and_repeated_with_the_next_change() {
    let bench = start().await;
    bench.directory.fail_password_changes(Some(unavailable));
    let error = set(&bench).await.expect_err("the directory does not know");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().starts_with("the password was changed, but"), "{error}");
    assert_eq!(refusal_reason(bench.sign_in("marie", PASSWORD).await), Reason::WrongSecret);
    bench.sign_in("marie", NEW).await.expect("the new password is set");
    bench.directory.fail_password_changes(None);
    set(&bench).await.expect("once more");
    assert_eq!(bench.directory.password_changes(), [marie(&bench)]);

    for refusal in [unavailable, || DirectoryError::Unauthenticated, || DirectoryError::Internal("broken".into())] {
        bench.directory.fail_password_changes(Some(refusal));
        let error = administration(&bench)
            .remove_password("id-of-marie", TOKEN)
            .await
            .expect_err("the directory is not notified");
        assert_eq!(error.kind(), Kind::Unavailable);
    }
    bench.directory.fail_password_changes(None);
    assert!(!administration(&bench).remove_password("id-of-marie", TOKEN).await.expect("it was removed before"));
    assert_eq!(bench.directory.password_changes(), [marie(&bench)]);
}
