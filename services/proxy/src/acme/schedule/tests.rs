use std::time::UNIX_EPOCH;

use super::*;
use crate::acme::testing::plan;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

fn at(hours: u32) -> SystemTime {
    UNIX_EPOCH + HOUR * 24 * 365 * 50 + HOUR * hours
}

fn holding(days: u32) -> State {
    let certificate = StoredCertificate {
        directory: plan().directory.to_string(),
        hosts: plan().hosts,
        chain: String::new(),
        key: String::new(),
        from: at(0),
        until: at(0) + DAY * days,
    };
    let renewal = Some(Renewal { window: None, next_check: Some(at(0) + DAY * 1000) });
    State { certificate: Some(certificate), renewal, ..State::default() }
}

#[test]
fn certificate_is_renewed_after_two_thirds_of_its_lifetime() {
    let state = holding(90);
    assert_eq!(next(&state, &plan(), at(0)), Next::Wait(at(60 * 24)));
    assert_eq!(next(&state, &plan(), at(60 * 24)), Next::Order);
    assert_eq!(next(&State::default(), &plan(), at(0)), Next::Order, "there is none");
    let other = Plan { hosts: vec!["other.example".to_owned()], ..plan() };
    assert_eq!(next(&state, &other, at(0)), Next::Order, "it is for other hosts");
}

#[test]
fn window_of_the_authority_decides_and_the_moment_in_it_stays() {
    let (random, window) = (Random::seeded(1), (at(10), at(20)));
    let renewal = suggested(None, window, HOUR, &random, at(0));
    let chosen = renewal.window.as_ref().expect("a window").chosen;
    assert!(window.0 <= chosen && chosen <= window.1);
    assert_eq!(suggested(Some(&renewal), window, HOUR, &random, at(0)), renewal);
    let moved = suggested(Some(&renewal), (at(30), at(40)), HOUR, &random, at(0)).window.expect("a window");
    assert!(at(30) <= moved.chosen && moved.chosen <= at(40));
    let mut state = State { renewal: Some(renewal.clone()), ..holding(90) };
    assert_eq!(next(&state, &plan(), at(0)), Next::Wait(at(1)), "the authority is asked again before");
    assert_eq!(next(&state, &plan(), at(1)), Next::Check);
    assert_eq!(next(&state, &plan(), chosen), Next::Order);
    state.renewal = Some(unanswered(Some(&renewal), at(1)));
    assert_eq!(next(&state, &plan(), at(1)), Next::Wait(at(7)), "a former window stays");
    let past = suggested(None, (at(0) + DAY * 200, at(0) + DAY * 300), DAY * 999, &random, at(0));
    assert_eq!(past.next_check, Some(at(24)), "once a day at least");
    state.renewal = Some(Renewal { next_check: Some(at(0) + DAY * 1000), ..past });
    assert_eq!(next(&state, &plan(), at(0)), Next::Wait(at(81 * 24)), "not after its end");
}

#[test]
fn failures_back_off_and_are_remembered() {
    let random = Random::seeded(1);
    let mut state = State::default();
    let mut now = at(0);
    for (failures, least, most) in [(1, 4, 6), (2, 8, 12), (3, 16, 24), (4, 32, 48)] {
        let attempt = begin(&state, &plan(), &random, now);
        assert_eq!(attempt.failures, failures);
        let wait = attempt.next.duration_since(now).expect("is later");
        assert!((Duration::from_mins(least)..=Duration::from_mins(most)).contains(&wait), "{wait:?}");
        state.attempt = Some(failed(attempt.clone(), "refused".to_owned(), None, now));
        assert_eq!(next(&state, &plan(), now), Next::Wait(attempt.next));
        now = attempt.next;
        assert_eq!(next(&state, &plan(), now), Next::Order);
    }
    for _ in 0..70 {
        state.attempt = Some(begin(&state, &plan(), &random, now));
    }
    let wait = state.attempt.as_ref().map(|attempt| attempt.next.duration_since(now).expect("is later"));
    assert!(wait.is_some_and(|wait| wait <= LONGEST_BACKOFF * 6 / 5), "{wait:?}");
}

#[test]
fn retry_after_of_the_authority_is_respected_within_a_week() {
    let attempt = begin(&State::default(), &plan(), &Random::seeded(1), at(0));
    let wait = |retry_after| failed(attempt.clone(), String::new(), retry_after, at(0)).next;
    assert_eq!(wait(Some(HOUR * 50)), at(50));
    assert_eq!(wait(Some(DAY * 300)), at(7 * 24));
    assert_eq!((wait(Some(Duration::ZERO)), wait(None)), (attempt.next, attempt.next));
}

#[test]
fn another_configuration_is_tried_soon_and_a_corrected_clock_at_once() {
    let random = Random::seeded(1);
    let attempt = begin(&State::default(), &plan(), &random, at(0));
    let attempt = failed(attempt, "limit".to_owned(), Some(HOUR * 100), at(0));
    let state = State { attempt: Some(attempt), ..State::default() };
    let other = Plan { challenge: "http-01".to_owned(), ..plan() };
    assert_eq!(next(&state, &plan(), at(1)), Next::Wait(at(100)));
    assert_eq!(next(&state, &other, at(0)), Next::Wait(at(0) + AFTER_CHANGE));
    assert_eq!(next(&state, &other, at(1)), Next::Order);
    assert_eq!(next(&state, &plan(), at(0) - DAY), Next::Order);
    let skewed = at(0) - Duration::from_secs(1);
    assert_eq!(next(&state, &plan(), skewed), Next::Wait(at(100)), "clocks of replicas differ by a moment");
    let fingerprint = |hosts: [&str; 2]| Plan { hosts: hosts.map(str::to_owned).to_vec(), ..plan() }.fingerprint();
    assert_eq!(fingerprint(["a.example", "b.example"]), fingerprint(["b.example", "a.example"]));
}

#[test]
fn orders_that_succeed_are_an_hour_apart_whatever_the_authority_says() {
    let random = Random::seeded(1);
    let attempt = succeeded(begin(&State::default(), &plan(), &random, at(0)), at(0));
    let past = suggested(None, (at(0) - DAY, at(0) - HOUR), HOUR * 5, &random, at(0));
    let state = State { attempt: Some(attempt), renewal: Some(past), ..holding(90) };
    assert_eq!(next(&state, &plan(), at(0)), Next::Wait(at(1)));
    assert_eq!(next(&state, &plan(), at(1)), Next::Order);
}
