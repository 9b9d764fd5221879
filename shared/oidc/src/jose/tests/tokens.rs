//! JWTs, and what is done to forge them.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

fn refused(text: &str) -> Option<JwtError> {
    UnverifiedJwt::parse(text).err()
}

#[test]
fn a_jwt_is_read_as_it_was_made() {
    for algorithm in Algorithm::SIGNING {
        for typ in ["JWT", "at+jwt", "logout+jwt", "secevent+jwt"] {
            let text = pair(algorithm).jwt(typ, &json!({"sub": "einstein"}));
            assert!(text.capacity() - text.len() < 16, "one buffer: {} {}", text.capacity(), text.len());
            let jwt = UnverifiedJwt::parse(&text).expect("well formed");
            assert_eq!((jwt.algorithm(), jwt.kid(), jwt.typ()), (Some(algorithm), Some("k1"), Some(typ)));
            assert_eq!(jwt.verify(&VerifyingKey::from_jwk(pair(algorithm).jwk()).expect("a key")), Ok(()));
            assert_eq!(jwt.header().len(), 3);
            assert_eq!(jwt.into_claims(), object(json!({"sub": "einstein"})));
        }
    }
}

#[test]
fn a_jwt_with_a_shared_secret_is_read_as_it_was_made() {
    let text = hs256_jwt(b"a secret", "JWT", &json!({"sub": "einstein"}));
    let jwt = UnverifiedJwt::parse(&text).expect("well formed");
    assert_eq!((jwt.algorithm(), jwt.kid(), jwt.typ()), (Some(Algorithm::Hs256), None, Some("JWT")));
    assert_eq!(jwt.verify_hs256(b"a secret"), Ok(()));
    assert_eq!(jwt.verify_hs256(b"another"), Err(JwtError::Signature));
}

#[test]
fn an_empty_secret_verifies_nothing() {
    let text = hs256_jwt(b"", "JWT", &json!({}));
    assert_eq!(UnverifiedJwt::parse(&text).expect("well formed").verify_hs256(b""), Err(JwtError::Signature));
}

#[test]
fn what_is_printed_of_a_jwt_does_not_make_another() {
    let text = hs256_jwt(b"a secret", "JWT", &json!({"sub": "einstein"}));
    let printed = format!("{:?}", UnverifiedJwt::parse(&text).expect("well formed"));
    assert_eq!(printed, r#"UnverifiedJwt { alg: Some(String("HS256")), kid: None }"#);
}

#[test]
fn g1_none_is_no_algorithm_in_any_case() {
    for algorithm in Algorithm::SIGNING {
        let key = VerifyingKey::from_jwk(pair(algorithm).jwk()).expect("a key");
        let good = pair(algorithm).jwt("JWT", &json!({"sub": "einstein"}));
        let signature = decoded(good.rsplit_once('.').expect("three parts").1);
        for name in ["none", "None", "NONE", "nOnE", "", " none", "null"] {
            for signature in [[].as_slice(), &signature] {
                let text = raw(&json!({"alg": name}), &json!({"sub": "einstein"}), signature);
                let jwt = UnverifiedJwt::parse(&text).expect("well formed");
                assert_eq!(jwt.algorithm(), None, "{name:?}");
                assert_eq!(jwt.verify(&key), Err(JwtError::Algorithm), "{name:?}");
                assert_eq!(jwt.verify_hs256(b"secret"), Err(JwtError::Algorithm), "{name:?}");
                assert_eq!(jwt.is_unsigned(), name == "none" && signature.is_empty(), "{name:?}");
            }
        }
    }
    assert_eq!(refused(&raw(&json!({}), &json!({}), &[])), Some(JwtError::Malformed), "no alg at all");
    assert_eq!(refused(&raw(&json!({"alg": null}), &json!({}), &[])), Some(JwtError::Malformed));
}

/// All encodings of a public key that could be mistaken for a shared secret.
fn public_texts(pair: &SigningKey) -> Vec<Vec<u8>> {
    let jwk = pair.jwk();
    let mut texts = vec![Value::Object(jwk.clone()).to_string().into_bytes()];
    texts.extend(jwk.values().map(|member| member.as_str().expect("a text").as_bytes().to_vec()));
    for member in ["n", "x", "y"] {
        texts.extend(jwk.get(member).map(|member| decoded(member.as_str().expect("a text"))));
    }
    let member = |name: &str| decoded(jwk[name].as_str().expect("a text"));
    let key = match pair.algorithm() {
        Algorithm::Es256 => {
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [vec![4], member("x"), member("y")].concat())
        }
        Algorithm::EdDsa => ParsedPublicKey::new(&ED25519, member("x")),
        _ => {
            RsaPublicKeyComponents { n: member("n"), e: member("e") }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        }
    };
    let der: PublicKeyX509Der<'_> = key.and_then(|key| Ok(key.as_der()?)).expect("is written");
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", STANDARD.encode(der.as_ref()));
    texts.extend([der.as_ref().to_vec(), format!("{pem}\n").into_bytes(), pem.into_bytes()]);
    texts
}

#[test]
fn g2_a_public_key_is_no_shared_secret() {
    for algorithm in Algorithm::SIGNING {
        let key = VerifyingKey::from_jwk(&without(pair(algorithm).jwk(), "alg")).expect("a key");
        let keys = KeySet::parse(&set(&[pair(algorithm).jwk().clone()])).expect("a set");
        for secret in public_texts(pair(algorithm)) {
            let text = hs256_jwt(&secret, "JWT", &json!({"sub": "einstein"}));
            let jwt = UnverifiedJwt::parse(&text).expect("well formed");
            assert_eq!(jwt.verify(&key), Err(JwtError::Algorithm));
            assert!(keys.find(None, Algorithm::Hs256).is_none());
            let signature = decoded(text.rsplit_once('.').expect("three parts").1);
            assert!(!key.verify(Algorithm::Hs256, text.as_bytes(), &signature));
        }
    }
}

#[test]
fn g2_a_key_verifies_no_algorithm_but_its_own() {
    for ours in Algorithm::SIGNING {
        let key = VerifyingKey::from_jwk(pair(ours).jwk()).expect("a key");
        for theirs in Algorithm::SIGNING.into_iter().filter(|theirs| *theirs != ours) {
            let signature = pair(ours).sign(b"message");
            assert!(!key.verify(theirs, b"message", &signature), "{ours} as {theirs}");
            let text = pair(theirs).jwt("JWT", &json!({}));
            let jwt = UnverifiedJwt::parse(&text).expect("well formed");
            assert_eq!(jwt.verify(&key), Err(JwtError::Algorithm), "{theirs} with a key for {ours}");
        }
    }
}

#[test]
fn a_header_that_demands_something_is_refused() {
    for member in ["crit", "zip", "b64"] {
        for value in [json!(["exp"]), json!(false), json!(null), json!("DEF")] {
            let text = raw(&json!({"alg": "ES256", member: value}), &json!({}), &[]);
            assert_eq!(refused(&text), Some(JwtError::Extension), "{member}");
        }
    }
    for header in [
        json!({"alg": 1}),
        json!({"alg": "ES256", "kid": 1}),
        json!({"alg": "ES256", "typ": []}),
        json!([]),
        json!("ES256"),
    ] {
        assert_eq!(refused(&raw(&header, &json!({}), &[])), Some(JwtError::Malformed), "{header}");
    }
    let long = |length| refused(&raw(&json!({"alg": "ES256", "kid": "k".repeat(length)}), &json!({}), &[]));
    assert_eq!((long(MAX_KID), long(MAX_KID + 1)), (None, Some(JwtError::Malformed)));
}

#[test]
fn g2_keys_that_a_token_brings_along_are_not_looked_at() {
    let ours = VerifyingKey::from_jwk(pair(Algorithm::Es256).jwk()).expect("a key");
    let attacker = SigningKey::generate(Algorithm::Es256, "k1").expect("is made");
    let mut header = json!({"alg": "ES256", "kid": "k1", "jwk": attacker.jwk(), "jku": "https://evil.example"});
    for member in ["x5u", "x5c", "x5t", "x5t#S256"] {
        header[member] = json!("https://evil.example");
    }
    let unsigned = raw(&header, &json!({}), &[]);
    let message = unsigned.trim_end_matches('.');
    let text = format!("{message}.{}", URL_SAFE_NO_PAD.encode(attacker.sign(message.as_bytes())));
    let jwt = UnverifiedJwt::parse(&text).expect("well formed");
    assert_eq!(jwt.header().keys().collect::<Vec<_>>(), ["alg", "kid"]);
    assert_eq!(jwt.verify(&ours), Err(JwtError::Signature));
    header["typ"] = json!("dpop+jwt");
    let proof = raw(&header, &json!({}), &[]);
    let proof = UnverifiedJwt::parse(&proof).expect("well formed");
    assert_eq!(proof.header().keys().collect::<Vec<_>>(), ["alg", "jwk", "kid", "typ"]);
}

#[test]
fn a_type_is_compared_as_a_media_type() {
    let is = |typ: &str| {
        let text = raw(&json!({"alg": "ES256", "typ": typ}), &json!({}), &[]);
        UnverifiedJwt::parse(&text).expect("well formed").is_typ("at+jwt")
    };
    assert!(["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"].into_iter().all(is));
    assert!(
        !["JWT", "", "at+jw", "text/at+jwt", "application/", "application/applicatio/at+jwt", "äpplication/"]
            .into_iter()
            .any(is)
    );
    let text = raw(&json!({"alg": "ES256"}), &json!({}), &[]);
    assert!(!UnverifiedJwt::parse(&text).expect("well formed").is_typ("at+jwt"));
}

#[test]
fn the_length_is_bounded() {
    let of = |length: usize| {
        let empty = raw(&json!({"alg": "ES256"}), &json!({}), &[]).len();
        // signatures of whole groups of three bytes fill the text to the byte
        let text = raw(&json!({"alg": "ES256"}), &json!({}), &vec![0; (length - empty) / 4 * 3]);
        refused(&text)
    };
    assert_eq!(of(MAX_JWT), None);
    assert_eq!(of(MAX_JWT + 4), Some(JwtError::TooLong));
}

#[test]
fn parts_are_three_and_in_strict_base64url() {
    let good = raw(&json!({"alg": "ES256"}), &json!({"a": 1}), &[1, 2, 3]);
    let parts: Vec<_> = good.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { panic!("three parts") };
    assert_eq!(refused(&good), None);
    for wrong in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        format!("{header}.{claims}"),
        format!("{good}.{signature}"),
        format!("{good}="),
        format!("{good}\n"),
        format!(" {good}"),
        format!("{header}..{signature}"),
        format!(".{claims}.{signature}"),
        format!("{header}.{claims}.+/+/"),
        format!("{header}.{claims}.A"),
        format!("{header}.{claims}.AB"),
    ] {
        assert_eq!(refused(&wrong), Some(JwtError::Malformed), "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn junk_is_refused(text in ".{0,200}") {
        prop_assert!(UnverifiedJwt::parse(&text).is_err());
    }

    #[test]
    fn junk_of_the_right_shape_is_refused(text in "[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,80}") {
        prop_assert!(UnverifiedJwt::parse(&text).is_err());
    }

    #[test]
    fn no_header_breaks_a_jwt(alg in ".{0,10}", kid in ".{0,20}", typ in ".{0,20}", signature in prop::collection::vec(any::<u8>(), 0..80)) {
        let text = raw(&json!({"alg": alg, "kid": kid, "typ": typ}), &json!({}), &signature);
        let jwt = UnverifiedJwt::parse(&text).expect("well formed");
        prop_assert_eq!(jwt.kid(), Some(kid.as_str()));
        let _ = jwt.is_typ("dpop+jwt");
        prop_assert!(jwt.verify_hs256(b"a secret").is_err());
    }

    #[test]
    fn no_other_signature_is_good(at in 0_usize..64, bit in 0_u8..8) {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
            let mut signature = pair(algorithm).sign(b"message");
            signature[at] ^= 1 << bit;
            let key = VerifyingKey::from_jwk(pair(algorithm).jwk()).expect("a key");
            prop_assert!(!key.verify(algorithm, b"message", &signature));
        }
    }

    #[test]
    fn claims_come_back_as_they_were(sub in ".{0,300}", exp in any::<u64>()) {
        let claims = json!({"sub": sub, "exp": exp});
        let text = hs256_jwt(b"a secret", "JWT", &claims);
        prop_assert_eq!(Value::Object(UnverifiedJwt::parse(&text).expect("well formed").into_claims()), claims);
    }
}
