//! Callers whose session began with an app token, or is narrow for another reason.

use serde_json::json;

use crate::support::{Service, Session};

const NODE: &str = "4c510ada-c86b-4815-8820-42cdf82c3d51";

/// What becomes of every call: list, show, create by query and by body, rename, delete by query and as a resource.
async fn statuses(service: &Service, session: &Session<'_>) -> Vec<u16> {
    let owner = service.by("einstein");
    let ((one, _), (other, _)) = (owner.made().await, owner.made().await);
    let item = format!("/{one}");
    let answers = [
        session.get("").await,
        session.get(&item).await,
        session.post("?expiry=1h&scope=tokens:read").await,
        session.json("POST", "", &json!({ "scopes": ["tokens:read"] })).await,
        session.json("PATCH", &item, &json!({ "label": "x" })).await,
        session.delete(&format!("?token={other}")).await,
        session.delete(&item).await,
    ];
    answers.into_iter().map(|answer| answer.status.as_u16()).collect()
}

/// Row A9.
#[tokio::test]
async fn app_token_manages_no_app_tokens() {
    let service = Service::new().await;
    for scopes in [vec!["user"], vec!["profile"], vec!["path:/:rw", "profile"]] {
        let before = service.by("einstein").listed().await.len();
        assert_eq!(statuses(&service, &service.narrow("app", &scopes)).await, [403; 7], "{scopes:?}");
        assert_eq!(service.by("einstein").listed().await.len(), before + 2, "{scopes:?}");
    }
}

/// Row A9.
#[tokio::test]
async fn app_token_that_may_read_tokens_only_reads() {
    let service = Service::new().await;
    for scopes in [vec!["tokens:read"], vec!["tokens:read", "user"]] {
        let session = service.narrow("app", &scopes);
        assert_eq!(statuses(&service, &session).await, [200, 200, 403, 403, 403, 403, 403], "{scopes:?}");
    }
}

/// Row A9.
#[tokio::test]
async fn app_token_that_may_write_tokens_does_everything() {
    let service = Service::new().await;
    let session = service.narrow("app", &["tokens:write"]);
    assert_eq!(statuses(&service, &session).await, [200, 200, 200, 201, 200, 200, 204]);
}

#[tokio::test]
async fn narrow_session_without_token_scope_manages_no_app_tokens() {
    let service = Service::new().await;
    let node = format!("node:{NODE}:rw");
    assert_eq!(statuses(&service, &service.narrow("oidc", &[&node, "profile"])).await, [403; 7]);
    let reading = service.narrow("oidc", &["tokens:read"]);
    assert_eq!(statuses(&service, &reading).await, [200, 200, 403, 403, 403, 403, 403]);
}

/// Row A9.
#[tokio::test]
async fn token_with_more_grants_than_the_caller_is_refused() {
    let service = Service::new().await;
    let (mine, more) = (format!("node:{NODE}:r"), format!("node:{NODE}:rw"));
    for method in ["app", "oidc"] {
        let session = service.narrow(method, &["tokens:write", &mine]);
        session.post("?expiry=1h").await.is(403);
        session.json("POST", "", &json!({})).await.is(403);
        for scope in ["user", "profile", "path:/:r", &more] {
            session.post(&format!("?expiry=1h&scope={mine}&scope={scope}")).await.is(403);
            session.json("POST", "", &json!({ "scopes": [scope] })).await.is(403);
        }
    }
    assert_eq!(service.by("einstein").listed().await, [""; 0]);
    let session = service.narrow("app", &["tokens:write", &mine]);
    for scope in ["tokens:read", "tokens:write", &mine] {
        let made = session.post(&format!("?expiry=1h&scope={scope}")).await.is(200);
        assert_eq!(made["scopes"], json!([scope]));
    }
}
