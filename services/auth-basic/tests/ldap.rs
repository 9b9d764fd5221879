//! The same service over a real LDAP server: row B6.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use auth_basic::{AuthBasic, Opened};
use authn::{AuthError, Authenticator, Credentials, Directory, Reason};
use ldap::testing::{EINSTEIN, LISE, OHARA, PHYSICS, Slapd};
use runtime::config::load;
use runtime::{Clock, Context, Service};
use status::Kind;

/// Everything from the environment, as an operator has it. The directory of SQL is not asked.
async fn start(slapd: &Slapd) -> (Opened, Clock) {
    let environment = slapd
        .environment()
        .with("AUTH_BASIC_AUTH_MANAGER", "ldap")
        .with("AUTH_BASIC_LDAP_LOGIN_ATTRIBUTES", "uid,mail")
        .with("OCIS_JWT_SECRET", "a secret of the tests, at least 32 bytes long")
        .with("HOME", "/nowhere");
    let config = load::<<AuthBasic as Service>::Config>(&AuthBasic::IDENTITY, &environment).expect("valid").config;
    let nobody: Arc<dyn Directory> = Arc::new(ldap::Directory::new(&ldap::Ldap::default(), &environment));
    let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(500_000));
    let context = Context { clock: clock.clone(), ..Context::new(environment) };
    (auth_basic::open(&config, nobody, &context).await.expect("the service opens"), clock)
}

async fn attempt(authenticator: &Arc<dyn Authenticator>, login: &str, password: &str) -> Result<String, AuthError> {
    let answer = authenticator.authenticate(&Credentials::new(login, password)).await?;
    assert_eq!(answer.amr, "pwd");
    Ok(answer.user.id.opaque_id.clone())
}

#[tokio::test]
async fn people_of_the_directory_sign_in() {
    let Some(slapd) = Slapd::start() else { return };
    let (opened, _) = start(&slapd).await;
    assert!(opened.administration.is_none(), "their passwords are not ours to set");
    for login in ["einstein", "einstein@example.org"] {
        assert_eq!(attempt(&opened.authenticator, login, "relativity").await.expect("right"), EINSTEIN.id);
    }
    let answer = opened.authenticator.authenticate(&Credentials::new("einstein", "relativity")).await.expect("right");
    assert_eq!(answer.user.groups, [PHYSICS]);
    assert_eq!(attempt(&opened.authenticator, OHARA.uid, OHARA.password).await.expect("right"), OHARA.id);
}

#[tokio::test]
async fn b6_every_bad_credential_gets_one_answer() {
    let Some(slapd) = Slapd::start() else { return };
    let (opened, _) = start(&slapd).await;
    for (login, password, expected) in [
        ("einstein", "wrong", Reason::WrongSecret),
        ("einstein", "", Reason::EmptySecret),
        ("nobody", "relativity", Reason::UnknownUser),
        ("*", "relativity", Reason::UnknownUser),
        ("*)(uid=*", "relativity", Reason::UnknownUser),
        ("lise", LISE.password, Reason::Disabled),
        ("office@example.org", LISE.password, Reason::UnknownUser),
    ] {
        let error = attempt(&opened.authenticator, login, password).await.expect_err(login);
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Unauthenticated, "invalid credentials"));
        assert!(matches!(error, AuthError::Refused(reason) if reason == expected), "{login}: {error:?}");
    }
}

#[tokio::test]
async fn a_dead_server_is_no_verdict_and_no_failure() {
    let Some(mut slapd) = Slapd::start() else { return };
    let (opened, clock) = start(&slapd).await;
    attempt(&opened.authenticator, "einstein", "relativity").await.expect("right");
    slapd.stop();
    for _ in 0..10 {
        let error = attempt(&opened.authenticator, "einstein", "relativity").await.expect_err("nobody answers");
        assert_eq!(error.kind(), Kind::Unavailable);
    }
    slapd.restart();
    clock.advance(Duration::from_mins(2));
    attempt(&opened.authenticator, "einstein", "relativity").await.expect("right, and not throttled");
}
