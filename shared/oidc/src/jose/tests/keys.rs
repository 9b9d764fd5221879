//! Keys and key sets.

use proptest::prelude::*;

use super::*;

fn is_shared_between_threads<T: Send + Sync>() {}

#[test]
fn keys_are_shared_between_threads() {
    is_shared_between_threads::<SigningKey>();
    is_shared_between_threads::<VerifyingKey>();
    is_shared_between_threads::<KeySet>();
}

#[test]
fn every_algorithm_has_one_name() {
    for algorithm in Algorithm::SIGNING.into_iter().chain([Algorithm::Hs256]) {
        assert_eq!(algorithm.name().parse(), Ok(algorithm));
        assert_eq!(algorithm.to_string(), algorithm.name());
        assert_eq!(algorithm.is_asymmetric(), Algorithm::SIGNING.contains(&algorithm));
    }
    for other in ["", "none", "rs256", "RS256 ", "RS512", "HS512", "ES256K", "EdDsa", "Ed25519"] {
        assert_eq!(other.parse::<Algorithm>(), Err(UnknownAlgorithm), "{other:?}");
    }
}

#[test]
fn what_a_key_signs_its_public_half_verifies() {
    for algorithm in Algorithm::SIGNING {
        let key = VerifyingKey::from_jwk(pair(algorithm).jwk()).expect("our own JWK");
        let signature = pair(algorithm).sign(b"message");
        assert!(key.verify(algorithm, b"message", &signature), "{algorithm}");
        assert!(!key.verify(algorithm, b"massage", &signature), "{algorithm}");
        assert!(!key.verify(algorithm, b"message", &signature[1..].to_vec()), "{algorithm}");
        assert_eq!(key.kid(), Some("k1"));
    }
}

#[test]
fn a_key_survives_being_written_and_read() {
    for algorithm in Algorithm::SIGNING {
        let pkcs8 = pair(algorithm).to_pkcs8().expect("is written");
        let again = SigningKey::from_pkcs8(algorithm, "k1", &pkcs8).expect("is read");
        assert_eq!(again.jwk(), pair(algorithm).jwk());
        assert_eq!((again.kid(), again.algorithm()), ("k1", algorithm));
        for other in Algorithm::SIGNING {
            let same_type = again.jwk()["kty"] == pair(other).jwk()["kty"];
            assert_eq!(
                SigningKey::from_pkcs8(other, "k1", &pkcs8).is_ok(),
                same_type && again.jwk().get("crv") == pair(other).jwk().get("crv")
            );
        }
    }
}

#[test]
fn there_is_no_key_pair_for_hs256() {
    assert_eq!(SigningKey::generate(Algorithm::Hs256, "k").err(), Some(KeyError::Algorithm));
    assert_eq!(SigningKey::from_pkcs8(Algorithm::Hs256, "k", b"secret").err(), Some(KeyError::Algorithm));
    assert_eq!(SigningKey::generate(Algorithm::EdDsa, &"k".repeat(257)).err(), Some(KeyError::Kid));
}

#[test]
fn number_that_is_no_scalar_of_the_curve_makes_no_key() {
    let order = [0xffff_ffff_0000_0000_ffff_ffff_ffff_ffff_u128, 0xbce6_faad_a717_9e84_f3b9_cac2_fc63_2551];
    let mut of_order = [0; 32];
    of_order[..16].copy_from_slice(&order[0].to_be_bytes());
    of_order[16..].copy_from_slice(&order[1].to_be_bytes());
    let mut below_order = of_order;
    below_order[31] -= 1;
    let made = |algorithm, seed: &[u8; 32]| SigningKey::from_seed(algorithm, "k", seed).err();
    for seed in [[0; 32], [0xff; 32], of_order] {
        assert_eq!(made(Algorithm::Es256, &seed), Some(KeyError::Malformed), "{seed:?}");
        assert_eq!(made(Algorithm::EdDsa, &seed), None, "every text of 32 bytes is a seed");
    }
    assert_eq!(made(Algorithm::Es256, &below_order), None);
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Hs256] {
        assert_eq!(made(algorithm, &[1; 32]), Some(KeyError::Algorithm), "{algorithm}");
    }
}

#[test]
fn what_is_published_has_no_private_part() {
    for algorithm in Algorithm::SIGNING {
        let jwk = pair(algorithm).jwk();
        let names: Vec<_> = jwk.keys().map(String::as_str).collect();
        let expected: &[&str] = match algorithm {
            Algorithm::Es256 => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            Algorithm::EdDsa => &["alg", "crv", "kid", "kty", "use", "x"],
            _ => &["alg", "e", "kid", "kty", "n", "use"],
        };
        assert_eq!(names, expected);
        assert_eq!(format!("{:?}", pair(algorithm)), format!("SigningKey {{ kid: \"k1\", algorithm: {algorithm:?} }}"));
    }
}

#[test]
fn a_private_part_is_refused_before_all_else() {
    let public = pair(Algorithm::Es256).jwk();
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let private = with(public, member, json!("AQAB"));
        assert_eq!(VerifyingKey::from_jwk(&private).err(), Some(KeyError::PrivatePart), "{member}");
        let encryption = with(&private, "use", json!("enc"));
        let keys = set(&[public.clone(), encryption]);
        assert_eq!(KeySet::parse(&keys).err(), Some(KeyError::PrivatePart), "{member}");
    }
}

#[test]
fn rsa_keys_have_2048_to_4096_bits_and_a_sane_exponent() {
    let rsa = without(pair(Algorithm::Rs256).jwk(), "alg");
    let sized = |bytes: usize, first: u8| {
        let mut n = vec![0xff; bytes];
        n[0] = first;
        VerifyingKey::from_jwk(&with(&rsa, "n", json!(URL_SAFE_NO_PAD.encode(n)))).err()
    };
    assert_eq!(sized(256, 0x80), None);
    assert_eq!(sized(512, 0xff), None);
    assert_eq!(sized(256, 0x7f), Some(KeyError::Size), "2047 bits");
    assert_eq!(sized(513, 0x01), Some(KeyError::Size), "4097 bits");
    assert_eq!(sized(128, 0xff), Some(KeyError::Size));
    assert_eq!(sized(257, 0), Some(KeyError::Malformed), "one way to write a number");
    let exponent = |e: &[u8]| VerifyingKey::from_jwk(&with(&rsa, "e", json!(URL_SAFE_NO_PAD.encode(e)))).err();
    assert_eq!(exponent(&[1, 0, 1]), None);
    for size in [[1].as_slice(), &[3], &[0xff, 0xff], &[1, 0, 0, 0, 1]] {
        assert_eq!(exponent(size), Some(KeyError::Size), "{size:?}");
    }
    for malformed in [[].as_slice(), &[0, 1, 0, 1], &[1, 0, 2]] {
        assert_eq!(exponent(malformed), Some(KeyError::Malformed), "{malformed:?}");
    }
}

#[test]
fn a_point_that_is_not_on_the_curve_is_refused() {
    let jwk = pair(Algorithm::Es256).jwk();
    for (member, value) in [("x", json!("")), ("y", jwk["x"].clone()), ("x", json!(7)), ("y", json!("AQAB"))] {
        let wrong = with(jwk, member, value);
        assert_eq!(VerifyingKey::from_jwk(&wrong).err(), Some(KeyError::Malformed), "{wrong:?}");
    }
    let secp256k1 = with(jwk, "crv", json!("secp256k1"));
    assert_eq!(VerifyingKey::from_jwk(&secp256k1).err(), Some(KeyError::UnknownType));
}

#[test]
fn a_key_for_something_else_is_refused() {
    let jwk = pair(Algorithm::Rs256).jwk();
    for (member, value, error) in [
        ("use", json!("enc"), KeyError::NotForSignatures),
        ("use", json!(1), KeyError::NotForSignatures),
        ("key_ops", json!(["encrypt"]), KeyError::NotForSignatures),
        ("key_ops", json!("verify"), KeyError::NotForSignatures),
        ("alg", json!("RSA-OAEP"), KeyError::Algorithm),
        ("alg", json!("ES256"), KeyError::Algorithm),
        ("alg", json!("HS256"), KeyError::Algorithm),
        ("alg", json!(["RS256"]), KeyError::Malformed),
        ("kid", json!(1), KeyError::Malformed),
        ("kid", json!("k".repeat(257)), KeyError::Kid),
        ("kty", json!("oct"), KeyError::UnknownType),
        ("kty", json!(null), KeyError::Malformed),
    ] {
        assert_eq!(VerifyingKey::from_jwk(&with(jwk, member, value.clone())).err(), Some(error), "{member} {value}");
    }
    assert!(VerifyingKey::from_jwk(&with(jwk, "key_ops", json!(["verify"]))).is_ok());
}

#[test]
fn a_set_skips_what_it_cannot_use() {
    let signing = pair(Algorithm::Es256).jwk();
    let keys = KeySet::parse(&set(&[
        object(json!({"kty": "AKP", "kid": "future"})),
        object(json!({})),
        with(signing, "use", json!("enc")),
        signing.clone(),
    ]));
    let keys = keys.expect("a set");
    assert!(keys.find(Some("k1"), Algorithm::Es256).is_some());
    assert!(keys.has_kid("k1") && !keys.has_kid("future"));
    assert!(!keys.is_empty());
    assert!(KeySet::parse(br#"{"keys":[]}"#).expect("a set").is_empty());
    for malformed in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":["k"]}"#, r#"{"keys":null}"#] {
        assert_eq!(KeySet::parse(malformed.as_bytes()).err(), Some(KeyError::Malformed), "{malformed}");
    }
}

#[test]
fn a_set_has_at_most_a_hundred_keys() {
    let many = |count| KeySet::parse(&set(&vec![Map::new(); count]));
    assert!(many(100).is_ok());
    assert_eq!(many(101).err(), Some(KeyError::TooMany));
}

#[test]
fn a_key_is_found_by_name_and_algorithm() {
    let [rsa, _, ec, ed] = Algorithm::SIGNING.map(|algorithm| without(pair(algorithm).jwk(), "alg"));
    let other = with(&ec, "kid", json!("k2"));
    let keys = KeySet::parse(&set(&[rsa, ec, ed, other])).expect("a set");
    for algorithm in Algorithm::SIGNING {
        let found = keys.find(Some("k1"), algorithm).expect("one of that name");
        assert!(found.is_for(algorithm));
    }
    assert!(keys.find(None, Algorithm::EdDsa).is_some(), "the only one");
    assert!(keys.find(None, Algorithm::Es256).is_none(), "which of the two?");
    assert!(keys.find(Some("k2"), Algorithm::EdDsa).is_none());
    assert!(keys.find(Some("k3"), Algorithm::Es256).is_none());
    assert!(keys.find(None, Algorithm::Hs256).is_none());
}

#[test]
fn an_rsa_key_without_alg_is_for_both_paddings() {
    let both = VerifyingKey::from_jwk(&without(pair(Algorithm::Rs256).jwk(), "alg")).expect("a key");
    let signature = pair(Algorithm::Rs256).sign(b"message");
    assert!(both.verify(Algorithm::Rs256, b"message", &signature));
    assert!(!both.verify(Algorithm::Ps256, b"message", &signature));
    assert!(both.is_for(Algorithm::Ps256));
    let one = VerifyingKey::from_jwk(pair(Algorithm::Rs256).jwk()).expect("a key");
    assert!(!one.is_for(Algorithm::Ps256));
}

proptest! {
    #[test]
    fn no_text_breaks_a_key_set(text in ".{0,200}") {
        let _ = KeySet::parse(text.as_bytes());
    }

    #[test]
    fn no_member_breaks_a_key(
        kty in "RSA|EC|OKP|oct|", crv in "P-256|Ed25519|", x in "[A-Za-z0-9_-]{0,44}", n in "[A-Za-z0-9_-]{0,700}",
        e in "[A-Za-z0-9_-]{0,8}",
    ) {
        let jwk = json!({"kty": kty, "crv": crv, "x": x, "y": x, "n": n, "e": e});
        if let Ok(key) = VerifyingKey::from_jwk(&object(jwk)) {
            prop_assert!(!key.verify(Algorithm::Es256, b"message", &x.clone().into_bytes()));
            prop_assert_eq!(key.thumbprint().len(), 43);
        }
    }

    #[test]
    fn no_bytes_break_the_reading_of_keys(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        for algorithm in Algorithm::SIGNING {
            prop_assert!(SigningKey::from_pkcs8(algorithm, "k", &bytes).is_err());
        }
    }
}
