use proptest::prelude::*;
use serde_json::json;
use uuid::Version;

use super::*;

#[test]
fn r4_a_person_is_the_issuer_and_its_subject() {
    let (a, b) = ("https://a.example", "https://b.example");
    let one = identity(a, "4c51");
    assert_eq!(one, identity(a, "4c51"));
    assert_eq!(one.get_version(), Some(Version::Custom));
    for other in [identity(b, "4c51"), identity(a, "4c52"), identity("https://a.example/", "4c51"), identity(a, "4C51")]
    {
        assert_ne!(one, other);
    }
    // people own things by it: it must never come out otherwise
    assert_eq!(one.to_string(), "5b71a803-ef21-8d3d-a12c-79fef273535a");
}

#[test]
fn the_first_pair_that_the_token_holds_is_its_role() {
    let roles = |pairs: &[(&str, &str)]| Roles {
        claim: "roles".parse().expect("a path"),
        mapping: pairs.iter().map(|(value, role)| ((*value).to_owned(), (*role).to_owned())).collect(),
    };
    let held = |value: serde_json::Value| {
        let serde_json::Value::Object(said) = json!({"sub": "4c51", "roles": value}) else { panic!("an object") };
        Claims::read(said).expect("good claims")
    };
    let pairs = roles(&[("boss", "admin"), ("staff", "user")]);
    let role = |value| role_of(&pairs, &held(value)).ok().map(str::to_owned);
    assert_eq!(role(json!(["staff", "boss"])).as_deref(), Some("admin"), "in the order of the pairs, not of the token");
    assert_eq!(role(json!("staff")).as_deref(), Some("user"));
    for nothing in
        [json!([]), json!(["Staff"]), json!(["other"]), json!(null), json!({"staff": true}), json!(["staff", 1])]
    {
        assert_eq!(role(nothing.clone()), None, "{nothing}");
    }
}

proptest! {
    #[test]
    fn r4_issuers_and_subjects_do_not_run_together(a in "[a-z]{0,6}", b in "[a-z]{0,6}", c in "[a-z]{0,6}", d in "[a-z]{0,6}") {
        prop_assert_eq!(identity(&a, &b) == identity(&c, &d), (a, b) == (c, d));
    }
}
