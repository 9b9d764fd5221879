//! The API for clients and signing keys.

use std::time::Duration;

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{Method, StatusCode};
use proto::doorward::idp::v1::{Key, KeyState};
use serde_json::json;

use super::World;

const CLIENTS: &str = "/account/admin/api/v1/clients";
const KEYS: &str = "/account/admin/api/v1/keys";

/// `docs/security-requirements.md#n20`
#[tokio::test]
async fn client_is_created_changed_and_removed_by_the_api() {
    let world = World::new().await;
    let mut admin = world.admin();
    let incomplete = json!({ "client_name": "Files", "redirect_uris": [], "response_types": ["code"] });
    let refused = admin.call(Method::POST, CLIENTS, &incomplete).await;
    assert_eq!((refused.status, &refused.json()["parameter"]), (StatusCode::BAD_REQUEST, &json!("redirect_uris")));
    let metadata = json!({
        "client_name": "Files",
        "redirect_uris": ["https://files.example/cb"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
    });
    let created = admin.call(Method::POST, CLIENTS, &metadata).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.page);
    let body = created.json();
    assert_eq!((&body["secret"], &body["client"]["source"]), (&json!("the-secret"), &json!("added")));
    assert_eq!(body["client"]["metadata"], metadata);
    let path = format!("{CLIENTS}/new%2F1");
    assert_eq!(created.location(), path);

    let listed = admin.read(CLIENTS).await;
    assert_eq!(
        (&listed.json()["clients"][0]["id"], &listed.json()["next_page_token"]),
        (&json!("new/1"), &json!("a&b"))
    );
    assert!(!listed.page.contains("the-secret"), "{}", listed.page);
    let change = json!({ "consent": "trusted", "redirect_uris": ["https://files.example/other"] });
    let changed = admin.call(Method::PATCH, &path, &change).await.json();
    assert_eq!((&changed["client"]["metadata"]["consent"], changed.get("secret")), (&json!("trusted"), None));
    let removed = admin.call(Method::PATCH, &path, &json!({ "consent": null })).await.json();
    assert_eq!(removed["client"]["metadata"].get("consent"), None);
    let unknown = admin.call(Method::PATCH, &path, &json!({ "unknown": 1 })).await;
    assert_eq!((unknown.status, &unknown.json()["parameter"]), (StatusCode::BAD_REQUEST, &json!("unknown")));

    let rotated = admin.call(Method::POST, &format!("{path}/secret"), &json!({ "grace": 86_400 })).await.json();
    assert_eq!((rotated, world.known().graces.clone()), (json!({ "secret": "another-secret" }), vec![86_400]));
    assert_eq!(admin.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.read(&path).await.status, StatusCode::NOT_FOUND);
}

/// `docs/security-requirements.md#n20` and `docs/security-requirements.md#n21`
#[tokio::test]
async fn changes_of_clients_and_keys_by_the_api_need_a_recent_sign_in() {
    let world = World::new().await;
    world.signed_in(Duration::from_mins(11));
    let mut admin = world.admin();
    let path = format!("{CLIENTS}/one");
    let refused = [
        admin.call(Method::POST, CLIENTS, &json!({ "client_name": "Files" })).await,
        admin.call(Method::PATCH, &path, &json!({ "consent": "trusted" })).await,
        admin.call(Method::POST, &format!("{path}/secret"), &json!({})).await,
        admin.delete(&path).await,
        admin.call(Method::POST, KEYS, &json!({ "algorithm": "ES256" })).await,
        admin.delete(&format!("{KEYS}/k1")).await,
    ];
    for reply in refused {
        let challenge = reply.headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.page);
        assert!(challenge.contains("insufficient_user_authentication"), "{challenge}");
    }
    assert!(world.known().clients.is_empty() && world.known().keys.is_empty());
    assert_eq!(admin.read(CLIENTS).await.status, StatusCode::OK);
    assert_eq!(world.bench.browser("marie").read(KEYS).await.status, StatusCode::FORBIDDEN);
}

/// `docs/security-requirements.md#n21`
#[tokio::test]
async fn keys_are_made_and_withdrawn_by_the_api() {
    let world = World::new().await;
    let key = Key {
        kid: "k1".to_owned(),
        algorithm: "ES256".to_owned(),
        state: KeyState::Current.into(),
        created: 1,
        active: 1,
        ..Key::default()
    };
    world.known().keys.push(key);
    let mut admin = world.admin();
    assert_eq!(admin.read(KEYS).await.json()["keys"][0]["state"], "current");
    let made = admin.call(Method::POST, KEYS, &json!({ "algorithm": "ES256" })).await;
    assert_eq!((made.status, &made.json()["state"]), (StatusCode::OK, &json!("next")));
    assert_eq!(admin.delete(&format!("{KEYS}/k1")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.known().keys[1].state(), KeyState::Over);
    assert_eq!(admin.delete(&format!("{KEYS}/k9")).await.status, StatusCode::NOT_FOUND);
}
