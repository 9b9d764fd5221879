use std::time::Duration;

use serde_json::json;

use super::*;
use crate::testing::{Bench, encoded};

const BACK: &str = "https://app.example/back";

/// A provider with the confidential client `app`, and its secret.
async fn bench() -> (Bench, String) {
    let bench = Bench::new().await;
    let secret = bench.add("app", &json!({ "token_endpoint_auth_method": "client_secret_post" })).await;
    (bench, secret)
}

async fn push(bench: &Bench, secret: &str, more: &[(&str, &str)]) -> Result<PushedResponse, OAuthError> {
    let form = [
        ("client_id", "app"),
        ("client_secret", secret),
        ("response_type", "code"),
        ("redirect_uri", BACK),
        ("scope", "openid"),
    ];
    let form = encoded(&[form.as_slice(), more].concat());
    let (provider, endpoints) = (&bench.provider, bench.endpoints());
    let request = bench.authenticated(&form, endpoints.paths.pushed).await?;
    super::push(provider, endpoints, &request).await
}

fn name(response: &PushedResponse) -> &str {
    response.request_uri.strip_prefix(pushed_request::PREFIX).expect("a name")
}

/// The error of a page that says that a pushed request cannot be loaded or answered.
fn is_unknown<T>(outcome: &Result<T, Rejection>) -> bool {
    matches!(outcome, Err(Rejection::Page(error)) if error.code == ErrorCode::InvalidRequestUri)
}

/// Row I28.
#[tokio::test]
async fn pushed_request_is_loaded_by_its_client_until_it_expires() {
    let (bench, secret) = bench().await;
    let response = push(&bench, &secret, &[("state", "s")]).await.expect("is pushed");
    assert_eq!(response.expires_in, 60);
    let load = async |client: &str| pushed_request::load(&bench.provider, client, name(&response)).await;
    assert!(is_unknown(&load("other").await));
    bench.advance(Duration::from_secs(59));
    let parameters = load("app").await.expect("is loaded");
    assert!(parameters.contains(&("state".to_owned(), "s".to_owned())), "{parameters:?}");
    bench.advance(Duration::from_secs(1));
    assert!(is_unknown(&load("app").await));
}

/// Row I28.
#[tokio::test]
async fn pushed_request_is_used_up_once() {
    let (bench, secret) = bench().await;
    let response = push(&bench, &secret, &[]).await.expect("is pushed");
    let use_up = async || pushed_request::use_up(&bench.provider, Some(name(&response))).await;
    use_up().await.expect("is used up");
    assert!(is_unknown(&use_up().await));
    assert!(is_unknown(&pushed_request::load(&bench.provider, "app", name(&response)).await));
}

#[tokio::test]
async fn pushed_request_that_refers_to_another_one_is_rejected() {
    let (bench, secret) = bench().await;
    let error = push(&bench, &secret, &[("request_uri", "urn:example:other")]).await.err().expect("is rejected");
    assert_eq!((error.code, &*error.description), (ErrorCode::InvalidRequest, "a pushed request has no request_uri"));
}

#[tokio::test]
async fn invalid_pushed_request_gets_the_error_of_the_authorization_endpoint() {
    let (bench, secret) = bench().await;
    for (more, code) in [
        (("resource", "no-uri"), ErrorCode::InvalidTarget),
        (("dpop_jkt", "short"), ErrorCode::InvalidRequest),
        (("prompt", "none login"), ErrorCode::InvalidRequest),
    ] {
        let error = push(&bench, &secret, &[more]).await.err().expect("is rejected");
        assert_eq!(error.code, code, "{more:?}: {error}");
    }
}
