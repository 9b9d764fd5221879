//! Methods and paths that are none of ours.

use crate::support::{Call, Service, TOKENS};

#[tokio::test]
async fn unsupported_method_lists_allowed_methods() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let (id, _) = einstein.made().await;
    for method in ["PUT", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
        let answer = einstein.call(method, "").await;
        assert_eq!(answer.header("allow"), "GET,HEAD,POST,DELETE", "{method}");
        answer.is(405);
    }
    for method in ["PUT", "POST", "OPTIONS"] {
        let answer = einstein.call(method, &format!("/{id}")).await;
        assert_eq!(answer.header("allow"), "GET,HEAD,DELETE,PATCH", "{method}");
        answer.is(405);
    }
    let answer = service.send(&Call { method: "POST", target: "/auth-app/openapi.json", ..Call::default() }).await;
    assert_eq!(answer.header("allow"), "GET,HEAD");
    assert_eq!(einstein.listed().await, [id]);
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let (id, _) = einstein.made().await;
    for rest in [String::new(), format!("/{id}")] {
        let (get, head) = (einstein.get(&rest).await, einstein.call("HEAD", &rest).await);
        assert_eq!(head.text, "");
        assert_eq!(head.header("content-length"), get.text.len().to_string());
        head.is(200);
    }
}

#[tokio::test]
async fn another_path_is_not_found() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let (id, _) = einstein.made().await;
    for target in ["/", "/auth-app", "/auth-app/", "/auth-app/token", "/Auth-App/Tokens", &format!("{TOKENS}/{id}/")] {
        let headers = [("x-access-token", einstein.token.as_str())];
        service.send(&Call { method: "GET", target, headers: &headers, body: "" }).await.is(404);
    }
}
