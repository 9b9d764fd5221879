//! Administrators who act for other users.

use auth_app::Tokens;
use authn::DirectoryError;
use serde_json::json;

use crate::list::next;
use crate::support::{Call, HOUR, Service, Settings, TOKENS, date, text};

/// Every call for einstein, concerning this token of einstein's.
fn calls(id: &str) -> [(&'static str, String); 4] {
    [
        ("GET", "?userName=einstein".to_owned()),
        ("POST", "?expiry=1h&userName=einstein".to_owned()),
        ("DELETE", format!("?token={id}&userID=id-of-einstein")),
        ("GET", format!("/{id}?userName=einstein")),
    ]
}

/// Row A11.
#[tokio::test]
async fn impersonation_is_off_unless_the_operator_allows_it() {
    let service = Service::new().await;
    let (id, _) = service.by("einstein").made().await;
    let admin = service.by("admin");
    for (method, rest) in calls(&id) {
        admin.call(method, &rest).await.is(403);
    }
    admin.json("POST", "", &json!({ "user_name": "einstein" })).await.is(403);
    admin.post("?expiry=1h&userName=unknown").await.is(403);
    admin.post("?expiry=1h&userName=admin").await.is(403);
    assert_eq!(service.by("einstein").listed().await, [id]);
    assert_eq!(admin.listed().await, [""; 0]);
}

/// Row A11.
#[tokio::test]
async fn only_administrators_act_for_others() {
    let service = Service::impersonating().await;
    let (id, _) = service.by("einstein").made().await;
    let marie = service.by("marie");
    for (method, rest) in calls(&id) {
        marie.call(method, &rest).await.is(403);
    }
    marie.json("POST", "", &json!({ "user_id": "id-of-einstein" })).await.is(403);
    marie.post("?expiry=1h&userName=unknown").await.is(403);
    assert_eq!(service.by("einstein").listed().await, [id]);
    assert_eq!(marie.listed().await, [""; 0]);
}

/// Row A11.
#[tokio::test]
async fn app_token_cannot_impersonate() {
    let service = Service::impersonating().await;
    let (id, _) = service.by("einstein").made().await;
    for scopes in [vec!["user"], vec!["user", "tokens:write"]] {
        let session = service.narrow("app", &scopes);
        for (method, rest) in calls(&id) {
            session.call(method, &rest).await.is(403);
        }
    }
}

/// Row A11.
#[tokio::test]
async fn administrator_makes_a_token_for_another_user() {
    let service = Service::impersonating().await;
    let admin = service.by("admin");
    for person in ["userName=einstein", "userID=id-of-einstein", "userID=id-of-einstein&userName=einstein"] {
        let made = admin.post(&format!("?expiry=24h&{person}&reason=moving+house")).await.is(200);
        assert_eq!(
            (&made["label"], &made["kind"]),
            (&json!("Generated via Impersonation API"), &json!("impersonated"))
        );
        assert_eq!(made["created_by"], "id-of-admin");
        assert_eq!(date(&made["expiration_date"]), service.now() + 24 * HOUR);
        assert!(service.accepts("einstein", &text(&made["token"])).await, "{person}");
        assert!(!service.accepts("admin", &text(&made["token"])).await, "{person}");
    }
    let named = admin.post("?expiry=1h&userName=einstein&label=phone").await.is(200);
    assert_eq!(named["label"], "phone");
    assert_eq!(service.by("einstein").listed().await.len(), 4);
    assert_eq!(admin.listed().await, [""; 0], "none is the administrator's own");
}

#[tokio::test]
async fn user_name_is_compared_as_the_directory_does() {
    let service = Service::impersonating().await;
    let admin = service.by("admin");
    for person in ["userName=MARIE", "userName=Marie", "userID=id-of-marie&userName=MARIE"] {
        let made = admin.post(&format!("?expiry=1h&{person}")).await.is(200);
        assert!(service.accepts("marie", &text(&made["token"])).await, "{person}");
    }
    admin.json("POST", "", &json!({ "user_name": "MARIE" })).await.is(201);
    assert_eq!(service.by("marie").listed().await.len(), 4);
    admin.post("?expiry=1h&userName=UNKNOWN").await.is(404);
    admin.post("?expiry=1h&userID=id-of-marie&userName=EINSTEIN").await.is(400);
    admin.post("?expiry=1h&userID=id-of-marie&userName=UNKNOWN").await.is(400);
}

/// Rows A11 and X11.
#[tokio::test]
async fn administrator_is_the_actor_of_a_token_for_another_user() {
    let service = Service::impersonating().await;
    let made = service.by("admin").post("?expiry=1h&userName=einstein").await.is(200);
    let (_, own) = service.by("einstein").made().await;
    // by the name, by the token alone, and from the cache
    for name in ["einstein", "", "einstein"] {
        let answer = service.authenticate(name, &text(&made["token"])).await.expect("is accepted");
        assert_eq!((answer.user.username.as_str(), answer.actor), ("einstein", Some("id-of-admin".into())));
        assert_eq!(service.authenticate(name, &own).await.expect("is accepted").actor, None);
    }
}

/// Row A11.
#[tokio::test]
async fn impersonation_by_a_body_creates_a_token() {
    let service = Service::impersonating().await;
    let admin = service.by("admin");
    let body = json!({ "user_id": "id-of-einstein", "user_name": "einstein", "expires_in": "1h", "reason": "moving" });
    let made = admin.json("POST", "", &body).await.is(201);
    assert_eq!((&made["label"], &made["kind"]), (&json!("Generated via Impersonation API"), &json!("impersonated")));
    let usual = admin.json("POST", "", &json!({ "user_name": "einstein" })).await.is(201);
    assert_eq!(date(&usual["expiration_date"]), service.now() + 24 * HOUR, "shorter than is usual");
    assert_eq!(service.by("einstein").listed().await.len(), 2);
}

#[tokio::test]
async fn unknown_or_ambiguous_user_is_refused() {
    let service = Service::impersonating().await;
    let admin = service.by("admin");
    admin.post("?expiry=1h&userID=id-of-einstein&userName=marie").await.blames("userName");
    admin.post("?expiry=1h&userID=&userName=marie").await.blames("userID");
    admin.post("?expiry=1h&userName=").await.blames("userName");
    for person in [
        "userName=unknown",
        "userID=unknown",
        "userName=albert",
        "userID=unknown&userName=einstein",
        "userName=blocked",
    ] {
        admin.post(&format!("?expiry=1h&{person}")).await.is(404);
    }
    for name in ["admin", "einstein", "marie"] {
        assert_eq!(service.by(name).listed().await, [""; 0], "{name}");
    }
}

#[tokio::test]
async fn a_reason_without_a_user_is_rejected() {
    let service = Service::impersonating().await;
    let admin = service.by("admin");
    let (id, _) = admin.made().await;
    admin.post("?expiry=1h&reason=moving+einstein").await.blames("reason");
    admin.get("?reason=").await.blames("reason");
    admin.delete(&format!("?token={id}&reason=x")).await.blames("reason");
    admin.delete(&format!("/{id}?reason=x")).await.blames("reason");
    assert_eq!(admin.listed().await, [id]);
}

/// Row A11.
#[tokio::test]
async fn impersonation_token_is_short_lived() {
    let service = Service::impersonating().await;
    let admin = service.by("admin");
    for expiry in ["24h1s", "72h", "never"] {
        admin.post(&format!("?expiry={expiry}&userName=einstein")).await.blames("expiry");
    }
    admin.post("?window=1h&max_lifetime=25h&userName=einstein").await.blames("max_lifetime");
    let body = json!({ "user_name": "einstein", "expires_in": "72h" });
    admin.json("POST", "", &body).await.blames("expires_in");
    assert_eq!(service.by("einstein").listed().await, [""; 0]);
    let sliding = admin.post("?window=1h&userName=einstein").await.is(200);
    assert_eq!(date(&sliding["max_expiration_date"]), service.now() + 24 * HOUR);
}

/// Row A11.
#[tokio::test]
async fn reason_is_one_short_line() {
    let service = Service::impersonating().await;
    let admin = service.by("admin");
    for reason in ["x".repeat(257), "two%0Alines".to_owned()] {
        admin.post(&format!("?expiry=1h&userName=einstein&reason={reason}")).await.blames("reason");
        admin.get(&format!("?userName=einstein&reason={reason}")).await.blames("reason");
    }
    assert_eq!(service.by("einstein").listed().await, [""; 0]);
}

/// Row A11.
#[tokio::test]
async fn owner_lists_and_deletes_an_impersonation_token() {
    let service = Service::impersonating().await;
    let made = service.by("admin").post("?expiry=1h&userName=einstein").await.is(200);
    let einstein = service.by("einstein");
    let listed = einstein.get("").await.is(200);
    assert_eq!((&listed[0]["kind"], &listed[0]["created_by"]), (&json!("impersonated"), &json!("id-of-admin")));
    einstein.delete(&format!("/{}", text(&made["id"]))).await.is(204);
    assert!(!service.accepts("einstein", &text(&made["token"])).await);
}

#[tokio::test]
async fn an_administrator_lists_and_ends_the_tokens_of_others() {
    let service = Service::impersonating().await;
    let (admin, einstein) = (service.by("admin"), service.by("einstein"));
    let ((one, secret), (two, _), (three, _)) = (einstein.made().await, einstein.made().await, einstein.made().await);
    let listed = admin.get("?userName=einstein").await.is(200);
    assert_eq!(listed, einstein.get("").await.is(200));
    assert_eq!(admin.get(&format!("/{one}?userID=id-of-einstein")).await.is(200)["kind"], "app");
    let renamed = admin.json("PATCH", &format!("/{one}?userName=einstein"), &json!({ "label": "old phone" })).await;
    assert_eq!(renamed.is(200)["label"], "old phone");
    admin.delete(&format!("/{one}?userName=einstein&reason=lost+phone")).await.is(204);
    admin.delete(&format!("?token={two}&userID=id-of-einstein")).await.is(200);
    assert!(!service.accepts("einstein", &secret).await);
    assert_eq!(einstein.listed().await, std::slice::from_ref(&three));
    admin.delete(&format!("?token={three}&userName=marie")).await.is(404);
    admin.delete(&format!("?token={three}")).await.is(404);
    assert_eq!(einstein.listed().await, [three]);
}

#[tokio::test]
async fn the_next_page_is_of_the_same_person() {
    let service = Service::impersonating().await;
    let (admin, einstein) = (service.by("admin"), service.by("einstein"));
    admin.made().await;
    for _ in 0..3 {
        einstein.made().await;
    }
    let mut seen = Vec::new();
    let mut target = format!("{TOKENS}?limit=1&userName=einstein&reason=50%25%20%26%20more");
    for page in 0..3 {
        let headers = [("x-access-token", admin.token.as_str())];
        let answer = service.send(&Call { method: "GET", target: &target, headers: &headers, body: "" }).await;
        if page < 2 {
            target = next(answer.header("link"));
            assert!(target.ends_with("&userName=einstein&reason=50%25%20%26%20more"), "{target}");
        } else {
            assert!(!answer.headers.contains_key("link"));
        }
        seen.push(text(&answer.is(200)[0]["id"]));
    }
    assert_eq!(seen, einstein.listed().await);
}

#[tokio::test]
async fn unavailable_directory_is_service_unavailable() {
    let service = Service::impersonating().await;
    let admin = service.by("admin");
    service.directory.fail_lookups(Some(|| DirectoryError::Unavailable("the directory is away".into())));
    admin.post("?expiry=1h&userName=einstein").await.is(503);
    admin.get("?userName=einstein").await.is(503);
    admin.post("?expiry=1h").await.is(200);
}

/// Row A11.
#[tokio::test]
async fn operator_may_allow_longer_impersonation_tokens() {
    let tokens = Tokens { impersonation_max_expiration: 72 * HOUR, ..Tokens::default() };
    let service = Service::with(Settings { tokens, allow_impersonation: true, ..Settings::default() }).await;
    let admin = service.by("admin");
    admin.post("?expiry=72h&userName=einstein").await.is(200);
    admin.post("?expiry=73h&userName=einstein").await.blames("expiry");
}
