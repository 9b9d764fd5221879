use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::derived_id::is_derived;

const ISSUER: &str = "https://idp.example";

fn provisioning(group_ids: Option<&str>, max_groups: usize) -> Provisioning {
    let path = |text: &str| text.parse().expect("a path");
    Provisioning {
        username: path("preferred_username"),
        mail: path("email"),
        display_name: path("name"),
        groups: path("groups"),
        group_ids: group_ids.map(path),
        max_groups,
        trust_mail: false,
    }
}

fn said(more: Value, provisioning: &Provisioning) -> Result<Option<Vec<Group>>, Reason> {
    let Value::Object(mut claims) = more else { panic!("an object") };
    claims.insert("sub".to_owned(), json!("4c51"));
    read(ISSUER, &Claims::read(claims).expect("claims"), provisioning, "@b")
}

fn names(more: Value) -> Result<Option<Vec<String>>, Reason> {
    let groups = said(more, &provisioning(None, 500))?;
    Ok(groups.map(|groups| groups.into_iter().map(|group| group.name).collect()))
}

#[test]
fn names_are_taken_without_empty_and_repeated_ones() {
    let some = |names: &[&str]| Ok(Some(names.iter().map(|&name| name.to_owned()).collect()));
    assert_eq!(names(json!({"groups": ["b", "a", "", "b"]})), some(&["a@b", "b@b"]));
    assert_eq!(names(json!({"groups": "a"})), some(&["a@b"]));
    for none in [json!({"groups": []}), json!({"groups": ""}), json!({"groups": [""]})] {
        assert_eq!(names(none), some(&[]), "the claim is there: no groups");
    }
    assert_eq!(names(json!({})), Ok(None), "nothing is said of groups");
    for bad in [json!({"admins": true}), json!(["a", 1]), json!(7), json!([{"other": "x"}]), json!(["x".repeat(1025)])]
    {
        assert_eq!(names(json!({"groups": bad.clone()})), Err(Reason::Malformed), "{bad}");
    }
}

#[test]
fn more_groups_than_the_bound_are_refused_and_as_many_are_not() {
    let groups = |count: usize| json!({"groups": (0..count).map(|number| number.to_string()).collect::<Vec<_>>()});
    assert_eq!(
        said(groups(300), &provisioning(None, 300)).map(|groups| groups.map(|groups| groups.len())),
        Ok(Some(300))
    );
    assert_eq!(said(groups(301), &provisioning(None, 300)), Err(Reason::TooManyGroups));
    let elsewhere = json!({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {}}});
    for left_out in [elsewhere, json!({"hasgroups": true})] {
        assert_eq!(said(left_out, &provisioning(None, 300)), Err(Reason::TooManyGroups));
    }
}

#[test]
fn stable_identifiers_are_read_from_entries_and_from_a_claim_of_their_own() {
    let physics = identity(ISSUER, "g1").to_string();
    let group = |name: &str| Ok(Some(vec![Group { id: Some(physics.clone()), name: format!("{name}@b") }]));
    let plain = provisioning(None, 500);
    assert_eq!(said(json!({"groups": [{"value": "g1", "display": "physics"}]}), &plain), group("physics"));
    assert_eq!(said(json!({"groups": [{"id": "g1", "name": "physics"}]}), &plain), group("physics"));
    assert_eq!(said(json!({"groups": [{"value": "g1"}]}), &plain), group("g1"));
    let with_ids = provisioning(Some("group_ids"), 500);
    assert_eq!(said(json!({"groups": ["physics"], "group_ids": ["g1"]}), &with_ids), group("physics"));
    for bad in [json!(["g1", "g2"]), json!([1]), json!([])] {
        let claims = json!({"groups": ["physics"], "group_ids": bad});
        assert_eq!(said(claims, &with_ids), Err(Reason::Malformed), "which is whose?");
    }
    let unnamed = said(json!({"groups": ["physics"]}), &with_ids).expect("is read").expect("groups");
    assert_eq!(unnamed[0].id, None);
    assert!(is_derived(&physics) && !is_derived("4c510ada-c86b-4815-8820-42cdf82c3d51"));
    assert_ne!(identity(ISSUER, "g1"), identity("https://other.example", "g1"));
    assert_ne!(identity(ISSUER, "g1"), crate::user_directory::identity(ISSUER, "g1"), "a group is no person");
}

proptest! {
    #[test]
    fn never_panics(text in ".{0,40}", number in any::<i64>(), ids in proptest::collection::vec(".{0,9}", 0..3)) {
        let mixed = json!({"groups": [text, {"value": text}, number], "group_ids": ids});
        let _ = said(mixed, &provisioning(Some("group_ids"), 2));
    }
}
