//! The page of passkeys, as a browser uses it.

use std::time::Duration;

use super::*;
use crate::endpoints::page::{PASSKEY_SCRIPT, PASSKEYS};
use crate::testing::authenticator::{Authenticator, options_of};
use crate::testing::{Bench, Browser, EINSTEIN, Reply};

async fn post(bench: &Bench, browser: &mut Browser, page: &Reply, more: &[(&str, &str)]) -> Reply {
    let csrf = page.csrf();
    bench.post(browser, PASSKEYS, &[&[("csrf", csrf.as_str())][..], more].concat()).await
}

/// Adds a passkey on the page.
async fn add(bench: &Bench, browser: &mut Browser, page: &Reply, authenticator: &mut Authenticator) -> Reply {
    let credential = authenticator.create(&options_of(page).expect("options"));
    let ceremony = page.field("ceremony").expect("a ceremony");
    let fields = [("action", "add"), ("label", "My <phone>"), ("ceremony", ceremony), ("credential", &credential)];
    post(bench, browser, page, &fields).await
}

async fn labels(bench: &Bench) -> Vec<String> {
    let known = passkeys::list(&bench.provider, EINSTEIN).await.expect("reads");
    known.into_iter().map(|passkey| passkey.label).collect()
}

#[tokio::test]
async fn user_adds_names_and_removes_a_passkey() {
    let (bench, mut browser) = (Bench::new().await, Browser::default());
    let session = bench.sign_in(&mut browser, EINSTEIN).await;
    let page = bench.get(&mut browser, PASSKEYS, &[]).await;
    let options = options_of(&page).expect("options");
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    assert_ne!(options["user"]["id"], "einstein", "the handle says nothing of the user");
    let added = add(&bench, &mut browser, &page, &mut Authenticator::new()).await;
    assert_eq!((added.status.as_u16(), labels(&bench).await), (303, vec!["My <phone>".to_owned()]), "{}", added.text);
    assert!(!bench.is_signed_in(session.id).await, "the session of a higher level has another identifier");
    let page = bench.get(&mut browser, PASSKEYS, &[]).await;
    assert!(page.status == 200 && page.text.contains("My &#60;phone&#62;"), "no second sign-in: {}", page.text);
    let id = page.field("id").expect("a row").to_owned();
    let renamed = post(&bench, &mut browser, &page, &[("action", "rename"), ("id", &id), ("label", "key")]).await;
    assert_eq!((renamed.status.as_u16(), labels(&bench).await), (303, vec!["key".to_owned()]));
    let removed = post(&bench, &mut browser, &page, &[("action", "remove"), ("id", &id)]).await;
    assert_eq!((removed.status.as_u16(), labels(&bench).await), (303, Vec::new()));
}

/// `docs/security-requirements.md#f31`
#[tokio::test]
async fn last_passkey_of_a_user_who_needs_a_factor_is_not_removed() {
    let (bench, mut browser) = (Bench::new().await, Browser::default());
    bench.sign_in(&mut browser, EINSTEIN).await;
    for _ in 0..2 {
        let page = bench.get(&mut browser, PASSKEYS, &[]).await;
        add(&bench, &mut browser, &page, &mut Authenticator::new()).await;
    }
    bench.change(|user| user.as_mut().expect("a user").roles = vec![authn::role::ADMIN.to_owned()]);
    for (status, left) in [(303, 1), (400, 1)] {
        let page = bench.get(&mut browser, PASSKEYS, &[]).await;
        let id = page.field("id").expect("a row").to_owned();
        let reply = post(&bench, &mut browser, &page, &[("action", "remove"), ("id", &id)]).await;
        assert_eq!((reply.status.as_u16(), labels(&bench).await.len()), (status, left), "{}", reply.text);
    }
}

/// `docs/security-requirements.md#f6`
#[tokio::test]
async fn old_session_and_one_without_the_factor_change_no_passkey() {
    let (bench, mut browser) = (Bench::new().await, Browser::default());
    bench.sign_in(&mut browser, EINSTEIN).await;
    let page = bench.get(&mut browser, PASSKEYS, &[]).await;
    bench.enrol().await;
    let mut authenticator = Authenticator::new();
    let refused = add(&bench, &mut browser, &page, &mut authenticator).await;
    assert!(refused.location().is_some_and(|url| url.contains("flow=")), "the second factor is missing");
    assert!(labels(&bench).await.is_empty());

    let (bench, mut browser) = (Bench::new().await, Browser::default());
    bench.sign_in(&mut browser, EINSTEIN).await;
    let page = bench.get(&mut browser, PASSKEYS, &[]).await;
    bench.advance(Duration::from_mins(10));
    let refused = add(&bench, &mut browser, &page, &mut authenticator).await;
    assert!(refused.location().is_some_and(|url| url.contains("flow=")), "the sign-in is old");
    assert!(labels(&bench).await.is_empty());
}

/// `docs/security-requirements.md#i17` and `docs/security-requirements.md#f20`
#[tokio::test]
async fn forged_form_and_used_challenge_add_nothing() {
    let (bench, mut browser) = (Bench::new().await, Browser::default());
    bench.sign_in(&mut browser, EINSTEIN).await;
    let page = bench.get(&mut browser, PASSKEYS, &[]).await;
    let forged = bench.post(&mut browser, PASSKEYS, &[("action", "add"), ("csrf", "x")]).await;
    assert_eq!(forged.status, 403);
    let mut first = Authenticator::new();
    let credential = first.create(&options_of(&page).expect("options"));
    let ceremony = page.field("ceremony").expect("a ceremony");
    let broken = [("action", "add"), ("ceremony", ceremony), ("credential", "{}")];
    assert_eq!(post(&bench, &mut browser, &page, &broken).await.status, 400);
    let again = [("action", "add"), ("ceremony", ceremony), ("credential", credential.as_str())];
    assert_eq!(post(&bench, &mut browser, &page, &again).await.status, 400, "a challenge counts once");
    assert!(labels(&bench).await.is_empty());
}

#[tokio::test]
async fn script_of_passkeys_is_served_at_its_url() {
    let bench = Bench::new().await;
    let script = bench.get(&mut Browser::default(), PASSKEY_SCRIPT, &[]).await;
    assert_eq!(script.status, 200);
    assert!(passkey::script_url().starts_with(PASSKEY_SCRIPT) && script.text.contains("data-passkey"));
}
