use std::time::UNIX_EPOCH;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::jose::{SigningKey, hs256_jwt};

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://idp.example";
const TOKEN: &str = "https://idp.example/token";

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

fn good() -> Value {
    json!({"iss": "app", "sub": "app", "aud": ISSUER, "jti": "j1", "exp": NOW + 60, "iat": NOW})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = good();
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

fn client(claims: &Value) -> Result<(), AssertionError> {
    let text = hs256_jwt(b"a secret", "JWT", claims);
    let assertion = Assertion::read(CLIENT_ASSERTION_TYPE, &text)?;
    assertion.check(&[ISSUER, TOKEN], now())?;
    assertion.verify_secret(b"a secret")
}

fn grant(claims: &Value) -> Result<(), AssertionError> {
    let text = hs256_jwt(b"a secret", "JWT", claims);
    Grant::read(&text)?.check(&[ISSUER, TOKEN], now())
}

fn keys(pair: &SigningKey) -> KeySet {
    KeySet::parse(json!({"keys": [pair.jwk()]}).to_string().as_bytes()).expect("a set")
}

#[test]
fn a_client_proves_who_it_is_with_its_key() {
    let pair = SigningKey::generate(Algorithm::Es256, "k1").expect("is made");
    let text = pair.jwt("JWT", &good());
    let assertion = Assertion::read(CLIENT_ASSERTION_TYPE, &text).expect("well formed");
    assert_eq!((assertion.client_id(), assertion.jti(), assertion.kid()), ("app", "j1", Some("k1")));
    assert_eq!(assertion.algorithm(), Some(Algorithm::Es256));
    assert_eq!(assertion.expires(), now() + Duration::from_mins(1));
    assert_eq!(assertion.check(&[ISSUER], now()), Ok(()));
    assert_eq!(assertion.verify(&keys(&pair)), Ok(()));
    assert_eq!(assertion.check(&[ISSUER], assertion.forget_at()), Err(TimeError::Expired.into()));
    let other = SigningKey::generate(Algorithm::Es256, "k1").expect("is made");
    assert_eq!(assertion.verify(&keys(&other)), Err(JwtError::Signature.into()));
    let renamed = SigningKey::generate(Algorithm::Es256, "k2").expect("is made");
    assert_eq!(assertion.verify(&keys(&renamed)), Err(AssertionError::NoKey));
    assert_eq!(assertion.verify_secret(b"a secret"), Err(JwtError::Algorithm.into()));
    assert_eq!(Assertion::CODE, ErrorCode::InvalidClient);
}

#[test]
fn a_client_proves_who_it_is_with_its_secret() {
    assert_eq!(client(&good()), Ok(()));
    let text = hs256_jwt(b"another", "JWT", &good());
    let assertion = Assertion::read(CLIENT_ASSERTION_TYPE, &text).expect("well formed");
    assert_eq!(assertion.verify_secret(b"a secret"), Err(JwtError::Signature.into()));
}

#[test]
fn i23_an_assertion_is_for_this_server_alone() {
    for aud in [json!(ISSUER), json!(TOKEN), json!([ISSUER])] {
        assert_eq!(client(&with("aud", aud)), Ok(()));
    }
    for aud in [json!("https://other.example"), json!([ISSUER, TOKEN]), json!([ISSUER, "x"]), json!([]), json!(null)] {
        assert_eq!(client(&with("aud", aud.clone())), Err(AssertionError::Audience), "{aud}");
        assert_eq!(grant(&with("aud", aud.clone())), Err(AssertionError::Audience), "{aud}");
    }
    assert_eq!(client(&without("aud")), Err(AssertionError::Audience));
}

/// Row [I71](../../../../docs/security-requirements.md#i71).
#[test]
fn fapi2_assertion_is_for_the_issuer_as_a_string() {
    let check = |aud: Value, now| {
        let text = hs256_jwt(b"a secret", "JWT", &with("aud", aud));
        Assertion::read(CLIENT_ASSERTION_TYPE, &text).expect("well formed").check_for_issuer(ISSUER, now)
    };
    assert_eq!(check(json!(ISSUER), now()), Ok(()));
    for aud in [json!(TOKEN), json!([ISSUER]), json!([ISSUER, TOKEN]), json!(format!("{ISSUER}/")), json!(null)] {
        assert_eq!(check(aud.clone(), now()), Err(AssertionError::Audience), "{aud}");
    }
    let late = now() + Duration::from_secs(65);
    assert_eq!(check(json!(ISSUER), late), Err(TimeError::Expired.into()), "times count as for other clients");
}

#[test]
fn i23_an_assertion_lives_for_five_minutes() {
    assert_eq!(client(&with("exp", json!(NOW + 310))), Ok(()));
    assert_eq!(client(&with("exp", json!(NOW + 311))), Err(AssertionError::LivesTooLong));
    assert_eq!(client(&with("exp", json!(1e300))), Err(AssertionError::LivesTooLong));
    assert_eq!(client(&with("exp", json!(NOW - 4))), Ok(()));
    assert_eq!(client(&with("exp", json!(NOW - 5))), Err(TimeError::Expired.into()));
    assert_eq!(client(&without("exp")), Err(ClaimError::Missing("exp").into()));
    assert_eq!(client(&with("exp", json!("soon"))), Err(ClaimError::Malformed("exp").into()));
    assert_eq!(client(&with("nbf", json!(NOW + 11))), Err(TimeError::NotYet.into()));
    assert_eq!(client(&with("iat", json!(NOW + 11))), Err(TimeError::NotYet.into()));
    assert_eq!(client(&with("nbf", json!(NOW + 10))), Ok(()), "FAPI 2.0 5.3.2.1");
    assert_eq!(client(&with("iat", json!(NOW + 10))), Ok(()), "FAPI 2.0 5.3.2.1");
    assert_eq!(client(&without("iat")), Ok(()));
}

#[test]
fn i23_an_assertion_has_a_name_that_is_taken_once() {
    assert_eq!(client(&without("jti")), Err(ClaimError::Missing("jti").into()));
    assert_eq!(client(&with("jti", json!("j".repeat(128)))), Ok(()));
    for jti in [json!("j".repeat(129)), json!(""), json!(7)] {
        assert_eq!(client(&with("jti", jti)), Err(ClaimError::Malformed("jti").into()));
    }
}

#[test]
fn i23_a_client_speaks_for_itself() {
    assert_eq!(client(&with("iss", json!("other"))), Err(AssertionError::NotTheClient));
    assert_eq!(client(&with("sub", json!("other"))), Err(AssertionError::NotTheClient));
    assert_eq!(client(&without("sub")), Err(ClaimError::Missing("sub").into()));
    assert_eq!(client(&without("iss")), Err(ClaimError::Missing("iss").into()));
}

#[test]
fn i23_a_public_key_is_no_secret_and_none_is_no_algorithm() {
    let pair = SigningKey::generate(Algorithm::Es256, "k1").expect("is made");
    let public = Value::Object(pair.jwk().clone()).to_string();
    let forged = hs256_jwt(public.as_bytes(), "JWT", &good());
    let assertion = Assertion::read(CLIENT_ASSERTION_TYPE, &forged).expect("well formed");
    assert_eq!(assertion.verify(&keys(&pair)), Err(JwtError::Algorithm.into()));
    for name in ["none", "None", "nOnE", ""] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": name, "kid": "k1"}).to_string());
        let unsigned = format!("{header}.{}.", URL_SAFE_NO_PAD.encode(good().to_string()));
        let assertion = Assertion::read(CLIENT_ASSERTION_TYPE, &unsigned).expect("well formed");
        assert_eq!(assertion.verify(&keys(&pair)), Err(JwtError::Algorithm.into()), "{name:?}");
        assert_eq!(assertion.verify_secret(b"a secret"), Err(JwtError::Algorithm.into()), "{name:?}");
    }
}

#[test]
fn there_is_one_type_of_client_assertion() {
    let text = hs256_jwt(b"a secret", "JWT", &good());
    for other in ["", GRANT_TYPE, "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"] {
        assert_eq!(Assertion::read(other, &text).err(), Some(AssertionError::Type), "{other:?}");
    }
}

#[test]
fn a_grant_says_who_issued_it_and_for_whom() {
    let pair = SigningKey::generate(Algorithm::EdDsa, "k1").expect("is made");
    let mut claims =
        json!({"iss": "https://sts.example", "sub": "einstein", "aud": TOKEN, "exp": NOW + 3600, "dept": "x"});
    let text = pair.jwt("JWT", &claims);
    let assertion = Grant::read(&text).expect("well formed");
    assert_eq!((assertion.issuer(), assertion.subject()), ("https://sts.example", "einstein"));
    assert_eq!((assertion.jti(), assertion.kid()), (None, Some("k1")));
    assert_eq!(assertion.claims()["dept"], "x");
    assert_eq!(assertion.expires(), now() + Duration::from_hours(1));
    assert_eq!(assertion.check(&[ISSUER, TOKEN], now()), Ok(()));
    assert_eq!(assertion.check(&[TOKEN], assertion.forget_at()), Err(TimeError::Expired.into()));
    assert_eq!(assertion.verify(&keys(&pair)), Ok(()));
    assert_eq!(Grant::CODE, ErrorCode::InvalidGrant);
    claims["exp"] = json!(NOW + 3611);
    assert_eq!(grant(&claims), Err(AssertionError::LivesTooLong));
    for name in ["iss", "sub", "exp"] {
        assert_eq!(grant(&without(name)), Err(ClaimError::Missing(name).into()));
    }
    let shared = hs256_jwt(b"a secret", "JWT", &good());
    let shared = Grant::read(&shared).expect("well formed");
    assert_eq!(shared.jti(), Some("j1"));
    assert_eq!(shared.verify(&keys(&pair)), Err(JwtError::Algorithm.into()));
}

proptest! {
    #[test]
    fn no_text_is_an_assertion(text in ".{0,200}") {
        prop_assert!(Assertion::read(CLIENT_ASSERTION_TYPE, &text).is_err());
        prop_assert!(Grant::read(&text).is_err());
    }

    #[test]
    fn no_claims_break_the_check(exp in any::<f64>(), iat in any::<i64>(), sub in ".{0,20}", aud in ".{0,20}") {
        let claims = json!({"iss": sub, "sub": sub, "aud": aud, "jti": sub, "exp": exp, "iat": iat});
        prop_assert!(client(&claims).is_err());
        let _ = grant(&claims);
    }
}
