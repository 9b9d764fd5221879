//! The API for service accounts.

use std::time::Duration;

use authn::testing::user;
use authn::{User, role};
use axum::http::header::{CONTENT_TYPE, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::super::support::Bench;
use super::World;

const ACCOUNTS: &str = "/account/admin/api/v1/service-accounts";
const BACKUP: &str = "/account/admin/api/v1/service-accounts/backup";

/// Row [N22](../../../../../../docs/security-requirements.md#n22).
#[tokio::test]
async fn service_account_is_created_changed_and_deleted_by_the_api() {
    let world = World::new().await;
    let mut admin = world.admin();
    let new = json!({ "id": "backup", "display_name": "Nightly", "expires": "2100-01-31T00:00:00Z" });
    let created = admin.call(Method::POST, ACCOUNTS, &new).await;
    assert_eq!((created.status, created.location()), (StatusCode::CREATED, BACKUP), "{}", created.page);
    let body = created.json();
    let secret = body["secret"].as_str().expect("a secret").to_owned();
    assert!(world.accepts(&secret).await);
    let account = &body["service_account"];
    assert_eq!((&account["state"], &account["scopes"]), (&json!("active"), &json!(["user"])));
    assert_eq!((&account["expires"], &account["last_used"]), (&json!("2100-01-31T00:00:00Z"), &Value::Null));

    let found = admin.read(&format!("{ACCOUNTS}?query=NIGHT")).await;
    assert_eq!(found.json()["service_accounts"][0]["id"], "backup");
    let shown = admin.read(BACKUP).await;
    assert!(!found.page.contains(&secret) && !shown.page.contains(&secret), "{}", shown.page);
    let none = admin.read(&format!("{ACCOUNTS}?query=other")).await.json();
    assert_eq!((&none["service_accounts"], none.get("next_page_token")), (&json!([]), None));

    let change = json!({ "disabled": true, "expires": null });
    let changed = admin.call(Method::PATCH, BACKUP, &change).await.json();
    assert_eq!((&changed["state"], &changed["expires"]), (&json!("disabled"), &Value::Null));
    assert_eq!(changed["display_name"], "Nightly", "what is left out stays");
    assert!(!world.accepts(&secret).await);
    let enabled = admin.call(Method::PATCH, BACKUP, &json!({ "disabled": false })).await.json();
    assert_eq!(enabled["state"], "active");
    assert!(world.accepts(&secret).await);

    assert_eq!(admin.delete(BACKUP).await.status, StatusCode::NO_CONTENT);
    assert!(!world.accepts(&secret).await);
    assert_eq!(admin.read(BACKUP).await.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.delete(BACKUP).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn list_of_service_accounts_goes_on_by_its_page_token() {
    let world = World::new().await;
    let mut admin = world.admin();
    for id in ["one", "three", "two"] {
        assert_eq!(admin.call(Method::POST, ACCOUNTS, &json!({ "id": id })).await.status, StatusCode::CREATED, "{id}");
    }
    let first = admin.read(&format!("{ACCOUNTS}?page_size=2")).await.json();
    let page_token = first["next_page_token"].as_str().expect("another page");
    assert_eq!(first["service_accounts"].as_array().map(Vec::len), Some(2));
    let last = admin.read(&format!("{ACCOUNTS}?page_size=2&page_token={page_token}")).await.json();
    assert_eq!((&last["service_accounts"][0]["id"], last.get("next_page_token")), (&json!("two"), None));
    let unknown = admin.read(&format!("{ACCOUNTS}?q=one")).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST, "{}", unknown.page);
}

#[tokio::test]
async fn invalid_service_accounts_are_refused_with_the_reason() {
    let world = World::new().await;
    world.backup().await;
    let mut admin = world.admin();
    for (new, status) in [
        (json!({ "id": "A B" }), StatusCode::BAD_REQUEST),
        (json!({ "id": "jobs" }), StatusCode::CONFLICT),
        (json!({ "id": "backup" }), StatusCode::CONFLICT),
        (json!({ "id": "other", "scopes": ["everything"] }), StatusCode::BAD_REQUEST),
        (json!({ "id": "other", "expires": "2000-01-01T00:00:00Z" }), StatusCode::BAD_REQUEST),
        (json!({ "id": "other", "secret": "chosen" }), StatusCode::BAD_REQUEST),
        (json!({ "display_name": "Nightly" }), StatusCode::BAD_REQUEST),
    ] {
        let refused = admin.call(Method::POST, ACCOUNTS, &new).await;
        assert_eq!(refused.status, status, "{new}: {}", refused.page);
    }
    // in the call to auth-service, 0 stands for no end
    for expires in ["1970-01-01T00:00:00Z", "1969-12-31T00:00:00Z", "tomorrow", ""] {
        let refused = admin.call(Method::PATCH, BACKUP, &json!({ "expires": expires })).await;
        assert_eq!((refused.status, &refused.json()["parameter"]), (StatusCode::BAD_REQUEST, &json!("expires")));
    }
    for change in [json!({}), json!({ "scopes": [] }), json!({ "id": "other" })] {
        let refused = admin.call(Method::PATCH, BACKUP, &change).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{change}: {}", refused.page);
    }
    assert_eq!(admin.read(ACCOUNTS).await.json()["service_accounts"].as_array().map(Vec::len), Some(1));
}

/// Row [N22](../../../../../../docs/security-requirements.md#n22).
#[tokio::test]
async fn secret_is_replaced_by_the_api_without_an_interruption() {
    let world = World::new().await;
    let first = world.backup().await;
    let old = world.secrets().await.remove(0);
    let mut admin = world.admin();
    let secrets = format!("{BACKUP}/secrets");
    let added = admin.call(Method::POST, &secrets, &json!({ "expire_old_in": 86_400 })).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.page);
    let body = added.json();
    let second = body["secret"].as_str().expect("a secret").to_owned();
    assert_eq!(added.location(), format!("{secrets}/{}", body["secret_id"].as_str().expect("an identifier")));
    assert!(world.accepts(&first).await && world.accepts(&second).await);
    let shown = admin.read(BACKUP).await;
    let (new, account) = (body["secret_id"].clone(), shown.json());
    // both are of the same moment, and so in no order
    let expires = |id: &Value| {
        let all = account["secrets"].as_array().expect("a list");
        all.iter().find(|secret| secret["id"] == *id).expect("is listed")["expires"].clone()
    };
    assert!(!shown.page.contains(&second) && expires(&json!(old)).is_string(), "{}", shown.page);
    assert_eq!(expires(&new), Value::Null);

    let third = admin.call(Method::POST, &secrets, &json!({})).await;
    assert_eq!(third.status, StatusCode::PRECONDITION_FAILED, "{}", third.page);
    assert_eq!(admin.delete(&format!("{secrets}/{old}")).await.status, StatusCode::NO_CONTENT);
    assert!(!world.accepts(&first).await && world.accepts(&second).await);
    assert_eq!(admin.delete(&format!("{secrets}/{old}")).await.status, StatusCode::NOT_FOUND);
    let unknown = admin.call(Method::POST, &format!("{ACCOUNTS}/unknown/secrets"), &json!({})).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{}", unknown.page);
}

/// Rows [N22](../../../../../../docs/security-requirements.md#n22) and [N51](../../../../../../docs/security-requirements.md#n51).
#[tokio::test]
async fn changes_of_service_accounts_by_the_api_need_a_recent_sign_in() {
    let world = World::new().await;
    let secret = world.backup().await;
    let old = world.secrets().await.remove(0);
    world.signed_in(Duration::from_mins(11));
    let mut admin = world.admin();
    let refused = [
        admin.call(Method::POST, ACCOUNTS, &json!({ "id": "other" })).await,
        admin.call(Method::PATCH, BACKUP, &json!({ "disabled": true })).await,
        admin.call(Method::POST, &format!("{BACKUP}/secrets"), &json!({})).await,
        admin.delete(&format!("{BACKUP}/secrets/{old}")).await,
        admin.delete(BACKUP).await,
    ];
    for reply in refused {
        let challenge = reply.headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.page);
        assert!(challenge.contains("max_age=\"600\""), "{challenge}");
    }
    assert_eq!((world.secrets().await, world.accepts(&secret).await), (vec![old], true), "nothing has changed");
    assert_eq!(admin.read(ACCOUNTS).await.json()["service_accounts"].as_array().map(Vec::len), Some(1));
}

/// Rows [N50](../../../../../../docs/security-requirements.md#n50) and [A50](../../../../../../docs/security-requirements.md#a50).
#[tokio::test]
async fn others_and_other_sites_reach_no_service_account_by_the_api() {
    let world = World::new().await;
    world.backup().await;
    let mut marie = world.bench.browser("marie");
    for path in [ACCOUNTS, BACKUP] {
        assert_eq!(marie.read(path).await.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(world.bench.stranger().read(path).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(marie.delete(BACKUP).await.status, StatusCode::FORBIDDEN);
    let mut admin = world.admin();
    let body = json!({ "id": "other" }).to_string();
    let text = Request::post(ACCOUNTS).header(CONTENT_TYPE, "text/plain");
    assert_eq!(admin.send(text, body.clone()).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let elsewhere = Request::post(ACCOUNTS).header(CONTENT_TYPE, "application/json");
    let elsewhere = elsewhere.header(ORIGIN, "https://evil.example");
    assert_eq!(admin.send(elsewhere, body).await.status, StatusCode::FORBIDDEN);
    assert_eq!(admin.read(ACCOUNTS).await.json()["service_accounts"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn service_accounts_need_their_service() {
    let bench = Bench::new().await;
    let mut admin = bench.browser_of(User { roles: vec![role::ADMIN.to_owned()], ..user("admin") });
    for reply in [
        admin.read(ACCOUNTS).await,
        admin.read(BACKUP).await,
        admin.call(Method::POST, ACCOUNTS, &json!({ "id": "backup" })).await,
    ] {
        assert_eq!(reply.status, StatusCode::NOT_FOUND);
        assert!(reply.page.contains("auth-service"), "{}", reply.page);
    }
}
