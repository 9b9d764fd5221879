//! The same service over a real LDAP server: row B6.

use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use auth_basic::{AuthBasic, Components};
use authn::{AuthError, Authenticator, Credentials, Directory, Reason};
use config::load;
use ldap::testing::{EINSTEIN, LISE, OHARA, PHYSICS, Slapd};
use runtime::{Clock, Context, Service};
use status::Kind;
use tempfile::TempDir;

/// Everything from the environment, as an operator has it. The SQL directory is not used.
async fn start(slapd: &Slapd) -> (Components, Clock, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let environment = slapd
        .environment()
        .with("AUTH_BASIC_AUTH_MANAGER", "ldap")
        .with("AUTH_BASIC_LDAP_LOGIN_ATTRIBUTES", "uid,mail")
        .with("OCIS_JWT_SECRET", "a secret of the tests, at least 32 bytes long")
        .with("OCIS_BASE_DATA_PATH", folder.path().display().to_string());
    let config = load::<<AuthBasic as Service>::Config>(&AuthBasic::IDENTITY, &environment).expect("valid").config;
    let directory: Arc<dyn Directory> =
        Arc::new(ldap::Directory::new(&ldap::Ldap::default(), &environment, &runtime::Reload::default()));
    let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(500_000));
    let context = Context { clock: clock.clone(), ..Context::new(environment) };
    (auth_basic::open(&config, directory, &context).await.expect("the service opens"), clock, folder)
}

async fn attempt(authenticator: &Arc<dyn Authenticator>, login: &str, password: &str) -> Result<String, AuthError> {
    let answer = authenticator.authenticate(&Credentials::new(login, password)).await?;
    assert_eq!(answer.amr, "pwd");
    Ok(answer.user.id.opaque_id.clone())
}

#[tokio::test]
async fn people_of_the_directory_sign_in() {
    let Some(slapd) = Slapd::start() else { return };
    let (opened, _, _folder) = start(&slapd).await;
    assert!(opened.administration.is_none(), "their passwords are not ours to set");
    for login in ["einstein", "einstein@example.org"] {
        assert_eq!(attempt(&opened.authenticator, login, "relativity").await.expect("right"), EINSTEIN.id);
    }
    let answer = opened.authenticator.authenticate(&Credentials::new("einstein", "relativity")).await.expect("right");
    assert_eq!(answer.user.groups, [PHYSICS]);
    assert_eq!(attempt(&opened.authenticator, OHARA.uid, OHARA.password).await.expect("right"), OHARA.id);
}

/// Row B6.
#[tokio::test]
async fn every_invalid_credential_gets_the_same_response() {
    let Some(slapd) = Slapd::start() else { return };
    let (opened, _, _folder) = start(&slapd).await;
    for (login, password, expected) in [
        ("einstein", "wrong", Reason::WrongSecret),
        ("einstein", "", Reason::EmptySecret),
        ("unknown", "relativity", Reason::UnknownUser),
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
async fn stopped_server_is_unavailable_and_counts_no_failure() {
    let Some(mut slapd) = Slapd::start() else { return };
    let (opened, clock, _folder) = start(&slapd).await;
    attempt(&opened.authenticator, "einstein", "relativity").await.expect("right");
    slapd.stop();
    for _ in 0..10 {
        let error = attempt(&opened.authenticator, "einstein", "relativity").await.expect_err("no server answers");
        assert_eq!(error.kind(), Kind::Unavailable);
    }
    slapd.restart();
    clock.advance(Duration::from_mins(2));
    attempt(&opened.authenticator, "einstein", "relativity").await.expect("right, and not throttled");
}

/// What each of these attempts is answered with.
async fn answers(opened: &Components, attempts: impl IntoIterator<Item = (&str, String)>) -> Vec<Kind> {
    let mut answers = Vec::new();
    for (login, password) in attempts {
        answers.push(attempt(&opened.authenticator, login, &password).await.expect_err(login).kind());
    }
    answers
}

#[tokio::test]
async fn variants_of_a_login_share_one_count() {
    let Some(slapd) = Slapd::start() else { return };
    let (opened, clock, _folder) = start(&slapd).await;
    let variants =
        ["einstein", "EINSTEIN", "Einstein@Example.org", "ｅｉｎｓｔｅｉｎ", "einstein@example.org", "eINSTEIN"];
    let guesses = variants.iter().cycle().zip(0..12).map(|(login, number)| (*login, format!("guess {number}")));
    let answers = answers(&opened, guesses).await;
    assert_eq!(answers.iter().filter(|kind| **kind == Kind::Unauthenticated).count(), 5, "{answers:?}");
    clock.advance(Duration::from_mins(1));
    let full_width = attempt(&opened.authenticator, "ｅｉｎｓｔｅｉｎ", "relativity").await;
    assert_eq!(full_width.expect("the same login").as_str(), EINSTEIN.id);
    for disallowed in
        [" einstein", "einstein ", "\u{a0}einstein", "einstein\u{200b}", "\u{202e}einstein", "einſtein\u{ad}"]
    {
        let error = attempt(&opened.authenticator, disallowed, "relativity").await.expect_err(disallowed);
        assert_eq!(error.kind(), Kind::Unauthenticated, "{disallowed:?}");
        clock.advance(Duration::from_hours(1));
    }
}

/// Row I34.
#[tokio::test]
async fn known_and_unknown_logins_get_the_same_response() {
    let Some(slapd) = Slapd::start() else { return };
    let (opened, _, _folder) = start(&slapd).await;
    let mut observed = Vec::new();
    for login in ["einstein", "unknown"] {
        let mut answers = Vec::new();
        for password in ["wrong", "wrong", "other", "wrong", "wrong", "wrong", "other"] {
            let begin = Instant::now();
            let error = attempt(&opened.authenticator, login, password).await.expect_err("wrong");
            answers.push((error.kind(), begin.elapsed() >= Duration::from_millis(240)));
        }
        observed.push(answers);
    }
    assert_eq!(observed[0], observed[1], "the answer, and whether it took its time");
    assert_eq!(observed[0].last(), Some(&(Kind::ResourceExhausted, false)));
}
