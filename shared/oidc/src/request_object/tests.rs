use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::request::AuthorizationRequest;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://idp.example";

fn read(claims: Value) -> Result<Vec<(String, String)>, ObjectError> {
    let claims: Map<String, Value> = serde_json::from_value(claims).expect("an object");
    parameters(&claims, "app", ISSUER, UNIX_EPOCH + Duration::from_secs(NOW))
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn members_become_parameters() {
    let object = json!({
        "iss": "app", "aud": [ISSUER], "exp": NOW + 60, "nbf": NOW, "iat": NOW, "jti": "j1", "client_id": "app",
        "state": "s", "max_age": 300, "flag": true, "claims": {"id_token": {"acr": null}},
    });
    let mut expected = pairs(&[
        ("client_id", "app"),
        ("claims", r#"{"id_token":{"acr":null}}"#),
        ("flag", "true"),
        ("max_age", "300"),
        ("state", "s"),
    ]);
    let mut given = read(object).expect("good");
    assert_eq!(given[0], expected[0]);
    given.sort();
    expected.sort();
    assert_eq!(given, expected);
    assert_eq!(read(json!({})), Ok(pairs(&[("client_id", "app")])));
}

#[test]
fn an_object_is_by_its_client_and_for_this_server() {
    for (object, error) in [
        (json!({"iss": "other"}), ObjectError::Client),
        (json!({"client_id": "other"}), ObjectError::Client),
        (json!({"client_id": 7}), ObjectError::Claim(ClaimError::Malformed("client_id"))),
        (json!({"sub": "app"}), ObjectError::Subject),
        (json!({"aud": "https://other.example"}), ObjectError::Audience),
        (json!({"aud": null}), ObjectError::Audience),
        (json!({"exp": NOW - 5}), ObjectError::Time(TimeError::Expired)),
        (json!({"nbf": NOW + 11}), ObjectError::Time(TimeError::NotYet)),
        (json!({"exp": "soon"}), ObjectError::Time(TimeError::Claim(ClaimError::Malformed("exp")))),
        (json!({"request": "x"}), ObjectError::Nested),
        (json!({"request_uri": "x"}), ObjectError::Nested),
        (json!({"scope": ["openid"]}), ObjectError::Member("scope".to_owned())),
        (json!({"state": null}), ObjectError::Member("state".to_owned())),
        (json!({"registration": {}}), ObjectError::Member("registration".to_owned())),
    ] {
        assert_eq!(error.code(), ErrorCode::InvalidRequestObject);
        assert_eq!(read(object.clone()), Err(error), "{object}");
    }
}

fn signed_message(claims: Value) -> Result<(), ObjectError> {
    let claims: Map<String, Value> = serde_json::from_value(claims).expect("an object");
    check_message_signing(&claims, UNIX_EPOCH + Duration::from_secs(NOW))
}

/// Row [I72](../../../../docs/security-requirements.md#i72).
#[test]
fn fapi2_object_says_for_whom_and_for_which_hour_it_is() {
    let with = |name: &str, value: Value| {
        let mut claims = json!({ "aud": ISSUER, "nbf": NOW, "exp": NOW + 60 });
        claims[name] = value;
        claims
    };
    for good in [
        with("aud", json!([ISSUER, "https://other.example"])),
        with("nbf", json!(NOW + 8)),
        with("exp", json!(NOW + 3600)),
        json!({ "aud": ISSUER, "nbf": NOW - 3600, "exp": NOW }),
    ] {
        assert_eq!(signed_message(good.clone()), Ok(()), "{good}");
    }
    for (bad, error) in [
        (json!({ "nbf": NOW, "exp": NOW + 60 }), ClaimError::Missing("aud").into()),
        (json!({ "aud": ISSUER, "exp": NOW + 60 }), ClaimError::Missing("nbf").into()),
        (json!({ "aud": ISSUER, "nbf": NOW }), ClaimError::Missing("exp").into()),
        (with("nbf", json!("now")), ClaimError::Malformed("nbf").into()),
        (with("exp", json!(NOW + 3601)), ObjectError::LivesTooLong),
        (with("exp", json!(NOW)), ObjectError::LivesTooLong),
        (with("exp", json!(1e300)), ObjectError::LivesTooLong),
        (json!({ "aud": ISSUER, "nbf": NOW - 3601, "exp": NOW - 1 }), ObjectError::TooOld),
        (json!({ "aud": ISSUER, "nbf": 0, "exp": NOW }), ObjectError::TooOld),
    ] {
        assert_eq!(error.code(), ErrorCode::InvalidRequestObject);
        assert_eq!(signed_message(bad.clone()), Err(error), "{bad}");
    }
}

#[test]
fn the_object_wins_over_the_query() {
    let query = pairs(&[
        ("client_id", "app"),
        ("response_type", "code"),
        ("scope", "openid profile"),
        ("redirect_uri", "https://app.example/other"),
        ("state", "of the query"),
        ("request", "eyJ"),
    ]);
    let object =
        read(json!({"redirect_uri": "https://app.example/cb", "state": "of the object", "response_type": "code"}));
    let merged = merge(object.expect("good"), &query).expect("they agree");
    let request = AuthorizationRequest::read(&merged).expect("a request");
    assert_eq!(request.addressee.redirect_uri.as_deref(), Some("https://app.example/cb"));
    assert_eq!(request.state.as_deref(), Some("of the object"));
    assert_eq!(request.scope.to_string(), "openid profile", "the query adds what the object does not say");
}

#[test]
fn a_query_that_contradicts_the_object_is_refused() {
    let openid = |name: &str, value: &str| pairs(&[("scope", "openid"), (name, value)]);
    let object = pairs(&[("client_id", "app"), ("response_type", "code")]);
    for name in ["client_id", "response_type"] {
        assert_eq!(merge(object.clone(), &openid(name, "id_token")), Err(ObjectError::Contradiction(name)));
    }
    assert!(merge(object.clone(), &openid("response_type", "")).is_ok(), "one without a value counts as left out");
    assert_eq!(merge(object, &pairs(&[("client_id", "other")])), Err(ObjectError::Contradiction("client_id")));
}

#[test]
fn without_openid_the_query_adds_nothing() {
    let object = pairs(&[("client_id", "app"), ("scope", "openid"), ("response_type", "code")]);
    for scope in ["", "openids", "profile"] {
        let query = pairs(&[("client_id", "app"), ("scope", scope), ("state", "s"), ("response_type", "token")]);
        assert_eq!(merge(object.clone(), &query), Ok(object.clone()), "{scope:?}");
    }
}

#[test]
fn what_the_query_says_twice_stays_twice() {
    let query = pairs(&[("scope", "openid"), ("state", "a"), ("state", "b"), ("request_uri", "x")]);
    let merged = merge(pairs(&[("client_id", "app")]), &query).expect("they agree");
    assert_eq!(merged, pairs(&[("client_id", "app"), ("scope", "openid"), ("state", "a"), ("state", "b")]));
}

proptest! {
    #[test]
    fn no_member_breaks_an_object(name in ".{0,20}", text in ".{0,20}", number in any::<f64>()) {
        for value in [json!(text), json!(number), json!([text]), json!({text: number})] {
            let _ = read(json!({name.clone(): value}));
        }
    }

    /// Row [I72](../../../../docs/security-requirements.md#i72).
    #[test]
    fn fapi2_object_is_of_the_last_hour_and_valid_for_an_hour(age in 0..8000_u64, lifetime in 0..8000_u64) {
        let begins = NOW - age;
        let outcome = signed_message(json!({ "aud": ISSUER, "nbf": begins, "exp": begins + lifetime }));
        prop_assert_eq!(outcome.is_ok(), age <= 3600 && (1..=3600).contains(&lifetime));
    }

    #[test]
    fn the_value_of_the_object_is_the_only_one(name in "[a-z]{1,5}", ours in "[a-z]{1,5}", theirs in "[a-z]{1,5}") {
        let query = pairs(&[("scope", "openid"), (&name, &theirs)]);
        let merged = merge(pairs(&[(&name, &ours)]), &query).expect("they agree");
        let found: Vec<_> = values(&merged, &name).collect();
        prop_assert_eq!(found, [ours.as_str()]);
    }
}
