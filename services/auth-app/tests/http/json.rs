//! `POST` by a JSON body.

use serde_json::{Value, json};

use crate::support::{HOUR, Service, Settings, date, text};

const NODE: &str = "4c510ada-c86b-4815-8820-42cdf82c3d51";

#[tokio::test]
async fn location_of_a_new_token_resolves() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let answer = einstein.json("POST", "", &json!({ "label": "phone", "expires_in": "72h" })).await;
    let location = answer.header("location").to_owned();
    let made = answer.is(201);
    assert_eq!(location, format!("/auth-app/tokens/{}", text(&made["id"])));
    assert!(service.accepts("einstein", &text(&made["token"])).await);
    let rest = location.strip_prefix("/auth-app/tokens").expect("a token's");
    assert_eq!(einstein.get(rest).await.is(200)["label"], "phone");
}

#[tokio::test]
async fn links_lead_below_the_root() {
    let service = Service::with(Settings { root: "/apps", ..Settings::default() }).await;
    let einstein = service.by("einstein");
    let answer = einstein.json("POST", "", &json!({})).await;
    assert!(answer.header("location").starts_with("/apps/auth-app/tokens/"), "{:?}", answer.headers);
    einstein.made().await;
    let page = einstein.get("?limit=1").await;
    assert!(page.header("link").starts_with("</apps/auth-app/tokens?"), "{:?}", page.headers);
}

#[tokio::test]
async fn omitted_members_have_defaults() {
    let service = Service::new().await;
    let made = service.by("einstein").json("POST", "", &json!({})).await.is(201);
    assert_eq!((&made["label"], &made["scopes"]), (&json!("Generated via API"), &json!(["user"])));
    assert_eq!(date(&made["expiration_date"]), service.now() + 72 * HOUR);
}

#[tokio::test]
async fn every_member_counts() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let scopes = json!([format!("node:{NODE}:r"), "tokens:read"]);
    let body = json!({ "label": "frame", "scopes": scopes, "window": 3600, "max_lifetime": "7d" });
    let made = einstein.json("POST", "", &body).await.is(201);
    assert_eq!((&made["label"], &made["scopes"], &made["window"]), (&json!("frame"), &scopes, &json!(3600)));
    assert_eq!(date(&made["max_expiration_date"]), service.now() + 7 * 24 * HOUR);
    let seconds = einstein.json("POST", "", &json!({ "expires_in": 600 })).await.is(201);
    assert_eq!(seconds["expires_in"], 600);
}

#[tokio::test]
async fn a_member_that_is_wrong_is_named() {
    let service = Service::impersonating().await;
    let admin = service.by("admin");
    let wrong = [
        ("label", json!({ "label": "two\nlines" })),
        ("label", json!({ "label": "x".repeat(129) })),
        ("scopes", json!({ "scopes": [] })),
        ("scopes", json!({ "scopes": [""] })),
        ("scopes", json!({ "scopes": vec!["user"; 33] })),
        ("scopes", json!({ "scopes": ["user", "all"] })),
        ("expires_in", json!({ "expires_in": 0 })),
        ("expires_in", json!({ "expires_in": "72" })),
        ("expires_in", json!({ "expires_in": "-1h" })),
        ("expires_in", json!({ "expires_in": "8761h" })),
        ("expires_in", json!({ "expires_in": u64::MAX })),
        ("expires_in", json!({ "expires_in": "never" })),
        ("window", json!({ "window": 59 })),
        ("window", json!({ "window": "1h", "expires_in": "1h" })),
        ("max_lifetime", json!({ "window": "1h", "max_lifetime": 1 })),
        ("max_lifetime", json!({ "max_lifetime": "1h" })),
        ("user_id", json!({ "user_id": "" })),
        ("user_name", json!({ "user_name": "" })),
        ("user_name", json!({ "user_id": "id-of-einstein", "user_name": "marie" })),
        ("reason", json!({ "user_name": "marie", "reason": "two\nlines" })),
        ("reason", json!({ "reason": "moving einstein" })),
    ];
    for (member, body) in wrong {
        let answer = admin.json("POST", "", &body).await;
        assert_eq!(answer.body["parameter"], member, "{body}");
        answer.blames(member);
    }
    for name in ["admin", "einstein", "marie"] {
        assert_eq!(service.by(name).listed().await, [""; 0], "{name}");
    }
}

#[tokio::test]
async fn invalid_creation_request_is_refused() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let deep = format!("{{\"label\":{}", "[".repeat(10_000));
    let unnamed = "[\"phone\", null, \"1h\", null, null, null, null, null]";
    let twice = "{\"label\":\"a\",\"label\":\"b\"}";
    let broken = ["{", "nonsense", "{}{}", "[]", unnamed, "null", "\"dwa\"", "7", twice, &deep, " ", "\u{feff}{}"];
    for body in broken {
        einstein.text("POST", "", "application/json", body).await.is(400);
    }
    for body in
        [json!({ "label": 7 }), json!({ "scopes": "user" }), json!({ "window": true }), json!({ "expires_in": -1 })]
    {
        einstein.json("POST", "", &body).await.is(400);
    }
    assert_eq!(einstein.listed().await, [""; 0]);
}

#[tokio::test]
async fn unknown_member_is_refused() {
    let service = Service::impersonating().await;
    let admin = service.by("admin");
    for member in ["userId", "userID", "userName", "Label", "expiry", "scope", "token", ""] {
        let answer = admin.json("POST", "", &json!({ member: "einstein" })).await;
        assert!(answer.text.contains("unknown field"), "{}", answer.text);
        answer.is(400);
    }
    assert_eq!(admin.listed().await, [""; 0]);
}

#[tokio::test]
async fn refusal_quotes_the_input_truncated() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let detail = async |body: Value| text(&einstein.json("POST", "", &body).await.is(400)["detail"]);
    let length = detail(json!({ "window": true })).await;
    assert!(length.contains("a number of seconds, or a text like 72h"), "{length}");
    assert!(detail(json!([])).await.contains("a JSON object"));
    for long in [json!({ "x".repeat(10_000): 1 }), json!("x".repeat(10_000)), json!({ "window": "9".repeat(10_000) })] {
        let detail = detail(long).await;
        assert!(detail.chars().count() <= 256, "{detail}");
    }
}

#[tokio::test]
async fn body_that_is_not_json_is_refused() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "json", ""] {
        einstein.text("POST", "", content_type, "{}").await.is(415);
    }
    einstein.send("POST", "", &[("authorization", &einstein.bearer())], "{}").await.is(415);
    assert_eq!(einstein.listed().await, [""; 0]);
    for content_type in ["application/json; charset=utf-8", "Application/JSON"] {
        einstein.text("POST", "", content_type, "{}").await.is(201);
    }
}

#[tokio::test]
async fn a_body_and_a_query_do_not_go_together() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    for query in ["expiry=72h", "label=x", "scope=user", "userName=marie"] {
        let name = query.split('=').next().unwrap_or_default();
        einstein.json("POST", &format!("?{query}"), &json!({ "expires_in": "72h" })).await.blames(name);
    }
    assert_eq!(einstein.listed().await, [""; 0]);
}
