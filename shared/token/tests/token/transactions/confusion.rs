//! Tokens that are no transaction tokens of the trust domain, and transaction tokens where another token is expected.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use oidc::jose::SigningKey;
use proptest::prelude::*;
use token::{Defect, TokenError};

use super::*;
use crate::support;

/// The result for a token with these claims that a key of the trust domain has signed.
fn verdict(claims: &Value) -> Result<(), TransactionDefect> {
    let keys = keys();
    let token = keys.signer(at(NOW)).jwt("txntoken+jwt", claims);
    verifier(&keys).verify(at(NOW), &token).map(drop)
}

fn changed(name: &str, value: Value) -> Value {
    let mut claims = good_claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = good_claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

/// A token with any header, signed by this key.
fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// `docs/security-requirements.md#x1`
#[test]
fn claims_that_are_missing_or_wrong_are_refused() {
    assert_eq!(verdict(&good_claims()), Ok(()));
    for name in ["rctx", "act"] {
        assert_eq!(verdict(&without(name)), Ok(()), "{name} is optional");
    }
    assert_eq!(verdict(&without("iss")), Err(TransactionDefect::Issuer));
    assert_eq!(verdict(&changed("iss", json!("other.example.org"))), Err(TransactionDefect::Issuer));
    for audience in [json!("other.example.org"), json!([DOMAIN]), json!([DOMAIN, "other.example.org"]), json!(null)] {
        assert_eq!(verdict(&changed("aud", audience.clone())), Err(TransactionDefect::Audience), "{audience}");
    }
    assert_eq!(verdict(&without("aud")), Err(TransactionDefect::Audience));
    for name in ["txn", "sub", "scope", "tctx", "req_wl", "iat", "exp"] {
        assert_eq!(verdict(&without(name)), Err(TransactionDefect::Claims), "{name}");
    }
    for (name, value) in [
        ("txn", json!("")),
        ("sub", json!(7)),
        ("sub", json!("x".repeat(256))),
        ("scope", json!("")),
        ("scope", json!(["files.read"])),
        ("tctx", json!({"file": "7"})),
        ("tctx", json!({"sub_type": "admin"})),
        ("tctx", json!("user")),
        ("rctx", json!([])),
        ("req_wl", json!([FILES])),
        ("req_wl", json!("a,,b")),
        ("req_wl", json!("a,b,c,d,e,f,g,h,i")),
        ("act", json!("portal")),
        ("act", json!({"sub": ""})),
        ("iat", json!("now")),
    ] {
        assert_eq!(verdict(&changed(name, value.clone())), Err(TransactionDefect::Claims), "{name}: {value}");
    }
}

/// `docs/security-requirements.md#x6`
#[test]
fn times_that_no_minter_writes_are_refused() {
    assert_eq!(verdict(&changed("exp", json!(NOW - 5))), Err(TransactionDefect::Expired));
    assert_eq!(verdict(&changed("iat", json!(NOW + 6))), Err(TransactionDefect::NotYetValid));
    assert_eq!(verdict(&changed("exp", json!(NOW + 300))), Ok(()));
    assert_eq!(verdict(&changed("exp", json!(NOW + 301))), Err(TransactionDefect::Lifetime));
    assert_eq!(verdict(&changed("exp", json!(NOW + 3600))), Err(TransactionDefect::Lifetime));
    let mut backwards = changed("iat", json!(NOW + 4));
    backwards["exp"] = json!(NOW + 3);
    assert_eq!(verdict(&backwards), Err(TransactionDefect::Lifetime));
}

/// `docs/security-requirements.md#x1`
#[test]
fn other_types_algorithms_and_keys_are_refused() {
    let keys = keys();
    let signer = keys.signer(at(NOW));
    let verify = |token: &str| verifier(&keys).verify(at(NOW), token).map(drop);
    let header = |changes: Value| {
        let mut header = json!({"alg": "ES256", "kid": signer.kid(), "typ": "txntoken+jwt"});
        for (name, value) in changes.as_object().unwrap() {
            header[name] = value.clone();
        }
        verify(&signed(&signer, &header, &good_claims()))
    };
    for typ in ["txntoken+jwt", "TxnToken+JWT", "application/txntoken+jwt"] {
        assert_eq!(header(json!({"typ": typ})), Ok(()), "{typ}");
    }
    for typ in ["JWT", "at+jwt", "", "logout+jwt", "txn-token+jwt"] {
        assert_eq!(header(json!({"typ": typ})), Err(TransactionDefect::Type), "{typ}");
    }
    for algorithm in ["none", "RS256", "PS256", "HS256", "ES384"] {
        assert_eq!(header(json!({"alg": algorithm})), Err(TransactionDefect::Algorithm), "{algorithm}");
    }
    assert_eq!(header(json!({"alg": "EdDSA"})), Err(TransactionDefect::Key), "the key is for ES256");
    assert_eq!(header(json!({"kid": "another"})), Err(TransactionDefect::Key));
    assert_eq!(header(json!({"crit": ["exp"]})), Err(TransactionDefect::Malformed));
    let own = SigningKey::generate(Algorithm::Es256, signer.kid()).unwrap();
    let with_key = json!({"alg": "ES256", "kid": signer.kid(), "typ": "txntoken+jwt", "jwk": own.jwk()});
    assert_eq!(verify(&signed(&own, &with_key, &good_claims())), Err(TransactionDefect::Signature));
    let without_kid = json!({"alg": "ES256", "typ": "txntoken+jwt", "jwk": own.jwk()});
    assert_eq!(verify(&signed(&own, &without_kid, &good_claims())), Err(TransactionDefect::Key));
    let of_provider = SigningKey::generate(Algorithm::Es256, "oidc-key").unwrap().jwt("txntoken+jwt", &good_claims());
    assert_eq!(verify(&of_provider), Err(TransactionDefect::Key), "a key that signs access tokens");
    assert_eq!(verify(&"x".repeat(16 * 1024 + 1)), Err(TransactionDefect::TooLarge));
    assert_eq!(verify("a.b"), Err(TransactionDefect::Malformed));
}

/// `docs/security-requirements.md#x1`
#[test]
fn public_key_is_no_shared_secret() {
    let keys = keys();
    let signer = keys.signer(at(NOW));
    let public = URL_SAFE_NO_PAD.decode(signer.jwk()["x"].as_str().unwrap()).unwrap();
    let key_set = keys.published(at(NOW));
    for secret in [public.as_slice(), &key_set[..]] {
        let internal = oidc::jose::hs256_jwt(secret, "JWT", &good_claims());
        let refused = support::verifier().verify(at(NOW), &internal);
        assert!(matches!(refused, Err(TokenError::Invalid(Defect::Signature))), "{refused:?}");
        let transaction = oidc::jose::hs256_jwt(secret, "txntoken+jwt", &good_claims());
        assert_eq!(verifier(&keys).verify(at(NOW), &transaction), Err(TransactionDefect::Algorithm));
    }
}

/// `docs/security-requirements.md#x2`
#[test]
fn transaction_token_is_no_internal_token_nor_the_reverse() {
    for algorithm in ALGORITHMS {
        let keys = keys_of(SECRET, algorithm);
        let refused = support::verifier().verify(at(NOW), &mint(&keys).token);
        assert!(matches!(refused, Err(TokenError::Invalid(Defect::Algorithm))), "{refused:?}");
        let internal = token::Minter::new(support::ring(), Duration::from_mins(5), true);
        let internal = internal.mint(at(NOW), &support::alan()).unwrap();
        assert_eq!(verifier(&keys).verify(at(NOW), &internal), Err(TransactionDefect::Type));
    }
}

#[test]
fn callers_learn_no_more_than_that_a_token_is_invalid() {
    for defect in [TransactionDefect::Key, TransactionDefect::Claims, TransactionDefect::Expired] {
        let status = tonic::Status::from(defect);
        let expected = (tonic::Code::PermissionDenied, "transaction token is invalid");
        assert_eq!((status.code(), status.message()), expected);
    }
    assert_eq!(tonic::Status::from(TransactionDefect::Missing).code(), tonic::Code::Unauthenticated);
    assert_eq!(tonic::Status::from(TransactionDefect::KeysUnknown).code(), tonic::Code::Unavailable);
}

/// A token of each algorithm, and its keys.
static TOKENS: LazyLock<[(Arc<TransactionKeys>, String); 2]> = LazyLock::new(|| {
    ALGORITHMS.map(|algorithm| {
        let keys = keys_of(SECRET, algorithm);
        let token = mint(&keys).token;
        (keys, token)
    })
});

proptest! {
    #[test]
    fn never_panics(text in "\\PC*", parts in "[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,200}\\.[A-Za-z0-9_-]{0,90}") {
        let verifier = verifier(&keys());
        prop_assert!(verifier.verify(at(NOW), &text).is_err());
        prop_assert!(verifier.verify(at(NOW), &parts).is_err());
    }

    #[test]
    fn no_changed_byte_is_accepted(index: prop::sample::Index, byte in "[A-Za-z0-9_.-]", is_es256: bool) {
        let [es256, eddsa] = &*TOKENS;
        let (keys, token) = if is_es256 { es256 } else { eddsa };
        let mut token = token.clone();
        let place = index.index(token.len());
        prop_assume!(token[place..=place] != byte);
        token.replace_range(place..=place, &byte);
        prop_assert!(verifier(keys).verify(at(NOW), &token).is_err());
    }
}
