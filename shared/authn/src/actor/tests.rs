use serde_json::json;

use super::*;

fn read(claim: &Value) -> Result<Option<Actor>, InvalidActor> {
    Actor::read(Some(claim))
}

#[test]
fn chain_survives_being_written_and_read() {
    for claim in [json!({"sub": "a"}), json!({"sub": "c", "act": {"sub": "b", "act": {"sub": "a"}}})] {
        let actor = read(&claim).expect("an actor").expect("one");
        assert_eq!(serde_json::to_value(&actor).expect("is written"), claim);
    }
    let flat = serde_json::to_string(&Actor::from("svc")).expect("is written");
    assert_eq!(flat, r#"{"sub":"svc"}"#);
}

#[test]
fn current_actor_is_named_first_and_other_members_are_dropped() {
    let claim = json!({"sub": "b", "iss": "https://idp", "act": {"sub": "a", "client_id": "x"}});
    let actor = read(&claim).expect("an actor").expect("one");
    assert_eq!((actor.subject(), actor.to_string().as_str()), ("b", "b < a"));
    assert_eq!(actor.subjects().collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(Actor::from("b").nested_in("a".into()), Ok(actor));
}

/// `docs/security-requirements.md#x11`
#[test]
fn act_that_cannot_be_read_is_refused_and_never_left_out() {
    let long = "x".repeat(MAX_SUBJECT + 1);
    let five = json!({"sub": "e", "act": {"sub": "d", "act": {"sub": "c", "act": {"sub": "b", "act": {"sub": "a"}}}}});
    let nested = json!({"sub": "b", "act": {"sub": ""}});
    for claim in [json!("a"), json!(["a"]), json!({}), json!({"sub": 7}), json!({"sub": ""}), json!({"sub": long})] {
        assert_eq!(read(&claim), Err(InvalidActor), "{claim}");
    }
    for claim in [five, nested, json!({"sub": "b", "act": "a"})] {
        assert_eq!(read(&claim), Err(InvalidActor), "{claim}");
    }
    assert_eq!(Actor::read(None), Ok(None));
    assert_eq!(read(&Value::Null), Ok(None));
}

#[test]
fn four_actors_fit_and_a_fifth_does_not() {
    let chain =
        ["b", "c", "d"].into_iter().try_fold(Actor::from("a"), |former, sub| Actor::from(sub).nested_in(former));
    let chain = chain.expect("four actors");
    assert_eq!(chain.to_string(), "d < c < b < a");
    assert_eq!(Actor::from("e").nested_in(chain), Err(InvalidActor));
}

#[test]
fn former_actors_are_counted_in_the_size() {
    let alone = Actor::from("a").heap_size();
    let nested = Actor::from("a").nested_in("b".into()).expect("two actors").heap_size();
    assert!(nested > alone + size_of::<Actor>(), "{nested}");
}
