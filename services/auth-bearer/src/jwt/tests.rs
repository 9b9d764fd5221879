use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://idp.example";

fn rules() -> Rules {
    Rules { issuer: ISSUER.to_owned(), leeway: Duration::from_mins(1), ..Rules::default() }
}

fn verdict(header: &Value, claims: &Value, rules: &Rules) -> Result<(), Reason> {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let token = format!("{}.{}.AAAA", part(header), part(claims));
    let jwt = UnverifiedJwt::parse(&token).map_err(|_| Reason::Malformed)?;
    check(&jwt, rules, UNIX_EPOCH + Duration::from_secs(NOW))
}

fn good() -> Value {
    json!({"iss": ISSUER, "sub": "4c51", "client_id": "web", "scope": "openid", "iat": NOW, "exp": NOW + 9})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    claims[name] = value;
    claims
}

fn said(claims: &Value, rules: &Rules) -> Result<(), Reason> {
    verdict(&json!({"alg": "ES256"}), claims, rules)
}

#[test]
fn only_algorithms_with_key_pairs_are_accepted() {
    for alg in ["none", "None", "nOnE", "", "HS256", "HS384", "RS512", "RS1", "es256"] {
        assert_eq!(verdict(&json!({"alg": alg}), &good(), &rules()), Err(Reason::ForeignToken), "{alg:?}");
    }
    for alg in ["RS256", "PS256", "ES256", "EdDSA"] {
        assert_eq!(verdict(&json!({"alg": alg}), &good(), &rules()), Ok(()), "{alg}");
    }
}

#[test]
fn r1_the_issuer_is_compared_byte_for_byte() {
    assert_eq!(said(&good(), &rules()), Ok(()));
    for iss in ["https://idp.example/", "https://IDP.example", "https://idp.example.evil", ""] {
        assert_eq!(said(&with("iss", json!(iss)), &rules()), Err(Reason::ForeignToken), "{iss}");
    }
    for iss in [json!([ISSUER]), json!(null), json!({})] {
        assert_eq!(said(&with("iss", iss.clone()), &rules()), Err(Reason::ForeignToken), "{iss}");
    }
}

#[test]
fn r3_the_audience_holds_one_of_ours() {
    let rules = Rules { audiences: vec!["us".into(), "also-us".into()], ..rules() };
    for aud in [json!("us"), json!(["them", "us"]), json!("also-us")] {
        assert_eq!(said(&with("aud", aud.clone()), &rules), Ok(()), "{aud}");
    }
    for aud in [json!("them"), json!([]), json!(["us "]), json!({"us": 1}), json!(null)] {
        assert_eq!(said(&with("aud", aud.clone()), &rules), Err(Reason::ForeignToken), "{aud}");
    }
    assert_eq!(said(&good(), &rules), Err(Reason::ForeignToken), "none is none of ours");
}

#[test]
fn r3_the_client_it_was_issued_to_is_one_of_ours() {
    let rules = Rules { authorized_parties: vec!["web".into()], ..rules() };
    assert_eq!(said(&with("azp", json!("web")), &rules), Ok(()));
    assert_eq!(said(&with("client_id", json!("web")), &rules), Ok(()));
    let mut missing = good();
    missing.as_object_mut().expect("an object").remove("client_id");
    for claims in [missing, with("azp", json!("other")), with("azp", json!(["web"])), with("client_id", json!("other"))]
    {
        assert_eq!(said(&claims, &rules), Err(Reason::ForeignToken), "{claims}");
    }
    let mut two = with("azp", json!("web"));
    two["client_id"] = json!("other");
    assert_eq!(said(&two, &rules), Err(Reason::ForeignToken), "both are what it says");
}

#[test]
fn r3_the_type_is_at_jwt_where_the_issuer_says_so() {
    let typed = |typ: &str, only| {
        let rules = Rules { at_jwt_only: only, ..rules() };
        verdict(&json!({"alg": "ES256", "typ": typ}), &good(), &rules)
    };
    for typ in ["at+jwt", "application/at+jwt", "AT+JWT"] {
        assert_eq!((typed(typ, true), typed(typ, false)), (Ok(()), Ok(())), "{typ}");
    }
    for typ in ["JWT", "jwt", "application/jwt"] {
        assert_eq!((typed(typ, true), typed(typ, false)), (Err(Reason::Malformed), Ok(())), "{typ}");
    }
    for typ in ["logout+jwt", "dpop+jwt", "token-introspection+jwt", "x"] {
        assert_eq!((typed(typ, true), typed(typ, false)), (Err(Reason::Malformed), Err(Reason::Malformed)), "{typ}");
    }
    let at_jwt_only = Rules { at_jwt_only: true, ..rules() };
    assert_eq!(said(&good(), &at_jwt_only), Err(Reason::Malformed), "no type is not that type");
}

#[test]
fn id_tokens_and_other_tokens_are_never_accepted() {
    for name in ["nonce", "at_hash", "c_hash", "s_hash", "events"] {
        for typ in ["at+jwt", "JWT"] {
            let header = json!({"alg": "ES256", "typ": typ});
            assert_eq!(verdict(&header, &with(name, json!("x")), &rules()), Err(Reason::Malformed), "{name} {typ}");
        }
    }
    let bare =
        json!({"iss": ISSUER, "sub": "4c51", "aud": "web", "azp": "web", "auth_time": NOW, "iat": NOW, "exp": NOW + 9});
    assert_eq!(said(&bare, &rules()), Err(Reason::Malformed), "an ID token looks like this");
    for (name, good_kind, bad_kinds) in [
        ("typ", json!("Bearer"), [json!("ID"), json!("Refresh"), json!(1)]),
        ("lg.t", json!("1"), [json!("2"), json!(1), json!("")]),
    ] {
        let mut claims = bare.clone();
        claims[name] = good_kind;
        assert_eq!(said(&claims, &rules()), Ok(()), "{claims}");
        for bad in bad_kinds {
            assert_eq!(said(&with(name, bad.clone()), &rules()), Err(Reason::Malformed), "{name} {bad}");
        }
    }
}

/// As a Kubernetes API server writes it: without a type, and without the claims of access tokens.
#[test]
fn token_of_a_kubernetes_service_account_is_accepted_for_the_audience_alone() {
    let rules = Rules { audiences: vec!["doorward".into()], ..rules() };
    let names = |account: Value| json!({"namespace": "default", "serviceaccount": account});
    let token = |aud: &str, names: Value| {
        json!({
            "iss": ISSUER, "sub": "system:serviceaccount:default:reporter", "aud": [aud], "kubernetes.io": names,
            "iat": NOW, "nbf": NOW, "exp": NOW + 9, "jti": "8d2f",
        })
    };
    let account = || names(json!({"name": "reporter", "uid": "7a1e"}));
    assert_eq!(said(&token("doorward", account()), &rules), Ok(()));
    assert_eq!(said(&token("https://kubernetes.default.svc", account()), &rules), Err(Reason::ForeignToken));
    for other in [names(json!("reporter")), json!({"namespace": "default"}), json!("serviceaccount"), json!(null)] {
        assert_eq!(said(&token("doorward", other.clone()), &rules), Err(Reason::Malformed), "{other}");
    }
    let mut id_token = token("doorward", account());
    id_token["nonce"] = json!("n");
    assert_eq!(said(&id_token, &rules), Err(Reason::Malformed));
}

#[test]
fn a_token_that_is_bound_to_a_key_is_rejected() {
    for cnf in [json!({"jkt": "x"}), json!({"x5t#S256": "x"}), json!(null)] {
        assert_eq!(said(&with("cnf", cnf), &rules()), Err(Reason::Policy));
    }
}

#[test]
fn issuer_clock_may_be_ahead_by_the_configured_leeway_and_tokens_end_within_five_seconds() {
    let at = |name: &str, value: Value| said(&with(name, value), &rules());
    assert_eq!(at("exp", json!(NOW - 4)), Ok(()));
    assert_eq!(at("exp", json!(NOW - 5)), Err(Reason::Expired));
    assert_eq!(at("exp", json!(0)), Err(Reason::Expired));
    for wrong in [json!("9999999999"), json!(-1), json!(null), json!([NOW + 9])] {
        assert_eq!(at("exp", wrong.clone()), Err(Reason::Malformed), "{wrong}");
    }
    for name in ["nbf", "iat"] {
        assert_eq!(at(name, json!(NOW + 60)), Ok(()));
        assert_eq!(at(name, json!(NOW + 61)), Err(Reason::Malformed));
        let strict = Rules { leeway: Duration::ZERO, ..rules() };
        assert_eq!(said(&with(name, json!(NOW + 1)), &strict), Err(Reason::Malformed));
        assert_eq!(at(name, json!("soon")), Err(Reason::Malformed));
    }
    assert_eq!(at("exp", json!(1e300)), Ok(()), "too far away is only far away");
    for name in ["exp", "iat"] {
        let mut without = good();
        without.as_object_mut().expect("an object").remove(name);
        assert_eq!(said(&without, &rules()), Err(Reason::Malformed), "without {name}");
    }
}

proptest! {
    #[test]
    fn no_claims_break_the_check(exp in any::<f64>(), nbf in any::<i64>(), aud in ".{0,20}", azp in ".{0,20}") {
        let rules = Rules { audiences: vec!["us".into()], authorized_parties: vec!["web".into()], ..rules() };
        let claims = json!({"iss": ISSUER, "scope": "x", "exp": exp, "nbf": nbf, "aud": aud, "azp": azp});
        let verdict = said(&claims, &rules);
        prop_assert!(verdict.is_err() || (aud == "us" && azp == "web"));
    }

    #[test]
    fn no_header_makes_a_token_of_another_kind_good(typ in "[a-zA-Z+/]{0,12}", alg in "[A-Za-z0-9]{0,6}") {
        let verdict = verdict(&json!({"alg": alg, "typ": typ}), &good(), &rules());
        let lower = typ.to_ascii_lowercase();
        let known = ["jwt", "at+jwt", "application/jwt", "application/at+jwt"].contains(&lower.as_str());
        prop_assert!(verdict.is_err() || (known && ["RS256", "PS256", "ES256", "EdDSA"].contains(&alg.as_str())));
    }
}
