use std::sync::Arc;

use super::super::plan::{Step, Wanted, claim, plan};
use super::super::set::{Key, Pair};
use super::*;

const SCHEDULE: Schedule = Schedule { rotation: Duration::from_hours(100), ahead: HOUR, keep: DAY };
const ALGORITHM: Algorithm = Algorithm::EdDsa;

fn at(hours: u64) -> SystemTime {
    UNIX_EPOCH + START + Duration::from_hours(hours)
}

fn key(kid: &str, active: u64, retired: Option<u64>) -> Key {
    let signing = SigningKey::generate(ALGORITHM, kid).expect("a key");
    let pair = Arc::new(Pair::new(signing).expect("a pair"));
    Key { pair, created: at(0), active: at(active), retired: retired.map(at), claimed: None }
}

fn make(active: u64, after: SystemTime) -> Step {
    Step::Make(Wanted { algorithm: ALGORITHM, active: at(active), unless_after: Some(after) })
}

fn retire(kid: &str, until: u64) -> Step {
    Step::Retire { kid: kid.to_owned(), until: at(until) }
}

#[test]
fn where_no_key_is_left_one_is_made_that_signs_at_once() {
    assert_eq!(plan(ALGORITHM, &[], &SCHEDULE, at(5)), [make(5, UNIX_EPOCH)]);
    let gone = [key("gone", 1, Some(2))];
    assert_eq!(plan(ALGORITHM, &gone, &SCHEDULE, at(5)), [make(5, at(1) + SECOND), Step::Prune]);
    assert_eq!(
        plan(Algorithm::Rs256, &[key("other", 1, None)], &SCHEDULE, at(5)).len(),
        1,
        "it is another algorithm's"
    );
}

#[test]
fn the_next_key_is_made_when_the_newest_is_old() {
    let keys = [key("a", 0, None)];
    assert_eq!(plan(ALGORITHM, &keys, &SCHEDULE, at(99)), []);
    assert_eq!(plan(ALGORITHM, &keys, &SCHEDULE, at(100)), [make(101, at(0) + SECOND)]);
    let keys = [key("a", 0, None), key("b", 101, None)];
    assert_eq!(plan(ALGORITHM, &keys, &SCHEDULE, at(100)), []);
    let never = Schedule { rotation: Duration::ZERO, ..SCHEDULE };
    assert_eq!(plan(ALGORITHM, &keys[..1], &never, at(1_000_000)), []);
}

/// Whatever their names: one that is to replace another at once may be made in the second in which that one was.
#[test]
fn of_keys_that_begin_in_the_same_second_the_one_made_last_stays() {
    for [former, latter] in [["a", "b"], ["b", "a"]] {
        let mut keys = [key(former, 5, None), key(latter, 5, None)];
        keys[1].created += Duration::from_millis(1);
        for _ in 0..2 {
            assert_eq!(plan(ALGORITHM, &keys, &SCHEDULE, at(5)), [retire(former, 29)]);
            assert_eq!(claim(ALGORITHM, &keys, at(5)), Some(Step::Claim { kid: latter.to_owned() }));
            keys.reverse();
        }
    }
}

#[test]
fn a_key_is_retired_from_when_its_successor_signs_however_late_that_is_noticed() {
    let keys = [key("a", 0, None), key("b", 50, None)];
    assert_eq!(plan(ALGORITHM, &keys, &SCHEDULE, at(49)), []);
    assert_eq!(plan(ALGORITHM, &keys, &SCHEDULE, at(50)), [retire("a", 74)]);
    assert_eq!(plan(ALGORITHM, &keys, &SCHEDULE, at(70)), [retire("a", 74)]);
    let keys = [key("a", 0, None), key("b", 50, None), key("c", 60, None)];
    assert_eq!(plan(ALGORITHM, &keys, &SCHEDULE, at(60)), [retire("b", 84), retire("a", 74)]);
    let keys = [key("a", 0, Some(74)), key("b", 50, None)];
    assert_eq!(plan(ALGORITHM, &keys, &SCHEDULE, at(60)), []);
    assert_eq!(plan(ALGORITHM, &keys, &SCHEDULE, at(74)), [Step::Prune]);
}

#[test]
fn a_key_stays_for_the_longest_token_and_a_day() {
    let lifetimes = Lifetimes { cells_id_token: 3 * HOUR, access_token: 5 * HOUR, ..config::defaults() };
    let schedule = Schedule::of(&lifetimes);
    assert_eq!(schedule, Schedule { rotation: 90 * DAY, ahead: HOUR, keep: 5 * HOUR + MARGIN });
}
