//! The page for sign-in methods, as a browser uses it.

use std::time::Duration;

use authn::role;

use super::*;
use crate::engine::factors::{CodeError, FRESH};
use crate::store::EventFilter;
use crate::testing::{Bench, Browser, EINSTEIN, Reply, totp_code};

/// Sends the form of a page that is posted to this path.
async fn send(bench: &Bench, browser: &mut Browser, shown: &Reply, path: &str, more: &[(&str, &str)]) -> Reply {
    let csrf = token_of(shown, path);
    bench.post(browser, path, &[&[("csrf", csrf.as_str())], more].concat()).await
}

#[track_caller]
fn token_of(shown: &Reply, path: &str) -> String {
    let action = format!("action=\"{path}\"");
    let form = shown.text.split("<form ").find(|form| form.contains(&action));
    let form = form.unwrap_or_else(|| panic!("no form for {path}: {} {}", shown.status, shown.text));
    let (_, rest) = form.split_once("name=\"csrf\" value=\"").expect("a token");
    rest.split_once('"').expect("an end").0.to_owned()
}

fn secret_of(shown: &Reply) -> String {
    let (_, rest) = shown.text.split_once("<code class=\"whole\">").expect("a secret");
    rest.split_once('<').expect("an end").0.to_owned()
}

/// Adds or replaces the app by the page. Returns its secret and the page with the recovery codes.
async fn enrol(bench: &Bench, browser: &mut Browser) -> (String, Reply) {
    let form = bench.get(browser, page::SECURITY_APP, &[]).await;
    let (secret, handle) = (secret_of(&form), form.field("enrolment").expect("a handle").to_owned());
    let code = totp_code(&secret, bench.clock.now());
    let replaces = form.field("replaces").unwrap_or_default();
    let more = [("enrolment", handle.as_str()), ("code", code.as_str()), ("replaces", replaces)];
    let done = send(bench, browser, &form, page::SECURITY_APP, &more).await;
    (secret, done)
}

fn codes_of(shown: &Reply) -> Vec<String> {
    let items = shown.text.split("<li><code>").skip(1);
    items.map(|rest| rest.split_once('<').expect("an end").0.to_owned()).collect()
}

async fn factors_of(bench: &Bench) -> usize {
    bench.provider.store.factors(EINSTEIN).await.expect("reads").len()
}

async fn is_accepted(bench: &Bench, code: &str) -> bool {
    match factors::verify(&bench.provider, EINSTEIN, code, &Caller::default()).await {
        Ok(_) => true,
        Err(CodeError::Wrong) => false,
        Err(error) => panic!("{error}"),
    }
}

/// `docs/security-requirements.md#f30`
#[tokio::test]
async fn user_adds_an_app_makes_codes_and_removes_it() {
    let (bench, mut browser) = (Bench::new().await, Browser::default());
    let session = bench.sign_in(&mut browser, EINSTEIN).await;
    let other = bench.sign_in(&mut Browser::default(), EINSTEIN).await;
    let shown = bench.get(&mut browser, page::SECURITY, &[]).await;
    assert!(shown.status == 200 && shown.text.contains("href=\"/account\""), "{} {}", shown.status, shown.text);
    assert!(!shown.text.contains(page::SECURITY_CODES), "nothing to recover: {}", shown.text);
    let form = bench.get(&mut browser, page::SECURITY_APP, &[]).await;
    let handle = form.field("enrolment").expect("a handle").to_owned();
    let more = [("enrolment", handle.as_str()), ("code", "12345")];
    let again = send(&bench, &mut browser, &form, page::SECURITY_APP, &more).await;
    assert_eq!((again.status.as_u16(), secret_of(&again)), (401, secret_of(&form)), "the secret stays");

    let (_, done) = enrol(&bench, &mut browser).await;
    let first = codes_of(&done);
    assert_eq!(first.len(), 10, "{}", done.text);
    assert!(!bench.is_signed_in(session.id).await, "the session of the higher level has a new identifier");
    let shown = bench.get(&mut browser, page::SECURITY, &[]).await;
    assert_eq!(shown.status, 200, "the code of the new app counts in the session: {:?}", shown.location());

    let made = send(&bench, &mut browser, &shown, page::SECURITY_CODES, &[]).await;
    let second = codes_of(&made);
    assert!(!is_accepted(&bench, &first[0]).await && is_accepted(&bench, &second[0]).await);

    trusted_device::trust(&bench.provider, EINSTEIN).await.expect("is trusted");
    let shown = bench.get(&mut browser, page::SECURITY, &[]).await;
    let forgotten = send(&bench, &mut browser, &shown, page::SECURITY_DEVICES, &[]).await;
    assert!(forgotten.location().is_some_and(|url| url.ends_with("?done=forgotten")), "{}", forgotten.text);
    assert_eq!(trusted_device::count(&bench.provider, &bench.user()).await.expect("asks"), 0);

    let form = bench.get(&mut browser, page::SECURITY_REMOVE, &[]).await;
    let removed = send(&bench, &mut browser, &form, page::SECURITY_REMOVE, &[]).await;
    assert!(removed.location().is_some_and(|url| url.ends_with("?done=removed")), "{}", removed.text);
    let shown = bench.get(&mut browser, page::SECURITY, &[("done", "removed")]).await;
    assert!(shown.text.contains("role=\"status\"") && factors_of(&bench).await == 0, "{}", shown.text);
    assert!(bench.is_signed_in(other.id).await, "other sessions stay");

    let provider = &bench.provider;
    provider.audit_events.flush(&provider.store, &*provider.directory).await.expect("stores");
    let stored = provider.store.events(&EventFilter::default(), None, 20).await.expect("reads");
    for event in ["second_factor_enrol", "recovery_codes_replace", "trusted_devices_forget", "second_factor_remove"] {
        assert!(stored.iter().any(|stored| stored.event == event && stored.user == EINSTEIN), "{event}: {stored:?}");
    }
}

/// `docs/security-requirements.md#f30`
#[tokio::test]
async fn replaced_app_ends_the_former_one() {
    let (bench, mut browser) = (Bench::new().await, Browser::default());
    bench.sign_in(&mut browser, EINSTEIN).await;
    let (former, _) = enrol(&bench, &mut browser).await;
    let (secret, done) = enrol(&bench, &mut browser).await;
    assert_eq!((codes_of(&done).len(), factors_of(&bench).await), (10, 1), "{}", done.text);
    bench.advance(Duration::from_secs(30));
    let codes = [&former, &secret].map(|secret| totp_code(secret, bench.clock.now()));
    assert!(!is_accepted(&bench, &codes[0]).await && is_accepted(&bench, &codes[1]).await);
}

/// `docs/security-requirements.md#f30`
#[tokio::test]
async fn session_that_is_old_or_without_the_factor_changes_nothing() {
    let (bench, mut browser) = (Bench::new().await, Browser::default());
    bench.sign_in(&mut browser, EINSTEIN).await;
    let adds = bench.get(&mut browser, page::SECURITY_APP, &[]).await;
    enrol(&bench, &mut browser).await;
    let shown = bench.get(&mut browser, page::SECURITY, &[]).await;
    let removes = bench.get(&mut browser, page::SECURITY_REMOVE, &[]).await;
    trusted_device::trust(&bench.provider, EINSTEIN).await.expect("is trusted");
    let mut with_password = Browser::default();
    bench.sign_in(&mut with_password, EINSTEIN).await;
    for path in [page::SECURITY, page::SECURITY_APP, page::SECURITY_REMOVE] {
        let reply = bench.get(&mut with_password, path, &[]).await;
        assert!(reply.location().is_some_and(|url| url.contains("?flow=")), "{path}: {} {}", reply.status, reply.text);
    }
    let reply = send(&bench, &mut with_password, &adds, page::SECURITY_APP, &[("replaces", "yes")]).await;
    assert_eq!(reply.status, 303, "{}", reply.text);
    bench.advance(FRESH);
    let forms = [(&shown, page::SECURITY_CODES), (&removes, page::SECURITY_REMOVE), (&adds, page::SECURITY_APP)];
    for (form, path) in forms {
        let reply = send(&bench, &mut browser, form, path, &[]).await;
        assert!(reply.location().is_some_and(|url| url.contains("?flow=")), "{path}: {} {}", reply.status, reply.text);
    }
    assert_eq!(factors_of(&bench).await, 1);
    assert_eq!(bench.provider.store.recovery_codes_left(EINSTEIN).await.expect("reads"), 10);
    assert_eq!(trusted_device::count(&bench.provider, &bench.user()).await.expect("asks"), 1);
}

/// `docs/security-requirements.md#f30`
#[tokio::test]
async fn form_counts_in_the_session_and_for_the_purpose_it_was_shown_for() {
    let (bench, mut browser) = (Bench::new().await, Browser::default());
    bench.sign_in(&mut browser, EINSTEIN).await;
    enrol(&bench, &mut browser).await;
    let shown = bench.get(&mut browser, page::SECURITY, &[]).await;
    let codes = token_of(&shown, page::SECURITY_CODES);
    for (path, csrf) in [(page::SECURITY_CODES, ""), (page::SECURITY_REMOVE, codes.as_str())] {
        let reply = bench.post(&mut browser, path, &[("csrf", csrf)]).await;
        assert_eq!(reply.status, 403, "{path}: {}", reply.text);
    }
    let headers = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    let foreign = bench.post_with(&mut browser, page::SECURITY_CODES, &[("csrf", &codes)], &headers).await;
    assert_eq!(foreign.status, 403, "{}", foreign.text);
    assert_eq!(factors_of(&bench).await, 1);
}

/// `docs/security-requirements.md#f31`
#[tokio::test]
async fn app_that_is_required_is_replaced_and_not_removed() {
    let (bench, mut browser) = (Bench::new().await, Browser::default());
    bench.sign_in(&mut browser, EINSTEIN).await;
    enrol(&bench, &mut browser).await;
    let form = bench.get(&mut browser, page::SECURITY_REMOVE, &[]).await;
    bench.change(|user| user.as_mut().expect("a user").roles = vec![role::ADMIN.to_owned()]);
    let shown = bench.get(&mut browser, page::SECURITY, &[]).await;
    assert!(shown.text.contains(page::SECURITY_APP) && !shown.text.contains(page::SECURITY_REMOVE), "{}", shown.text);
    let asked = bench.get(&mut browser, page::SECURITY_REMOVE, &[]).await;
    let sent = send(&bench, &mut browser, &form, page::SECURITY_REMOVE, &[]).await;
    for reply in [asked, sent] {
        assert!(reply.status == 403 && reply.text.contains("role=\"alert\""), "{} {}", reply.status, reply.text);
    }
    assert_eq!(factors_of(&bench).await, 1);
}

#[tokio::test]
async fn without_second_factors_there_is_no_page() {
    let bench = Bench::with(|config| config.mfa.policy = "off".to_owned()).await;
    let mut browser = Browser::default();
    bench.sign_in(&mut browser, EINSTEIN).await;
    for path in [page::SECURITY, page::SECURITY_APP, page::SECURITY_REMOVE] {
        assert_eq!(bench.get(&mut browser, path, &[]).await.status, 404, "{path}");
    }
}
