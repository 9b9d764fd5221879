//! One token as a resource.

use serde_json::json;

use crate::support::{Call, Service, TOKENS, text};

#[tokio::test]
async fn a_token_is_shown_as_in_the_list() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let (id, _) = einstein.made().await;
    let shown = einstein.get(&format!("/{id}")).await.is(200);
    assert_eq!(shown, einstein.get("").await.is(200)[0]);
}

#[tokio::test]
async fn a_token_gets_another_label() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let (id, secret) = einstein.made().await;
    let renamed = einstein.json("PATCH", &format!("/{id}"), &json!({ "label": "Tablet" })).await.is(200);
    assert_eq!((&renamed["label"], &renamed["id"]), (&json!("Tablet"), &json!(id)));
    assert_eq!(einstein.get(&format!("/{id}")).await.is(200), renamed);
    assert!(service.accepts("einstein", &secret).await);
}

#[tokio::test]
async fn invalid_change_is_refused() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let (id, _) = einstein.made().await;
    let target = format!("/{id}");
    let change = async |body| einstein.json("PATCH", &target, &body).await;
    for label in ["x".repeat(129), "two\nlines".to_owned(), "\u{7}".to_owned()] {
        change(json!({ "label": label })).await.blames("label");
    }
    for body in [json!({}), json!({ "label": null }), json!({ "label": "x", "kind": "app" }), json!(["x"]), json!("x")]
    {
        change(body).await.is(400);
    }
    einstein.text("PATCH", &target, "application/json", "{\"label\":").await.is(400);
    einstein.text("PATCH", &target, "application/json", "").await.is(400);
    einstein.text("PATCH", &target, "text/plain", "{\"label\":\"x\"}").await.is(415);
    einstein.call("PATCH", &target).await.is(415);
    assert_eq!(einstein.get(&target).await.is(200)["label"], "Generated via API");
}

#[tokio::test]
async fn a_token_is_deleted_as_a_resource() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let (id, secret) = einstein.made().await;
    einstein.delete(&format!("/{id}")).await.is(204);
    assert!(!service.accepts("einstein", &secret).await);
    einstein.get(&format!("/{id}")).await.is(404);
    einstein.json("PATCH", &format!("/{id}"), &json!({ "label": "x" })).await.is(404);
    einstein.delete(&format!("/{id}")).await.is(404);
}

/// Row A10.
#[tokio::test]
async fn another_users_token_is_not_found_as_a_resource() {
    let service = Service::new().await;
    let (marie, einstein) = (service.by("marie"), service.by("einstein"));
    let (id, secret) = marie.made().await;
    let target = format!("/{id}");
    einstein.get(&target).await.is(404);
    einstein.json("PATCH", &target, &json!({ "label": "mine" })).await.is(404);
    einstein.delete(&target).await.is(404);
    assert_eq!(marie.get(&target).await.is(200)["label"], "Generated via API");
    assert!(service.accepts("marie", &secret).await);
}

#[tokio::test]
async fn malformed_identifier_is_not_found() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let (_, secret) = einstein.made().await;
    for id in
        ["x", "1", "%FF", "%00", "..%2F..", "%27%20OR%201=1--", secret.as_str(), "01912cd1-93a0-7c3e-9f0a-5b1d8e2f4c60"]
    {
        let target = format!("/{id}");
        einstein.get(&target).await.is(404);
        einstein.json("PATCH", &target, &json!({ "label": "x" })).await.is(404);
        einstein.delete(&target).await.is(404);
    }
    assert!(service.accepts("einstein", &secret).await);
}

#[tokio::test]
async fn without_a_token_even_nonsense_is_not_looked_at() {
    let service = Service::new().await;
    for rest in ["/%FF", "/x", "?userId=x", "?limit=x"] {
        let target = format!("{TOKENS}{rest}");
        service.send(&Call { method: "GET", target: &target, ..Call::default() }).await.is(401);
    }
}

#[tokio::test]
async fn a_resource_takes_no_parameters_but_whose_it_is() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let (id, _) = einstein.made().await;
    for name in ["label", "token", "username", "limit"] {
        einstein.get(&format!("/{id}?{name}=x")).await.blames(name);
        einstein.json("PATCH", &format!("/{id}?{name}=x"), &json!({ "label": "x" })).await.blames(name);
        einstein.delete(&format!("/{id}?{name}=x")).await.blames(name);
    }
    assert_eq!(text(&einstein.get(&format!("/{id}")).await.is(200)["id"]), id);
}
