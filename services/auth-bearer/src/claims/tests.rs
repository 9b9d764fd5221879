use proptest::prelude::*;
use serde_json::json;

use super::*;

fn path(text: &str) -> Path {
    text.parse().expect(text)
}

fn claims(more: &Value) -> Claims {
    let Value::Object(mut all) = more.clone() else { panic!("an object") };
    all.insert("sub".to_owned(), json!("4c51"));
    Claims::read(all).expect("good claims")
}

#[test]
fn a_claim_may_stand_deep_and_have_dots_in_its_name() {
    let claims = claims(&json!({
        "preferred_username": "einstein",
        "realm_access": {"roles": ["admin", "user"]},
        "lg.i": {"un": "marie"},
        "https://example.org/roles": "one",
        r"back\slash": "two",
    }));
    assert_eq!(claims.text(&path("preferred_username")), Some("einstein"));
    assert_eq!(claims.texts(&path("realm_access.roles")), Some(vec!["admin", "user"]));
    assert_eq!(claims.text(&path(r"lg\.i.un")), Some("marie"));
    assert_eq!(claims.text(&path("lg.i.un")), None);
    assert_eq!(claims.texts(&path(r"https://example\.org/roles")), Some(vec!["one"]));
    assert_eq!(claims.text(&path(r"back\\slash")), Some("two"));
    for (absent, why) in
        [("realm_access", "is no text"), ("preferred_username.x", "is no object"), ("x.y", "is not there")]
    {
        assert_eq!(claims.text(&path(absent)), None, "{why}");
    }
}

#[test]
fn what_is_no_path_is_refused() {
    for bad in ["", ".", "a.", ".a", "a..b", r"a\", r"a\b", "a.b.c.d.e.f.g.h.i"] {
        assert_eq!(bad.parse::<Path>(), Err(PathError), "{bad:?}");
    }
}

#[test]
fn values_of_another_type_are_none() {
    let claims = claims(&json!({
        "empty": "", "number": 7, "numeral": "8", "mixed": ["a", 1], "object": {}, "true": true, "text": "true",
        "long": "x".repeat(1025), "many": vec!["x"; 5001], "fits": vec!["x"; 5000],
    }));
    for absent in ["empty", "number", "object", "long", "mixed"] {
        assert_eq!(claims.text(&path(absent)), None, "{absent}");
        assert_eq!(claims.texts(&path(absent)), None, "{absent}");
    }
    assert_eq!(claims.texts(&path("many")), None, "a part of a list would be another list");
    assert_eq!(claims.texts(&path("fits")).map(|texts| texts.len()), Some(5000));
    assert_eq!((claims.number(&path("number")), claims.number(&path("numeral"))), (Some(7), Some(8)));
    assert!(claims.is_true(&path("true")) && !claims.is_true(&path("text")) && !claims.is_true(&path("absent")));
}

#[test]
fn claim_that_was_left_out_is_known_with_its_endpoint() {
    let of = |value: &Value| {
        let claims = claims(value);
        let groups = path("groups");
        (claims.is_left_out(&groups), claims.endpoint_of(&groups).map(str::to_owned))
    };
    let names = json!({"groups": "a"});
    let sources = json!({"a": {"endpoint": "https://idp.example/userinfo"}});
    let endpoint = Some("https://idp.example/userinfo".to_owned());
    assert_eq!(of(&json!({"_claim_names": names, "_claim_sources": sources})), (true, endpoint.clone()));
    assert_eq!(of(&json!({"_claim_names": names, "_claim_sources": sources, "groups": []})), (false, endpoint));
    for unknown in [json!({}), json!({"b": {"endpoint": "x"}}), json!({"a": {"JWT": "x"}}), json!({"a": 7}), json!("a")]
    {
        assert_eq!(of(&json!({"_claim_names": names, "_claim_sources": unknown})), (true, None), "{unknown}");
    }
    assert_eq!(of(&json!({"hasgroups": true})), (true, None));
    for said in
        [json!({"_claim_names": {"roles": "a"}}), json!({"_claim_names": "groups"}), json!({"hasgroups": false})]
    {
        assert_eq!(of(&said), (false, None), "{said}");
    }
}

#[test]
fn completing_changes_nothing_that_is_there() {
    let first = claims(&json!({"name": "A"}));
    let all = first.completed(&claims(&json!({"name": "B", "email": "b@example.org", "exp": 7})));
    assert_eq!(all.text(&path("name")), Some("A"));
    assert_eq!(all.text(&path("email")), Some("b@example.org"));
    assert_eq!(all.expires, None, "how long the token is good is not for the other to say");
}

#[test]
fn a_token_without_a_valid_sub_is_malformed() {
    for bad in [json!({}), json!({"sub": ""}), json!({"sub": 7}), json!({"sub": "x".repeat(256)})] {
        let Value::Object(all) = bad.clone() else { panic!("an object") };
        assert_eq!(Claims::read(all), Err(Reason::Malformed), "{bad}");
    }
}

proptest! {
    #[test]
    fn a_path_is_read_as_it_is_written(text in ".{0,40}") {
        if let Ok(path) = text.parse::<Path>() {
            prop_assert_eq!(path.to_string().parse::<Path>(), Ok(path.clone()));
            prop_assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn any_name_can_be_written_as_a_path(name in ".{1,40}") {
        let written = Path::name(&name).to_string();
        prop_assert_eq!(written.parse::<Path>(), Ok(Path::name(&name)));
    }

    #[test]
    fn no_claims_make_reading_panic(text in r#"\{"sub":("[a-z]{0,3}"|1|null),"iat":-?[0-9]{1,30},"sid":("x"|\[\])\}"#) {
        if let Ok(Value::Object(all)) = serde_json::from_str(&text) {
            let _ = Claims::read(all);
        }
    }
}
