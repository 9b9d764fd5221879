use std::time::UNIX_EPOCH;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::claims::is_meant_for;

const ISSUER: &str = "https://idp.example";
const NOW: u64 = 1_800_000_000;
const HEADER: &str = r#"{"alg":"EdDSA","typ":"logout+jwt"}"#;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn read_text(header: &str, claims: &str, longest: Option<Duration>) -> Result<LogoutToken, InvalidToken> {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let text = format!("{header}.{claims}.AAAA");
    let expected = Expected { issuer: ISSUER, now: at(NOW), leeway: Duration::from_mins(1) };
    let jwt = UnverifiedJwt::parse(&text).expect("a JWT");
    LogoutToken::read(&jwt, &expected, longest, |claims| is_meant_for(claims, "web"))
}

/// The claims of a logout token with these changes; `null` removes a claim.
fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": "web", "sub": "einstein", "sid": "s1", "jti": "j", "iat": NOW, "exp": NOW + 60,
        "events": { EVENT: {} },
    });
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    claims
}

fn read(header: &str, changes: &Value) -> Result<LogoutToken, InvalidToken> {
    read_text(header, &claims(changes).to_string(), None)
}

#[test]
fn valid_logout_token_names_user_session_and_times() {
    let token = LogoutToken {
        subject: Some("einstein".to_owned()),
        session: Some("s1".to_owned()),
        jti: "j".to_owned(),
        issued: at(NOW),
        accepted_until: at(NOW + 65),
    };
    assert_eq!(read(HEADER, &json!({})), Ok(token.clone()));
    assert_eq!(read(HEADER, &json!({ "sid": null })), Ok(LogoutToken { session: None, ..token.clone() }));
    assert_eq!(read(HEADER, &json!({ "sub": null })), Ok(LogoutToken { subject: None, ..token }));
    for changes in [
        json!({ "aud": ["web", "other"] }),
        json!({ "exp": NOW - 4 }),
        json!({ "iat": NOW + 60 }),
        json!({ "nbf": NOW + 60 }),
        json!({ "events": { EVENT: { "reason": "x" }, "other": 1 } }),
    ] {
        assert!(read(HEADER, &changes).is_ok(), "{changes}");
    }
}

#[test]
fn logout_token_with_a_wrong_claim_is_refused() {
    for (changes, wrong) in [
        (json!({ "iss": null }), "iss"),
        (json!({ "iss": [ISSUER] }), "iss"),
        (json!({ "iss": "https://idp.example/" }), "iss"),
        (json!({ "aud": null }), "aud"),
        (json!({ "aud": [] }), "aud"),
        (json!({ "aud": ["other"] }), "aud"),
        (json!({ "exp": null }), "exp"),
        (json!({ "exp": "1800000060" }), "exp"),
        (json!({ "exp": NOW - 5 }), "exp"),
        (json!({ "nbf": NOW + 61 }), "exp"),
        (json!({ "iat": NOW + 61 }), "exp"),
        (json!({ "iat": "1800000000" }), "exp"),
        (json!({ "iat": null }), "iat"),
        (json!({ "events": null }), "events"),
        (json!({ "events": {} }), "events"),
        (json!({ "events": EVENT }), "events"),
        (json!({ "events": [EVENT] }), "events"),
        (json!({ "events": { EVENT: null } }), "events"),
        (json!({ "events": { EVENT: true } }), "events"),
        (json!({ "events": { EVENT: [] } }), "events"),
        (json!({ "nonce": "n" }), "nonce"),
        (json!({ "nonce": "" }), "nonce"),
        (json!({ "sub": "" }), "sub"),
        (json!({ "sub": 7 }), "sub"),
        (json!({ "sub": null, "sid": null }), "sub"),
        (json!({ "sid": 7 }), "sid"),
        (json!({ "sid": "s".repeat(256) }), "sid"),
        (json!({ "jti": null }), "jti"),
        (json!({ "jti": "" }), "jti"),
    ] {
        assert_eq!(read(HEADER, &changes), Err(InvalidToken(wrong)), "{changes}");
    }
}

#[test]
fn null_nonce_is_a_nonce() {
    let mut claims = claims(&json!({}));
    claims["nonce"] = Value::Null;
    assert_eq!(read_text(HEADER, &claims.to_string(), None), Err(InvalidToken("nonce")));
}

#[test]
fn last_of_two_events_claims_counts() {
    let text = claims(&json!({})).to_string();
    let open = text.strip_suffix('}').expect("an object");
    let with = |more: &str| format!("{open},{more}}}");
    let good = json!({ EVENT: {} });
    assert!(read_text(HEADER, &with(&format!(r#""events":{good}"#)), None).is_ok());
    for wrong in [json!({}), json!(null), json!([EVENT]), json!({ EVENT: 1 })] {
        let text = with(&format!(r#""events":{wrong}"#));
        assert_eq!(read_text(HEADER, &text, None), Err(InvalidToken("events")), "{wrong}");
    }
}

#[test]
fn logout_token_of_another_type_or_with_a_shared_secret_is_refused() {
    for header in
        [r#"{"alg":"ES256"}"#, r#"{"alg":"RS256","typ":"jwt"}"#, r#"{"alg":"PS256","typ":"application/logout+jwt"}"#]
    {
        assert!(read(header, &json!({})).is_ok(), "{header}");
    }
    for (header, wrong) in [
        (r#"{"alg":"EdDSA","typ":"at+jwt"}"#, "typ"),
        (r#"{"alg":"EdDSA","typ":""}"#, "typ"),
        (r#"{"alg":"HS256","typ":"logout+jwt"}"#, "alg"),
        (r#"{"alg":"none","typ":"logout+jwt"}"#, "alg"),
    ] {
        assert_eq!(read(header, &json!({})), Err(InvalidToken(wrong)), "{header}");
    }
}

#[test]
fn logout_token_that_is_accepted_for_too_long_is_refused() {
    let read = |exp: u64, longest| read_text(HEADER, &claims(&json!({ "exp": exp })).to_string(), longest);
    let hour = Some(Duration::from_hours(1));
    assert!(read(NOW + 3595, hour).is_ok(), "with the leeway an hour");
    assert_eq!(read(NOW + 3596, hour), Err(InvalidToken("exp")));
    assert!(read(NOW + 86_400, None).is_ok(), "without a limit");
}

#[test]
fn only_logout_token_of_a_form_is_read() {
    assert_eq!(of_form(b"logout_token=a.b%2Ec&other=1").as_deref(), Some("a.b.c"));
    for body in
        [&b""[..], b"other=1", b"logout_token=", b"logout_token=a&logout_token=b", b"logout_token=a&logout_token="]
    {
        assert_eq!(of_form(body), None, "{}", String::from_utf8_lossy(body));
    }
}
