//! Passwords, verified by a real server.

use std::time::Instant;

use authn::UserStatus;
use config::Environment;
use ldap::testing::{AMBIGUOUS_MAIL, EINSTEIN, LISE, OHARA, Slapd};
use ldap::{Binder, Directory, Ldap};
use runtime::Reload;
use secrecy::SecretString;

fn binder(config: &Ldap) -> Binder {
    Binder::new(&Directory::new(config, &Environment::default(), &Reload::default()))
}

async fn signs_in(binder: &Binder, login: &str, password: &str) -> Option<String> {
    let user = binder.verify(login, &SecretString::from(password)).await.expect("a verdict");
    user.map(|user| user.id.opaque_id.clone())
}

#[tokio::test]
async fn the_right_password_and_no_other() {
    let Some(slapd) = Slapd::start() else { return };
    let binder = binder(&slapd.config());
    assert_eq!(signs_in(&binder, "einstein", "relativity").await.as_deref(), Some(EINSTEIN.id));
    assert_eq!(signs_in(&binder, "einstein", "relativitx").await, None);
    assert_eq!(signs_in(&binder, "einstein", "radioactivity").await, None, "another one's password");
    assert_eq!(signs_in(&binder, "unknown", "relativity").await, None);
    assert_eq!(signs_in(&binder, "", "relativity").await, None);
    let user = binder.verify("einstein", &SecretString::from("relativity")).await.expect("a verdict");
    assert_eq!(user.expect("he signs in").groups.len(), 1, "groups come along");
}

/// Row B6.
#[tokio::test]
async fn empty_password_never_signs_in() {
    let Some(slapd) = Slapd::start() else { return };
    let binder = binder(&slapd.config());
    for login in ["einstein", "unknown", "", "*"] {
        assert_eq!(signs_in(&binder, login, "").await, None, "{login}");
    }
}

/// Row B6.
#[tokio::test]
async fn logins_cannot_be_injected_and_odd_ones_work() {
    let Some(slapd) = Slapd::start() else { return };
    let binder = binder(&slapd.config());
    for login in ["*", "*)(uid=*", "einstein)(|(uid=*", "ein*", "einstein\0"] {
        for password in ["relativity", "*", "*)(uid=*"] {
            assert_eq!(signs_in(&binder, login, password).await, None, "{login:?}");
        }
    }
    assert_eq!(signs_in(&binder, OHARA.uid, OHARA.password).await.as_deref(), Some(OHARA.id));
}

#[tokio::test]
async fn any_login_attribute_will_do_if_it_names_one_person() {
    let Some(slapd) = Slapd::start() else { return };
    let attributes = ["uid", "mail"].map(String::from).to_vec();
    let binder = binder(&Ldap { login_attributes: attributes, ..slapd.config() });
    assert!(signs_in(&binder, "einstein@example.org", "relativity").await.is_some());
    assert!(signs_in(&binder, "einstein", "relativity").await.is_some());
    assert!(signs_in(&binder, AMBIGUOUS_MAIL, LISE.password).await.is_none(), "two people have that address");
}

#[tokio::test]
async fn disabled_user_is_verified_and_reported_as_disabled() {
    let Some(slapd) = Slapd::start() else { return };
    let user = binder(&slapd.config()).verify("lise", &SecretString::from(LISE.password)).await.expect("a verdict");
    assert_eq!(user.expect("the password is right").status, UserStatus::Blocked);
}

/// Row I34.
#[tokio::test]
async fn response_time_does_not_reveal_existing_users() {
    let Some(slapd) = Slapd::start() else { return };
    let binder = binder(&slapd.config());
    signs_in(&binder, "einstein", "warming up").await;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..5 {
        for (login, times) in ["einstein", "unknown"].iter().zip(&mut times) {
            let begin = Instant::now();
            assert_eq!(signs_in(&binder, login, "wrong").await, None);
            times.push(begin.elapsed());
        }
    }
    let [known, unknown] = times.map(|mut times| {
        times.sort();
        times[2].as_secs_f64()
    });
    assert!((known - unknown).abs() < 0.05 * known.max(unknown), "{known} s and {unknown} s");
}

#[tokio::test]
async fn looser_comparison_of_the_server_does_not_sign_in() {
    let Some(slapd) = Slapd::start() else { return };
    let binder = binder(&slapd.config());
    for login in ["EINSTEIN", "ｅｉｎｓｔｅｉｎ"] {
        assert_eq!(signs_in(&binder, login, "relativity").await.as_deref(), Some(EINSTEIN.id), "{login:?}");
    }
    for login in [" einstein", "einstein  ", "\u{a0}einstein", "ein\u{ad}stein", "ein\u{200b}stein"] {
        assert_eq!(signs_in(&binder, login, "relativity").await, None, "{login:?}");
    }
}
