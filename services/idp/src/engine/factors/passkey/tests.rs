//! Ceremonies of an authenticator in software, over a database.

use authn::Caller;
use serde_json::Value;

use super::assertion::{begin_after_password, begin_alone, verify_after_password, verify_alone};
use super::*;
use crate::engine::factors::{Method, recovery_code, trusted_device};
use crate::store::Removal;
use crate::testing::authenticator::Authenticator;
use crate::testing::{Bench, EINSTEIN};

const FORM: &str = "a token";

fn relying_party(bench: &Bench) -> RelyingParty {
    RelyingParty::of(&bench.provider, bench.endpoints()).expect("there are passkeys")
}

fn options(begun: &CeremonyOptions) -> Value {
    serde_json::from_str(&begun.options).expect("JSON")
}

/// A bench whose user has a passkey.
async fn bench() -> (Bench, Authenticator) {
    let (bench, mut authenticator) = (Bench::new().await, Authenticator::new());
    authenticator.register(&bench).await.expect("is added");
    (bench, authenticator)
}

async fn sign_in(bench: &Bench, authenticator: &mut Authenticator) -> Result<(String, Method), PasskeyError> {
    let begun = begin_alone(&bench.provider, &relying_party(bench), FORM)?;
    let credential = authenticator.get(&options(&begun));
    send(bench, &begun, (FORM, &credential)).await
}

async fn send(
    bench: &Bench,
    begun: &CeremonyOptions,
    (form, credential): (&str, &str),
) -> Result<(String, Method), PasskeyError> {
    let answer = Answer { form, ceremony: &begun.ceremony, credential };
    verify_alone(&bench.provider, &relying_party(bench), answer, &Caller::default()).await
}

/// `docs/security-requirements.md#f20`
#[tokio::test]
async fn ceremony_counts_once_for_its_form_and_for_five_minutes() {
    let (bench, mut authenticator) = bench().await;
    let challenge = || begin_alone(&bench.provider, &relying_party(&bench), FORM).expect("begins");
    let begun = challenge();
    let credential = authenticator.get(&options(&begun));
    let elsewhere = send(&bench, &begun, ("another token", &credential)).await;
    assert!(matches!(elsewhere, Err(PasskeyError::Expired)), "another form: {elsewhere:?}");
    let (user, method) = send(&bench, &begun, (FORM, &credential)).await.expect("signs in");
    assert_eq!((user.as_str(), method), (EINSTEIN, Method::Passkey { is_synced: false }));
    let again = send(&bench, &begun, (FORM, &credential)).await;
    assert!(matches!(again, Err(PasskeyError::Expired)), "a replay: {again:?}");

    let other = challenge();
    let credential = authenticator.get(&options(&challenge()));
    let mixed = send(&bench, &other, (FORM, &credential)).await;
    assert!(matches!(mixed, Err(PasskeyError::Refused)), "the challenge of another ceremony: {mixed:?}");

    let begun = challenge();
    let credential = authenticator.get(&options(&begun));
    bench.advance(PATIENCE);
    assert!(matches!(send(&bench, &begun, (FORM, &credential)).await, Err(PasskeyError::Expired)));

    let known = list(&bench.provider, EINSTEIN).await.expect("reads");
    let after_password = begin_after_password(&bench.provider, &relying_party(&bench), (EINSTEIN, &known), FORM);
    let after_password = after_password.expect("begins");
    let credential = authenticator.get(&options(&after_password));
    let alone = send(&bench, &after_password, (FORM, &credential)).await;
    assert!(matches!(alone, Err(PasskeyError::Expired)), "of another purpose: {alone:?}");
}

/// `docs/security-requirements.md#f21`
#[tokio::test]
async fn passkey_whose_counter_goes_back_is_refused() {
    let (bench, mut authenticator) = bench().await;
    sign_in(&bench, &mut authenticator).await.expect("signs in");
    sign_in(&bench, &mut authenticator).await.expect("signs in again");
    authenticator.counter = 0;
    let copied = sign_in(&bench, &mut authenticator).await;
    assert!(matches!(copied, Err(PasskeyError::Cloned)), "{copied:?}");
    authenticator.counter = 1;
    let copied = sign_in(&bench, &mut authenticator).await;
    assert!(matches!(copied, Err(PasskeyError::Cloned)), "the same counter: {copied:?}");
    authenticator.counter = 2;
    sign_in(&bench, &mut authenticator).await.expect("the one that is ahead");
}

/// `docs/security-requirements.md#f22`
#[tokio::test]
async fn challenge_alone_names_no_user_and_no_credential() {
    let shape = |begun: &CeremonyOptions| {
        let mut options = options(begun);
        options["challenge"] = Value::Null;
        options
    };
    let (bench, _) = bench().await;
    let without = Bench::new().await;
    let [one, other] = [&bench, &without]
        .map(|bench| shape(&begin_alone(&bench.provider, &relying_party(bench), FORM).expect("begins")));
    assert_eq!(one, other);
    assert_eq!((&one["allowCredentials"], &one["rpId"]), (&serde_json::json!([]), &"cloud.example".into()));
}

/// `docs/security-requirements.md#f22`
#[tokio::test]
async fn credential_with_the_identifier_of_another_users_signs_in_its_own_user() {
    let (bench, mut his) = bench().await;
    let mut hers = Authenticator::new();
    hers.id.clone_from(&his.id);
    bench.change(|user| user.as_mut().expect("a user").id.opaque_id = "u-curie".to_owned());
    hers.register(&bench).await.expect("is added");
    assert_eq!(sign_in(&bench, &mut his).await.expect("signs in").0, EINSTEIN);
    assert_eq!(sign_in(&bench, &mut hers).await.expect("signs in").0, "u-curie");
    hers.handle.clone_from(&his.handle);
    assert!(matches!(sign_in(&bench, &mut hers).await, Err(PasskeyError::Refused)), "the key is another");
}

/// `docs/security-requirements.md#f23`
#[tokio::test]
async fn failures_of_a_passkey_are_delayed_until_it_is_right() {
    let (bench, mut authenticator) = bench().await;
    authenticator.origin = "https://cloud.example.evil.test".to_owned();
    for _ in 0..5 {
        assert!(matches!(sign_in(&bench, &mut authenticator).await, Err(PasskeyError::Refused)));
    }
    authenticator.origin = crate::testing::SITE.to_owned();
    let refused = sign_in(&bench, &mut authenticator).await;
    let Err(PasskeyError::TooMany(wait)) = refused else { panic!("{refused:?}") };
    bench.advance(wait);
    sign_in(&bench, &mut authenticator).await.expect("the wait is over");
    let [passkey] = list(&bench.provider, EINSTEIN).await.expect("reads").try_into().expect("one");
    assert_eq!((passkey.factor.failures, passkey.factor.used), (0, Some(bench.clock.now())));
}

/// `docs/security-requirements.md#f24`
#[tokio::test]
async fn answer_of_another_site_or_without_verification_of_the_user_is_refused() {
    let (bench, mut authenticator) = bench().await;
    for origin in ["http://cloud.example", "https://cloud.example:8443", "https://sub.cloud.example"] {
        authenticator.origin = origin.to_owned();
        assert!(matches!(sign_in(&bench, &mut authenticator).await, Err(PasskeyError::Refused)), "{origin}");
    }
    authenticator.origin = crate::testing::SITE.to_owned();
    authenticator.verifies_user = false;
    assert!(matches!(sign_in(&bench, &mut authenticator).await, Err(PasskeyError::Refused)), "a stolen key");
    let mut unverified = Authenticator::new();
    unverified.verifies_user = false;
    assert!(matches!(unverified.register(&bench).await, Err(PasskeyError::Refused)));
    assert!(matches!(sign_in(&bench, &mut Authenticator::new()).await, Err(PasskeyError::Refused)), "unknown");
}

#[tokio::test]
async fn passkey_is_added_once_and_sealed_for_its_user() {
    let (bench, mut authenticator) = bench().await;
    assert!(matches!(authenticator.register(&bench).await, Err(PasskeyError::Refused)), "the same credential");
    let [passkey] = list(&bench.provider, EINSTEIN).await.expect("reads").try_into().expect("one");
    assert_eq!(passkey.label, "phone");
    let moved = StoredFactor { person: "u-curie".to_owned(), ..passkey.factor.clone() };
    assert!(UserPasskey::open(&bench.provider, moved).is_err(), "a row of another user");
    let renamed = registration::rename(&bench.provider, EINSTEIN, passkey.factor.id, " my\nkey ").await;
    assert!(renamed.expect("renames"));
    assert_eq!(list(&bench.provider, EINSTEIN).await.expect("reads")[0].label, "mykey");
    assert!(!registration::rename(&bench.provider, "u-curie", passkey.factor.id, "x").await.expect("asks"));
    sign_in(&bench, &mut authenticator).await.expect("signs in under any label");
}

#[tokio::test]
async fn passkey_after_the_password_is_one_of_the_users() {
    let (bench, mut authenticator) = bench().await;
    let known = list(&bench.provider, EINSTEIN).await.expect("reads");
    let verify = async |authenticator: &mut Authenticator| {
        let begun = begin_after_password(&bench.provider, &relying_party(&bench), (EINSTEIN, &known), FORM);
        let begun = begun.expect("begins");
        assert_eq!(options(&begun)["allowCredentials"].as_array().map(Vec::len), Some(1));
        let credential = authenticator.get(&options(&begun));
        let answer = Answer { form: FORM, ceremony: &begun.ceremony, credential: &credential };
        let relying_party = relying_party(&bench);
        verify_after_password(&bench.provider, &relying_party, (EINSTEIN, answer), &Caller::default()).await
    };
    assert_eq!(verify(&mut authenticator).await.expect("is right"), Method::Passkey { is_synced: false });
    assert!(matches!(verify(&mut Authenticator::new()).await, Err(PasskeyError::Refused)), "another key");
}

/// `docs/security-requirements.md#f25`
#[tokio::test]
async fn last_factor_takes_recovery_codes_with_it_and_each_one_trusted_devices() {
    let (bench, _) = bench().await;
    let mut second = Authenticator::new();
    second.register(&bench).await.expect("is added");
    let (provider, caller) = (&bench.provider, Caller::default());
    let codes = recovery_code::generate(&provider.random);
    let digests = recovery_code::digests(EINSTEIN, &codes);
    provider.store.replace_recovery_codes(EINSTEIN, &digests).await.expect("writes");
    let cookie = trusted_device::trust(provider, EINSTEIN).await.expect("is trusted");
    let left = async || {
        let is_trusted = trusted_device::is_trusted(provider, &bench.user(), Some(&cookie)).await.expect("asks");
        (provider.store.recovery_codes_left(EINSTEIN).await.expect("reads"), is_trusted)
    };
    let [first, second] = list(provider, EINSTEIN).await.expect("reads").try_into().expect("two");
    let remove = async |user, id| registration::remove(provider, (user, id), false, &caller).await.expect("asks");
    assert_eq!(remove("u-curie", first.factor.id).await, Removal::Absent, "hers");
    assert_eq!(remove(EINSTEIN, first.factor.id).await, Removal::Done);
    assert_eq!(left().await, (10, false), "another passkey is left");
    trusted_device::trust(provider, EINSTEIN).await.expect("is trusted");
    let code = crate::engine::factors::verify(provider, EINSTEIN, &codes[0], &caller).await;
    assert_eq!(code.ok(), Some(Method::RecoveryCode), "the codes serve without an app");
    assert_eq!(remove(EINSTEIN, second.factor.id).await, Removal::Done);
    assert_eq!(left().await, (0, false));
    assert_eq!(remove(EINSTEIN, second.factor.id).await, Removal::Absent, "gone");
}

#[tokio::test]
async fn there_are_no_passkeys_at_an_ip_address_or_without_second_factors() {
    let at = async |url: &str| {
        let bench = Bench::with(|config| config.url = url.to_owned()).await;
        RelyingParty::of(&bench.provider, bench.endpoints()).is_some()
    };
    assert!(at("https://localhost:9200").await && at("http://localhost:9130").await);
    assert!(!at("https://192.0.2.1").await && !at("http://[::1]:9130").await);
    let off = Bench::with(|config| config.mfa.policy = "off".to_owned()).await;
    assert!(RelyingParty::of(&off.provider, off.endpoints()).is_none());
}
