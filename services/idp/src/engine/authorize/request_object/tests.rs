use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::jose::SigningKey;
use serde_json::{Value, json};

use super::*;
use crate::testing::{Bench, FapiClient};

/// The `state` of a request whose query and whose request object name different ones.
async fn state(bench: &Bench, object: (&str, &str)) -> Result<Option<String>, RequestError> {
    let client = bench.provider.clients.find("app").await.expect("asks").expect("is known");
    let query = [
        ("client_id", "app"),
        ("redirect_uri", "https://app.example/back"),
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", "of the query"),
        object,
    ];
    let query = query.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    match expand(&bench.provider, bench.endpoints(), &client, query, false).await {
        Ok(EffectiveParameters { parameters, .. }) => {
            Ok(parameters.into_iter().find(|(name, _)| name == "state").map(|(_, value)| value))
        }
        Err(Rejection::Client(rejection)) => Err(rejection.error),
        Err(other) => panic!("{other:?}"),
    }
}

fn claims() -> Value {
    json!({ "client_id": "app", "state": "of the object" })
}

/// An unsecured JWT (RFC 7519 6).
fn unsigned() -> String {
    let parts = [json!({ "alg": "none" }), claims()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{}.", parts.join("."))
}

#[tokio::test]
async fn request_object_that_the_registered_key_did_not_sign_is_rejected() {
    let bench = Bench::new().await;
    let [own, other] = [(); 2].map(|()| SigningKey::generate(Algorithm::Es256, "key").expect("a key"));
    let keys = json!({ "keys": [own.jwk()] });
    bench.add("app", &json!({ "request_object_signing_alg": "ES256", "jwks": keys })).await;
    let read = state(&bench, ("request", &own.jwt("JWT", &claims()))).await.expect("is read");
    assert_eq!(read.as_deref(), Some("of the object"));
    for object in [other.jwt("JWT", &claims()), unsigned()] {
        let error = state(&bench, ("request", &object)).await.expect_err("is rejected");
        assert_eq!(error.code, ErrorCode::InvalidRequestObject, "{object}");
    }
}

#[tokio::test]
async fn unsigned_request_object_is_read_for_a_client_that_is_registered_for_no_algorithm() {
    let bench = Bench::new().await;
    bench.add("app", &json!({})).await;
    let read = state(&bench, ("request", &unsigned())).await.expect("is read");
    assert_eq!(read.as_deref(), Some("of the object"));
}

/// Row I32.
#[tokio::test]
async fn request_uri_that_is_not_registered_is_not_fetched() {
    let bench = Bench::new().await;
    bench.add("app", &json!({ "request_uris": ["http://127.0.0.1:1/registered.jwt"] })).await;
    let error = state(&bench, ("request_uri", "http://127.0.0.1:1/other.jwt")).await.expect_err("is rejected");
    assert_eq!(error.code, ErrorCode::InvalidRequestUri);
    assert_eq!(error.description, "request_uri is not registered for this client");
}

/// What counts of a request that `app` pushes with this request object, or the error.
async fn pushed(bench: &Bench, object: Option<&str>) -> Result<Parameters, ErrorCode> {
    let client = bench.provider.clients.find("app").await.expect("asks").expect("is known");
    let outside = [("client_id", "app"), ("scope", "openid"), ("state", "outside"), ("dpop_jkt", "outside")];
    let query = outside.into_iter().chain(object.map(|object| ("request", object)));
    let query = query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    match expand(&bench.provider, bench.endpoints(), &client, query, true).await {
        Ok(EffectiveParameters { parameters, .. }) => Ok(parameters),
        Err(Rejection::Page(error)) => Err(error.code),
        Err(Rejection::Client(rejection)) => Err(rejection.error.code),
        Err(Rejection::Fault(error)) => panic!("{error}"),
    }
}

/// Row [I72](../../../../../../docs/security-requirements.md#i72).
#[tokio::test]
async fn fapi2_request_object_is_fresh_and_the_whole_request() {
    let bench = Bench::new().await;
    let app = FapiClient::add(&bench, "app", &json!({ "require_signed_request_object": true })).await;
    let now = crate::model::seconds(bench.clock.now());
    let object = |more: &Value| {
        let mut claims = json!({ "redirect_uri": "https://app.example/back", "response_type": "code" });
        claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        app.request_object(&bench, &claims)
    };
    let parameters = pushed(&bench, Some(&object(&json!({})))).await.expect("is read");
    let names: Vec<_> = parameters.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), 3, "nothing outside counts: {names:?}");
    assert!(["client_id", "redirect_uri", "response_type"].iter().all(|name| names.contains(name)), "{names:?}");
    assert_eq!(pushed(&bench, None).await, Err(ErrorCode::InvalidRequest));
    for more in [
        json!({ "aud": null }),
        json!({ "nbf": null }),
        json!({ "exp": null }),
        json!({ "nbf": now - 3601, "exp": now + 1 }),
        json!({ "nbf": now, "exp": now + 3601 }),
        json!({ "exp": now - 60 }),
        json!({ "nbf": now + 60, "exp": now + 120 }),
        json!({ "aud": "https://other.example" }),
        json!({ "request_uri": "urn:example:other" }),
    ] {
        assert_eq!(pushed(&bench, Some(&object(&more))).await, Err(ErrorCode::InvalidRequestObject), "{more}");
    }
    assert!(pushed(&bench, Some(&object(&json!({ "nbf": now + 8, "exp": now + 60 })))).await.is_ok());
    assert_eq!(pushed(&bench, Some(&unsigned())).await, Err(ErrorCode::InvalidRequestObject));
    let forged = SigningKey::generate(Algorithm::Es256, "key").expect("a key").jwt("JWT", &claims());
    assert_eq!(pushed(&bench, Some(&forged)).await, Err(ErrorCode::InvalidRequestObject));
}

/// Row [I72](../../../../../../docs/security-requirements.md#i72).
#[tokio::test]
async fn request_that_has_to_be_signed_is_signed_whatever_the_profile_of_the_client() {
    let bench = Bench::new().await;
    let key = SigningKey::generate(Algorithm::Es256, "key").expect("a key");
    let keys = json!({ "keys": [key.jwk()] });
    bench.add("app", &json!({ "require_signed_request_object": true, "jwks": keys })).await;
    assert_eq!(pushed(&bench, None).await, Err(ErrorCode::InvalidRequest));
    assert_eq!(pushed(&bench, Some(&unsigned())).await, Err(ErrorCode::InvalidRequestObject));
    let parameters = pushed(&bench, Some(&key.jwt("JWT", &claims()))).await.expect("is read");
    let expected = [("client_id", "app"), ("state", "of the object")];
    assert_eq!(parameters, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}
