use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::testing::{Bench, Browser, Reply, SITE};

/// A provider with a client that acts for itself, and its secret.
async fn machine(more: Value) -> (Bench, String) {
    let bench = Bench::new().await;
    let mut metadata = json!({
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["client_credentials"],
        "response_types": [],
        "redirect_uris": [],
    });
    metadata.as_object_mut().expect("members").extend(more.as_object().expect("members").clone());
    let secret = bench.add("machine", &metadata).await;
    (bench, secret)
}

async fn ask(bench: &Bench, secret: &str, scope: Option<&str>) -> Reply {
    let mut form = vec![("grant_type", "client_credentials"), ("client_id", "machine"), ("client_secret", secret)];
    form.extend(scope.map(|scope| ("scope", scope)));
    bench.post_with(&mut Browser::default(), bench.endpoints().paths.token, &form, &[]).await
}

#[tokio::test]
async fn client_without_a_list_of_scopes_gets_none() {
    let (bench, secret) = machine(json!({})).await;
    let reply = ask(&bench, &secret, Some("files:read admin")).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["scope"]), (200, &json!("")), "{}", reply.text);
    assert_eq!(ask(&bench, &secret, None).await.json().get("scope"), None);
}

#[tokio::test]
async fn client_with_a_list_of_scopes_gets_what_it_lists() {
    let (bench, secret) = machine(json!({ "scope": "files:read" })).await;
    let reply = ask(&bench, &secret, Some("files:read ")).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["scope"]), (200, &json!("files:read")), "{}", reply.text);
    let reply = ask(&bench, &secret, Some("admin")).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (400, &json!("invalid_scope")));
}

/// No user's rights are used.
#[tokio::test]
async fn client_names_resources_that_every_client_may_name() {
    let (bench, secret) = machine(json!({})).await;
    let notes = format!("{SITE}/notes");
    for (resource, status) in [(notes.as_str(), 200), ("https://api.example", 400)] {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "machine"),
            ("client_secret", secret.as_str()),
            ("resource", resource),
        ];
        let path = bench.endpoints().paths.token;
        bench.post_with(&mut Browser::default(), path, &form, &[]).await.is(status);
    }
}

/// Row I22.
#[tokio::test]
async fn equal_credentials_in_header_and_form_are_accepted_and_different_ones_refused() {
    let (bench, secret) = machine(json!({})).await;
    for (posted, status) in [(secret.as_str(), 200), ("another-secret-altogether", 400)] {
        let form = [("grant_type", "client_credentials"), ("client_id", "machine"), ("client_secret", posted)];
        let basic = format!("Basic {}", STANDARD.encode(format!("machine:{secret}")));
        let headers = [("authorization", basic.as_str())];
        let reply = bench.post_with(&mut Browser::default(), bench.endpoints().paths.token, &form, &headers).await;
        assert_eq!(reply.status, status, "{}", reply.text);
    }
    let wrong = ask(&bench, "another-secret-altogether", None).await;
    assert_eq!((wrong.status.as_u16(), wrong.headers.contains_key("www-authenticate")), (401, true));
}
