use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;

use super::*;
use crate::jose::{Algorithm, SigningKey};

const ISSUER: &str = "https://idp.example";
const NOW: u64 = 1_800_000_000;

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::EdDsa, "k").expect("a key")
}

fn read(jwt: &str) -> Result<IdToken, InvalidToken> {
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    let expected = Expected { issuer: ISSUER, now, leeway: Duration::from_mins(1) };
    let bindings = Bindings { client: "edge", nonce: "n", access_token: "access" };
    IdToken::read(&UnverifiedJwt::parse(jwt).expect("a JWT"), &expected, bindings)
}

/// An ID token with these changes; `null` removes a claim.
fn id_token(typ: &str, changes: &Value) -> Result<IdToken, InvalidToken> {
    let mut claims = json!({
        "iss": ISSUER, "aud": "edge", "sub": "einstein", "sid": "s1", "nonce": "n", "iat": NOW, "exp": NOW + 60,
        "at_hash": half_hash(Algorithm::EdDsa, "access"),
    });
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    read(&key().jwt(typ, &claims))
}

#[test]
fn an_id_token_says_who_it_is() {
    let token = IdToken { subject: "einstein".to_owned(), session: Some("s1".to_owned()) };
    for changes in [
        json!({}),
        json!({ "aud": ["edge"], "at_hash": null }),
        json!({ "aud": ["edge", "other"], "azp": "edge" }),
        json!({ "exp": NOW - 4 }),
        json!({ "iat": NOW + 60, "exp": NOW + 120 }),
    ] {
        assert_eq!(id_token("JWT", &changes), Ok(token.clone()), "{changes}");
    }
}

#[test]
fn an_id_token_with_a_wrong_claim_is_rejected() {
    for (changes, wrong) in [
        (json!({ "iss": "https://other.example" }), "iss"),
        (json!({ "iss": null }), "iss"),
        (json!({ "aud": "other" }), "aud"),
        (json!({ "aud": null }), "aud"),
        (json!({ "aud": ["edge", "other"] }), "azp"),
        (json!({ "aud": ["edge", "other"], "azp": "other" }), "azp"),
        (json!({ "azp": "other" }), "azp"),
        (json!({ "azp": ["edge"] }), "azp"),
        (json!({ "exp": NOW - 6 }), "exp"),
        (json!({ "exp": null }), "exp"),
        (json!({ "iat": null }), "iat"),
        (json!({ "iat": "now" }), "exp"),
        (json!({ "nbf": NOW + 61 }), "exp"),
        (json!({ "iat": NOW + 61 }), "exp"),
        (json!({ "nonce": "other" }), "nonce"),
        (json!({ "nonce": null }), "nonce"),
        (json!({ "at_hash": half_hash(Algorithm::EdDsa, "other") }), "at_hash"),
        (json!({ "at_hash": 7 }), "at_hash"),
        (json!({ "sub": null }), "sub"),
        (json!({ "sub": "" }), "sub"),
        (json!({ "sid": 1 }), "sid"),
    ] {
        assert_eq!(id_token("JWT", &changes), Err(InvalidToken(wrong)), "{changes}");
    }
    for typ in ["at+jwt", "logout+jwt"] {
        assert_eq!(id_token(typ, &json!({})), Err(InvalidToken("typ")), "{typ}");
    }
}

#[test]
fn a_token_without_a_signature_or_with_a_shared_secret_says_nothing() {
    let claims = json!({ "iss": ISSUER, "aud": "edge", "sub": "e", "nonce": "n", "iat": NOW, "exp": NOW + 60 });
    let shared = crate::jose::hs256_jwt(b"a-secret-of-at-least-32-characters", "JWT", &claims);
    assert_eq!(read(&shared), Err(InvalidToken("alg")));
}
