use std::time::Duration;

use super::*;
use crate::account_links::RESET_LIFETIME;
use crate::testing::{ADDRESS, Bench, Browser, EINSTEIN, MailBox, Reply};

const NEW: &str = "a new phrase";

/// A provider, and the secret of a link that this browser has asked for.
async fn asked(browser: &mut Browser) -> (Bench, MailBox, String) {
    let (bench, mail_box) = MailBox::with_bench().await;
    let form = bench.get(browser, page::FORGOTTEN, &[]).await;
    bench.post(browser, page::FORGOTTEN, &[("csrf", &form.csrf()), ("username", ADDRESS)]).await;
    let secret = MailBox::secret(&mail_box.wait_for(1).await[0]);
    (bench, mail_box, secret)
}

async fn show(bench: &Bench, browser: &mut Browser, secret: &str) -> Reply {
    bench.get(browser, page::LINK, &[("link", secret)]).await
}

async fn set(bench: &Bench, browser: &mut Browser, secret: &str, more: &[(&str, &str)]) -> Reply {
    let csrf = show(bench, browser, secret).await.csrf();
    let form = [&[("link", secret), ("csrf", &csrf)], more].concat();
    bench.post(browser, page::LINK, &form).await
}

/// Rows [L1](../../../../../docs/security-requirements.md#l1) and [L2](../../../../../docs/security-requirements.md#l2).
#[tokio::test]
async fn link_sets_a_password_once_and_showing_it_uses_nothing_up() {
    let mut browser = Browser::default();
    let (bench, mail_box, secret) = asked(&mut browser).await;
    let session = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    bench.advance(Duration::from_secs(2));
    for _ in 0..3 {
        let page = show(&bench, &mut browser, &secret).await;
        assert_eq!((page.status.as_u16(), page.header("referrer-policy")), (200, "no-referrer"));
    }
    let csrf = show(&bench, &mut browser, &secret).await.csrf();
    let form = [("link", secret.as_str()), ("csrf", &csrf), ("new", NEW)];
    let done = bench.post(&mut browser, page::LINK, &form).await;
    assert_eq!(done.status.as_u16(), 200, "{}", done.text);
    assert_eq!(bench.set_passwords.all(), [(EINSTEIN.to_owned(), NEW.to_owned())]);
    assert!(!bench.is_signed_in(session.id).await, "sessions from before end");
    let sessions = bench.provider.store.sessions_of(EINSTEIN, bench.provider.clock.now()).await;
    assert!(sessions.expect("sessions").is_empty(), "no new session");
    mail_box.wait_for(2).await;

    assert_eq!(bench.post(&mut browser, page::LINK, &form).await.status.as_u16(), 410);
    assert_eq!(show(&bench, &mut browser, &secret).await.status.as_u16(), 410);
    assert_eq!(bench.set_passwords.all().len(), 1);
}

/// [Row L1](../../../../../docs/security-requirements.md#l1).
#[tokio::test]
async fn expired_and_unknown_links_are_refused() {
    let mut browser = Browser::default();
    let (bench, _mail_box, secret) = asked(&mut browser).await;
    let csrf = show(&bench, &mut browser, &secret).await.csrf();
    bench.advance(RESET_LIFETIME);
    assert_eq!(show(&bench, &mut browser, &secret).await.status.as_u16(), 410);
    let form = [("link", secret.as_str()), ("csrf", &csrf), ("new", NEW)];
    assert_eq!(bench.post(&mut browser, page::LINK, &form).await.status.as_u16(), 410);
    for unknown in ["", "x", &"A".repeat(43)] {
        assert_eq!(show(&bench, &mut browser, unknown).await.status.as_u16(), 410, "{unknown}");
    }
    assert!(bench.set_passwords.all().is_empty());
}

/// [Row L1](../../../../../docs/security-requirements.md#l1).
#[tokio::test]
async fn link_ends_when_the_password_is_changed_or_the_user_disabled() {
    let mut browser = Browser::default();
    let (bench, _mail_box, secret) = asked(&mut browser).await;
    let now = bench.provider.clock.now() + Duration::from_secs(1);
    bench.change(|user| user.as_mut().expect("a user").password_changed = Some(now));
    assert_eq!(show(&bench, &mut browser, &secret).await.status.as_u16(), 410);
    bench.change(|user| user.as_mut().expect("a user").password_changed = None);
    assert_eq!(show(&bench, &mut browser, &secret).await.status.as_u16(), 200);
    bench.change(|user| user.as_mut().expect("a user").status = authn::UserStatus::Blocked);
    assert_eq!(show(&bench, &mut browser, &secret).await.status.as_u16(), 410);
}

/// [Row L6](../../../../../docs/security-requirements.md#l6).
#[tokio::test]
async fn link_in_another_browser_needs_the_username() {
    let (bench, _mail_box, secret) = asked(&mut Browser::default()).await;
    let mut other = Browser::default();
    let page = show(&bench, &mut other, &secret).await;
    assert!(!page.text.contains("einstein"), "{}", page.text);
    for wrong in ["", "marie"] {
        let refused = set(&bench, &mut other, &secret, &[("new", NEW), ("username", wrong)]).await;
        assert_eq!(refused.status.as_u16(), 400, "{wrong}");
    }
    assert!(bench.set_passwords.all().is_empty());
    set(&bench, &mut other, &secret, &[("new", NEW), ("username", "Einstein")]).await;
    assert_eq!(bench.set_passwords.all().len(), 1);
}

#[tokio::test]
async fn weak_password_leaves_the_link_usable() {
    let mut browser = Browser::default();
    let (bench, _mail_box, secret) = asked(&mut browser).await;
    let refused = set(&bench, &mut browser, &secret, &[("new", "short")]).await;
    assert_eq!(refused.status.as_u16(), 400);
    assert!(refused.text.contains("fewer than 8 characters"), "{}", refused.text);
    assert_eq!(set(&bench, &mut browser, &secret, &[("new", NEW)]).await.status.as_u16(), 200);
}

#[tokio::test]
async fn form_of_another_link_is_refused() {
    let mut browser = Browser::default();
    let (bench, _mail_box, secret) = asked(&mut browser).await;
    let form = [("link", secret.as_str()), ("csrf", "x"), ("new", NEW)];
    assert_eq!(bench.post(&mut browser, page::LINK, &form).await.status.as_u16(), 403);
}

/// [Row L8](../../../../../docs/security-requirements.md#l8).
#[tokio::test]
async fn link_does_nothing_once_the_password_was_removed() {
    let mut browser = Browser::default();
    let (bench, _mail_box, secret) = asked(&mut browser).await;
    bench.set_passwords.remove(EINSTEIN);
    assert_eq!(set(&bench, &mut browser, &secret, &[("new", NEW)]).await.status.as_u16(), 410);
    assert_eq!(show(&bench, &mut browser, &secret).await.status.as_u16(), 410);
    assert!(bench.set_passwords.all().is_empty());
}

/// [Row L1](../../../../../docs/security-requirements.md#l1).
#[tokio::test]
async fn link_ends_when_the_user_gets_another_address() {
    let mut browser = Browser::default();
    let (bench, _mail_box, secret) = asked(&mut browser).await;
    bench.change(|user| user.as_mut().expect("a user").mail = "albert@cloud.example".to_owned());
    assert_eq!(show(&bench, &mut browser, &secret).await.status.as_u16(), 410);
}

/// [Row L4](../../../../../docs/security-requirements.md#l4).
#[tokio::test]
async fn source_opens_links_so_often_in_an_hour() {
    let (bench, _mail_box) = MailBox::with_bench().await;
    let mut browser = Browser::default();
    for _ in 0..links::PER_SOURCE.get() {
        assert_eq!(show(&bench, &mut browser, "x").await.status.as_u16(), 410);
    }
    let refused = show(&bench, &mut browser, "x").await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "30"));
}
