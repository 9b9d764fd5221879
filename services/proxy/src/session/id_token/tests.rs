use std::time::UNIX_EPOCH;

use oidc::jose::SigningKey;
use serde_json::json;

use super::*;

const ISSUER: &str = "https://idp.example";
const NOW: u64 = 1_800_000_000;

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::EdDsa, "k").expect("a key")
}

fn expected() -> Expected<'static> {
    Expected {
        issuer: ISSUER,
        client: "edge",
        now: UNIX_EPOCH + Duration::from_secs(NOW),
        leeway: Duration::from_mins(1),
    }
}

fn id_token(typ: &str, changes: &Value) -> Result<Subject, Wrong> {
    let mut claims = json!({
        "iss": ISSUER, "aud": "edge", "sub": "einstein", "sid": "s1", "nonce": "n", "iat": NOW, "exp": NOW + 60,
        "at_hash": half_hash(Algorithm::EdDsa, "access"),
    });
    apply(&mut claims, changes);
    let text = key().jwt(typ, &claims);
    expected().id_token(&UnverifiedJwt::parse(&text).expect("a JWT"), "n", "access")
}

/// `null` takes a claim out.
fn apply(claims: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
}

#[test]
fn an_id_token_says_who_it_is() {
    let subject = Subject { sub: "einstein".to_owned(), sid: Some("s1".to_owned()), sign_in: SignIn::default() };
    for changes in [
        json!({}),
        json!({ "aud": ["edge"], "at_hash": null }),
        json!({ "aud": ["edge", "other"], "azp": "edge" }),
        json!({ "exp": NOW - 4 }),
        json!({ "iat": NOW + 60, "exp": NOW + 120 }),
    ] {
        assert_eq!(id_token("JWT", &changes), Ok(subject.clone()), "{changes}");
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
        (json!({ "azp": "other" }), "azp"),
        (json!({ "azp": ["edge"] }), "azp"),
        (json!({ "exp": NOW - 6 }), "exp"),
        (json!({ "exp": null }), "exp"),
        (json!({ "iat": null }), "iat"),
        (json!({ "iat": NOW + 61 }), "exp"),
        (json!({ "nonce": "other" }), "nonce"),
        (json!({ "nonce": null }), "nonce"),
        (json!({ "at_hash": half_hash(Algorithm::EdDsa, "other") }), "at_hash"),
        (json!({ "sub": null }), "sub"),
        (json!({ "sub": "" }), "sub"),
        (json!({ "sid": 1 }), "sid"),
    ] {
        assert_eq!(id_token("JWT", &changes), Err(Wrong(wrong)), "{changes}");
    }
    for typ in ["at+jwt", "logout+jwt"] {
        assert_eq!(id_token(typ, &json!({})), Err(Wrong("typ")), "{typ}");
    }
}

#[test]
fn a_token_without_a_signature_or_with_a_shared_secret_says_nothing() {
    let claims = json!({ "iss": ISSUER, "aud": "edge", "sub": "e", "nonce": "n", "iat": NOW, "exp": NOW + 60 });
    let shared = oidc::jose::hs256_jwt(b"a-secret-of-at-least-32-characters", "JWT", &claims);
    let jwt = UnverifiedJwt::parse(&shared).expect("a JWT");
    assert_eq!(expected().id_token(&jwt, "n", "access"), Err(Wrong("alg")));
}
