//! The API for users and groups.

use std::time::Duration;

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::AdminBench;

const USERS: &str = "/account/admin/api/v1/users";
const GROUPS: &str = "/account/admin/api/v1/groups";
const ELEVEN_MINUTES: Duration = Duration::from_mins(11);

impl AdminBench {
    /// The path of a user of the API.
    fn resource_of(&self, name: &str, below: &str) -> String {
        format!("{USERS}/{}{below}", self.user(name).id.opaque_id)
    }
}

/// Row [N50](../../../../../../docs/security-requirements.md#n50).
#[tokio::test]
async fn others_learn_nothing_by_the_api_of_administrators() {
    let bench = AdminBench::new().await;
    let mut bodies = Vec::new();
    for path in [
        "/users",
        "/users/1",
        "/groups",
        "/tokens",
        "/clients",
        "/keys",
        "/sessions",
        "/events",
        "/service-accounts",
        "/health",
    ] {
        let path = format!("/account/admin/api/v1{path}");
        let reply = bench.browser("marie").read(&path).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path}");
        bodies.push(reply.page);
        assert_eq!(bench.bench.stranger().read(&path).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in ["/account/admin/api/v1/nothing", "/account/admin/api/nothing"] {
        let reply = bench.browser("marie").get(path).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path}");
        bodies.push(reply.page);
    }
    let created = bench.browser("marie").call(Method::POST, USERS, &json!({ "username": "lise" })).await;
    assert_eq!(created.status, StatusCode::FORBIDDEN);
    assert!(bodies.iter().all(|body| *body == created.page), "{bodies:?}");
    let listed = bench.browser("admin").read(USERS).await;
    assert!(!listed.page.contains("lise"), "{}", listed.page);
}

/// Row [N50](../../../../../../docs/security-requirements.md#n50).
#[tokio::test]
async fn administrator_with_a_second_factor_uses_it_for_the_api() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    bench.signed_in(Duration::ZERO, "1", true);
    let reply = admin.read(USERS).await;
    let challenge = reply.headers[WWW_AUTHENTICATE].to_str().expect("text");
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert!(challenge.contains("error=\"insufficient_user_authentication\""), "{challenge}");
    assert!(challenge.contains("acr_values=\"mfa\"") && !challenge.contains("max_age"), "{challenge}");
    bench.signed_in(ELEVEN_MINUTES, "mfa", true);
    assert_eq!(admin.read(USERS).await.status, StatusCode::OK);
}

/// Row [N51](../../../../../../docs/security-requirements.md#n51).
#[tokio::test]
async fn dangerous_requests_need_a_sign_in_of_the_last_ten_minutes() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    bench.signed_in(ELEVEN_MINUTES, "1", false);
    let marie = bench.resource_of("marie", "");
    let refused = [
        admin.call(Method::POST, USERS, &json!({ "username": "lise" })).await,
        admin.call(Method::PATCH, &marie, &json!({ "status": "disabled" })).await,
        admin.call(Method::PATCH, &marie, &json!({ "roles": ["admin"] })).await,
        admin.delete(&marie).await,
        admin.delete(&format!("{GROUPS}/1")).await,
    ];
    for reply in refused {
        let challenge = reply.headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.page);
        assert!(challenge.starts_with("Bearer error=\"insufficient_user_authentication\""), "{challenge}");
        assert!(challenge.contains("max_age=\"600\""), "{challenge}");
    }
    let user = admin.read(&marie).await.json();
    assert_eq!((&user["status"], &user["roles"]), (&json!("active"), &json!([])));
    let harmless = admin.call(Method::PATCH, &marie, &json!({ "display_name": "Marie" })).await;
    assert_eq!(harmless.status, StatusCode::OK, "{}", harmless.page);
}

#[tokio::test]
async fn user_is_created_found_changed_disabled_and_deleted() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    let new = json!({ "username": "lise", "mail": "lise@example.org", "roles": ["guest"] });
    let created = admin.call(Method::POST, USERS, &new).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.page);
    let body = created.json();
    assert_eq!((&body["user"]["username"], &body["password_set"]), (&json!("lise"), &json!(false)));
    assert_eq!(body["invited"], false);
    let path = created.location().to_owned();
    assert_eq!(path, format!("{USERS}/{}", body["user"]["id"].as_str().expect("an id")));
    assert_eq!(admin.call(Method::POST, USERS, &new).await.status, StatusCode::CONFLICT);
    let elsewhere = json!({ "username": "otto", "password": "seven otters juggle lamps" });
    let refused = admin.call(Method::POST, USERS, &elsewhere).await;
    assert_eq!((refused.status, &refused.json()["parameter"]), (StatusCode::BAD_REQUEST, &json!("password")));

    let found = admin.read(&format!("{USERS}?query=LISE")).await.json();
    assert_eq!((&found["users"][0]["id"], found["users"].as_array().map(Vec::len)), (&body["user"]["id"], Some(1)));
    let first = admin.read(&format!("{USERS}?page_size=3")).await.json();
    let page_token = first["next_page_token"].as_str().expect("another page");
    let second = admin.read(&format!("{USERS}?page_size=3&page_token={page_token}")).await.json();
    assert_eq!((second["users"].as_array().map(Vec::len), second.get("next_page_token")), (Some(1), None));

    let change = json!({ "display_name": "Lise", "mail": "", "roles": ["user", "spaceadmin"], "status": "disabled" });
    let changed = admin.call(Method::PATCH, &path, &change).await.json();
    assert_eq!((&changed["status"], &changed["mail"]), (&json!("disabled"), &json!("")));
    assert_eq!((&changed["display_name"], &changed["roles"]), (&json!("Lise"), &json!(["spaceadmin", "user"])));
    let enabled = admin.call(Method::PATCH, &path, &json!({ "status": "active" })).await.json();
    assert_eq!((&enabled["status"], &enabled["display_name"]), (&json!("active"), &json!("Lise")));
    let expecting = |expected| json!({ "display_name": "Meitner", "expected": expected });
    for expected in [json!({ "display_name": "lise" }), json!({ "roles": ["user"] }), json!({ "status": "disabled" })] {
        let refused = admin.call(Method::PATCH, &path, &expecting(expected)).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.page);
        assert!(refused.page.contains("another change came in between"), "{}", refused.page);
    }
    let seen = json!({ "display_name": "Lise", "mail": "", "status": "active", "roles": ["user", "spaceadmin"] });
    let changed = admin.call(Method::PATCH, &path, &expecting(seen)).await;
    assert_eq!((changed.status, &changed.json()["display_name"]), (StatusCode::OK, &json!("Meitner")));
    for change in [json!({ "status": "gone" }), json!({ "username": "other" }), json!({ "mail": "nothing" })] {
        assert_eq!(admin.call(Method::PATCH, &path, &change).await.status, StatusCode::BAD_REQUEST, "{change}");
    }
    assert_eq!(admin.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.read(&path).await.status, StatusCode::NOT_FOUND);
}

/// Row [N5](../../../../../../docs/security-requirements.md#n5).
#[tokio::test]
async fn administrators_do_not_lock_themselves_out_by_the_api() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    let own = bench.resource_of("admin", "");
    for change in [json!({ "status": "disabled" }), json!({ "roles": ["user"] }), json!({ "roles": [] })] {
        assert_eq!(admin.call(Method::PATCH, &own, &change).await.status, StatusCode::BAD_REQUEST, "{change}");
    }
    assert_eq!(admin.delete(&own).await.status, StatusCode::BAD_REQUEST);
    let user = admin.read(&own).await.json();
    assert_eq!((&user["status"], &user["roles"]), (&json!("active"), &json!(["admin"])));
    let more = admin.call(Method::PATCH, &own, &json!({ "roles": ["admin", "user"] })).await;
    assert_eq!(more.status, StatusCode::OK, "{}", more.page);
}

#[tokio::test]
async fn profile_of_a_user_is_changed_by_an_administrator() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    let path = bench.resource_of("marie", "/profile");
    let change = json!({ "display_name": "Marie Curie", "attributes": { "nickname": "Manya" } });
    let changed = admin.call(Method::PATCH, &path, &change).await.json();
    let expected = (json!("Marie Curie"), json!({ "nickname": "Manya" }));
    assert_eq!((&changed["display_name"], &changed["attributes"]), (&expected.0, &expected.1));
    assert_eq!(admin.read(&path).await.json(), changed);
    let refused = admin.call(Method::PATCH, &path, &json!({ "attributes": { "website": "nothing" } })).await;
    assert_eq!((refused.status, &refused.json()["parameter"]), (StatusCode::BAD_REQUEST, &json!("website")));
}

#[tokio::test]
async fn group_is_created_renamed_given_members_and_deleted() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    let new = json!({ "name": "physicists", "description": "All of them" });
    let created = admin.call(Method::POST, GROUPS, &new).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.page);
    let path = created.location().to_owned();
    assert_eq!(admin.call(Method::POST, GROUPS, &new).await.status, StatusCode::CONFLICT);
    let renamed = admin.call(Method::PATCH, &path, &json!({ "name": "chemists" })).await.json();
    assert_eq!((&renamed["name"], &renamed["description"]), (&json!("chemists"), &json!("All of them")));

    let members = format!("{path}/members");
    let marie = bench.user("marie").id.opaque_id;
    for member in [json!({ "user_id": marie }), json!({ "username": "marie" }), json!({ "username": "einstein" })] {
        let added = admin.call(Method::POST, &members, &member).await;
        assert_eq!(added.status, StatusCode::NO_CONTENT, "{member}: {}", added.page);
    }
    for member in [json!({}), json!({ "user_id": marie, "username": "marie" }), json!({ "user": marie })] {
        assert_eq!(admin.call(Method::POST, &members, &member).await.status, StatusCode::BAD_REQUEST, "{member}");
    }
    let nobody = admin.call(Method::POST, &members, &json!({ "username": "nobody" })).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.read(&path).await.json()["member_count"], 2);
    assert_eq!(admin.read(&members).await.json()["members"].as_array().map(Vec::len), Some(2));
    assert_eq!(admin.delete(&format!("{members}/{marie}")).await.status, StatusCode::NO_CONTENT);
    let left = admin.read(&members).await.json();
    assert_eq!((&left["members"][0]["username"], left["members"][1].clone()), (&json!("einstein"), Value::Null));

    let found = admin.read(&format!("{GROUPS}?query=chem")).await.json();
    assert_eq!(found["groups"][0]["name"], "chemists");
    assert_eq!(admin.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.read(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn passwords_and_factors_need_their_services() {
    let bench = AdminBench::new().await;
    let mut admin = bench.browser("admin");
    let password = bench.resource_of("marie", "/password");
    let set = admin.call(Method::PUT, &password, &json!({ "password": "seven otters juggle lamps" })).await;
    assert_eq!(set.status, StatusCode::NOT_FOUND, "{}", set.page);
    assert_eq!(admin.delete(&password).await.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.delete(&bench.resource_of("marie", "/second-factors")).await.status, StatusCode::NOT_FOUND);
    for path in ["/account/admin/api/v1/nothing", "/account/admin/api/nothing"] {
        let reply = admin.get(path).await;
        assert_eq!((reply.status, &reply.json()["status"]), (StatusCode::NOT_FOUND, &json!(404)), "{path}");
    }
}
