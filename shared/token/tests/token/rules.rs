//! The requirements on the internal token, one by one.

use std::{sync::Arc, time::Duration};

use crate::support::{NOW, SECRET, alan, at, forge, forge_with, ring, signed, verifier};
use authn::{Authenticated, role};
use secrecy::SecretString;
use serde_json::{Value, json};
use status::Kind;
use token::{Defect, KeyError, KeyRing, LEEWAY, Minter, TokenError, Verifier};
use tonic::metadata::MetadataMap;

/// What the verifier says to a token at [`NOW`].
fn defect(token: &str) -> Option<Defect> {
    match verifier().verify(at(NOW), token) {
        Ok(_) => None,
        Err(TokenError::Invalid(defect)) => Some(defect),
        Err(error) => panic!("{error:?}"),
    }
}

/// The claims of a valid token, changed.
fn claims(change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = json!({
        "iss": "https://idp.example.org",
        "aud": ["reva"],
        "exp": NOW + 300,
        "iat": NOW,
        "user": {"id": {"idp": "https://idp.example.org", "opaque_id": "b1f74ec4", "type": 1}, "username": "alan"},
        "scope": {"user": {"resource": {"decoder": "json", "value": "eyJwYXRoIjoiLyJ9"}, "role": 1}},
    });
    change(&mut claims);
    claims
}

fn header(header: &Value) -> Option<Defect> {
    defect(&forge_with(header, &claims(|_| {}), SECRET))
}

fn body(change: impl FnOnce(&mut Value)) -> Option<Defect> {
    defect(&forge(&claims(change)))
}

#[test]
fn valid_token_is_accepted() {
    assert_eq!(body(|_| {}), None);
}

/// Row G1.
#[test]
fn alg_none_is_refused() {
    for alg in ["none", "None", "nOnE", "NONE", "", "hs256", "HS256 ", "HS384", "HS512", "RS256", "EdDSA", "dir"] {
        let head = json!({"alg": alg, "typ": "JWT"});
        assert_eq!(header(&head), Some(Defect::Algorithm), "{alg:?} with a good signature");
        let token = forge_with(&head, &claims(|_| {}), SECRET);
        let (unsigned, _) = token.rsplit_once('.').unwrap();
        assert_eq!(defect(&format!("{unsigned}.")), Some(Defect::Algorithm), "{alg:?} without a signature");
    }
    for head in [json!({"typ": "JWT"}), json!({"alg": null, "typ": "JWT"}), json!({"alg": ["HS256"], "typ": "JWT"})] {
        assert_eq!(header(&head), Some(Defect::Header), "{head}");
    }
    let good = forge(&claims(|_| {}));
    let (unsigned, _) = good.rsplit_once('.').unwrap();
    for signature in ["", "AA", "A", "!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(defect(&format!("{unsigned}.{signature}")), Some(Defect::Signature), "{signature:?}");
    }
}

/// Row G2.
#[test]
fn key_of_another_kind_is_refused() {
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"}"#;
    for key in [pem, pem.trim_end(), jwk, "", "another secret that is long enough", &SECRET[1..]] {
        let token = forge_with(&json!({"alg": "HS256", "typ": "JWT"}), &claims(|_| {}), key);
        assert_eq!(defect(&token), Some(Defect::Signature), "{key:?}");
    }
}

/// Row G3.
#[test]
fn key_id_is_opaque() {
    let with = |kid: &Value| header(&json!({"alg": "HS256", "typ": "JWT", "kid": kid}));
    assert_eq!(with(&json!("2026-01_a")), None, "a plain one is not looked at");
    let long = "k".repeat(1024 * 1024);
    let odd = ["../../dev/null", "' OR 1=1--", "https://evil.example/key", "a\0b", &"k".repeat(65)];
    for kid in odd {
        assert_eq!(with(&json!(kid)), Some(Defect::Header), "{kid:?}");
    }
    assert_eq!(with(&json!(long)), Some(Defect::TooLarge));
    assert_eq!(with(&json!("k".repeat(1024))), Some(Defect::Header));
    assert_eq!(with(&json!(1)), Some(Defect::Header));
    let foreign = json!({"alg": "HS256", "typ": "JWT", "kid": "key-1"});
    let token = forge_with(&foreign, &claims(|_| {}), "a secret that the key id might point to");
    assert_eq!(defect(&token), Some(Defect::Signature));
}

/// Row G4.
#[test]
fn token_cannot_bring_its_key_along() {
    let brought = [
        ("jwk", json!({"kty": "oct", "k": "c2VjcmV0"})),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MIIB"])),
    ];
    for (name, value) in brought {
        for value in [value, Value::Null] {
            let mut head = json!({"alg": "HS256", "typ": "JWT"});
            head[name] = value;
            assert_eq!(header(&head), Some(Defect::Header), "{head}");
        }
    }
}

/// Row G5.
#[test]
fn demands_and_other_forms_are_refused() {
    let demands = [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", Value::Null),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("cty", json!("JWT")),
        ("b64", json!(false)),
    ];
    for (name, value) in demands {
        let mut head = json!({"alg": "HS256", "typ": "JWT"});
        head[name] = value;
        assert_eq!(header(&head), Some(Defect::Header), "{head}");
    }
    let pbes2 = json!({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 1_000_000_000, "p2s": "AA", "typ": "JWT"});
    assert!(header(&pbes2).is_some());
    let twice = r#"{"alg":"none","alg":"HS256","typ":"JWT"}"#;
    assert_eq!(defect(&signed(twice, &claims(|_| {}).to_string(), SECRET)), Some(Defect::Header));
    let both = json!({"alg": "HS256", "typ": "JWT", "crit": ["x"], "jku": "https://evil.example"});
    assert_eq!(header(&both), Some(Defect::Header));
    assert_eq!(defect("a.b.c.d.e"), Some(Defect::Header), "five parts are a JWE");
}

/// Row G6.
#[test]
fn every_claim_is_required() {
    for name in ["exp", "iat", "aud", "user"] {
        let without = |claims: &mut Value| _ = claims.as_object_mut().unwrap().remove(name);
        assert_eq!(body(without), Some(Defect::Malformed), "{name}");
        assert_eq!(body(|claims| claims[name] = Value::Null), Some(Defect::Malformed), "{name}");
    }
    assert_eq!(body(|claims| claims["user"]["id"]["opaque_id"] = json!("")), Some(Defect::NoUser));
    assert_eq!(body(|claims| claims["user"] = json!({})), Some(Defect::NoUser));
    assert_eq!(body(|claims| claims["iss"] = json!("https://evil.example")), Some(Defect::Issuer));
    assert_eq!(body(|claims| _ = claims.as_object_mut().unwrap().remove("iss")), Some(Defect::Issuer));
    for typ in [json!("at+jwt"), json!("dpop+jwt"), json!("logout+jwt"), json!(""), Value::Null] {
        assert_eq!(header(&json!({"alg": "HS256", "typ": typ})), Some(Defect::Header), "{typ}");
    }
    assert_eq!(header(&json!({"alg": "HS256"})), Some(Defect::Header));
}

/// Row G6.
#[test]
fn audience_is_the_family() {
    assert_eq!(body(|claims| claims["aud"] = json!("reva")), None);
    assert_eq!(body(|claims| claims["aud"] = json!(["other", "reva"])), None);
    for aud in [json!("web"), json!(["web"]), json!([]), json!(""), json!("reva "), json!("Reva"), json!(["reva,x"])] {
        assert_eq!(body(|claims| claims["aud"] = aud.clone()), Some(Defect::Audience), "{aud}");
    }
    for aud in [json!([["reva"]]), json!({"reva": true}), json!([1, "reva"]), json!(true)] {
        assert_eq!(body(|claims| claims["aud"] = aud.clone()), Some(Defect::Malformed), "{aud}");
    }
}

/// Row G6.
#[test]
fn times_have_five_seconds_of_leeway() {
    assert_eq!(LEEWAY, Duration::from_secs(5));
    assert_eq!(body(|claims| claims["exp"] = json!(NOW - 4)), None);
    assert_eq!(body(|claims| claims["exp"] = json!(NOW - 5)), Some(Defect::Expired));
    assert_eq!(body(|claims| claims["exp"] = json!(NOW - 3600)), Some(Defect::Expired));
    assert_eq!(body(|claims| claims["exp"] = json!(0)), Some(Defect::Expired));
    for name in ["iat", "nbf"] {
        assert_eq!(body(|claims| claims[name] = json!(NOW + 5)), None, "{name}");
        assert_eq!(body(|claims| claims[name] = json!(NOW + 6)), Some(Defect::NotYetValid), "{name}");
        assert_eq!(body(|claims| claims[name] = json!(NOW + 3600)), Some(Defect::NotYetValid), "{name}");
    }
    for odd in [json!("1"), json!(-1), json!(u64::MAX), json!(1e300), json!(1.5), json!([]), json!(true)] {
        for name in ["exp", "iat", "nbf"] {
            assert_eq!(body(|claims| claims[name] = odd.clone()), Some(Defect::Malformed), "{name} {odd}");
        }
    }
}

/// Row G7.
#[test]
fn token_expires_with_its_credential() {
    let minter = Minter::new(ring(), Duration::from_mins(5), false);
    let ends = |not_after: Option<f64>| {
        let answer = Authenticated { not_after: not_after.map(|end| at(NOW) + Duration::from_secs_f64(end)), ..alan() };
        let token = minter.mint(at(NOW), &answer)?;
        Ok::<_, TokenError>(verifier().verify(at(NOW), &token)?.expires_at)
    };
    assert_eq!(ends(None).unwrap(), at(NOW + 300));
    assert_eq!(ends(Some(20.0)).unwrap(), at(NOW + 20));
    assert_eq!(ends(Some(20.9)).unwrap(), at(NOW + 20), "rounded down");
    assert_eq!(ends(Some(3600.0)).unwrap(), at(NOW + 300));
    for ended in [0.0, 0.9] {
        let error = ends(Some(ended)).unwrap_err();
        assert!(matches!(error, TokenError::Ended), "{error:?}");
        assert_eq!(error.kind(), Kind::Unauthenticated);
    }
    let past = Authenticated { not_after: Some(at(NOW - 1)), ..alan() };
    assert!(matches!(minter.mint(at(NOW), &past), Err(TokenError::Ended)));
}

/// Row G8.
#[test]
fn short_secret_is_refused_without_showing_it() {
    let secret = |length: usize| SecretString::from("s3cr3t-".repeat(10)[..length].to_owned());
    assert!(KeyRing::new(&secret(32), None).is_ok());
    assert!(KeyRing::new(&secret(32), Some(&secret(0))).is_ok(), "an empty previous secret is none");
    let error = KeyRing::new(&secret(31), None).err().unwrap();
    assert_eq!(error, KeyError::TooShort { variable: "OCIS_JWT_SECRET", length: 31 });
    assert!(error.to_string().contains("OCIS_JWT_SECRET") && !error.to_string().contains("s3cr3t"), "{error}");
    assert!(KeyRing::new(&secret(0), None).is_err());
    let error = KeyRing::new(&secret(32), Some(&secret(31))).err().unwrap();
    assert_eq!(error, KeyError::TooShort { variable: "OCIS_JWT_SECRET_PREVIOUS", length: 31 });
}

/// Row G9.
#[test]
fn rotation_loses_no_token_and_ends_with_the_old_secret() {
    let secret = |letter: &str| SecretString::from(letter.repeat(32));
    let (first, second, third) = (secret("a"), secret("b"), secret("c"));
    let ring = Arc::new(KeyRing::new(&first, None).unwrap());
    let minter = Minter::new(ring.clone(), Duration::from_mins(5), false);
    let verifier = Verifier::new(ring.clone());
    let only = |secret: &SecretString| Verifier::new(Arc::new(KeyRing::new(secret, None).unwrap()));

    let old = minter.mint(at(NOW), &alan()).unwrap();
    ring.replace(&second, Some(&first)).unwrap();
    assert!(verifier.verify(at(NOW), &old).is_ok(), "the previous secret is accepted");
    let new = minter.mint(at(NOW), &alan()).unwrap();
    assert!(only(&second).verify(at(NOW), &new).is_ok(), "the current one signs");
    assert!(only(&first).verify(at(NOW), &new).is_err(), "the previous one does not");

    assert!(ring.replace(&secret(""), None).is_err());
    assert!(verifier.verify(at(NOW), &new).is_ok(), "a bad replacement changes nothing");

    ring.introduce(&third, &second).unwrap();
    let before = minter.mint(at(NOW), &alan()).unwrap();
    assert!(only(&second).verify(at(NOW), &before).is_ok(), "an introduced secret does not sign yet");
    let by_third = Minter::new(Arc::new(KeyRing::new(&third, None).unwrap()), Duration::from_mins(5), false);
    assert!(verifier.verify(at(NOW), &by_third.mint(at(NOW), &alan()).unwrap()).is_ok(), "and is accepted");

    ring.replace(&third, Some(&second)).unwrap();
    assert!(matches!(verifier.verify(at(NOW), &old), Err(TokenError::Invalid(Defect::Signature))), "a dropped secret");
    assert!(verifier.verify(at(NOW), &new).is_ok());
}

#[test]
fn rotation_under_load_fails_no_call() {
    let secrets = ["a", "b", "c"].map(|letter| SecretString::from(letter.repeat(32)));
    let ring = Arc::new(KeyRing::new(&secrets[0], None).unwrap());
    let minter = Minter::new(ring.clone(), Duration::from_mins(5), false);
    let verifier = Verifier::new(ring.clone());
    let tokens: Vec<String> = (0..50).map(|_| minter.mint(at(NOW), &alan()).unwrap()).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for secret in &secrets[1..] {
                ring.replace(secret, Some(&secrets[0])).unwrap();
            }
        });
        scope.spawn(|| tokens.iter().for_each(|token| assert!(verifier.verify(at(NOW), token).is_ok())));
    });
}

#[test]
fn a_huge_token_is_neither_read_nor_minted() {
    assert_eq!(defect(&"a".repeat(64 * 1024 + 1)), Some(Defect::TooLarge));
    let mut answer = alan();
    Arc::make_mut(&mut answer.user).groups = (0..3000).map(|number| format!("group-{number:030}")).collect();
    let error = Minter::new(ring(), Duration::from_mins(5), false).mint(at(NOW), &answer).unwrap_err();
    assert!(matches!(error, TokenError::Oversized), "{error:?}");
    let token = Minter::new(ring(), Duration::from_mins(5), true).mint(at(NOW), &answer).unwrap();
    assert!(verifier().verify(at(NOW), &token).unwrap().user.groups.is_empty(), "without groups it fits");
}

#[test]
fn groups_beyond_the_bound_are_omitted_and_marked() {
    let mut answer = alan();
    let read = |answer: &Authenticated, most: usize| {
        let minter = Minter::new(ring(), Duration::from_mins(5), false).with_max_groups_size(most);
        let claims = verifier().verify(at(NOW), &minter.mint(at(NOW), answer).unwrap()).unwrap();
        (claims.user.groups.len(), claims.groups_omitted)
    };
    for count in [0, 1, 1000] {
        Arc::make_mut(&mut answer.user).groups = (0..count).map(|number| format!("group-{number:030}")).collect();
        // each name has 36 characters, and takes three more
        assert_eq!(read(&answer, count * 39), (count, false), "{count} fit");
        assert_eq!(read(&answer, (count * 39).saturating_sub(1)), (0, count > 0), "{count} do not");
    }
}

#[test]
fn user_without_identifier_gets_no_token() {
    let mut answer = alan();
    Arc::make_mut(&mut answer.user).id.opaque_id.clear();
    let error = Minter::new(ring(), Duration::from_mins(5), false).mint(at(NOW), &answer).unwrap_err();
    assert!(matches!(error, TokenError::Unidentified), "{error:?}");
}

fn metadata(values: &[&str]) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    for value in values {
        metadata.append(token::METADATA_KEY, value.parse().unwrap());
    }
    metadata
}

#[test]
fn first_token_that_is_not_empty_identifies_the_caller() {
    let good = forge(&claims(|_| {}));
    let user =
        |values: &[&str]| token::authorize(&verifier(), at(NOW), &metadata(values)).map(|claims| claims.user.username);
    assert_eq!(user(&[&good]).unwrap(), "alan");
    assert_eq!(user(&["", &good]).unwrap(), "alan");
    for none in [&[][..], &[""]] {
        let error = user(none).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Unauthenticated, "core access token not found"));
    }
    let error = user(&["x", &good]).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::PermissionDenied, "core access token is invalid"));
}

#[test]
fn only_an_active_administrator_with_full_access_administers() {
    let allowed = |change: fn(&mut Authenticated)| {
        let mut answer = alan();
        Arc::make_mut(&mut answer.user).roles = vec![role::ADMIN.to_owned()];
        change(&mut answer);
        let token = Minter::new(ring(), Duration::from_mins(5), true).mint(at(NOW), &answer).unwrap();
        match token::authorize_admin(&verifier(), at(NOW), &metadata(&[&token])) {
            Ok(_) => true,
            Err(TokenError::NotAdministrator | TokenError::Program) => false,
            Err(error) => panic!("{error:?}"),
        }
    };
    assert!(allowed(|_| {}));
    assert!(!allowed(|answer| Arc::make_mut(&mut answer.user).roles.clear()));
    assert!(!allowed(|answer| Arc::make_mut(&mut answer.user).roles = vec![role::USER.to_owned()]));
    assert!(!allowed(|answer| Arc::make_mut(&mut answer.user).status = authn::UserStatus::Blocked));
    assert!(!allowed(|answer| answer.scopes = Arc::default()));
    // `docs/security-requirements.md#s7`
    assert!(!allowed(|answer| answer.actor = Some("backup".into())));
    assert!(!allowed(|answer| answer.amr = authn::amr::APP.into()));
    assert!(!allowed(|answer| answer.amr = authn::amr::OIDC_CLIENT.into()));
    assert!(!allowed(|answer| answer.amr = authn::amr::MACHINE.into()));
    assert!(!allowed(|answer| answer.amr = authn::amr::SERVICE.into()));
    assert!(!allowed(|answer| answer.amr = "".into()), "a kind of credential that is not known");
    assert!(matches!(token::authorize_admin(&verifier(), at(NOW), &MetadataMap::new()), Err(TokenError::Missing)));
}

#[test]
fn a_provisioner_is_let_in_where_people_are_made_and_nowhere_else() {
    let minter = Minter::new(ring(), Duration::from_mins(1), true);
    let metadata = |answer: &Authenticated| {
        let mut metadata = MetadataMap::new();
        metadata.insert(token::METADATA_KEY, minter.mint(at(NOW), answer).unwrap().parse().unwrap());
        metadata
    };
    let good = token::provisioner("auth-bearer");
    let claims = token::authorize_provisioner(&verifier(), at(NOW), &metadata(&good)).expect("it is let in");
    assert!(claims.is_provisioner() && !claims.is_admin());
    assert!(!claims.scopes.is_full_user() && !claims.scopes.allow(&authn::Access::Other));
    let refused = token::authorize_admin(&verifier(), at(NOW), &metadata(&good));
    assert!(matches!(refused, Err(TokenError::NotAdministrator)));

    // what an authenticator might answer with
    let other_way = Authenticated { amr: "app".into(), ..good.clone() };
    let person = Authenticated { user: alan().user, ..good.clone() };
    let mut more = good;
    Arc::make_mut(&mut more.scopes).0.extend(authn::Scopes::full_user().0);
    for close in [other_way, person, more] {
        let refused = token::authorize_provisioner(&verifier(), at(NOW), &metadata(&close));
        assert!(matches!(refused, Err(TokenError::NotAdministrator)), "{close:?}");
    }
}

/// `docs/security-requirements.md#x11`
#[test]
fn actors_that_cannot_be_read_make_a_token_malformed() {
    let verify = |act: Value| {
        let user = json!({"id": {"opaque_id": "7"}});
        let claims = json!({"aud": ["reva"], "exp": NOW + 9, "iat": NOW, "user": user, "act": act});
        verifier().verify(at(NOW), &forge(&claims)).map(|claims| claims.actor.map(|actor| actor.to_string()))
    };
    let four = json!({"sub": "d", "act": {"sub": "c", "act": {"sub": "b", "act": {"sub": "a"}}}});
    assert_eq!(verify(four.clone()).unwrap().as_deref(), Some("d < c < b < a"));
    assert_eq!(verify(json!({"sub": "portal", "iss": "https://idp"})).unwrap().as_deref(), Some("portal"));
    assert_eq!(verify(Value::Null).unwrap(), None);
    for act in [json!({"sub": "e", "act": four}), json!({"sub": ""}), json!({}), json!("portal"), json!([])] {
        let refused = verify(act.clone());
        assert!(matches!(refused, Err(TokenError::Invalid(Defect::Malformed))), "{act}: {refused:?}");
    }
}
