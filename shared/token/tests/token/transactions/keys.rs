//! The keys of transaction tokens: derived, the same everywhere, and changed by the clock and with the secret.

use token::KeyError;

use super::*;

const DAY: u64 = 24 * 60 * 60;

/// The key set of a time.
fn published(keys: &TransactionKeys, seconds: u64) -> Vec<Value> {
    let set: Value = serde_json::from_slice(&keys.published(at(seconds))).unwrap();
    set["keys"].as_array().unwrap().clone()
}

fn kids(keys: &TransactionKeys, seconds: u64) -> Vec<String> {
    published(keys, seconds).iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// Computed with another implementation. Another derivation would be another key: processes of two releases would not accept each
/// other's tokens.
#[test]
fn derivation_is_the_same_in_every_release() {
    let keys = published(&keys(), NOW);
    let key = |kid: &str| keys.iter().find(|key| key["kid"] == kid).unwrap_or_else(|| panic!("{kid} in {keys:?}"));
    let curve = key("ja0IvXQxSsVwH7Nd2X6-GQ");
    assert_eq!(curve["x"], "5pyjuGg8DlhlVmQep8ofTa599qpy_ixDNaN2zG5HJ6M");
    assert_eq!(curve["y"], "UCvBA7NpR-vyCanWAuiSwNMh0ctk7eQDnb600TsWXRg");
    let edwards = key("xoouj-ggqhzvwkqlz59RnA");
    assert_eq!(edwards["x"], "4n9DkB27KZJrwuGL-XMma168--YGRijf6racLcNEBBg");
}

/// `docs/security-requirements.md#x9`
#[test]
fn processes_with_one_secret_have_the_same_keys_whatever_they_sign_with() {
    let [one, other] = ALGORITHMS.map(|algorithm| keys_of(SECRET, algorithm));
    assert_eq!(one.published(at(NOW)), other.published(at(NOW)));
    assert_eq!(kids(&one, NOW).len(), 6, "three days of two algorithms");
    for (minter, verifying) in [(&one, &other), (&other, &one)] {
        assert!(verifier(verifying).verify(at(NOW), &mint(minter).token).is_ok());
    }
    assert!(published(&one, NOW).iter().all(|key| key.get("d").is_none()), "no private part is published");
}

/// `docs/security-requirements.md#x9`
#[test]
fn keys_change_every_day_and_those_of_three_days_are_accepted() {
    let keys = keys();
    let midnight = NOW / DAY * DAY + DAY;
    let before = keys.signer(at(midnight - 1)).kid().to_owned();
    let after = keys.signer(at(midnight)).kid().to_owned();
    assert_ne!(before, after);
    for (seconds, expected) in [(midnight - DAY, true), (midnight - DAY - 1, false)] {
        assert_eq!(kids(&keys, seconds).contains(&after), expected, "published a day before it signs");
    }
    for (seconds, expected) in [(midnight + DAY - 1, true), (midnight + DAY, false)] {
        assert_eq!(kids(&keys, seconds).contains(&before), expected, "and for a day afterwards");
    }
    let claims = {
        let mut claims = good_claims();
        (claims["iat"], claims["exp"]) = (json!(midnight - 1), json!(midnight + 59));
        claims
    };
    let token = keys.signer(at(midnight - 1)).jwt("txntoken+jwt", &claims);
    for seconds in [midnight - 1, midnight, midnight + 58] {
        assert!(verifier(&keys).verify(at(seconds), &token).is_ok(), "{seconds}");
    }
    let day_before = remote_verifier(&keys, at(midnight - DAY - 1));
    assert!(day_before.verify(at(midnight - 1), &token).is_ok(), "with a key set of the day before");
}

/// `docs/security-requirements.md#x9`
#[test]
fn secret_is_changed_without_refusing_a_token() {
    let secret = |letter: &str| SecretString::from(letter.repeat(32));
    let keys = keys_of(&"a".repeat(32), Algorithm::Es256);
    let other = keys_of(&"a".repeat(32), Algorithm::Es256);
    let by_first = mint(&keys).token;
    keys.introduce(&secret("b"), &secret("a")).unwrap();
    assert_eq!(keys.signer(at(NOW)).kid(), other.signer(at(NOW)).kid(), "the first one signs still");
    assert_eq!(kids(&keys, NOW).len(), 12);
    keys.replace(&secret("b"), Some(&secret("a"))).unwrap();
    let by_second = mint(&keys).token;
    assert_ne!(keys.signer(at(NOW)).kid(), other.signer(at(NOW)).kid());
    let is_accepted = |token: &str| verifier(&keys).verify(at(NOW), token).is_ok();
    assert!(is_accepted(&by_first) && is_accepted(&by_second));
    keys.replace(&secret("b"), None).unwrap();
    assert!(!is_accepted(&by_first) && is_accepted(&by_second));
    assert!(verifier(&other).verify(at(NOW), &by_second).is_err());
    assert!(keys.replace(&secret("b"), Some(&secret("b"))).is_ok());
    assert_eq!(kids(&keys, NOW).len(), 6, "a secret that is its own predecessor");
}

#[test]
fn secrets_and_algorithms_that_are_no_good_are_refused() {
    let of = |secret: &str, previous: Option<&str>, signs| {
        let previous = previous.map(SecretString::from);
        TransactionKeys::new(&SecretString::from(secret), previous.as_ref(), signs).err()
    };
    let good = "x".repeat(32);
    let short = |variable| Some(KeyError::TooShort { variable, length: 31 });
    assert_eq!(of(&good[1..], None, Algorithm::Es256), short("OCIS_TRANSACTION_SECRET"));
    let previous = "y".repeat(31);
    assert_eq!(of(&good, Some(&previous), Algorithm::Es256), short("OCIS_TRANSACTION_SECRET_PREVIOUS"));
    assert_eq!(of(&good, Some(""), Algorithm::Es256), None);
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Hs256] {
        assert_eq!(of(&good, None, algorithm), Some(KeyError::Algorithm(algorithm.name())));
    }
}

#[test]
fn fetched_keys_are_wanted_anew_when_a_token_names_an_unknown_one() {
    let keys = keys();
    let published = Arc::new(PublishedKeys::default());
    let verifier = TransactionVerifier::new(DOMAIN, KeySource::Published(Arc::clone(&published)));
    let token = mint(&keys).token;
    assert_eq!(verifier.verify(at(NOW), &token), Err(TransactionDefect::KeysUnknown));
    assert!(published.take_wanted() && !published.take_wanted());

    published.replace(&keys.published(at(NOW))).unwrap();
    assert!(verifier.verify(at(NOW), &token).is_ok() && !published.take_wanted());
    let by_other = mint(&keys_of(&"o".repeat(32), Algorithm::Es256)).token;
    assert_eq!(verifier.verify(at(NOW), &by_other), Err(TransactionDefect::Key));
    assert!(published.take_wanted());

    for unusable in [&b"{}"[..], br#"{"keys":[]}"#, b"<html>"] {
        assert!(published.replace(unusable).is_err());
        assert!(verifier.verify(at(NOW), &token).is_ok(), "the former key set stays");
    }
    published.forget();
    assert_eq!(verifier.verify(at(NOW), &token), Err(TransactionDefect::KeysUnknown));
}
