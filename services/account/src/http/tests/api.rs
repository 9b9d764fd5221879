//! The API of the signed-in user, over auth-app itself and a stand-in for idp.

use authn::testing::user;
use authn::{User, role};
use axum::http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{Method, Request, StatusCode};
use proto::doorward::idp::v1::{AccountEvent, AccountSession, ConnectedApplication};
use serde_json::{Value, json};
use tonic::Status;

use super::support::{Bench, ORIGIN_OF_PAGES, Reply};

const ACCOUNT: &str = "/account/api/v1/account";
const TOKENS: &str = "/account/api/v1/tokens";
const SESSIONS: &str = "/account/api/v1/sessions";
const APPLICATIONS: &str = "/account/api/v1/connected-applications";
const EVENTS: &str = "/account/api/v1/events";
/// 29 November 2026, 00:00 UTC.
const MIDNIGHT: i64 = 1_795_910_400;

fn id_of(name: &str) -> String {
    user(name).id.opaque_id
}

#[track_caller]
fn refused(reply: &Reply, status: StatusCode) -> Value {
    assert_eq!(reply.status, status, "{}", reply.page);
    assert_eq!(reply.headers[CONTENT_TYPE], "application/problem+json");
    let problem = reply.json();
    assert_eq!((&problem["type"], &problem["status"]), (&json!("about:blank"), &json!(status.as_u16())));
    problem
}

/// einstein has this session and two others, marie has one.
async fn bench() -> Bench {
    let bench = Bench::new().await;
    let session = |name: &str, id: &str| AccountSession {
        id: id.to_owned(),
        user_id: id_of(name),
        created: MIDNIGHT,
        last_used: MIDNIGHT + 60,
        expires: MIDNIGHT + 3600,
        user_agent: "mirall/5.0".to_owned(),
        current: id == "this",
        ..AccountSession::default()
    };
    bench.idp.lists().sessions = vec![
        session("einstein", "this"),
        session("einstein", "one"),
        session("einstein", "two"),
        session("marie", "hers"),
    ];
    let application = ConnectedApplication {
        client_id: "https://tv.example/client".to_owned(),
        name: "TV".to_owned(),
        scopes: vec!["openid".to_owned()],
        since: MIDNIGHT,
        last_used: None,
    };
    bench.idp.lists().applications = vec![(id_of("einstein"), application.clone()), (id_of("marie"), application)];
    bench
}

fn left(bench: &Bench) -> Vec<String> {
    bench.idp.lists().sessions.iter().map(|session| session.id.clone()).collect()
}

#[tokio::test]
async fn account_is_what_the_directory_knows() {
    let bench = Bench::new().await;
    bench.change("einstein", |user| User {
        display_name: "Albert".to_owned(),
        mail: "einstein@example.org".to_owned(),
        groups: vec!["physicists".to_owned()],
        roles: vec![role::USER.to_owned(), "another".to_owned()],
        ..user
    });
    let account = bench.browser("einstein").read(ACCOUNT).await;
    assert_eq!(account.status, StatusCode::OK);
    let expected = json!({
        "id": id_of("einstein"),
        "username": "einstein",
        "display_name": "Albert",
        "mail": "einstein@example.org",
        "groups": ["physicists"],
        "roles": ["user", "another"],
    });
    assert_eq!(account.json(), expected);
}

/// Row [A50](../../../../../docs/security-requirements.md#a50).
#[tokio::test]
async fn api_accepts_the_credentials_that_the_pages_accept() {
    let bench = bench().await;
    for path in [ACCOUNT, TOKENS, SESSIONS, APPLICATIONS, EVENTS, "/account/api/v1/profile"] {
        let reply = bench.stranger().read(path).await;
        refused(&reply, StatusCode::UNAUTHORIZED);
        assert_eq!(reply.headers[WWW_AUTHENTICATE], "Bearer", "{path}");
        let mut forger = bench.stranger();
        forger.headers = vec![("x-access-token", "eyJhbGciOiJub25lIn0.e30.".to_owned())];
        refused(&forger.read(path).await, StatusCode::UNAUTHORIZED);
        for scopes in [&["profile"][..], &["path:/photos:rw"], &["tokens:write"]] {
            refused(&bench.restricted("app", scopes).read(path).await, StatusCode::FORBIDDEN);
        }
    }
    let mut with_app_token = bench.restricted("app", &["user"]);
    for path in [TOKENS, SESSIONS, APPLICATIONS, EVENTS] {
        refused(&with_app_token.read(path).await, StatusCode::FORBIDDEN);
    }
    refused(&with_app_token.call(Method::POST, TOKENS, &json!({ "label": "a" })).await, StatusCode::FORBIDDEN);
    refused(&with_app_token.delete(SESSIONS).await, StatusCode::FORBIDDEN);
    assert_eq!(left(&bench).len(), 4);
}

/// Rows [A23](../../../../../docs/security-requirements.md#a23) and [A24](../../../../../docs/security-requirements.md#a24).
#[tokio::test]
async fn tokens_are_created_listed_by_pages_and_revoked() {
    let bench = Bench::new().await;
    let mut browser = bench.browser("einstein");
    let policy = browser.read("/account/api/v1/token-policy").await.json();
    assert!(policy["longest_lifetime"].as_i64() > Some(0), "{policy}");
    let new = json!({ "label": "phone", "expires_in": 3600 });
    let created = browser.call(Method::POST, TOKENS, &new).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.page);
    let body = created.json();
    let (id, secret) = (body["token"]["id"].as_str().expect("an id"), body["secret"].as_str().expect("a secret"));
    assert_eq!(created.location(), format!("{TOKENS}/{id}"));
    assert_eq!((&body["token"]["scopes"], &body["token"]["kind"]), (&json!(["user"]), &json!("app")));
    assert!(bench.accepts("einstein", secret).await);
    let narrow = json!({ "label": "photos", "scopes": ["path:/photos:r"] });
    assert_eq!(browser.call(Method::POST, TOKENS, &narrow).await.status, StatusCode::CREATED);

    let first = browser.read(&format!("{TOKENS}?page_size=1")).await;
    assert!(!first.page.contains(secret), "{}", first.page);
    let first = first.json();
    let page_token = first["next_page_token"].as_str().expect("another page").to_owned();
    let second = browser.read(&format!("{TOKENS}?page_size=1&page_token={page_token}")).await.json();
    assert_eq!(second.get("next_page_token"), None);
    // both are of the same moment
    let mut labels = [&first, &second].map(|page| page["tokens"][0]["label"].as_str().expect("a label"));
    labels.sort_unstable();
    assert_eq!(labels, ["phone", "photos"]);

    let path = format!("{TOKENS}/{id}");
    refused(&bench.browser("marie").delete(&path).await, StatusCode::NOT_FOUND);
    assert!(bench.accepts("einstein", secret).await, "the token of another user");
    assert_eq!(browser.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert!(!bench.accepts("einstein", secret).await);
    let all = browser.delete(TOKENS).await;
    assert_eq!((all.status, all.json()), (StatusCode::OK, json!({ "revoked": 1 })));
    assert_eq!(browser.read(TOKENS).await.json(), json!({ "tokens": [] }));
}

#[tokio::test]
async fn requests_that_cannot_be_understood_are_refused() {
    let bench = Bench::new().await;
    let mut browser = bench.browser("einstein");
    for (new, text) in [
        (json!({ "label": "a", "expiry": 30 }), "unknown field `expiry`"),
        (json!({ "expires_in": 30 }), "missing field `label`"),
        (json!({ "label": 4711 }), "another type"),
        (json!(["a"]), "must be a JSON object"),
        (json!({ "label": "a", "expires_in": 30, "never_expires": true }), "expires_in"),
        (json!({ "label": "a", "scopes": ["path:photos:x"] }), ""),
        (json!({ "label": "a", "scopes": [] }), ""),
    ] {
        let problem = refused(&browser.call(Method::POST, TOKENS, &new).await, StatusCode::BAD_REQUEST);
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.contains(text) && !detail.contains("4711"), "{new}: {detail}");
    }
    for query in ["user=marie", "page_size=many", "page_size=-1", "page_token=a&page_token=b", "page_token=junk"] {
        refused(&browser.read(&format!("{TOKENS}?{query}")).await, StatusCode::BAD_REQUEST);
    }
    assert_eq!(browser.read(TOKENS).await.json(), json!({ "tokens": [] }));
    for path in ["/account/api/v1/nothing", "/account/api/v2/tokens", "/account/api/nothing"] {
        refused(&browser.get(path).await, StatusCode::NOT_FOUND);
    }
    let put = browser.send(Request::put(ACCOUNT).header(CONTENT_TYPE, "application/json"), String::new()).await;
    refused(&put, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(put.headers[ALLOW], "GET,HEAD");
}

/// Row [A50](../../../../../docs/security-requirements.md#a50).
#[tokio::test]
async fn pages_of_other_sites_change_nothing_by_the_api() {
    let bench = bench().await;
    let mut browser = bench.browser("einstein");
    for (media_type, origin, site, status) in [
        ("application/json", "https://evil.example", "cross-site", StatusCode::FORBIDDEN),
        ("application/json", "https://evil.example", "", StatusCode::FORBIDDEN),
        ("application/json", "null", "", StatusCode::FORBIDDEN),
        ("application/json", ORIGIN_OF_PAGES, "same-site", StatusCode::FORBIDDEN),
        ("text/plain", ORIGIN_OF_PAGES, "same-origin", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/x-www-form-urlencoded", "", "", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("", "", "", StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        for (method, path) in [(Method::POST, TOKENS), (Method::DELETE, SESSIONS), (Method::DELETE, APPLICATIONS)] {
            if media_type.is_empty() && method == Method::DELETE {
                continue;
            }
            let mut request = Request::builder().method(method.clone()).uri(path);
            for (name, value) in [("content-type", media_type), ("origin", origin), ("sec-fetch-site", site)] {
                request = if value.is_empty() { request } else { request.header(name, value) };
            }
            let reply = browser.send(request, json!({ "label": "a" }).to_string()).await;
            assert_eq!(reply.status, status, "{method} {media_type} {origin} {site}");
        }
    }
    assert_eq!((left(&bench).len(), bench.idp.lists().applications.len()), (4, 2));
    assert_eq!(browser.read(TOKENS).await.json(), json!({ "tokens": [] }));
    browser.headers = vec![("origin", ORIGIN_OF_PAGES.to_owned()), ("sec-fetch-site", "same-origin".to_owned())];
    let own = browser.call(Method::POST, TOKENS, &json!({ "label": "a" })).await;
    assert_eq!(own.status, StatusCode::CREATED, "a page of ours");
}

/// Row [A25](../../../../../docs/security-requirements.md#a25).
#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_user_alone() {
    let bench = bench().await;
    let mut browser = bench.browser("einstein");
    let sessions = browser.read(SESSIONS).await.json();
    let expected = json!({
        "id": "this",
        "user_id": id_of("einstein"),
        "created": "2026-11-29T00:00:00Z",
        "last_used": "2026-11-29T00:01:00Z",
        "expires": "2026-11-29T01:00:00Z",
        "user_agent": "mirall/5.0",
        "current": true,
    });
    assert_eq!((&sessions["sessions"][0], sessions["sessions"].as_array().map(Vec::len)), (&expected, Some(3)));
    refused(&browser.delete(&format!("{SESSIONS}/hers")).await, StatusCode::NOT_FOUND);
    assert_eq!(browser.delete(&format!("{SESSIONS}/two")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(left(&bench), ["this", "one", "hers"]);
    assert_eq!(browser.delete(&format!("{SESSIONS}/others")).await.json(), json!({ "ended": 1 }));
    assert_eq!(left(&bench), ["this", "hers"]);
    assert_eq!(browser.delete(SESSIONS).await.status, StatusCode::NO_CONTENT);
    assert_eq!(left(&bench), ["hers"]);
    refused(&browser.delete(&format!("{SESSIONS}/others")).await, StatusCode::PRECONDITION_FAILED);
}

#[tokio::test]
async fn applications_are_listed_and_disconnected() {
    let bench = bench().await;
    let mut browser = bench.browser("einstein");
    let listed = browser.read(APPLICATIONS).await.json();
    assert_eq!(listed["applications"][0]["client_id"], "https://tv.example/client");
    for query in ["", "?client_id=", "?client=tv"] {
        refused(&browser.delete(&format!("{APPLICATIONS}{query}")).await, StatusCode::BAD_REQUEST);
    }
    let path = format!("{APPLICATIONS}?client_id=https%3A%2F%2Ftv.example%2Fclient");
    assert_eq!(browser.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(browser.read(APPLICATIONS).await.json(), json!({ "applications": [] }));
    assert_eq!(bench.idp.lists().applications.len(), 1, "that of marie");
}

#[tokio::test]
async fn own_events_are_listed_by_pages() {
    let bench = bench().await;
    let event = |name: &str, event: &str| AccountEvent {
        time: MIDNIGHT,
        user_id: id_of(name),
        event: event.to_owned(),
        outcome: "success".to_owned(),
        ..AccountEvent::default()
    };
    bench.idp.lists().events =
        vec![event("einstein", "a"), event("marie", "b"), event("einstein", "c"), event("einstein", "d")];
    let mut browser = bench.browser("einstein");
    let first = browser.read(EVENTS).await.json();
    let names = |page: &Value| -> Vec<String> {
        let events = page["events"].as_array().expect("events").iter();
        events.filter_map(|event| event["event"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!((names(&first), &first["next_page_token"]), (vec!["a".to_owned(), "c".to_owned()], &json!("2")));
    let second = browser.read(&format!("{EVENTS}?page_token=2")).await.json();
    assert_eq!((names(&second), second.get("next_page_token")), (vec!["d".to_owned()], None));
    let problem = refused(&browser.read(&format!("{EVENTS}?page_token=junk")).await, StatusCode::BAD_REQUEST);
    assert_eq!(problem["parameter"], "page_token");
}

/// Row [A26](../../../../../docs/security-requirements.md#a26).
#[tokio::test]
async fn ended_sessions_and_faults_are_problems_without_details_of_idp() {
    let bench = bench().await;
    for (failure, status) in [
        (Status::unauthenticated("a detail"), StatusCode::UNAUTHORIZED),
        (Status::unavailable("a detail"), StatusCode::SERVICE_UNAVAILABLE),
        (Status::internal("a detail"), StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        bench.idp.lists().failure = Some(failure);
        let reply = bench.browser("einstein").read(SESSIONS).await;
        refused(&reply, status);
        assert!(!reply.page.contains("a detail"), "{}", reply.page);
        assert_eq!(reply.headers.contains_key(WWW_AUTHENTICATE), status == StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn resources_of_services_that_are_not_there_are_not_found() {
    let bench = Bench::with(false, "").await;
    let mut browser = bench.browser("einstein");
    for path in ["tokens", "token-policy", "sessions", "connected-applications", "events", "profile"] {
        refused(&browser.read(&format!("/account/api/v1/{path}")).await, StatusCode::NOT_FOUND);
    }
    assert_eq!(browser.read(ACCOUNT).await.status, StatusCode::OK);
}

#[tokio::test]
async fn document_is_served_with_the_root_as_its_server() {
    let bench = Bench::new().await;
    let document = bench.browser("einstein").get("/account/api/openapi.json").await;
    assert_eq!(
        (document.status, &document.headers[CONTENT_TYPE]),
        (StatusCode::OK, &"application/json".parse().expect("a value"))
    );
    let document = document.json();
    assert_eq!((&document["openapi"], &document["servers"][0]["url"]), (&json!("3.1.0"), &json!("/account")));
    assert_eq!(bench.stranger().get("/account/api/openapi.json").await.status, StatusCode::UNAUTHORIZED);
}
