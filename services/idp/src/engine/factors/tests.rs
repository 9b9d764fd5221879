//! Codes and enrolments, over a database.

use std::time::Duration;

use authn::{Caller, UserId, role};

use super::enrolment::{EnrolmentError, Proof};
use super::policy::Demand;
use super::totp::STEP;
use super::*;
use crate::testing::authenticator::Authenticator;
use crate::testing::{Bench, EINSTEIN, MailBox, totp_code};

async fn verify_now(bench: &Bench, code: &str) -> Result<Method, CodeError> {
    verify(&bench.provider, EINSTEIN, code, &Caller::default()).await
}

fn advance_step(bench: &Bench) {
    bench.advance(Duration::from_secs(STEP));
}

/// `docs/security-requirements.md#f2`
#[tokio::test]
async fn code_of_a_time_step_is_accepted_once() {
    let bench = Bench::new().await;
    let (secret, _) = bench.enrol().await;
    let code = totp_code(&secret, bench.clock.now());
    assert!(matches!(verify_now(&bench, &code).await, Err(CodeError::Wrong)), "it has confirmed the enrolment");
    advance_step(&bench);
    let code = totp_code(&secret, bench.clock.now());
    assert_eq!(verify_now(&bench, &code).await.ok(), Some(Method::Totp));
    assert!(matches!(verify_now(&bench, &code).await, Err(CodeError::Wrong)), "a replay");
    let earlier = totp_code(&secret, bench.clock.now() - Duration::from_secs(STEP));
    assert!(matches!(verify_now(&bench, &earlier).await, Err(CodeError::Wrong)), "an earlier step");
    let next = totp_code(&secret, bench.clock.now() + Duration::from_secs(STEP));
    assert_eq!(verify_now(&bench, &next).await.ok(), Some(Method::Totp), "the clock of the app may be fast");
}

/// `docs/security-requirements.md#f3`
#[tokio::test]
async fn wrong_codes_are_delayed_until_one_is_right() {
    let bench = Bench::new().await;
    let (secret, codes) = bench.enrol().await;
    for _ in 0..=FREE {
        assert!(matches!(verify_now(&bench, "12345").await, Err(CodeError::Wrong)));
    }
    advance_step(&bench);
    let right = |bench: &Bench| totp_code(&secret, bench.clock.now());
    assert_eq!(verify_now(&bench, &right(&bench)).await.ok(), Some(Method::Totp), "the first wait is over");
    for _ in 0..=FREE {
        assert!(matches!(verify_now(&bench, "12345").await, Err(CodeError::Wrong)));
    }
    let refused = verify_now(&bench, &codes[0]).await;
    assert!(matches!(refused, Err(CodeError::TooMany(wait)) if wait == FIRST_WAIT), "also a right code: {refused:?}");
    bench.advance(FIRST_WAIT);
    assert!(matches!(verify_now(&bench, "12345").await, Err(CodeError::Wrong)));
    let refused = verify_now(&bench, "12345").await;
    assert!(matches!(refused, Err(CodeError::TooMany(wait)) if wait == 2 * FIRST_WAIT), "{refused:?}");
    bench.advance(2 * FIRST_WAIT);
    assert_eq!(verify_now(&bench, &codes[0]).await.ok(), Some(Method::RecoveryCode));
    assert!(matches!(verify_now(&bench, "12345").await, Err(CodeError::Wrong)), "the count begins anew");
}

#[test]
fn wait_doubles_up_to_a_day() {
    assert_eq!(
        [0, FREE, FREE + 1, FREE + 2].map(wait_after),
        [Duration::ZERO, Duration::ZERO, FIRST_WAIT, 2 * FIRST_WAIT]
    );
    assert_eq!([FREE + 20, u32::MAX].map(wait_after), [LONGEST_WAIT; 2]);
}

/// `docs/security-requirements.md#f3`
#[tokio::test]
async fn guesses_at_the_same_time_are_all_counted() {
    let bench = Bench::new().await;
    bench.enrol().await;
    let guesses = (0..20).map(|_| verify_now(&bench, "12345"));
    let outcomes = futures_util::future::join_all(guesses).await;
    let checked = outcomes.iter().filter(|outcome| matches!(outcome, Err(CodeError::Wrong))).count();
    assert!(checked <= FREE as usize + 1, "{checked} of 20 were checked");
}

/// `docs/security-requirements.md#f4`
#[tokio::test]
async fn recovery_code_is_accepted_once_and_new_ones_replace_the_others() {
    let bench = Bench::new().await;
    let (_, codes) = bench.enrol().await;
    assert_eq!(verify_now(&bench, &codes[3]).await.ok(), Some(Method::RecoveryCode));
    assert!(matches!(verify_now(&bench, &codes[3]).await, Err(CodeError::Wrong)));
    assert_eq!(bench.provider.store.recovery_codes_left(EINSTEIN).await.expect("reads"), 9);
    let anew = recovery_code::generate(&bench.provider.random);
    let digests = recovery_code::digests(EINSTEIN, &anew);
    bench.provider.store.replace_recovery_codes(EINSTEIN, &digests).await.expect("writes");
    assert!(matches!(verify_now(&bench, &codes[0]).await, Err(CodeError::Wrong)), "replaced");
    assert_eq!(verify_now(&bench, &anew[0]).await.ok(), Some(Method::RecoveryCode));
}

/// `docs/security-requirements.md#f1`
#[tokio::test]
async fn secret_is_sealed_and_bound_to_its_user() {
    let bench = Bench::new().await;
    bench.enrol().await;
    let [factor] = bench.provider.store.factors(EINSTEIN).await.expect("reads").try_into().expect("one factor");
    let secret = open(&bench.provider, &factor).expect("is opened");
    assert!(!factor.sealed.windows(SECRET_LEN).any(|bytes| bytes == secret.as_slice()));
    let moved = StoredFactor { person: "u-curie".to_owned(), ..factor };
    assert!(open(&bench.provider, &moved).is_err(), "a row of another user");
}

/// `docs/security-requirements.md#f5` and `docs/security-requirements.md#f6`
#[tokio::test]
async fn enrolment_is_its_users_and_replaces_no_factor() {
    let bench = Bench::new().await;
    let (user, caller) = (bench.user(), Caller::default());
    let begun = enrolment::begin(&bench.provider, &user).expect("begins");
    let confirm = async |user: &authn::User, code: &str, proof| {
        enrolment::confirm(&bench.provider, (user, proof), &begun.handle, code, &caller).await
    };
    let code = || totp_code(&begun.secret, bench.clock.now());
    let wrong = confirm(&user, "000000x", Proof::Password).await;
    assert!(matches!(wrong, Err(EnrolmentError::WrongCode)));
    let id = UserId { opaque_id: "u-curie".to_owned(), ..UserId::default() };
    let other = authn::User { id, ..user.clone() };
    let foreign = confirm(&other, &code(), Proof::Password).await;
    assert!(matches!(foreign, Err(EnrolmentError::Expired)));

    // a passkey, as the store sees it
    let passkey = StoredFactor {
        id: bench.provider.random.uuid(),
        person: EINSTEIN.to_owned(),
        kind: FactorKind::Passkey,
        name: "credential".to_owned(),
        sealed: Vec::new(),
        is_administrator: false,
        last_step: None,
        failures: 0,
        blocked_until: std::time::UNIX_EPOCH,
        created: bench.clock.now(),
        used: None,
    };
    assert!(bench.provider.store.add_passkey(&passkey, 1).await.expect("adds"));
    let beside = confirm(&user, &code(), Proof::Password).await;
    assert!(matches!(beside, Err(EnrolmentError::AlreadyEnrolled)), "the password alone adds none beside the passkey");
    confirm(&user, &code(), Proof::RecentSignIn).await.expect("is enrolled");
    let again = confirm(&user, &code(), Proof::RecentSignIn).await;
    assert!(matches!(again, Err(EnrolmentError::AlreadyEnrolled)));
    bench.advance(Duration::from_mins(30));
    let late = confirm(&user, &code(), Proof::Password).await;
    assert!(matches!(late, Err(EnrolmentError::Expired)));
}

/// `docs/security-requirements.md#f5`
#[tokio::test]
async fn password_alone_neither_signs_in_nor_enrols_beside_a_passkey_for_another_host() {
    for (policy, has_mail) in [("optional", false), ("optional", true), ("required", false), ("required", true)] {
        let change = |config: &mut crate::Config| config.mfa.policy = policy.to_owned();
        let (bench, _mail_box) = if has_mail {
            let (bench, mail_box) = MailBox::with(change).await;
            (bench, Some(mail_box))
        } else {
            (Bench::with(change).await, None)
        };
        let (provider, user, caller) = (&bench.provider, bench.user(), Caller::default());
        Authenticator::new().register(&bench).await.expect("is added");
        let demand = async || policy::at_sign_in(provider, &user, false).await.expect("is decided");
        let begun = enrolment::begin(provider, &user).expect("begins");
        let confirm = async |proof| {
            let code = totp_code(&begun.secret, bench.clock.now());
            enrolment::confirm(provider, (&user, proof), &begun.handle, &code, &caller).await
        };
        assert_eq!(possession(provider, EINSTEIN).await.expect("reads"), Possession::Usable);
        assert_eq!(demand().await, Demand::Code);

        passkey::move_to_another_host(provider, EINSTEIN).await;
        assert_eq!(possession(provider, EINSTEIN).await.expect("reads"), Possession::Unusable);
        assert!(
            is_enrolled(provider, EINSTEIN).await.expect("reads"),
            "to change factors takes more than the password"
        );
        assert_eq!(demand().await, Demand::Reset, "{policy}, mail: {has_mail}");
        assert_eq!(policy::at_step_up(provider, &user).await.expect("is decided"), Demand::Reset);
        assert!(matches!(confirm(Proof::Password).await, Err(EnrolmentError::AlreadyEnrolled)));

        // a recovery code proves more than the password
        let codes = recovery_code::generate(&provider.random);
        let digests = recovery_code::digests(EINSTEIN, &codes);
        provider.store.replace_recovery_codes(EINSTEIN, &digests).await.expect("writes");
        assert_eq!(demand().await, Demand::Code);
        assert_eq!(policy::at_step_up(provider, &user).await.expect("is decided"), Demand::Code);
        assert!(matches!(confirm(Proof::Password).await, Err(EnrolmentError::AlreadyEnrolled)));
        confirm(Proof::RecentSignIn).await.expect("is enrolled");
        let last = remove_app(provider, EINSTEIN, true, &caller).await.expect("answers");
        assert_eq!(last, Removal::IsLast, "the passkey does not count as another factor");
        assert_eq!(policy::may_remove_one(provider, &user).await.expect("reads"), policy == "optional");

        assert!(reset(provider, EINSTEIN).await.expect("resets"));
        let after_reset = if policy == "required" { Demand::Enrolment } else { Demand::Nothing };
        assert_eq!(demand().await, after_reset);
    }
}

/// `docs/security-requirements.md#f5`
#[tokio::test]
async fn passkey_for_another_host_can_be_removed_and_one_that_is_used_is_for_this_host() {
    let bench = Bench::new().await;
    let (provider, caller) = (&bench.provider, Caller::default());
    Authenticator::new().register(&bench).await.expect("is added");
    passkey::move_to_another_host(provider, EINSTEIN).await;
    let known = passkey::list(provider, EINSTEIN).await.expect("reads");
    assert!(!known[0].is_usable(provider));
    Authenticator::new().register(&bench).await.expect("another one is added");
    let known = passkey::list(provider, EINSTEIN).await.expect("reads");
    assert_eq!(known.iter().filter(|passkey| passkey.is_usable(provider)).count(), 1);
    for passkey in &known {
        let (id, is_usable) = (passkey.factor.id, passkey.is_usable(provider));
        let removal = passkey::registration::remove(provider, (EINSTEIN, id), true, &caller).await.expect("answers");
        assert_eq!(removal, if is_usable { Removal::IsLast } else { Removal::Done });
    }
}

/// `docs/security-requirements.md#f9`
#[tokio::test]
async fn every_administrator_enrols_after_the_first() {
    let bench = Bench::new().await;
    bench.change(|user| user.as_mut().expect("a user").roles = vec![role::ADMIN.to_owned()]);
    let id = UserId { opaque_id: "u-curie".to_owned(), ..UserId::default() };
    let other = authn::User { id, ..bench.user() };
    let demand = async || policy::at_sign_in(&bench.provider, &other, false).await.expect("is decided");
    assert_eq!(demand().await, Demand::Nothing);
    bench.enrol().await;
    assert_eq!(demand().await, Demand::Enrolment);
    assert!(remove(&bench.provider, EINSTEIN).await.expect("removes"));
    assert_eq!(demand().await, Demand::Nothing, "the operator has reset the only one");
}

/// `docs/security-requirements.md#f8`
#[tokio::test]
async fn reset_removes_factors_codes_and_trusted_devices() {
    let bench = Bench::new().await;
    let (secret, codes) = bench.enrol().await;
    let cookie = trusted_device::trust(&bench.provider, EINSTEIN).await.expect("is trusted");
    let (user, id) = (bench.user(), UserId { opaque_id: "u-curie".to_owned(), ..UserId::default() });
    let other = authn::User { id, ..user.clone() };
    let is_trusted = async |user: &authn::User| {
        trusted_device::is_trusted(&bench.provider, user, Some(&cookie)).await.expect("asks")
    };
    assert!(is_trusted(&user).await && !is_trusted(&other).await);
    assert!(remove(&bench.provider, EINSTEIN).await.expect("removes"));
    assert!(!is_trusted(&user).await);
    advance_step(&bench);
    for code in [&totp_code(&secret, bench.clock.now()), &codes[0]] {
        assert!(matches!(verify_now(&bench, code).await, Err(CodeError::NotEnrolled)));
    }
    assert!(!remove(&bench.provider, EINSTEIN).await.expect("asks"), "nothing is left");
    bench.enrol().await;
}

#[tokio::test]
async fn trust_in_a_device_ends_after_30_days() {
    let bench = Bench::new().await;
    let cookie = trusted_device::trust(&bench.provider, EINSTEIN).await.expect("is trusted");
    let user = bench.user();
    let is_trusted =
        async |cookie: &str| trusted_device::is_trusted(&bench.provider, &user, Some(cookie)).await.expect("asks");
    for wrong in ["", "x", &cookie[1..]] {
        assert!(!is_trusted(wrong).await, "{wrong}");
    }
    bench.advance(trusted_device::TRUSTED_FOR.saturating_sub(Duration::from_secs(1)));
    assert!(is_trusted(&cookie).await);
    bench.advance(Duration::from_secs(1));
    assert!(!is_trusted(&cookie).await);
}

/// `docs/security-requirements.md#f32`
#[tokio::test]
async fn trust_in_a_device_ends_with_the_password_that_was_given_before() {
    let bench = Bench::new().await;
    let changed = |at| bench.change(|user| user.as_mut().expect("a user").password_changed = Some(at));
    changed(bench.clock.now());
    bench.advance(Duration::from_secs(1));
    let cookie = trusted_device::trust(&bench.provider, EINSTEIN).await.expect("is trusted");
    let is_trusted = async || {
        let user = bench.user();
        let is_trusted = trusted_device::is_trusted(&bench.provider, &user, Some(&cookie)).await.expect("asks");
        assert_eq!(trusted_device::count(&bench.provider, &user).await.expect("asks"), u64::from(is_trusted));
        is_trusted
    };
    assert!(is_trusted().await, "the password was changed before");
    bench.advance(Duration::from_secs(1));
    changed(bench.clock.now());
    assert!(!is_trusted().await);
}

/// `docs/security-requirements.md#f32`
#[tokio::test]
async fn replaced_or_removed_app_ends_codes_and_trusted_devices() {
    let bench = Bench::new().await;
    let (provider, user, caller) = (&bench.provider, bench.user(), Caller::default());
    let (former, former_codes) = bench.enrol().await;
    let trust = async || trusted_device::trust(provider, EINSTEIN).await.expect("is trusted");
    trust().await;
    let begun = enrolment::begin(provider, &user).expect("begins");
    let wrong = enrolment::replace(provider, &user, &begun.handle, "000000x", &caller).await;
    assert!(matches!(wrong, Err(EnrolmentError::WrongCode)));
    assert_eq!(trusted_device::count(provider, &user).await.expect("asks"), 1, "nothing was replaced");
    let code = totp_code(&begun.secret, bench.clock.now());
    let codes = enrolment::replace(provider, &user, &begun.handle, &code, &caller).await.expect("is replaced");
    assert_eq!(trusted_device::count(provider, &user).await.expect("asks"), 0);
    advance_step(&bench);
    for wrong in [&totp_code(&former, bench.clock.now()), &former_codes[0]] {
        assert!(matches!(verify_now(&bench, wrong).await, Err(CodeError::Wrong)));
    }
    assert_eq!(verify_now(&bench, &totp_code(&begun.secret, bench.clock.now())).await.ok(), Some(Method::Totp));
    trust().await;
    assert_eq!(remove_app(provider, EINSTEIN, true, &caller).await.expect("asks"), Removal::IsLast, "it stays");
    assert_eq!(remove_app(provider, EINSTEIN, false, &caller).await.expect("removes"), Removal::Done);
    assert_eq!(remove_app(provider, EINSTEIN, false, &caller).await.expect("asks"), Removal::Absent);
    assert_eq!(trusted_device::count(provider, &user).await.expect("asks"), 0);
    assert!(matches!(verify_now(&bench, &codes[0]).await, Err(CodeError::NotEnrolled)));
    assert_eq!(provider.store.recovery_codes_left(EINSTEIN).await.expect("reads"), 0);
}
