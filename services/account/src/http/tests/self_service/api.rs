//! The API for the profile and the password.

use axum::http::header::RETRY_AFTER;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::support::Browser;
use super::{NEW, OLD, with_auth_basic, with_users};
use authn::Credentials;

const PROFILE: &str = "/account/api/v1/profile";
const PASSWORD: &str = "/account/api/v1/password";

/// Row [A41](../../../../../../docs/security-requirements.md#a41).
#[tokio::test]
async fn profile_is_changed_where_the_operator_permits() {
    let (bench, einstein, _folder) = with_users(&["display_name", "nickname", "website", "address"]).await;
    let mut browser = bench.browser_of(einstein);
    let profile = browser.read(PROFILE).await.json();
    assert_eq!((&profile["display_name"], &profile["attributes"]), (&json!("Albert"), &json!({})));
    assert!(profile["writable"].as_array().is_some_and(|names| names.contains(&json!("nickname"))), "{profile}");

    let change = json!({
        "display_name": "Albert E",
        "attributes": { "nickname": " Al ", "address.country": "Switzerland" },
    });
    let changed = browser.call(Method::PATCH, PROFILE, &change).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.page);
    let expected = json!({ "nickname": "Al", "address.country": "Switzerland" });
    assert_eq!((&changed.json()["display_name"], &changed.json()["attributes"]), (&json!("Albert E"), &expected));
    let removed = browser.call(Method::PATCH, PROFILE, &json!({ "attributes": { "nickname": null } })).await.json();
    assert_eq!(removed["attributes"], json!({ "address.country": "Switzerland" }));

    for (change, status, parameter) in [
        (json!({ "attributes": { "given_name": "Mallory" } }), StatusCode::FORBIDDEN, "given_name"),
        (json!({ "attributes": { "email": "mallory@evil.example" } }), StatusCode::BAD_REQUEST, "email"),
        (json!({ "attributes": { "display_name": "Mallory" } }), StatusCode::BAD_REQUEST, "display_name"),
        (json!({ "attributes": { "website": "javascript:alert(1)" } }), StatusCode::BAD_REQUEST, "website"),
        (json!({ "display_name": "" }), StatusCode::BAD_REQUEST, "display_name"),
        // one that is refused keeps the others from being changed
        (json!({ "attributes": { "nickname": "M", "website": "x" } }), StatusCode::BAD_REQUEST, "website"),
    ] {
        let reply = browser.call(Method::PATCH, PROFILE, &change).await;
        assert_eq!((reply.status, &reply.json()["parameter"]), (status, &json!(parameter)), "{change}");
    }
    for change in [json!({ "username": "mallory" }), json!({ "attributes": { "nickname": 1 } }), json!([])] {
        assert_eq!(browser.call(Method::PATCH, PROFILE, &change).await.status, StatusCode::BAD_REQUEST, "{change}");
    }
    let profile = browser.read(PROFILE).await;
    assert!(!profile.page.contains("allory") && profile.json() == removed, "{}", profile.page);
}

async fn change(browser: &mut Browser<'_>, old: &str, new: &str) -> (StatusCode, Value) {
    let reply = browser.call(Method::POST, PASSWORD, &json!({ "old_password": old, "new_password": new })).await;
    let body = if reply.page.is_empty() { Value::Null } else { reply.json() };
    for password in [old, new].iter().filter(|password| password.len() > 4) {
        assert!(!reply.page.contains(*password), "{}", reply.page);
    }
    (reply.status, body)
}

/// Row [A40](../../../../../../docs/security-requirements.md#a40).
#[tokio::test]
async fn password_is_changed_with_the_old_one_if_the_policy_accepts_the_new_one() {
    let (bench, authenticator, _folder) = with_auth_basic().await;
    let mut browser = bench.browser("einstein");
    let (status, problem) = change(&mut browser, OLD, "q7#x").await;
    assert_eq!((status, &problem["parameter"]), (StatusCode::BAD_REQUEST, &json!("new_password")));
    assert!(problem["weaknesses"].as_array().is_some_and(|found| found.contains(&json!("short"))), "{problem}");
    for (old, new, parameter) in
        [("", NEW, "old_password"), ("not the old password", NEW, "old_password"), (OLD, OLD, "new_password")]
    {
        let (status, problem) = change(&mut browser, old, new).await;
        assert_eq!((status, &problem["parameter"]), (StatusCode::BAD_REQUEST, &json!(parameter)), "{old} {new}");
    }
    assert!(authenticator.authenticate(&Credentials::new("einstein", OLD)).await.is_ok());
    assert_eq!(change(&mut browser, OLD, NEW).await, (StatusCode::NO_CONTENT, Value::Null));
    assert!(authenticator.authenticate(&Credentials::new("einstein", NEW)).await.is_ok());
    assert!(authenticator.authenticate(&Credentials::new("marie", OLD)).await.is_ok(), "that of another user stays");
}

#[tokio::test]
async fn wrong_old_passwords_are_throttled() {
    let (bench, _, _folder) = with_auth_basic().await;
    let mut browser = bench.browser("einstein");
    for attempt in 0..20 {
        let wrong = json!({ "old_password": format!("not the old password {attempt}"), "new_password": NEW });
        let reply = browser.call(Method::POST, PASSWORD, &wrong).await;
        if reply.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(reply.headers.contains_key(RETRY_AFTER));
            return;
        }
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    }
    panic!("twenty wrong passwords are not throttled");
}
