use std::time::UNIX_EPOCH;

use store::testing::TestDatabase;

use super::*;
use crate::Migrator;

const SECOND: Duration = Duration::from_secs(1);

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(500_000)
}

fn session(number: u128) -> Session {
    Session {
        id: Uuid::from_u128(number),
        digest: [0; 32],
        person: "einstein".to_owned(),
        signed_in: now(),
        amr: "pwd".to_owned(),
        seen: now(),
        idle: Duration::from_hours(1),
        end: now() + Duration::from_hours(8),
        remembered: false,
        user_agent: String::new(),
        address: None,
    }
}

/// The attempts that a replica counts in this database.
async fn attempts(place: &TestDatabase) -> Attempts {
    let database = place.open().await;
    database.migrate::<Migrator>().await.unwrap();
    Attempts::new(Store::new(database), Random::system())
}

fn from(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

fn too_many<T>(outcome: Result<T, AttemptError>) -> Option<TooManyCodes> {
    match outcome {
        Err(AttemptError::TooMany(why)) => Some(why),
        Err(AttemptError::Store(error)) => panic!("{error}"),
        Ok(_) => None,
    }
}

#[tokio::test]
async fn i26_a_session_has_five_wrong_codes_at_all_replicas_together() {
    let place = store::testing::database();
    let replicas = [attempts(&place).await, attempts(&place).await];
    for number in 0..5 {
        assert!(replicas[number % 2].begin(&session(1), None, now()).await.is_ok());
    }
    let later = now() + Duration::from_hours(1);
    for replica in &replicas {
        assert_eq!(too_many(replica.begin(&session(1), None, later).await), Some(TooManyCodes::Session));
    }
    assert!(replicas[0].begin(&session(2), None, later).await.is_ok());
    let store = attempts(&place).await.store;
    assert_eq!(store.prune(session(1).end, 100).await.unwrap(), 0, "they count as long as the session");
    assert_eq!(store.prune(session(1).end + Duration::from_mins(6), 100).await.unwrap(), 6);
}

#[tokio::test]
async fn i26_a_network_has_ten_wrong_codes_a_minute_at_all_replicas_together() {
    let place = store::testing::database();
    let replicas = [attempts(&place).await, attempts(&place).await];
    let begin = async |number: u128, address: &str, at| {
        let replica = &replicas[usize::from(number % 2 == 1)];
        too_many(replica.begin(&session(number), from(address), at).await)
    };
    for number in 0..10_u32 {
        let address = format!("2001:db8::{number}");
        assert_eq!(begin(number.into(), &address, now() + number * SECOND).await, None);
    }
    let at = now() + 10 * SECOND;
    for number in [98, 99] {
        let refused = begin(number, "2001:db8::ffff", at).await;
        assert_eq!(refused, Some(TooManyCodes::Source(Duration::from_secs(50))));
    }
    assert_eq!(begin(99, "2001:db8:0:1::", at).await, None, "another network");
    let minute = now() + LIMITS.period;
    assert_eq!(begin(99, "2001:db8::", minute).await, None, "the first is over");
    assert!(begin(98, "2001:db8::", minute).await.is_some(), "the second is not");
}

#[tokio::test]
async fn a_code_that_is_right_does_not_count() {
    let place = store::testing::database();
    let attempts = attempts(&place).await;
    for _ in 0..11 {
        attempts.begin(&session(1), from("192.0.2.1"), now()).await.unwrap().forgive().await;
    }
    assert!(attempts.begin(&session(1), from("192.0.2.1"), now()).await.is_ok());
}

/// Of many that are sent to both replicas at the same time five are looked up.
#[tokio::test]
async fn i26_wrong_codes_at_the_same_time_are_counted_on_postgres() {
    let Some(cluster) = store::testing::Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    let replicas = [attempts(&place).await, attempts(&place).await];
    let (session, source) = (session(1), from("192.0.2.1"));
    let tries = (0..12).map(|number: usize| replicas[number % 2].begin(&session, source, now()));
    let outcomes = futures_util::future::join_all(tries).await;
    let allowed = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let busy = outcomes.iter().filter(|outcome| matches!(outcome, Err(AttemptError::Store(_)))).count();
    // a database that is too busy to count looks nothing up
    assert!(allowed <= 5 && allowed + busy >= 5, "{outcomes:?}");
}
