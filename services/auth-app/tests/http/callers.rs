//! Authentication of callers: with an internal token, and without one.

use std::sync::Arc;
use std::time::Duration;

use authn::Authenticated;
use serde_json::json;

use crate::support::{Call, Reply, Service, TOKENS, keys, user};

const MISSING: &str = r#"Bearer realm="auth-app""#;
const INVALID: &str = r#"Bearer realm="auth-app", error="invalid_token""#;
/// `{"alg":"none","typ":"JWT"}`
const NONE: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";

async fn list(service: &Service, headers: &[(&str, &str)]) -> Reply {
    service.send(&Call { method: "GET", target: TOKENS, headers, body: "" }).await
}

/// The answer to this bearer token, as a challenge.
async fn challenge(service: &Service, token: &str) -> String {
    let answer = list(service, &[("authorization", &format!("Bearer {token}"))]).await;
    let challenge = answer.header("www-authenticate").to_owned();
    answer.is(401);
    challenge
}

#[tokio::test]
async fn request_without_token_is_unauthorized() {
    let service = Service::new().await;
    let (id, _) = service.by("einstein").made().await;
    let item = format!("{TOKENS}/{id}");
    let by_query = format!("{TOKENS}?token={id}");
    let create = format!("{TOKENS}?expiry=72h");
    for (method, target) in [
        ("GET", TOKENS),
        ("POST", &create),
        ("DELETE", &by_query),
        ("GET", &item),
        ("PATCH", &item),
        ("DELETE", &item),
        ("HEAD", TOKENS),
    ] {
        let answer = service.send(&Call { method, target, ..Call::default() }).await;
        assert_eq!(answer.header("www-authenticate"), MISSING, "{method}");
        answer.is(401);
    }
    assert_eq!(service.by("einstein").listed().await, [id]);
}

#[tokio::test]
async fn other_authorization_schemes_are_unauthorized() {
    let service = Service::new().await;
    let token = service.by("einstein").token;
    let wrong = ["", "Bearer", &token, &format!("Basic {token}"), &format!("Bearer{token}"), "Basic ZWluc3RlaW46eA=="];
    for value in wrong {
        let answer = list(&service, &[("authorization", value)]).await;
        assert_eq!(answer.header("www-authenticate"), MISSING, "{value}");
        answer.is(401);
    }
}

#[tokio::test]
async fn a_token_that_is_not_ours_is_refused() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    let who = Authenticated::full(Arc::new(user("einstein")), "pwd");
    let forged = keys("another-secret-that-has-32-bytes").0.mint(service.clock.now(), &who).expect("mints");
    let mut parts = einstein.token.split('.').skip(1);
    let (claims, signature) = (parts.next().expect("claims"), parts.next().expect("a signature"));
    let (unsigned, kept) = (format!("{NONE}.{claims}."), format!("{NONE}.{claims}.{signature}"));
    let (_, secret) = einstein.made().await;
    for token in ["nonsense", "..", &forged, &unsigned, &kept, &einstein.token[1..], &secret, &"x".repeat(100_000)] {
        assert_eq!(challenge(&service, token).await, INVALID, "{token}");
    }
}

#[tokio::test]
async fn a_token_ends() {
    let service = Service::new().await;
    let einstein = service.by("einstein");
    service.clock.advance(Duration::from_secs(3599));
    einstein.get("").await.is(200);
    // other clocks of the family may be five seconds apart
    service.clock.advance(Duration::from_secs(6));
    assert_eq!(challenge(&service, &einstein.token).await, INVALID);
}

#[tokio::test]
async fn two_authorization_headers_are_none() {
    let service = Service::new().await;
    let einstein = service.by("einstein").bearer();
    for other in [einstein.as_str(), "Bearer x", "Basic x"] {
        for pair in [[einstein.as_str(), other], [other, einstein.as_str()]] {
            list(&service, &pair.map(|value| ("authorization", value))).await.is(401);
        }
    }
}

#[tokio::test]
async fn the_scheme_may_be_written_as_one_likes() {
    let service = Service::new().await;
    let token = service.by("einstein").token;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        list(&service, &[("authorization", &format!("{scheme} {token}"))]).await.is(200);
    }
}

#[tokio::test]
async fn the_token_of_the_proxy_wins() {
    let service = Service::new().await;
    let (einstein, marie) = (service.by("einstein"), service.by("marie"));
    einstein.made().await;
    let tokens = async |headers: &[(&str, &str)]| list(&service, headers).await.is(200).as_array().map(Vec::len);
    assert_eq!(tokens(&[("x-access-token", &einstein.token)]).await, Some(1));
    let (bearer, other) = (einstein.bearer(), marie.bearer());
    assert_eq!(tokens(&[("authorization", &other), ("x-access-token", &einstein.token)]).await, Some(1));
    assert_eq!(tokens(&[("authorization", &bearer), ("x-access-token", &marie.token)]).await, Some(0));
    assert_eq!(tokens(&[("authorization", "Basic ZWluc3RlaW46eA=="), ("x-access-token", &marie.token)]).await, Some(0));
    let bad = list(&service, &[("authorization", &bearer), ("x-access-token", "nonsense")]).await;
    assert_eq!(bad.header("www-authenticate"), INVALID);
    bad.is(401);
}

/// Row A14.
#[tokio::test]
async fn user_who_may_not_sign_in_gets_no_token() {
    let service = Service::new().await;
    let blocked = service.by("blocked");
    blocked.post("?expiry=72h").await.is(404);
    blocked.json("POST", "", &json!({})).await.is(404);
}
