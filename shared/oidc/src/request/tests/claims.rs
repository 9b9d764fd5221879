use proptest::prelude::*;

use super::super::*;

fn claims(text: &str) -> ClaimsRequest {
    text.parse().expect("claims")
}

fn text(text: &str) -> ClaimValue {
    ClaimValue::Text(text.to_owned())
}

#[test]
fn the_example_of_the_standard_is_read() {
    let read = claims(
        r#"{
            "userinfo": {
                "given_name": {"essential": true}, "nickname": null, "email": {"essential": true},
                "email_verified": {"essential": true}, "picture": null, "http://example.info/claims/groups": null
            },
            "id_token": {"auth_time": {"essential": true}, "acr": {"values": ["urn:mace:incommon:iap:silver"]}}
        }"#,
    );
    assert_eq!(read.userinfo.len(), 6);
    assert!(read.userinfo["given_name"].essential && !read.userinfo["nickname"].essential);
    assert_eq!(read.userinfo["http://example.info/claims/groups"], ClaimRequest::default());
    assert!(read.id_token["auth_time"].essential);
    assert_eq!(read.id_token["acr"].values, [text("urn:mace:incommon:iap:silver")]);
}

#[test]
fn every_form_of_a_claim_is_read() {
    let read = claims(
        r#"{"id_token":{"sub":{"value":"248"},"a":{"value":false,"x":[1.5]},"t":{"values":[1,-2,"3"]},"n#de":{}},"x":1}"#,
    );
    assert_eq!(read.id_token["sub"].value, Some(text("248")));
    assert_eq!(read.id_token["a"].value, Some(ClaimValue::Boolean(false)));
    assert_eq!(read.id_token["t"].values, [ClaimValue::Integer(1), ClaimValue::Integer(-2), text("3")]);
    assert_eq!(read.id_token["n#de"], ClaimRequest::default());
    assert!(read.userinfo.is_empty());
    for nothing in ["{}", r#"{"userinfo":{}}"#, r#"{"userinfo":null,"id_token":null}"#, r#"{"other":{"a":1}}"#] {
        assert_eq!(claims(nothing), ClaimsRequest::default(), "{nothing}");
    }
}

#[test]
fn what_has_another_form_is_refused() {
    let deep = "[".repeat(2000);
    let many = |count: usize| (0..count).map(|number| format!("\"c{number}\":null")).collect::<Vec<_>>().join(",");
    let values = |count: usize| format!(r#"{{"userinfo":{{"a":{{"values":[{}]}}}}}}"#, vec!["1"; count].join(","));
    let cases: &[(ClaimsError, &[&str])] = &[
        (
            ClaimsError::Malformed,
            &["x", "[]", "null", "1", "{", "{}{}", "{'a':1}", &deep, &format!("{{\"userinfo\":{deep}")],
        ),
        (ClaimsError::Place, &[r#"{"userinfo":[]}"#, r#"{"id_token":"name"}"#, r#"{"userinfo":true}"#]),
        (ClaimsError::Entry, &[r#"{"userinfo":{"a":true}}"#, r#"{"userinfo":{"a":{"essential":"yes"}}}"#]),
        (ClaimsError::Entry, &[r#"{"userinfo":{"a":{"values":"1"}}}"#, r#"{"userinfo":{"a":{"values":null}}}"#]),
        (ClaimsError::Value, &[r#"{"userinfo":{"a":{"value":null}}}"#, r#"{"userinfo":{"a":{"value":1.5}}}"#]),
        (ClaimsError::Value, &[r#"{"userinfo":{"a":{"value":{}}}}"#, r#"{"userinfo":{"a":{"values":[[]]}}}"#]),
        (ClaimsError::Value, &[r#"{"userinfo":{"a":{"value":9223372036854775808}}}"#]),
        (
            ClaimsError::TooLarge,
            &[r#"{"userinfo":{"":null}}"#, &format!(r#"{{"userinfo":{{"{}":null}}}}"#, "x".repeat(129))],
        ),
        (ClaimsError::TooLarge, &[&format!(r#"{{"userinfo":{{{}}}}}"#, many(65)), &values(65)]),
    ];
    for (error, texts) in cases {
        for text in *texts {
            assert_eq!(text.parse::<ClaimsRequest>(), Err(*error), "{text}");
        }
    }
    assert_eq!(claims(&format!(r#"{{"userinfo":{{{}}}}}"#, many(64))).userinfo.len(), 64);
    assert_eq!(claims(&values(64)).userinfo["a"].values.len(), 64);
}

#[test]
fn equal_requests_are_equal_texts() {
    let one = claims(r#"{"id_token":{"b":null,"a":{"essential":false}}, "userinfo":{}}"#);
    assert_eq!(one.to_string(), r#"{"id_token":{"a":null,"b":null}}"#);
    assert_eq!(ClaimsRequest::default().to_string(), "{}");
}

fn a_value() -> impl Strategy<Value = ClaimValue> {
    prop_oneof![
        ".{0,8}".prop_map(ClaimValue::Text),
        any::<i64>().prop_map(ClaimValue::Integer),
        any::<bool>().prop_map(ClaimValue::Boolean),
    ]
}

fn a_place() -> impl Strategy<Value = Claims> {
    let entry = (any::<bool>(), prop::option::of(a_value()), prop::collection::vec(a_value(), 0..3))
        .prop_map(|(essential, value, values)| ClaimRequest { essential, value, values });
    prop::collection::btree_map(".{1,8}", entry, 0..4)
}

proptest! {
    #[test]
    fn no_text_makes_a_panic_and_what_is_accepted_survives(
        text in r#"\{("(userinfo|id_token|x)":(null|\{("[a-z]{0,2}":(null|1|\{("(essential|value|values)":(true|1|1.5|"x"|\[1\]))?\})),?\}),?){0,3}\}|.{0,40}"#,
    ) {
        if let Ok(read) = text.parse::<ClaimsRequest>() {
            prop_assert_eq!(read.to_string().parse::<ClaimsRequest>(), Ok(read));
        }
    }

    #[test]
    fn a_request_for_claims_is_read_as_it_is_written(userinfo in a_place(), id_token in a_place()) {
        let request = ClaimsRequest { userinfo, id_token };
        prop_assert_eq!(request.to_string().parse(), Ok(request));
    }
}
