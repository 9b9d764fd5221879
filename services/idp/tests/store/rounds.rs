//! The round over all users, which replicas do together.

use std::time::Duration;

use idp::model::Session;
use idp::store::{Begun, RoundProgress, Store};
use store::testing::{Cluster, TestDatabase};

use crate::sessions::session;
use crate::support::{at, family, open};

const SHORTEST: Duration = Duration::from_secs(5);
/// How many users have sessions, and how many of them refresh tokens too; as many others have those alone.
const USERS: u8 = 9;
const BOTH: u8 = 4;

async fn fill(store: &Store) -> Vec<Begun> {
    let name = |number: u8| format!("user-{number:02}");
    for number in 0..USERS {
        let session = Session { signed_in: at(1020), ..session(number.into(), &name(number)) };
        store.begin_session(&session).await.expect("begins");
    }
    for number in (0..BOTH).chain(USERS..USERS + BOTH) {
        store.begin_family(&family(number.into(), Some(&name(number)), "web")).await.expect("begins");
    }
    let with_grant = family(0, None, "web").created;
    let begun = |number| {
        let earliest = if (BOTH..USERS).contains(&number) { at(1020) } else { with_grant };
        Begun { person: name(number), earliest }
    };
    (0..USERS + BOTH).map(begun).collect()
}

struct Replica {
    store: Store,
    own: RoundProgress,
}

impl Replica {
    async fn open(place: &TestDatabase) -> Self {
        Self { store: open(place).await, own: RoundProgress::default() }
    }

    async fn next(&mut self, now: u64) -> Vec<Begun> {
        self.store.next_people(&mut self.own, 2, SHORTEST, at(now)).await.expect("reads")
    }
}

async fn alone(place: &TestDatabase) {
    let mut replica = Replica::open(place).await;
    assert_eq!(replica.next(1050).await, []);
    let expected = fill(&replica.store).await;
    let mut given = Vec::new();
    for _ in 0..7 {
        given.extend(replica.next(1050).await);
    }
    assert_eq!(given, expected, "each once, by what began first");
    assert_eq!(replica.next(1054).await, [], "the round has not lasted long enough");
    assert_eq!(replica.next(1055).await, [], "the next one begins");
    assert_eq!(replica.next(1055).await, expected[..2]);
}

async fn together(place: &TestDatabase) {
    let (mut one, mut other) = (Replica::open(place).await, Replica::open(place).await);
    let expected = fill(&one.store).await;
    let mut given = Vec::new();
    let mut calls = 0;
    while given.len() < expected.len() {
        let (of_one, of_other) = tokio::join!(one.next(1050), other.next(1050));
        given.extend(of_one);
        given.extend(of_other);
        calls += 1;
        assert!(calls < 100, "they hinder each other");
    }
    given.sort_by(|a, b| a.person.cmp(&b.person));
    assert_eq!(given, expected, "each is given to one of them");
    assert_eq!((one.next(1051).await, other.next(1051).await), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn process_is_given_each_user_once_in_a_round_on_sqlite() {
    alone(&store::testing::sqlite()).await;
}

#[tokio::test]
async fn replicas_are_given_different_users_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    alone(&cluster.fresh_database().await).await;
    together(&cluster.fresh_database().await).await;
}
