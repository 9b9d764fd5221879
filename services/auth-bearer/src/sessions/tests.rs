use std::time::UNIX_EPOCH;

use proptest::prelude::*;
use serde_json::json;

use super::*;

const ISSUER: &str = "https://idp.example";

fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn claims(sub: &str, sid: Option<&str>, iat: Option<u64>) -> Claims {
    let mut all = json!({"sub": sub});
    if let Some(sid) = sid {
        all["sid"] = json!(sid);
    }
    if let Some(iat) = iat {
        all["iat"] = json!(1_800_000_000 + iat);
    }
    let serde_json::Value::Object(all) = all else { panic!("an object") };
    Claims::read(all).expect("good claims")
}

fn logout(sub: Option<&str>, sid: Option<&str>, at: u64) -> Logout {
    let (subject, session) = (sub.map(str::to_owned), sid.map(str::to_owned));
    Logout { issuer: ISSUER.to_owned(), subject, session, at: time(at) }
}

/// Notes what a logout ends, at an issuer whose tokens live so long.
fn end(sessions: &Sessions, logout: &Logout, longest: Duration, now: SystemTime) {
    sessions.note(ends(logout, Some(longest), now), now);
}

#[test]
fn a_session_is_over_until_no_token_of_it_can_be_good() {
    let sessions = Sessions::default();
    let hour = Duration::from_hours(1);
    end(&sessions, &logout(Some("marie"), Some("s1"), 100), hour, time(100));
    let over = |sid, at| sessions.status(ISSUER, &claims("marie", Some(sid), Some(50)), time(at));
    assert_eq!(over("s1", 100), SessionStatus::Ended);
    assert_eq!(over("s1", 100 + 86_399), SessionStatus::Ended);
    assert_eq!(over("s1", 100 + 86_400), SessionStatus::Active, "a day, as tokens live shorter");
    assert_eq!(over("s2", 100), SessionStatus::Active);
    let later = claims("marie", Some("s1"), Some(200));
    assert_eq!(sessions.status(ISSUER, &later, time(201)), SessionStatus::Ended, "a session does not begin again");
    assert_eq!(sessions.status("https://other.example", &later, time(201)), SessionStatus::Active);

    end(&sessions, &logout(None, Some("s9"), 0), Duration::from_hours(48), time(0));
    let long = claims("marie", Some("s9"), Some(0));
    assert_eq!(sessions.status(ISSUER, &long, time(2 * 86_400 - 1)), SessionStatus::Ended, "as long as tokens live");
    assert_eq!(sessions.status(ISSUER, &long, time(2 * 86_400)), SessionStatus::Active);
}

#[test]
fn all_sessions_of_a_person_are_those_that_began_before() {
    let sessions = Sessions::default();
    end(&sessions, &logout(Some("marie"), None, 100), Duration::ZERO, time(105));
    let of = |sub, iat| sessions.status(ISSUER, &claims(sub, Some("s"), iat), time(110));
    assert_eq!(of("marie", Some(100)), SessionStatus::Ended);
    assert_eq!(of("marie", Some(101)), SessionStatus::Active);
    assert_eq!(of("marie", None), SessionStatus::MayHaveEnded(time(100)));
    assert_eq!(of("einstein", Some(1)), SessionStatus::Active);
}

#[test]
fn a_token_that_names_no_session_is_asked_for_anew() {
    let sessions = Sessions::default();
    end(&sessions, &logout(Some("marie"), Some("s1"), 100), Duration::ZERO, time(105));
    let of = |sub| sessions.status(ISSUER, &claims(sub, None, Some(50)), time(110));
    assert_eq!((of("marie"), of("einstein")), (SessionStatus::MayHaveEnded(time(105)), SessionStatus::Active));
    end(&sessions, &logout(None, Some("s2"), 106), Duration::ZERO, time(107));
    assert_eq!(
        (of("marie"), of("einstein")),
        (SessionStatus::MayHaveEnded(time(107)), SessionStatus::MayHaveEnded(time(107)))
    );
}

/// A process that has seen no token of an issuer yet, as after a restart, does not know how long its tokens live.
#[test]
fn session_is_over_for_the_longest_time_where_the_life_of_tokens_is_not_known() {
    let sessions = Sessions::default();
    sessions.note(ends(&logout(None, Some("s1"), 0), None, time(0)), time(0));
    let at = |seconds| sessions.status(ISSUER, &claims("marie", Some("s1"), Some(0)), time(seconds));
    let longest = AT_MOST.as_secs();
    assert_eq!((at(longest - 1), at(longest)), (SessionStatus::Ended, SessionStatus::Active));
}

#[test]
fn what_is_kept_is_bounded() {
    let sessions = Sessions::default();
    for number in 0..MOST + 10 {
        end(&sessions, &logout(Some(&number.to_string()), None, 0), Duration::ZERO, time(0));
    }
    let count = || {
        let ended = sessions.read();
        assert_eq!(ended.entries.len(), ended.order.len());
        ended.entries.len()
    };
    assert_eq!(count(), MOST);
    end(&sessions, &logout(Some("later"), None, 100_000), Duration::ZERO, time(100_000));
    assert_eq!(count(), 1, "what is over is dropped");
}

#[test]
fn end_that_made_room_ends_all_older_tokens_of_its_issuer() {
    let sessions = Sessions::default();
    let end = |number: usize, at| {
        end(&sessions, &logout(None, Some(&number.to_string()), at), Duration::ZERO, time(at));
    };
    end(0, 100);
    for number in 1..=MOST {
        end(number, 200);
    }
    let of = |issuer, iat| sessions.status(issuer, &claims("marie", Some("0"), iat), time(300));
    assert_eq!(of(ISSUER, Some(50)), SessionStatus::Ended, "the session is still over");
    assert_eq!(of(ISSUER, Some(201)), SessionStatus::Active, "a later token cannot be of a session that had ended");
    assert!(matches!(of(ISSUER, None), SessionStatus::MayHaveEnded(_)), "only its issuer knows");
    assert_eq!(of("https://other.example", Some(50)), SessionStatus::Active);
    let later = sessions.status(ISSUER, &claims("marie", Some("0"), Some(50)), time(86_400 + 200));
    assert_eq!(later, SessionStatus::Active, "no such token can be valid by then");
}

#[test]
fn end_of_everything_ends_the_tokens_of_every_issuer_until_then() {
    let sessions = Sessions::default();
    let everything =
        End { name: Name::everything(), issuer: IssuerName::default(), at: time(100), until: time(100) + AT_MOST };
    sessions.note([everything], time(100));
    for issuer in [ISSUER, "https://other.example"] {
        let of = |iat, at| sessions.status(issuer, &claims("marie", Some("s1"), iat), time(at));
        assert_eq!((of(Some(100), 200), of(Some(101), 200)), (SessionStatus::Ended, SessionStatus::Active));
        assert_eq!(of(None, 200), SessionStatus::MayHaveEnded(time(100)));
        assert_eq!(of(Some(100), 100 + AT_MOST.as_secs()), SessionStatus::Active);
    }
}

proptest! {
    #[test]
    fn names_do_not_run_together(a in "[a-z]{0,5}", b in "[a-z]{0,5}", c in "[a-z]{0,5}", d in "[a-z]{0,5}") {
        let same = Name::new(What::Session, &a, &b).0 == Name::new(What::Session, &c, &d).0;
        prop_assert_eq!(same, (a, b) == (c, d));
    }
}
