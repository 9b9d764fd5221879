use oidc::error::ErrorCode;
use oidc::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::engine::error::OAuthError;
use crate::testing::{Bench, FapiClient, encoded};

/// The error that answers a client with this assertion at a path; none if it has proved who it is.
async fn outcome(bench: &Bench, client: &FapiClient, assertion: &str, path: &str) -> Option<OAuthError> {
    let form = encoded(&FapiClient::form(assertion, &[("client_id", &client.id)]));
    bench.authenticated(&form, path).await.err()
}

/// Row [I71](../../../../../docs/security-requirements.md#i71).
#[tokio::test]
async fn assertion_of_fapi2_client_is_for_the_issuer_at_every_endpoint() {
    let bench = Bench::new().await;
    let client = FapiClient::add(&bench, "app", &json!({})).await;
    let endpoints = bench.endpoints();
    let paths = &endpoints.paths;
    let other_issuer = format!("{}/oidc", endpoints.issuer);
    for path in [paths.pushed, paths.token, paths.revocation, paths.introspection] {
        let refused = [
            json!(endpoints.url(path)),
            json!(endpoints.url(paths.token)),
            json!([endpoints.issuer]),
            json!([endpoints.issuer, endpoints.url(path)]),
            json!(other_issuer),
            Value::Null,
        ];
        for aud in refused {
            let error = outcome(&bench, &client, &client.assertion(&bench, &json!({ "aud": aud })), path).await;
            assert_eq!(error.map(|error| error.code), Some(ErrorCode::InvalidClient), "{path}: {aud}");
        }
        let assertion = client.assertion(&bench, &json!({}));
        assert_eq!(outcome(&bench, &client, &assertion, path).await, None, "{path}");
        let error = outcome(&bench, &client, &assertion, path).await;
        assert_eq!(error.map(|error| error.code), Some(ErrorCode::InvalidClient), "it was used");
    }
    let untyped = encoded(&[("client_id", "app"), ("client_assertion", &client.assertion(&bench, &json!({})))]);
    let error = bench.authenticated(&untyped, paths.token).await.err();
    assert_eq!(error.map(|error| error.code), Some(ErrorCode::InvalidRequest));
}

/// Row [I71](../../../../../docs/security-requirements.md#i71).
#[tokio::test]
async fn fapi2_client_proves_who_it_is_by_strong_algorithms_only() {
    let bench = Bench::new().await;
    let key = SigningKey::generate(Algorithm::Ps256, "key").expect("a key");
    let pkcs8 = key.to_pkcs8().expect("is written");
    let same = SigningKey::from_pkcs8(Algorithm::Rs256, "key", &pkcs8).expect("is read");
    // the key is for both algorithms
    let mut jwk = key.jwk().clone();
    jwk.remove("alg");
    let more = json!({ "jwks": { "keys": [jwk] } });
    let fapi2 = FapiClient { key, ..FapiClient::add(&bench, "app", &more).await };
    let path = bench.endpoints().paths.token;
    assert_eq!(outcome(&bench, &fapi2, &fapi2.assertion(&bench, &json!({})), path).await, None);
    let by_rs256 = FapiClient { key: same, ..fapi2 };
    let error = outcome(&bench, &by_rs256, &by_rs256.assertion(&bench, &json!({})), path).await;
    assert_eq!(error.map(|error| error.code), Some(ErrorCode::InvalidClient));
    let more = json!({ "profile": null, "jwks": { "keys": [by_rs256.key.jwk()] } });
    let standard = FapiClient { key: by_rs256.key, ..FapiClient::add(&bench, "standard", &more).await };
    let assertion = standard.assertion(&bench, &json!({ "aud": bench.endpoints().url(path) }));
    assert_eq!(outcome(&bench, &standard, &assertion, path).await, None, "other clients may");
}
