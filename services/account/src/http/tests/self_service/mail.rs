//! The form for another mail address, and the same in the API.

use std::time::UNIX_EPOCH;

use authn::User;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use proto::doorward::idp::v1::{AccountSession, GetCurrentSessionResponse};
use serde_json::json;
use tempfile::TempDir;
use tonic::Status;

use super::super::support::{Bench, Browser, context};
use super::over_users;

const PROFILE: &str = "/account/profile";
const MAIL: &str = "/account/profile/mail";
const API: &str = "/account/api/v1/mail";
const NEW: &str = "albert@cloud.example";

/// The pages over users, where users may change their mail address, and an idp that sends mail. The user has signed in just now.
async fn with_mail() -> (Bench, User, TempDir) {
    let (bench, einstein, _, folder) = Box::pin(over_users(&["nickname", "mail"], &[], true)).await;
    bench.idp.lists().sends_mail = true;
    sign_in(&bench, 0, false);
    (bench, einstein, folder)
}

/// The user has signed in so many seconds ago, with a password.
fn sign_in(bench: &Bench, ago: u64, second_factor_enrolled: bool) {
    let now = context().clock.now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
    bench.idp.lists().current = GetCurrentSessionResponse {
        session: Some(AccountSession::default()),
        signed_in: i64::try_from(now - ago).expect("a time"),
        amr: vec!["pwd".to_owned()],
        second_factor_enrolled,
        ..GetCurrentSessionResponse::default()
    };
}

async fn send(browser: &mut Browser<'_>, address: &str) -> super::super::support::Reply {
    let csrf = browser.get(MAIL).await.field("csrf", 1);
    browser.post(MAIL, &[("csrf", &csrf), ("address", address)]).await
}

/// Row [L9](../../../../../../docs/security-requirements.md#l9).
#[tokio::test]
async fn form_has_a_link_sent_to_the_new_address_and_changes_nothing() {
    let (bench, einstein, _folder) = with_mail().await;
    let mut browser = bench.browser_of(einstein.clone());
    browser.headers = vec![("accept-language", "de".to_owned())];
    let profile = browser.get(PROFILE).await;
    assert!(profile.page.contains(&format!("href=\"{MAIL}\"")), "{}", profile.page);
    let sent = send(&mut browser, " albert@cloud.example ").await;
    assert_eq!(sent.status, StatusCode::OK, "{}", sent.page);
    assert!(sent.page.contains(NEW) && sent.page.contains("Es wird nichts geändert"), "{}", sent.page);
    let expected = (einstein.id.opaque_id, NEW.to_owned(), "de".to_owned());
    assert_eq!(bench.idp.lists().links, [expected]);
    let profile = browser.get(PROFILE).await;
    assert!(!profile.page.contains(NEW), "{}", profile.page);
}

/// Row [L9](../../../../../../docs/security-requirements.md#l9).
#[tokio::test]
async fn form_is_not_offered_without_permission_or_mail() {
    let (bench, einstein, _folder) = with_mail().await;
    bench.idp.lists().sends_mail = false;
    let mut browser = bench.browser_of(einstein);
    assert_eq!(browser.get(MAIL).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.post(MAIL, &[("csrf", "x"), ("address", NEW)]).await.status, StatusCode::NOT_FOUND);
    assert!(!browser.get(PROFILE).await.page.contains(MAIL));

    let (bench, einstein, _, _folder) = Box::pin(over_users(&["nickname"], &[], true)).await;
    bench.idp.lists().sends_mail = true;
    sign_in(&bench, 0, false);
    let mut browser = bench.browser_of(einstein);
    assert_eq!(browser.get(MAIL).await.status, StatusCode::NOT_FOUND);
    assert!(!browser.get(PROFILE).await.page.contains(MAIL));
    assert!(bench.idp.lists().links.is_empty());

    let (bench, einstein, _, _folder) = Box::pin(over_users(&["mail"], &[], false)).await;
    let mut browser = bench.browser_of(einstein);
    assert_eq!(browser.get(MAIL).await.status, StatusCode::NOT_FOUND, "there is no idp");
    assert_eq!(browser.call(Method::POST, API, &json!({ "address": NEW })).await.status, StatusCode::NOT_FOUND);
}

/// Row [L9](../../../../../../docs/security-requirements.md#l9).
#[tokio::test]
async fn form_needs_a_sign_in_of_five_minutes_to_be_shown_and_of_ten_to_be_sent() {
    let (bench, einstein, _folder) = with_mail().await;
    let mut browser = bench.browser_of(einstein);
    let csrf = browser.get(MAIL).await.field("csrf", 1);
    let form = [("csrf", csrf.as_str()), ("address", NEW)];
    sign_in(&bench, 301, false);
    let redirect = browser.get(MAIL).await;
    assert_eq!(redirect.status, StatusCode::SEE_OTHER);
    for part in ["max_age=300", "rd=%2Faccount%2Fprofile%2Fmail"] {
        assert!(redirect.location().contains(part), "{}", redirect.location());
    }
    sign_in(&bench, 601, false);
    let refused = browser.post(MAIL, &form).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.page.contains("at most ten minutes old"), "{}", refused.page);
    sign_in(&bench, 0, true);
    assert_eq!(browser.post(MAIL, &form).await.status, StatusCode::FORBIDDEN, "without the second factor");
    assert!(browser.get(MAIL).await.location().contains("step_up=1"));
    bench.idp.lists().current = GetCurrentSessionResponse::default();
    assert_eq!(browser.get(MAIL).await.status, StatusCode::FORBIDDEN, "another sign-in may not help");
    assert!(bench.idp.lists().links.is_empty());
    sign_in(&bench, 599, false);
    assert_eq!(browser.post(MAIL, &form).await.status, StatusCode::OK);
}

/// Row [A21](../../../../../../docs/security-requirements.md#a21).
#[tokio::test]
async fn forged_form_sends_no_link() {
    let (bench, einstein, _folder) = with_mail().await;
    let mut browser = bench.browser_of(einstein);
    let (csrf, other) = (browser.get(MAIL).await.field("csrf", 1), browser.get(PROFILE).await.field("csrf", 1));
    for token in ["", "x", &other] {
        let refused = browser.post(MAIL, &[("csrf", token), ("address", NEW)]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{token}");
    }
    let form = [("csrf", csrf.as_str()), ("address", NEW)];
    assert_eq!(browser.post_from("https://evil.example", MAIL, &form).await.status, StatusCode::FORBIDDEN);
    assert!(bench.idp.lists().links.is_empty());
}

#[tokio::test]
async fn refusals_of_idp_are_shown_at_the_form() {
    let (bench, einstein, _folder) = with_mail().await;
    let mut browser = bench.browser_of(einstein);
    let empty = send(&mut browser, "  ").await;
    assert!(empty.status == StatusCode::BAD_REQUEST && empty.page.contains("id=\"address-error\""), "{}", empty.page);
    bench.idp.lists().link_refusal = Some(Status::invalid_argument("address: is not a mail address"));
    let invalid = send(&mut browser, "albert").await;
    assert_eq!(invalid.status, StatusCode::BAD_REQUEST);
    assert!(invalid.page.contains("value=\"albert\"") && invalid.page.contains("aria-invalid"), "{}", invalid.page);
    let mut throttled = Status::resource_exhausted("wait");
    throttled.metadata_mut().insert("retry-after", 1_800.into());
    bench.idp.lists().link_refusal = Some(throttled);
    let refused = send(&mut browser, NEW).await;
    assert_eq!(
        (refused.status, refused.headers[RETRY_AFTER].as_bytes()),
        (StatusCode::TOO_MANY_REQUESTS, &b"1800"[..])
    );
    bench.idp.lists().link_refusal = Some(Status::failed_precondition("sign in again"));
    assert_eq!(send(&mut browser, NEW).await.status, StatusCode::FORBIDDEN);
}

/// Row [L9](../../../../../../docs/security-requirements.md#l9).
#[tokio::test]
async fn api_has_a_link_sent_after_a_recent_sign_in() {
    let (bench, einstein, _folder) = with_mail().await;
    let mut browser = bench.browser_of(einstein.clone());
    let change = json!({ "address": NEW });
    sign_in(&bench, 601, false);
    let refused = browser.call(Method::POST, API, &change).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let challenge = refused.headers[WWW_AUTHENTICATE].to_str().expect("ASCII");
    assert!(challenge.contains("insufficient_user_authentication"), "{challenge}");
    sign_in(&bench, 0, false);
    assert_eq!(browser.call(Method::POST, API, &change).await.status, StatusCode::ACCEPTED);
    assert_eq!(bench.idp.lists().links, [(einstein.id.opaque_id, NEW.to_owned(), "en".to_owned())]);
    let unknown = json!({ "address": NEW, "expected": "" });
    assert_eq!(browser.call(Method::POST, API, &unknown).await.status, StatusCode::BAD_REQUEST);
    bench.idp.lists().link_refusal = Some(Status::invalid_argument("address: is not a mail address"));
    let invalid = browser.call(Method::POST, API, &json!({ "address": "albert" })).await;
    assert_eq!((invalid.status, &invalid.json()["parameter"]), (StatusCode::BAD_REQUEST, &json!("address")));
    bench.idp.lists().link_refusal = Some(Status::unimplemented("users do not change their mail address here"));
    assert_eq!(browser.call(Method::POST, API, &change).await.status, StatusCode::NOT_IMPLEMENTED);
}
