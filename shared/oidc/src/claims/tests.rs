use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: u64 = 1_800_000_000;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

fn with(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}

#[test]
fn a_time_is_a_number_of_seconds() {
    let at = |value: Value| time(&with("exp", value), "exp");
    assert_eq!(at(json!(NOW)), Ok(Some(now())));
    assert_eq!(at(json!(1.5)), Ok(Some(UNIX_EPOCH + Duration::from_millis(1500))));
    assert_eq!(time(&Map::new(), "exp"), Ok(None));
    let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    assert_eq!(at(json!(1e300)), Ok(Some(last)), "too far away is only far away");
    assert_eq!(at(json!(u64::MAX)), Ok(Some(last)));
    for wrong in [json!("1800000000"), json!(-1), json!(null), json!([NOW]), json!(true)] {
        assert_eq!(at(wrong.clone()), Err(ClaimError::Malformed("exp")), "{wrong}");
    }
}

#[test]
fn times_have_a_leeway_of_five_seconds_and_no_more() {
    let at = |name: &str, value: Value| check_times(&with(name, value), now(), LEEWAY).map(|_| ());
    assert_eq!(at("exp", json!(NOW - 4)), Ok(()));
    assert_eq!(at("exp", json!(NOW - 5)), Err(TimeError::Expired));
    for name in ["nbf", "iat"] {
        assert_eq!(at(name, json!(NOW + 5)), Ok(()));
        assert_eq!(at(name, json!(NOW + 6)), Err(TimeError::NotYet));
        assert!(matches!(at(name, json!("soon")), Err(TimeError::Claim(_))));
    }
    assert_eq!(check_times(&Map::new(), now(), LEEWAY), Ok(None));
}

#[test]
fn a_text_is_bounded_and_not_empty() {
    let of = |value: Value| text(&with("jti", value), "jti", 3).map(|text| text.map(str::to_owned));
    assert_eq!(of(json!("abc")), Ok(Some("abc".to_owned())));
    for wrong in [json!("abcd"), json!(""), json!(1), json!(null), json!(["a"])] {
        assert_eq!(of(wrong.clone()), Err(ClaimError::Malformed("jti")), "{wrong}");
    }
    assert_eq!(text(&Map::new(), "jti", 3), Ok(None));
}

#[test]
fn the_audience_is_compared_byte_for_byte() {
    assert!(is_meant_for(&with("aud", json!("us")), "us"));
    assert!(is_meant_for(&with("aud", json!(["them", "us"])), "us"));
    for aud in [json!("them"), json!([]), json!(["us "]), json!("US"), json!({"us": 1}), json!(null)] {
        assert!(!is_meant_for(&with("aud", aud.clone()), "us"), "{aud}");
    }
    assert!(!is_meant_for(&Map::new(), "us"));
}

#[test]
fn a_sole_audience_is_one() {
    for one in [json!("us"), json!(["us"])] {
        assert_eq!(sole_audience(&with("aud", one)), Some("us"));
    }
    for other in [json!(["us", "them"]), json!(["us", "us"]), json!([]), json!([1]), json!(null)] {
        assert_eq!(sole_audience(&with("aud", other.clone())), None, "{other}");
    }
    assert_eq!(sole_audience(&Map::new()), None);
}

proptest! {
    #[test]
    fn no_times_break_the_check(exp in any::<f64>(), nbf in any::<i64>(), iat in any::<u64>()) {
        let claims = json!({"exp": exp, "nbf": nbf, "iat": iat});
        let _ = check_times(claims.as_object().expect("an object"), now(), LEEWAY);
    }
}
