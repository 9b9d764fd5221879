use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: u64 = 1_800_000_000;

fn verdict(body: &str, rules: &Rules) -> Result<Claims, Failure> {
    introspected(body.as_bytes(), rules, UNIX_EPOCH + Duration::from_secs(NOW))
}

fn rules() -> Rules {
    Rules { issuer: "https://idp.example".to_owned(), ..Rules::default() }
}

fn with(name: &str, value: Value) -> String {
    let mut said = json!({"active": true, "token_type": "Bearer", "sub": "4c51", "client_id": "web", "exp": NOW + 9});
    said[name] = value;
    said.to_string()
}

#[test]
fn r5_only_what_is_said_to_be_an_active_access_token_is_one() {
    verdict(&with("x", json!(1)), &rules()).expect("it is");
    assert_eq!(verdict(&json!({"active": false}).to_string(), &rules()), Err(Reason::Unstated.into()));
    for (name, value, reason) in [
        ("exp", json!(NOW - 5), Reason::Expired),
        ("nbf", json!(NOW + 6), Reason::Malformed),
        ("iss", json!("https://idp.example/"), Reason::ForeignToken),
        ("iss", json!(["https://idp.example"]), Reason::ForeignToken),
        ("token_type", json!("DPoP"), Reason::Malformed),
        ("token_type", json!(null), Reason::Malformed),
        ("token_use", json!("refresh_token"), Reason::Malformed),
        ("typ", json!("Refresh"), Reason::Malformed),
        ("cnf", json!({"jkt": "x"}), Reason::Policy),
        ("sub", json!(""), Reason::Malformed),
    ] {
        assert_eq!(verdict(&with(name, value.clone()), &rules()), Err(reason.into()), "{name} {value}");
    }
    let refresh = json!({"active": true, "sub": "4c51"}).to_string();
    assert_eq!(verdict(&refresh, &rules()), Err(Reason::Malformed.into()), "it may be a refresh token");
}

#[test]
fn r3_for_whom_an_opaque_token_is_counts_where_it_is_configured() {
    let rules = Rules { audiences: vec!["us".into()], authorized_parties: vec!["web".into()], ..rules() };
    let said = |aud: &str, client: &str| {
        json!({"active": true, "token_type": "bearer", "sub": "4c51", "aud": aud, "client_id": client}).to_string()
    };
    verdict(&said("us", "web"), &rules).expect("it is ours");
    for (aud, client) in [("them", "web"), ("us", "other")] {
        assert_eq!(verdict(&said(aud, client), &rules), Err(Reason::ForeignToken.into()));
    }
}

#[test]
fn what_says_nothing_is_no_verdict() {
    for body in ["", "{}", "[]", "true", r#"{"active":"true"}"#, r#"{"active":1}"#, "<html>"] {
        assert!(matches!(verdict(body, &rules()), Err(Failure::Unavailable(_))), "{body}");
    }
}

#[test]
fn the_name_of_introspection_is_the_name_of_openid_connect() {
    let name = crate::claims::Path::name("preferred_username");
    let claims = verdict(&with("username", json!("einstein")), &rules()).expect("it is");
    assert_eq!(claims.text(&name), Some("einstein"));
}

#[test]
fn a_credential_is_encoded_before_it_is_joined() {
    let client = Client { id: "a:b".into(), secret: "p w%ü".into(), in_form: false };
    let value = basic(&client);
    assert!(value.is_sensitive());
    let text = value.to_str().expect("ASCII").strip_prefix("Basic ").expect("Basic");
    assert_eq!(STANDARD.decode(text).expect("base64"), b"a%3Ab:p+w%25%C3%BC");
}

proptest! {
    #[test]
    fn no_answer_breaks_the_reader(body in ".{0,80}", active in any::<bool>(), exp in any::<f64>(), sub in ".{0,9}") {
        let _ = verdict(&body, &rules());
        let said = json!({"active": active, "token_type": "Bearer", "exp": exp, "sub": sub}).to_string();
        let verdict = verdict(&said, &rules());
        prop_assert!(active || verdict.is_err());
    }
}
