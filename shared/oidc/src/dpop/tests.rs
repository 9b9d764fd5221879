use std::time::UNIX_EPOCH;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::jose::{Algorithm, SigningKey, hs256_jwt};

/// RFC 9449 figure 2.
const FOR_A_TOKEN: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
/// RFC 9449 figure 13.
const FOR_A_RESOURCE: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
const ACCESS_TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const THUMBPRINT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
const URL: &str = "https://idp.example/token";
const NOW: u64 = 1_800_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn pair() -> SigningKey {
    SigningKey::generate(Algorithm::EdDsa, "k").expect("is made")
}

fn signed(pair: &SigningKey, header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{claims}");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes())))
}

fn header(pair: &SigningKey) -> Value {
    json!({"typ": "dpop+jwt", "alg": pair.algorithm().name(), "jwk": pair.jwk()})
}

fn claims() -> Value {
    json!({"jti": "j1", "htm": "POST", "htu": URL, "iat": NOW})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn verified(claims: &Value, access_token: Option<&str>) -> Result<Proof, DpopError> {
    let pair = pair();
    Proof::verify(&signed(&pair, &header(&pair), claims), "POST", URL, access_token, at(NOW))
}

#[test]
fn the_examples_of_the_rfc_are_good() {
    let proof = Proof::verify(FOR_A_TOKEN, "POST", "https://server.example.com/token", None, at(1_562_262_616));
    let expected =
        Proof { jkt: THUMBPRINT.into(), jti: "-BwC3ESc6acc2lTc".into(), nonce: None, iat: at(1_562_262_616) };
    assert_eq!(proof, Ok(expected));
    let url = "https://resource.example.org/protectedresource";
    let proof = Proof::verify(FOR_A_RESOURCE, "GET", url, Some(ACCESS_TOKEN), at(1_562_262_618));
    assert_eq!(proof.map(|proof| proof.jkt), Ok(THUMBPRINT.to_owned()));
    let without = Proof::verify(FOR_A_RESOURCE, "GET", url, None, at(1_562_262_618));
    assert!(without.is_ok(), "ath is nothing to a request without a token");
}

#[test]
fn i29_the_type_is_that_of_a_proof() {
    let pair = pair();
    for typ in [json!("JWT"), json!("at+jwt"), json!("")] {
        let mut header = header(&pair);
        header["typ"] = typ.clone();
        let text = signed(&pair, &header, &claims());
        assert_eq!(Proof::verify(&text, "POST", URL, None, at(NOW)), Err(DpopError::Type), "{typ}");
    }
    assert_eq!(DpopError::Type.code(), ErrorCode::InvalidDpopProof);
}

#[test]
fn i29_the_algorithm_is_asymmetric_and_the_key_is_public() {
    let pair = pair();
    let verify = |text: &str| Proof::verify(text, "POST", URL, None, at(NOW)).err();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut header = header(&pair);
        change(&mut header);
        verify(&signed(&pair, &header, &claims()))
    };
    assert_eq!(changed(&|_| {}), None);
    for alg in ["none", "None", "HS256", "RS256", "ES256"] {
        assert_eq!(changed(&|header| header["alg"] = json!(alg)), Some(JwtError::Algorithm.into()), "{alg}");
    }
    assert_eq!(changed(&|header| header["jwk"]["d"] = json!("AQAB")), Some(KeyError::PrivatePart.into()));
    assert_eq!(
        changed(&|header| header["jwk"] = json!({"kty": "oct", "k": "AQAB"})),
        Some(KeyError::PrivatePart.into())
    );
    assert_eq!(changed(&|header| header["jwk"] = json!("key")), Some(DpopError::KeyMissing));
    assert_eq!(changed(&|header| header["crit"] = json!(["b64"])), Some(JwtError::Extension.into()));
    assert_eq!(verify(&hs256_jwt(b"a secret", "dpop+jwt", &claims())), Some(DpopError::KeyMissing));
}

#[test]
fn i29_the_signature_is_by_the_key_that_it_carries() {
    let text = signed(&pair(), &header(&pair()), &claims());
    assert_eq!(Proof::verify(&text, "POST", URL, None, at(NOW)), Err(JwtError::Signature.into()));
}

#[test]
fn i29_the_method_is_that_of_the_request() {
    for htm in ["GET", "post", "POST "] {
        assert_eq!(verified(&with("htm", json!(htm)), None), Err(DpopError::Method), "{htm:?}");
    }
    assert_eq!(verified(&with("htm", json!(1)), None), Err(ClaimError::Malformed("htm").into()));
}

#[test]
fn i29_the_address_is_that_of_the_request() {
    for htu in [
        "https://idp.example/token?a=b#c",
        "HTTPS://IDP.example/token",
        "https://idp.example:443/token",
        "https://idp.example/token?",
    ] {
        assert!(verified(&with("htu", json!(htu)), None).is_ok(), "{htu}");
    }
    for htu in [
        "http://idp.example/token",
        "https://idp.example:8443/token",
        "https://idp.example/Token",
        "https://idp.example/token/",
        "https://idp.example",
        "https://idp.example.evil/token",
        "https://user@idp.example/token",
        "https://idp.example\\token",
        "https:///token",
        "/token",
        "token",
    ] {
        assert_eq!(verified(&with("htu", json!(htu)), None), Err(DpopError::Address), "{htu}");
    }
}

#[test]
fn i29_a_proof_is_good_for_a_minute() {
    let made = |iat: Value| verified(&with("iat", iat), None).map(|_| ());
    for iat in [NOW - 60, NOW + 60] {
        assert_eq!(made(json!(iat)), Ok(()));
    }
    for iat in [json!(NOW - 61), json!(NOW + 61), json!(0), json!(1e300)] {
        assert_eq!(made(iat.clone()), Err(DpopError::Time), "{iat}");
    }
    assert_eq!(made(json!("now")), Err(ClaimError::Malformed("iat").into()));
    let proof = verified(&claims(), None).expect("good");
    assert!(proof.forget_at() > at(NOW + 60));
}

/// Row [I29](../../../../docs/security-requirements.md#i29).
#[test]
fn proof_counts_only_while_it_is_valid_by_its_own_times() {
    let with_time = |name: &str, time: Value| verified(&with(name, time), None).map(|_| ());
    for (name, time) in
        [("exp", NOW + 1), ("exp", NOW + 3600), ("exp", NOW - 30), ("nbf", NOW - 3600), ("nbf", NOW), ("nbf", NOW + 60)]
    {
        assert_eq!(with_time(name, json!(time)), Ok(()), "{name} {time}");
    }
    for (name, time, error) in [
        ("exp", NOW - 3600, TimeError::Expired),
        ("exp", NOW - 66, TimeError::Expired),
        ("nbf", NOW + 61, TimeError::NotYet),
        ("nbf", NOW + 3600, TimeError::NotYet),
    ] {
        assert_eq!(with_time(name, json!(time)), Err(DpopError::Validity(error)), "{name} {time}");
    }
    for name in ["exp", "nbf"] {
        let malformed = TimeError::Claim(ClaimError::Malformed(name));
        assert_eq!(with_time(name, json!("now")), Err(DpopError::Validity(malformed)));
    }
    assert_eq!(DpopError::Validity(TimeError::Expired).code(), ErrorCode::InvalidDpopProof);
}

/// Row [I75](../../../../docs/security-requirements.md#i75).
#[test]
fn nonce_that_is_needed_is_fresh_and_replaces_the_time() {
    let pair = pair();
    let is_fresh = |nonce: &str| nonce == "fresh";
    let rules = ProofRules { nonce: NonceRule::Fresh(&is_fresh), ..ProofRules::USUAL };
    let verify = |claims: &Value| {
        let text = signed(&pair, &header(&pair), claims);
        Proof::verify_by(&rules, &text, ("POST", URL), None, at(NOW)).map(|proof| proof.jti)
    };
    for iat in [NOW, NOW - 3600, NOW + 3600] {
        let mut claims = with("nonce", json!("fresh"));
        claims["iat"] = json!(iat);
        assert_eq!(verify(&claims), Ok("j1".to_owned()), "{iat}");
    }
    let mut expired = with("nonce", json!("fresh"));
    expired["exp"] = json!(NOW - 3600);
    assert_eq!(verify(&expired), Ok("j1".to_owned()), "the clock of the client does not count");
    assert_eq!(verify(&claims()), Err(DpopError::Nonce));
    assert_eq!(verify(&with("nonce", json!("stale"))), Err(DpopError::Nonce));
    assert_eq!(verify(&with("nonce", json!(1))), Err(ClaimError::Malformed("nonce").into()));
    assert_eq!(DpopError::Nonce.code(), ErrorCode::UseDpopNonce);
    let mut elsewhere = with("nonce", json!("fresh"));
    elsewhere["htu"] = json!("https://idp.example/other");
    assert_eq!(verify(&elsewhere), Err(DpopError::Address));
}

/// Row [I75](../../../../docs/security-requirements.md#i75).
#[test]
fn proof_is_signed_by_an_algorithm_of_the_rules() {
    let pair = pair();
    let text = signed(&pair, &header(&pair), &claims());
    let by = |algorithms: &[Algorithm]| {
        let rules = ProofRules { algorithms, ..ProofRules::USUAL };
        Proof::verify_by(&rules, &text, ("POST", URL), None, at(NOW)).map(|_| ())
    };
    assert_eq!(by(&Algorithm::FAPI), Ok(()));
    assert_eq!(by(&[Algorithm::Es256]), Err(JwtError::Algorithm.into()));
}

#[test]
fn i29_the_hash_is_that_of_the_access_token() {
    let ath = json!("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    assert!(verified(&with("ath", ath.clone()), Some(ACCESS_TOKEN)).is_ok());
    assert_eq!(verified(&with("ath", ath), Some("another")), Err(DpopError::AccessToken));
    assert_eq!(verified(&claims(), Some(ACCESS_TOKEN)), Err(DpopError::AccessToken), "missing");
    assert_eq!(verified(&with("ath", json!(ACCESS_TOKEN)), Some(ACCESS_TOKEN)), Err(DpopError::AccessToken));
}

#[test]
fn i29_jti_is_there_and_bounded_and_nonce_may_be() {
    assert_eq!(verified(&with("jti", json!("j".repeat(128))), None).map(|proof| proof.jti.len()), Ok(128));
    for jti in [json!("j".repeat(129)), json!(""), json!(1), json!(null)] {
        assert_eq!(verified(&with("jti", jti), None), Err(ClaimError::Malformed("jti").into()));
    }
    for name in ["jti", "htm", "htu", "iat"] {
        let mut claims = claims();
        claims.as_object_mut().expect("an object").remove(name);
        assert_eq!(verified(&claims, None), Err(ClaimError::Missing(name).into()));
    }
    assert_eq!(verified(&with("nonce", json!("n1")), None).map(|proof| proof.nonce), Ok(Some("n1".to_owned())));
    assert_eq!(verified(&with("nonce", json!(1)), None), Err(ClaimError::Malformed("nonce").into()));
}

proptest! {
    #[test]
    fn no_text_is_a_proof(text in ".{0,200}") {
        prop_assert!(Proof::verify(&text, "POST", URL, None, at(NOW)).is_err());
    }

    #[test]
    fn no_address_breaks_the_comparison(htu in ".{0,60}", rest in "[a-z:/?#@\\[\\]0-9.]{0,40}") {
        for htu in [htu, format!("https://{rest}")] {
            prop_assert_eq!(is_same(&htu, &htu), WebUrl::parse(&htu).is_some());
            prop_assert!(!is_same(&htu, URL));
        }
    }
}
