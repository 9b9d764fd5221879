//! Signing in with what is kept in a database: rows B1 to B5, I34 and I36 of the requirements.

use std::time::Duration;

use crate::support::{AWAY, Bench, HOME, PASSWORD, TOKEN, cheap, is_busy};
use auth_basic::Config;
use auth_basic::password::Cost;
use authn::testing::refusal_reason;
use authn::{AuthError, Reason, UserStatus};
use futures_util::future::join_all;

#[tokio::test]
async fn people_sign_in_by_name_and_by_mail() {
    let bench = Bench::start(cheap()).await;
    for login in ["einstein", "einstein@example.org"] {
        let answer = bench.sign_in(login, PASSWORD).await.expect("the right password");
        assert_eq!(answer.user.username, "einstein");
        assert_eq!((&*answer.amr, answer.scopes.is_full_user()), ("pwd", true));
    }
}

/// Row I34.
#[tokio::test]
async fn invalid_credentials_get_one_response_after_one_hash() {
    let bench = Bench::start(cheap()).await;
    bench.put_user("newcomer", UserStatus::Active);
    for (login, password, expected) in [
        ("einstein", "wrong", Reason::WrongSecret),
        ("einstein@example.org", "wrong", Reason::WrongSecret),
        ("unknown", PASSWORD, Reason::UnknownUser),
        ("id-of-einstein", PASSWORD, Reason::UnknownUser),
        ("unknown@example.org", PASSWORD, Reason::UnknownUser),
        ("lise", PASSWORD, Reason::Disabled),
        ("lise", "wrong", Reason::Disabled),
        ("newcomer", PASSWORD, Reason::WrongSecret),
    ] {
        let before = bench.hashed();
        let outcome = bench.sign_in(login, password).await;
        assert_eq!(outcome.as_ref().map(drop).map_err(ToString::to_string), Err("invalid credentials".into()));
        assert_eq!(refusal_reason(outcome), expected, "{login}");
        assert_eq!(bench.hashed(), before + 1, "{login}");
    }
}

/// Row B4.
#[tokio::test]
async fn malformed_credential_is_refused_without_hashing() {
    let bench = Bench::start(cheap()).await;
    let before = bench.hashed();
    assert_eq!(refusal_reason(bench.sign_in("einstein", "").await), Reason::EmptySecret);
    let (long_login, long_password) = ("x".repeat(257), "x".repeat(1 << 20));
    for (login, password) in [
        ("", PASSWORD),
        ("a:b", PASSWORD),
        ("a\0", PASSWORD),
        (long_login.as_str(), PASSWORD),
        ("einstein", &long_password),
    ] {
        assert_eq!(refusal_reason(bench.sign_in(login, password).await), Reason::Malformed);
    }
    assert_eq!(bench.hashed(), before);
}

/// Gateways of the Go family try an app token as a password before they try it as what it is (row I36).
#[tokio::test]
async fn app_token_is_not_counted_as_a_guessed_password() {
    let bench = Bench::start(cheap()).await;
    let body = "dwa_0123456789ABCDEFGHIJKLMNOPQRST";
    let sum = String::from_utf8(authn::app_token::checksum(body.as_bytes()).to_vec()).expect("ASCII");
    let (token, before) = (format!("{body}{sum}"), bench.hashed());
    for login in ["einstein", "unknown"] {
        for _ in 0..30 {
            assert_eq!(refusal_reason(bench.sign_in(login, &token).await), Reason::WrongSecret);
        }
    }
    assert_eq!(bench.hashed(), before);
    bench.sign_in("einstein", PASSWORD).await.expect("the right password");
}

/// Row B1.
#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_logins_at_once_stay_in_bounds() {
    let bench = Bench::start(Config { argon2: Cost::default(), hash_threads: 2, ..cheap() }).await;
    let names: Vec<String> = (0..500).map(|number| format!("user{number}")).collect();
    let outcomes = join_all(names.iter().map(|name| bench.sign_in_from(None, name, PASSWORD))).await;
    // a server of databases may be slower than a caller waits for a connection, which spares its password the queue
    let (unavailable, outcomes): (Vec<_>, Vec<_>) =
        outcomes.into_iter().partition(|outcome| matches!(outcome, Err(AuthError::Unavailable { .. })));
    assert!(unavailable.is_empty() || store::testing::on_server().is_some(), "{unavailable:?}");
    let busy = outcomes.iter().filter(|outcome| is_busy(outcome)).count();
    let refused = outcomes.into_iter().filter(|outcome| !is_busy(outcome)).map(refusal_reason).count();
    assert_eq!(unavailable.len() + busy + refused, 500);
    assert!(busy <= 500 - 66, "{busy}: the queue has 64 places");
    assert!(unavailable.len() + busy > 0, "not all are answered");
    assert_eq!(bench.opened.hashed().1, 2, "no more than the slots");
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak of memory");
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(kib < 250 * 1024, "{kib} KiB");
}

/// Row B2.
#[tokio::test]
async fn legacy_password_signs_in_and_is_brought_up_to_date() {
    let bench = Bench::start(cheap()).await;
    let administration = bench.opened.administration.as_ref().expect("passwords are kept here");
    let legacy = bcrypt::hash("an outdated passphrase of a device", 4).expect("a bcrypt hash");
    administration.import("id-of-marie", &legacy).await.expect("a verifier of another system");
    assert_eq!(refusal_reason(bench.sign_in("marie", "another password").await), Reason::WrongSecret);
    let before = bench.hashed();
    bench.directory.password_changes();
    bench.sign_in("marie", "an outdated passphrase of a device").await.expect("the right password");
    assert_eq!(bench.hashed(), before + 2, "verified, and hashed anew");
    assert_eq!(bench.directory.password_changes(), [], "which changes nothing for the person");
    bench.sign_in("marie", "an outdated passphrase of a device").await.expect("the right password");
    assert_eq!(bench.hashed(), before + 3, "verified against what is kept now");
    bench.sign_in("marie", "an outdated passphrase of a device").await.expect("the right password");
    assert_eq!(bench.hashed(), before + 3, "and remembered");
    assert!(administration.import("id-of-marie", "not a verifier").await.is_err());
}

/// Row B2.
#[tokio::test]
async fn twins_beyond_72_bytes_differ() {
    let bench = Bench::start(cheap()).await;
    let administration = bench.opened.administration.as_ref().expect("passwords are kept here");
    let begin = "several words that belong to no one sentence, ".repeat(2);
    let (long, twin) = (format!("{begin}1"), format!("{begin}2"));
    let legacy = bcrypt::hash(&long, 4).expect("a bcrypt hash");
    administration.import("id-of-marie", &legacy).await.expect("a verifier of another system");
    assert_eq!(refusal_reason(bench.sign_in("marie", &twin).await), Reason::WrongSecret);
    bench.set("marie", &long).await;
    assert_eq!(refusal_reason(bench.sign_in("marie", &twin).await), Reason::WrongSecret);
    bench.sign_in("marie", &long).await.expect("the right password");
}

/// Row B3.
#[tokio::test]
async fn verified_password_is_cached_for_a_minute() {
    let bench = Bench::start(cheap()).await;
    let before = bench.hashed();
    for _ in 0..10 {
        bench.sign_in("einstein", PASSWORD).await.expect("the right password");
    }
    assert_eq!(bench.hashed(), before + 1);
    bench.context.clock.advance(Duration::from_mins(1));
    bench.sign_in("einstein", PASSWORD).await.expect("the right password");
    assert_eq!(bench.hashed(), before + 2);
}

/// Row B3.
#[tokio::test]
async fn verified_password_is_not_cached_if_the_cache_is_off() {
    let bench = Bench::start(Config { cache_ttl: Duration::ZERO, ..cheap() }).await;
    let before = bench.hashed();
    for _ in 0..3 {
        bench.sign_in("einstein", PASSWORD).await.expect("the right password");
    }
    assert_eq!(bench.hashed(), before + 3);
}

/// Row B3.
#[tokio::test]
async fn changing_removing_and_disabling_take_effect_at_once() {
    let bench = Bench::start(cheap()).await;
    bench.sign_in("einstein", PASSWORD).await.expect("the right password");
    bench.set("einstein", "quite another password").await;
    assert_eq!(refusal_reason(bench.sign_in("einstein", PASSWORD).await), Reason::WrongSecret);
    bench.sign_in("einstein", "quite another password").await.expect("the new one");

    bench.sign_in("marie", PASSWORD).await.expect("the right password");
    bench.put_user("marie", UserStatus::Blocked);
    assert_eq!(refusal_reason(bench.sign_in("marie", PASSWORD).await), Reason::Disabled);
    bench.put_user("marie", UserStatus::Active);
    bench.sign_in("marie", PASSWORD).await.expect("enabled again");
    let administration = bench.opened.administration.as_ref().expect("passwords are kept here");
    assert!(administration.remove_password("id-of-marie", TOKEN).await.expect("removed"));
    assert_eq!(refusal_reason(bench.sign_in("marie", PASSWORD).await), Reason::WrongSecret);
    assert!(!administration.remove_password("id-of-marie", TOKEN).await.expect("nothing to remove"));
}

/// Row B3.
#[tokio::test]
async fn simultaneous_equal_attempts_are_hashed_once() {
    let bench = Bench::start(cheap()).await;
    let before = bench.hashed();
    let outcomes = join_all((0..20).map(|_| bench.sign_in("einstein", PASSWORD))).await;
    assert!(outcomes.iter().all(Result::is_ok), "a client with many connections is not an attack");
    assert_eq!(bench.hashed(), before + 1);
    let outcomes = join_all((0..20).map(|_| bench.sign_in("einstein", "wrong"))).await;
    assert!(outcomes.into_iter().all(|outcome| refusal_reason(outcome) == Reason::WrongSecret));
    assert_eq!(bench.hashed(), before + 2);
}

/// Row I36.
#[tokio::test]
async fn guesses_are_refused_without_hashing_and_the_user_signs_in() {
    let bench = Bench::start(cheap()).await;
    let before = bench.hashed();
    let mut hashed = 0;
    for attempt in 0..1000 {
        let outcome = bench.sign_in_from(AWAY, "einstein", &format!("guess {attempt}")).await;
        if !is_busy(&outcome) {
            assert_eq!(refusal_reason(outcome), Reason::WrongSecret);
            hashed += 1;
        }
    }
    assert_eq!(hashed, 5, "five are free, and no time has passed");
    assert_eq!(bench.hashed(), before + 5, "what is refused costs nothing");
    bench.sign_in_from(HOME, "einstein", PASSWORD).await.expect("the victim is elsewhere");
    bench.sign_in_from(AWAY, "marie", PASSWORD).await.expect("and so is not the attacker's neighbour");
    assert!(
        is_busy(&bench.sign_in_from(AWAY, "einstein", PASSWORD).await),
        "a remembered password cannot be guessed either"
    );
    bench.context.clock.advance(Duration::from_secs(1));
    bench.sign_in_from(AWAY, "einstein", PASSWORD).await.expect("who waits may try again");
}

/// Row I36.
#[tokio::test]
async fn device_with_an_old_password_counts_one_failure() {
    let bench = Bench::start(cheap()).await;
    let before = bench.hashed();
    for _ in 0..100 {
        assert_eq!(
            refusal_reason(bench.sign_in("einstein", "an outdated passphrase of a device").await),
            Reason::WrongSecret
        );
        bench.context.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(bench.hashed(), before + 1);
    bench.sign_in("einstein", PASSWORD).await.expect("its owner, from the same address");
    bench.set("einstein", "an outdated passphrase of a device").await;
    bench.sign_in("einstein", "an outdated passphrase of a device").await.expect("now it is the right one");
}

/// Row I36.
#[tokio::test]
async fn disabled_user_is_throttled_like_others() {
    let bench = Bench::start(cheap()).await;
    for login in ["lise", "unknown"] {
        let outcomes = [PASSWORD, "two", "three", "four", "five"].map(|password| bench.sign_in(login, password));
        for outcome in outcomes {
            outcome.await.expect_err("refused");
        }
        assert!(is_busy(&bench.sign_in(login, PASSWORD).await), "{login}");
    }
}

/// Row B5.
#[tokio::test]
async fn password_spraying_is_throttled_by_source() {
    let bench = Bench::start(cheap()).await;
    let mut hashed = 0;
    for number in 0..1000 {
        let outcome = bench.sign_in_from(AWAY, &format!("user{number}"), PASSWORD).await;
        hashed += usize::from(!is_busy(&outcome));
    }
    assert_eq!(hashed, 100);
    bench.sign_in_from(HOME, "einstein", PASSWORD).await.expect("others are not concerned");
}

#[tokio::test(flavor = "multi_thread")]
async fn four_callers_hammering_one_account_leave_room_for_another() {
    let bench = Bench::start(Config { argon2: Cost::default(), hash_threads: 2, ..cheap() }).await;
    let hammer = |caller: usize| {
        let bench = &bench;
        async move {
            for attempt in 0..500 {
                let _ = bench.sign_in_from(AWAY, "einstein", &format!("guess {caller} {attempt}")).await;
                tokio::task::yield_now().await;
            }
        }
    };
    let before = bench.hashed();
    let other = async {
        for _ in 0..3 {
            bench.sign_in_from(AWAY, "marie", PASSWORD).await.expect("signs in meanwhile, from the same address");
        }
    };
    futures_util::join!(hammer(1), hammer(2), hammer(3), hammer(4), other);
    assert!(bench.hashed() <= before + 6, "five guesses and one sign-in were hashed");
}
