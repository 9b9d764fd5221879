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

#[test]
fn a_session_is_over_until_no_token_of_it_can_be_good() {
    let sessions = Sessions::default();
    let hour = Duration::from_hours(1);
    sessions.end(&logout(Some("marie"), Some("s1"), 100), hour, time(100));
    let over = |sid, at| sessions.status(ISSUER, &claims("marie", Some(sid), Some(50)), time(at));
    assert_eq!(over("s1", 100), SessionStatus::Ended);
    assert_eq!(over("s1", 100 + 86_399), SessionStatus::Ended);
    assert_eq!(over("s1", 100 + 86_400), SessionStatus::Active, "a day, as tokens live shorter");
    assert_eq!(over("s2", 100), SessionStatus::Active);
    let later = claims("marie", Some("s1"), Some(200));
    assert_eq!(sessions.status(ISSUER, &later, time(201)), SessionStatus::Ended, "a session does not begin again");
    assert_eq!(sessions.status("https://other.example", &later, time(201)), SessionStatus::Active);

    sessions.end(&logout(None, Some("s9"), 0), Duration::from_hours(48), time(0));
    let long = claims("marie", Some("s9"), Some(0));
    assert_eq!(sessions.status(ISSUER, &long, time(2 * 86_400 - 1)), SessionStatus::Ended, "as long as tokens live");
    assert_eq!(sessions.status(ISSUER, &long, time(2 * 86_400)), SessionStatus::Active);
}

#[test]
fn all_sessions_of_a_person_are_those_that_began_before() {
    let sessions = Sessions::default();
    sessions.end(&logout(Some("marie"), None, 100), Duration::ZERO, time(105));
    let of = |sub, iat| sessions.status(ISSUER, &claims(sub, Some("s"), iat), time(110));
    assert_eq!(of("marie", Some(100)), SessionStatus::Ended);
    assert_eq!(of("marie", Some(101)), SessionStatus::Active);
    assert_eq!(of("marie", None), SessionStatus::MayHaveEnded(time(100)));
    assert_eq!(of("einstein", Some(1)), SessionStatus::Active);
}

#[test]
fn a_token_that_names_no_session_is_asked_for_anew() {
    let sessions = Sessions::default();
    sessions.end(&logout(Some("marie"), Some("s1"), 100), Duration::ZERO, time(105));
    let of = |sub| sessions.status(ISSUER, &claims(sub, None, Some(50)), time(110));
    assert_eq!((of("marie"), of("einstein")), (SessionStatus::MayHaveEnded(time(105)), SessionStatus::Active));
    sessions.end(&logout(None, Some("s2"), 106), Duration::ZERO, time(107));
    assert_eq!(
        (of("marie"), of("einstein")),
        (SessionStatus::MayHaveEnded(time(107)), SessionStatus::MayHaveEnded(time(107)))
    );
}

#[test]
fn a_message_counts_once() {
    let sessions = Sessions::default();
    assert!(sessions.is_new(ISSUER, "j", time(60), time(0)));
    assert!(!sessions.is_new(ISSUER, "j", time(60), time(59)));
    assert!(sessions.is_new("https://other.example", "j", time(60), time(0)));
    assert!(sessions.is_new(ISSUER, "j", time(90), time(60)), "it could not be shown any more");
}

#[test]
fn what_is_kept_is_bounded() {
    let sessions = Sessions::default();
    for n in 0..MOST + 10 {
        sessions.is_new(ISSUER, &n.to_string(), time(60), time(0));
    }
    let count = || {
        let ended = sessions.read();
        assert_eq!(ended.entries.len(), ended.order.len());
        ended.entries.len()
    };
    assert_eq!(count(), MOST);
    sessions.is_new(ISSUER, "later", time(200), time(100));
    assert_eq!(count(), 1, "what is over is dropped");
}

#[test]
fn end_that_made_room_ends_all_older_tokens_of_its_issuer() {
    let sessions = Sessions::default();
    let end = |number: usize, at| {
        let logout = logout(None, Some(&number.to_string()), at);
        sessions.end(&logout, Duration::ZERO, time(at));
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

proptest! {
    #[test]
    fn names_do_not_run_together(a in "[a-z]{0,5}", b in "[a-z]{0,5}", c in "[a-z]{0,5}", d in "[a-z]{0,5}") {
        let same = Name::new(What::Session, &a, &b).0 == Name::new(What::Session, &c, &d).0;
        prop_assert_eq!(same, (a, b) == (c, d));
    }
}
