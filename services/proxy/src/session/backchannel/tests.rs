use std::time::UNIX_EPOCH;

use oidc::jose::{Algorithm, SigningKey};
use oidc::logout_token::EVENT;
use serde_json::Value;

use super::*;

const ISSUER: &str = "https://idp.example";
const NOW: u64 = 1_800_000_000;

/// `null` removes a claim.
fn logout_token(typ: &str, changes: &Value) -> Result<LogoutToken, InvalidToken> {
    let mut claims = json!({
        "iss": ISSUER, "aud": "edge", "sub": "einstein", "sid": "s1", "jti": "j", "iat": NOW, "exp": NOW + 60,
        "events": { EVENT: {} },
    });
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    let text = SigningKey::generate(Algorithm::EdDsa, "k").expect("a key").jwt(typ, &claims);
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    let expected = Expected { issuer: ISSUER, now, leeway: Duration::from_mins(1) };
    read(&UnverifiedJwt::parse(&text).expect("a JWT"), &expected, "edge")
}

#[test]
fn a_logout_token_says_what_ends() {
    let token = logout_token("logout+jwt", &json!({})).expect("is good");
    let at = UNIX_EPOCH + Duration::from_secs(NOW) + LEEWAY;
    let (subject, sid) = (Some("einstein".to_owned()), Some("s1".to_owned()));
    assert_eq!(token.jti, "j");
    assert_eq!(ended_by(token), Ended { subject, sid, at });
    assert!(logout_token("logout+jwt", &json!({ "iat": NOW + 60, "exp": NOW + 120 })).is_ok(), "clocks differ");
    assert!(
        logout_token("JWT", &json!({ "sid": null })).is_ok() && logout_token("JWT", &json!({ "sub": null })).is_ok()
    );
}

#[test]
fn invalid_logout_token_ends_no_session() {
    for (changes, wrong) in [
        (json!({ "iss": "https://other.example" }), "iss"),
        (json!({ "aud": "other" }), "aud"),
        (json!({ "exp": NOW - 6 }), "exp"),
        (json!({ "exp": NOW + 86_400 }), "exp"),
        (json!({ "iat": null }), "iat"),
        (json!({ "iat": "now" }), "exp"),
        (json!({ "jti": null }), "jti"),
        (json!({ "sub": null, "sid": null }), "sub"),
        (json!({ "nonce": "n" }), "nonce"),
        (json!({ "events": null }), "events"),
        (json!({ "events": { EVENT: "x" } }), "events"),
        (json!({ "events": [EVENT] }), "events"),
    ] {
        assert_eq!(logout_token("logout+jwt", &changes), Err(InvalidToken(wrong)), "{changes}");
    }
    assert_eq!(logout_token("at+jwt", &json!({})), Err(InvalidToken("typ")));
}
