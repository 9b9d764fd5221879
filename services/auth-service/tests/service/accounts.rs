//! How stored accounts authenticate.

use std::net::IpAddr;
use std::time::Duration;

use auth_service::model::Change;
use auth_service::{AdministrationError, Config, NewAccount};
use authn::{Caller, Credentials, Reason, UserType};
use config::Section;

use crate::support::{Bench, JOBS_SECRET, MOSS, stored, text};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn stored_account_authenticates_with_its_secret_only() {
    let bench = Bench::start(stored()).await;
    let (backup, other) = (bench.create("backup").await, bench.create("other").await);
    let who = bench.authenticate("backup", text(&backup)).await.expect("is accepted");
    assert_eq!((who.user.id.opaque_id.as_str(), who.user.id.idp.as_str()), ("backup", "none"));
    assert_eq!((who.user.id.kind, &*who.amr, who.not_after), (UserType::Service, "service", None));
    assert!(who.scopes.is_full_user() && who.user.roles.is_empty());
    assert_eq!(bench.refusal("backup", text(&other)).await, Reason::WrongSecret);
    assert_eq!(bench.refusal("unknown", text(&backup)).await, Reason::UnknownUser);
    assert_eq!(bench.refusal("Backup", text(&backup)).await, Reason::UnknownUser);
    assert_eq!(bench.refusal("backup", "").await, Reason::EmptySecret);
    assert_eq!(bench.refusal("backup", "dws_nothing").await, Reason::Malformed);
    assert_eq!(bench.refusal("backup", JOBS_SECRET).await, Reason::Malformed);
}

/// `docs/security-requirements.md#m9`
#[tokio::test]
async fn change_holds_from_the_next_request_on() {
    let bench = Bench::start(stored()).await;
    let administration = bench.administration();
    let first = bench.create("backup").await;
    let second = administration.add_secret("backup", None, MOSS).await.expect("is added");
    for secret in [&first, &second] {
        bench.authenticate("backup", text(secret)).await.expect("both are accepted");
    }
    let third = administration.add_secret("backup", None, MOSS).await.expect_err("is one too many");
    assert!(matches!(third, AdministrationError::Full), "{third}");
    administration.remove_secret("backup", first.secret_id).await.expect("is removed");
    assert_eq!(bench.refusal("backup", text(&first)).await, Reason::WrongSecret);
    let disabled = |disabled| Change { disabled: Some(disabled), ..Change::default() };
    administration.update("backup", &disabled(true)).await.expect("is disabled");
    assert_eq!(bench.refusal("backup", text(&second)).await, Reason::Disabled);
    administration.update("backup", &disabled(false)).await.expect("is enabled");
    bench.authenticate("backup", text(&second)).await.expect("is accepted again");
    administration.delete("backup").await.expect("is deleted");
    assert_eq!(bench.refusal("backup", text(&second)).await, Reason::UnknownUser);
    bench.create("backup").await;
    assert_eq!(bench.refusal("backup", text(&second)).await, Reason::WrongSecret, "its secrets do not come back");
}

#[tokio::test]
async fn old_secret_ends_after_the_time_that_was_given() {
    let bench = Bench::start(stored()).await;
    let first = bench.create("backup").await;
    let second = bench.administration().add_secret("backup", Some(HOUR), MOSS).await.expect("is added");
    let end = bench.context.clock.now() + HOUR;
    let who = bench.authenticate("backup", text(&first)).await.expect("is still accepted");
    assert_eq!(who.not_after, Some(end), "nothing that follows from it lives longer");
    bench.context.clock.advance(HOUR);
    assert_eq!(bench.refusal("backup", text(&first)).await, Reason::Expired);
    bench.authenticate("backup", text(&second)).await.expect("the new one is accepted");
    bench.administration().add_secret("backup", None, MOSS).await.expect("the ended one does not count");
    assert_eq!(bench.refusal("backup", text(&first)).await, Reason::WrongSecret);
}

#[tokio::test]
async fn account_ends() {
    let bench = Bench::start(stored()).await;
    let end = bench.context.clock.now() + HOUR;
    let new = NewAccount { id: "backup".to_owned(), expires: Some(end), ..NewAccount::default() };
    let made = bench.administration().create(new, MOSS).await.expect("is added");
    assert_eq!(bench.authenticate("backup", text(&made)).await.expect("is accepted").not_after, Some(end));
    bench.context.clock.advance(HOUR);
    assert_eq!(bench.refusal("backup", text(&made)).await, Reason::Expired);
    let never = Change { expires: Some(None), ..Change::default() };
    bench.administration().update("backup", &never).await.expect("is changed");
    bench.authenticate("backup", text(&made)).await.expect("is accepted again");
}

/// `docs/security-requirements.md#m10`
#[tokio::test]
async fn account_of_the_configuration_takes_precedence() {
    let config = Config { service_account: auth_service::ServiceAccount::default(), ..stored() };
    let bench = Bench::start(config).await;
    let made = bench.create("jobs").await;
    bench.authenticate("jobs", text(&made)).await.expect("is accepted");
    assert!(!bench.administration().is_overridden("jobs"));

    let bench = Bench::over(stored(), bench.folder, 500_001).await;
    bench.authenticate("jobs", JOBS_SECRET).await.expect("is accepted");
    assert_eq!(bench.refusal("jobs", text(&made)).await, Reason::WrongSecret);
    assert!(bench.administration().is_overridden("jobs"));
    let new = NewAccount { id: "jobs".to_owned(), ..NewAccount::default() };
    bench.administration().delete("jobs").await.expect("is deleted");
    let refused = bench.administration().create(new, MOSS).await.expect_err("is taken");
    assert!(matches!(refused, AdministrationError::Configured), "{refused}");
}

#[tokio::test]
async fn accounts_and_last_use_outlive_the_process() {
    let bench = Bench::start(stored()).await;
    let made = bench.create("backup").await;
    let source = Some(IpAddr::from([192, 0, 2, 1]));
    let caller = Caller { source, user_agent: "curl".to_owned(), ..Caller::default() };
    let credentials = Credentials { caller, ..Credentials::new("backup", text(&made)) };
    bench.opened.authenticator.authenticate(&credentials).await.expect("is accepted");
    let used = bench.context.clock.now();
    let app = auth_service::app(&bench.opened, &bench.config, &bench.context).expect("is built");
    bench.context.shutdown.cancel();
    for task in app.tasks {
        task.future.await;
    }
    let Bench { folder, .. } = bench;
    let bench = Bench::over(stored(), folder, 500_001).await;
    let account = bench.administration().get("backup").await.expect("is there");
    let last_use = account.last_use.expect("was used");
    assert_eq!((last_use.at, last_use.source, last_use.user_agent.as_str()), (used, source, "curl"));
    assert_eq!(account.secrets[0].last_used, Some(used));
    bench.authenticate("backup", text(&made)).await.expect("is accepted");
}

#[test]
fn store_needs_the_secret_of_the_internal_token_and_no_other_account() {
    let store = Config { service_account: auth_service::ServiceAccount::default(), ..stored() };
    store.validate().expect("is valid");
    let without = Config { store_accounts: false, ..store.clone() };
    let problem = without.validate().expect_err("has no account");
    assert!(format!("{problem:?}").contains("AUTH_SERVICE_STORE_ACCOUNTS"), "{problem:?}");
    let unverified = Config { token_manager: auth_service::Verification::default(), ..store };
    let problem = unverified.validate().expect_err("cannot verify administrators");
    assert!(format!("{problem:?}").contains("jwt_secret"), "{problem:?}");
}
