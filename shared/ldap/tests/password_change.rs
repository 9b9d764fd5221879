//! Users change their passwords at a real server (RFC 3062).

use std::io::{Read, Write};
use std::net::TcpListener;

use authn::Login;
use config::Environment;
use ldap::testing::{EINSTEIN, MARIE, OHARA, Options, Slapd};
use ldap::{Account, Binder, Directory, Ldap, PasswordChange, PasswordChangeError, Refusal};
use runtime::Reload;
use secrecy::SecretString;
use status::Kind;

const NEW: &str = "seven otters juggle lamps";

fn binder(config: &Ldap) -> Binder {
    Binder::new(&Directory::new(config, &Environment::default(), &Reload::default()))
}

fn permitted() -> Option<Slapd> {
    Slapd::start_with(Options { self_write: true, ..Options::default() })
}

async fn account(binder: &Binder, login: &str) -> Account {
    binder.find(&Login::new(login)).await.expect("the server answers").expect("the user exists")
}

async fn change(binder: &Binder, login: &str, old: &str, new: &str) -> PasswordChange {
    let account = account(binder, login).await;
    let outcome = binder.change_password(&account, &SecretString::from(old), &SecretString::from(new)).await;
    outcome.expect("the server answers")
}

async fn signs_in(binder: &Binder, login: &str, password: &str) -> bool {
    binder.verify(login, &SecretString::from(password)).await.expect("a verdict").is_some()
}

/// `docs/security-requirements.md#b22`
#[tokio::test]
async fn user_changes_the_own_password_with_the_old_one() {
    let Some(slapd) = permitted() else { return };
    let binder = binder(&slapd.config());
    assert!(binder.supports_password_change().await.expect("the server answers"));
    for wrong in ["relativitx", MARIE.password, ""] {
        assert_eq!(change(&binder, "einstein", wrong, NEW).await, PasswordChange::WrongPassword, "{wrong:?}");
    }
    assert_eq!(change(&binder, "einstein", EINSTEIN.password, NEW).await, PasswordChange::Changed);
    assert!(signs_in(&binder, "einstein", NEW).await && !signs_in(&binder, "einstein", EINSTEIN.password).await);
    assert!(signs_in(&binder, "marie", MARIE.password).await, "the passwords of others stay");
    assert_eq!(change(&binder, OHARA.uid, OHARA.password, NEW).await, PasswordChange::Changed);
    assert!(signs_in(&binder, OHARA.uid, NEW).await);
}

/// `docs/security-requirements.md#b22`
#[tokio::test]
async fn empty_new_password_does_not_make_the_server_invent_one() {
    let Some(slapd) = permitted() else { return };
    let binder = binder(&slapd.config());
    let refused = PasswordChange::Refused(Refusal::Quality);
    assert_eq!(change(&binder, "einstein", EINSTEIN.password, "").await, refused);
    assert!(signs_in(&binder, "einstein", EINSTEIN.password).await);
}

#[tokio::test]
async fn password_is_sent_prepared_whatever_the_keyboard_composes() {
    let Some(slapd) = permitted() else { return };
    let binder = binder(&slapd.config());
    let (composed, decomposed) = ("sept l\u{e9}zards jouent aux cartes", "sept le\u{301}zards jouent aux cartes");
    assert_eq!(change(&binder, "einstein", EINSTEIN.password, decomposed).await, PasswordChange::Changed);
    assert!(signs_in(&binder, "einstein", composed).await && signs_in(&binder, "einstein", decomposed).await);
    assert_eq!(change(&binder, "einstein", decomposed, NEW).await, PasswordChange::Changed);
}

/// `docs/security-requirements.md#b22`
#[tokio::test]
async fn server_without_permission_for_users_refuses_clearly() {
    let Some(slapd) = Slapd::start() else { return };
    let binder = binder(&slapd.config());
    assert!(binder.supports_password_change().await.expect("the server answers"), "it does not say who may");
    let refused = PasswordChange::Refused(Refusal::NotPermitted);
    assert_eq!(change(&binder, "einstein", EINSTEIN.password, NEW).await, refused);
    assert!(signs_in(&binder, "einstein", EINSTEIN.password).await && !signs_in(&binder, "einstein", NEW).await);
}

#[tokio::test]
async fn password_policy_of_the_server_gives_the_reason() {
    let password_policy = "pwdInHistory: 3\npwdMinLength: 20\npwdCheckQuality: 2";
    let Some(slapd) = Slapd::start_with(Options { self_write: true, password_policy, ..Options::default() }) else {
        return;
    };
    let binder = binder(&slapd.config());
    let change = async |old: &str, new: &str| change(&binder, "einstein", old, new).await;
    assert_eq!(change(EINSTEIN.password, "seven otters juggle").await, PasswordChange::Refused(Refusal::Quality));
    assert_eq!(change(EINSTEIN.password, NEW).await, PasswordChange::Changed);
    let next = "eight herons paint doors";
    assert_eq!(change(NEW, next).await, PasswordChange::Changed);
    assert_eq!(change(next, NEW).await, PasswordChange::Refused(Refusal::History));
}

#[tokio::test]
async fn changes_too_soon_or_by_nobody_are_refused_with_the_reason() {
    for (password_policy, refusal) in
        [("pwdMinAge: 3600", Refusal::TooSoon), ("pwdAllowUserChange: FALSE", Refusal::NotPermitted)]
    {
        let options = Options { self_write: true, password_policy, ..Options::default() };
        let Some(slapd) = Slapd::start_with(options) else { return };
        let binder = binder(&slapd.config());
        if refusal == Refusal::TooSoon {
            assert_eq!(change(&binder, "einstein", EINSTEIN.password, NEW).await, PasswordChange::Changed);
        }
        let old = if refusal == Refusal::TooSoon { NEW } else { EINSTEIN.password };
        let refused = PasswordChange::Refused(refusal);
        assert_eq!(change(&binder, "einstein", old, "eight herons paint doors").await, refused);
    }
}

/// `docs/security-requirements.md#b22`
#[tokio::test]
async fn stopped_server_is_unavailable_and_no_password_is_wrong() {
    let Some(mut slapd) = permitted() else { return };
    let binder = binder(&slapd.config());
    let account = account(&binder, "einstein").await;
    slapd.stop();
    let error = binder.supports_password_change().await.expect_err("no server answers");
    assert_eq!(error.kind(), Kind::Unavailable);
    let (old, new) = (SecretString::from(EINSTEIN.password), SecretString::from(NEW));
    match binder.change_password(&account, &old, &new).await {
        Err(PasswordChangeError::Unchanged(error)) => assert_eq!(error.kind(), Kind::Unavailable),
        other => panic!("{other:?}"),
    }
    slapd.restart();
    assert!(binder.supports_password_change().await.expect("it answers again"), "a failure is not remembered");
    let changed = binder.change_password(&account, &old, &new).await.expect("it answers again");
    assert_eq!(changed, PasswordChange::Changed);
}

#[tokio::test]
async fn connection_that_breaks_after_the_request_leaves_the_outcome_unknown() {
    let Some(slapd) = permitted() else { return };
    let account = account(&binder(&slapd.config()), "einstein").await;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let uri = format!("ldap://{}", listener.local_addr().expect("its address"));
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().expect("a connection");
        let mut request = [0; 1024];
        assert!(connection.read(&mut request).expect("a bind") > 0);
        // message 1: BindResponse, success
        connection.write_all(&[0x30, 12, 2, 1, 1, 0x61, 7, 10, 1, 0, 4, 0, 4, 0]).expect("it reads");
        connection.read(&mut request).expect("the extended request")
    });
    let broken = binder(&Ldap { uri, ..slapd.config() });
    let outcome = broken.change_password(&account, &EINSTEIN.password.into(), &NEW.into()).await;
    assert!(server.join().expect("no panic") > 0, "the request was sent");
    match outcome {
        Err(PasswordChangeError::Unknown(error)) => assert_eq!(error.kind(), Kind::Unavailable),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn account_is_found_by_its_identifier_with_a_login_that_finds_it() {
    let Some(slapd) = Slapd::start() else { return };
    let attributes = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    for (login_attributes, login) in [(&["mail", "uid"][..], "einstein"), (&["mail"], "einstein@example.org")] {
        let binder = binder(&Ldap { login_attributes: attributes(login_attributes), ..slapd.config() });
        let account = binder.find_by_id(EINSTEIN.id).await.expect("the server answers").expect("einstein");
        assert_eq!((account.login(), account.dn()), (login, &*EINSTEIN.dn()));
        let same = binder.find(&Login::new(account.login())).await.expect("the server answers").expect("einstein");
        assert_eq!(same.user.id.opaque_id, EINSTEIN.id);
    }
    let binder = binder(&slapd.config());
    assert!(binder.find_by_id("unknown").await.expect("the server answers").is_none());
}
