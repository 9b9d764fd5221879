//! The API for app tokens, sessions and events of all users.

use axum::http::StatusCode;
use axum::http::header::WWW_AUTHENTICATE;
use proto::doorward::idp::v1::account_user::Name;
use serde_json::json;

use super::{NOW, World, event};

const TOKENS: &str = "/account/admin/api/v1/tokens";
const SESSIONS: &str = "/account/admin/api/v1/sessions";
const EVENTS: &str = "/account/admin/api/v1/events";

/// Rows [N40](../../../../../../docs/security-requirements.md#n40) and [N41](../../../../../../docs/security-requirements.md#n41).
#[tokio::test]
async fn tokens_of_all_users_are_searched_and_revoked() {
    let world = World::new().await;
    let phone = world.token("einstein", "phone").await;
    let laptop = world.token("einstein", "laptop").await;
    let tablet = world.token("marie", "tablet").await;
    let mut admin = world.admin();
    let all = admin.read(TOKENS).await;
    assert_eq!(all.json()["tokens"].as_array().map(Vec::len), Some(3), "{}", all.page);
    assert!(!all.page.contains(&phone), "{}", all.page);
    let found = admin.read(&format!("{TOKENS}?user=einstein&label=PHONE")).await.json();
    assert_eq!((&found["tokens"][0]["label"], found["tokens"].as_array().map(Vec::len)), (&json!("phone"), Some(1)));
    let none = admin.read(&format!("{TOKENS}?expires_before=2026-11-30T00:00:00Z")).await.json();
    assert_eq!(none, json!({ "tokens": [] }));
    for query in ["expires_before=tomorrow", "unused_since=30", "user=", "owner=einstein"] {
        assert_eq!(admin.read(&format!("{TOKENS}?{query}")).await.status, StatusCode::BAD_REQUEST, "{query}");
    }
    let path = format!("{TOKENS}/{}", found["tokens"][0]["id"].as_str().expect("an id"));
    assert_eq!(admin.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert!(!world.accepts("einstein", &phone).await && world.accepts("einstein", &laptop).await);
    assert!(admin.read(&path).await.json()["revoked"].is_string());

    let of_einstein = format!("{TOKENS}?user_id=id-of-einstein");
    world.signed_in(NOW - 601);
    let late = admin.delete(&of_einstein).await;
    assert_eq!(late.status, StatusCode::FORBIDDEN);
    assert!(late.headers[WWW_AUTHENTICATE].to_str().is_ok_and(|text| text.contains("max_age=\"600\"")));
    world.signed_in(NOW - 60);
    for query in ["", "?user_id=", "?user=einstein"] {
        assert_eq!(admin.delete(&format!("{TOKENS}{query}")).await.status, StatusCode::BAD_REQUEST, "{query}");
    }
    assert!(world.accepts("einstein", &laptop).await);
    assert_eq!(admin.delete(&of_einstein).await.json(), json!({ "revoked": 1 }));
    assert!(!world.accepts("einstein", &laptop).await && world.accepts("marie", &tablet).await);
}

/// Row [N42](../../../../../../docs/security-requirements.md#n42).
#[tokio::test]
async fn sessions_of_all_users_are_listed_and_ended() {
    let world = World::new().await;
    let mut admin = world.admin();
    assert_eq!(admin.read(SESSIONS).await.json()["sessions"].as_array().map(Vec::len), Some(3));
    let of_marie = admin.read(&format!("{SESSIONS}?user=marie")).await.json();
    assert_eq!(
        (&of_marie["sessions"][0]["id"], of_marie["sessions"].as_array().map(Vec::len)),
        (&json!("hers"), Some(1))
    );
    assert_eq!(admin.delete(&format!("{SESSIONS}/two")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.delete(&format!("{SESSIONS}/two")).await.status, StatusCode::NOT_FOUND);
    let of_einstein = format!("{SESSIONS}?user_id=id-of-einstein");
    world.signed_in(NOW - 601);
    assert_eq!(admin.delete(&of_einstein).await.status, StatusCode::FORBIDDEN);
    world.signed_in(NOW - 60);
    assert_eq!(admin.delete(SESSIONS).await.status, StatusCode::BAD_REQUEST, "of no user");
    assert_eq!(world.left(), ["one", "hers"]);
    assert_eq!(admin.delete(&of_einstein).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.left(), ["hers"]);
    let applications = "/account/admin/api/v1/users/id-of-marie/connected-applications";
    assert_eq!(admin.read(applications).await.json(), json!({ "applications": [] }));
    assert_eq!(admin.delete(&format!("{applications}?client_id=tv")).await.status, StatusCode::NO_CONTENT);
}

/// Row [N43](../../../../../../docs/security-requirements.md#n43).
#[tokio::test]
async fn events_of_all_users_are_filtered() {
    let world = World::new().await;
    world.idp.lists().events = (0..5).map(|number| event(number, "mirall/5.0")).collect();
    let mut admin = world.admin();
    let query = "user=einstein&event=sign_in&outcome=failure&address=192.0.2.7&from=2026-11-29&until=2026-11-29";
    let page = admin.read(&format!("{EVENTS}?{query}")).await.json();
    assert_eq!((&page["events"][0]["id"], &page["next_page_token"]), (&json!("event-0"), &json!("2")));
    let asked = world.idp.lists().asked.pop().expect("idp was asked");
    assert_eq!(asked.user.and_then(|user| user.name), Some(Name::Id("id-of-einstein".to_owned())));
    assert_eq!((&*asked.event, &*asked.outcome, &*asked.address), ("sign_in", "failure", "192.0.2.7"));
    assert_eq!((asked.since, asked.until, asked.is_export), (Some(1_795_910_400), Some(1_795_996_800), false));
    for (query, parameter) in
        [("address=localhost", "address"), ("from=yesterday", "from"), ("until=2026-13-01", "until")]
    {
        let reply = admin.read(&format!("{EVENTS}?{query}")).await;
        assert_eq!((reply.status, &reply.json()["parameter"]), (StatusCode::BAD_REQUEST, &json!(parameter)));
    }
    assert!(world.idp.lists().asked.is_empty(), "nothing is listed without the filter");
}
