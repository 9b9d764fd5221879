use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::jose::SigningKey;
use serde_json::{Value, json};

use super::*;
use crate::testing::Bench;

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
