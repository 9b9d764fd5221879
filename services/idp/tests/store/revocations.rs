//! The revocations in the memory of each replica.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use idp::revocation_sync;
use idp::revocations::{Revocation, Revocations};
use idp::store::{Redeemed, Store};
use runtime::Clock;
use sea_orm::{ConnectionTrait, DbBackend};
use store::testing::{Cluster, TestDatabase, plan_of_poll};
use store::{ReplicaSync, columns};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::keys::key;
use crate::support::{GRACE, NO_TIME, at, family, id, open};

/// A poll a second, and a busy machine.
const SOON: Duration = Duration::from_secs(8);

struct Replica {
    store: Store,
    revocations: Revocations,
    _running: DropGuard,
}

async fn replica(place: &TestDatabase, clock: &Clock, with_pushes: bool) -> Replica {
    let store = open(place).await;
    let revocations = revocation_sync::open(&store, clock.now()).await.expect("opens");
    let shutdown = CancellationToken::new();
    let pushes = with_pushes.then(|| store.database().clone());
    tokio::spawn(revocation_sync::run(revocations.clone(), store.clone(), pushes, clock.clone(), shutdown.clone()));
    Replica { store, revocations, _running: shutdown.drop_guard() }
}

async fn learns(replica: &Replica, revoked: u128) -> Duration {
    let begin = Instant::now();
    while !replica.revocations.contains(id(revoked)) {
        assert!(begin.elapsed() < SOON, "there is no notification");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    begin.elapsed()
}

/// Each way to revoke something is known to the process itself before it is answered.
async fn at_once(store: &Store) {
    store.begin_family(&family(1, Some("einstein"), "web")).await.expect("begins");
    store.revoke_token(id(90), at(9000), at(1500)).await.expect("revokes");
    let known = revocation_sync::open(store, at(1500)).await.expect("opens");
    assert!(known.contains(id(90)), "read at the start");
    assert!(!known.contains(id(1)));

    store.revoke_token(id(91), at(9000), at(1500)).await.expect("revokes");
    store.revoke_grant(id(92), at(9000), at(1500)).await.expect("revokes");
    store.revoke_person("einstein", None, None, at(9000), at(1500)).await.expect("revokes");
    for outcome in [Redeemed::First, Redeemed::Again] {
        assert!(!known.contains(id(93)));
        let redeemed = store.redeem_code(id(93), at(1560), None, at(1500), at(9000)).await.expect("answers");
        assert_eq!(redeemed, outcome);
    }
    for grant in [94, 95] {
        store.begin_family(&family(grant, Some("curie"), "web")).await.expect("begins");
    }
    for _ in 0..2 {
        store.rotate(id(94), 0, at(1500), NO_TIME, at(2500), at(9000)).await.expect("answers");
    }
    store
        .take_back_consent("curie", "web", Revocation { id: id(97), until: at(9000) }, at(1500))
        .await
        .expect("takes back");
    assert!([1, 91, 92, 93, 94, 95, 97].iter().all(|&one| known.contains(id(one))));
    store.begin_family(&family(96, Some("curie"), "web")).await.expect("begins");
    store.rotate(id(96), 0, at(1500), GRACE, at(2500), at(9000)).await.expect("answers");
    assert!(!known.contains(id(96)));
}

#[tokio::test]
async fn revocation_is_visible_at_once_to_its_replica_on_sqlite() {
    let place = store::testing::sqlite();
    at_once(&open(&place).await).await;
}

#[tokio::test]
async fn revocation_is_visible_at_once_to_its_replica_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    at_once(&open(&cluster.fresh_database().await).await).await;
}

#[tokio::test]
async fn single_process_is_notified_of_its_changes_and_always_current() {
    let (place, clock) = (store::testing::sqlite(), Clock::manual(at(1500)));
    let alone = replica(&place, &clock, false).await;
    let mut changed = alone.revocations.changed();
    assert!(alone.store.add_key(&key("1", "RS256", 1000), None).await.expect("adds"));
    let notified = tokio::time::timeout(SOON, changed.changed()).await;
    notified.expect("soon").expect("it is followed");
    let version = alone.store.version().await.expect("reads");
    assert_eq!(*changed.borrow(), version);
    alone.store.database().close().await.expect("closes");
    assert!(alone.revocations.is_current());
}

#[tokio::test]
async fn replicas_on_postgres_receive_revocations_and_changes_of_others() {
    let Some(cluster) = Cluster::start().await else { return };
    for with_pushes in [true, false] {
        let (place, clock) = (cluster.fresh_database().await, Clock::manual(at(1500)));
        let one = replica(&place, &clock, with_pushes).await;
        let other = replica(&place, &clock, with_pushes).await;
        let mut changed = other.revocations.changed();
        one.store.revoke_grant(id(1), at(9000), at(1500)).await.expect("revokes");
        learns(&other, 1).await;
        assert!(other.revocations.is_current());
        assert!(one.store.add_key(&key("1", "RS256", 1000), None).await.expect("adds"));
        tokio::time::timeout(SOON, changed.changed()).await.expect("soon").expect("it is followed");
        let version = other.store.version().await.expect("reads");
        assert_eq!(*changed.borrow(), version);
    }
}

#[tokio::test]
async fn pushes_on_postgres_are_quicker_than_the_question_of_each_second() {
    let Some(cluster) = Cluster::start().await else { return };
    let (place, clock) = (cluster.fresh_database().await, Clock::manual(at(1500)));
    let one = replica(&place, &clock, true).await;
    let other = replica(&place, &clock, true).await;
    one.store.revoke_grant(id(1), at(9000), at(1500)).await.expect("revokes");
    learns(&other, 1).await;
    let mut quickest = SOON;
    for grant in 2..12 {
        one.store.revoke_grant(id(grant), at(9000), at(1500)).await.expect("revokes");
        quickest = quickest.min(learns(&other, grant).await);
    }
    assert!(quickest < Duration::from_millis(100), "{quickest:?}");
}

#[tokio::test]
async fn a_replica_without_its_postgres_server_is_not_current() {
    let Some(cluster) = Cluster::start().await else { return };
    let (place, clock) = (cluster.fresh_database().await, Clock::manual(at(1500)));
    let one = replica(&place, &clock, false).await;
    assert!(one.revocations.is_current());
    one.store.database().close().await.expect("closes");
    let begin = Instant::now();
    while one.revocations.is_current() {
        assert!(begin.elapsed() < SOON, "it stays current for too long");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begin.elapsed() > Duration::from_secs(2), "a moment of silence is nothing");
}

/// As if a minute had passed between the revocation and the end of its transaction. Row
/// [A16](../../../../docs/security-requirements.md#a16).
#[tokio::test]
async fn revocation_of_a_slow_transaction_is_received_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    let (place, clock) = (cluster.fresh_database().await, Clock::manual(at(1500)));
    let writer = open(&place).await;
    let slow = writer.database().begin_write().await.expect("begins");
    let now = columns::now(DbBackend::Postgres);
    let (revoked, until) = (id(1), columns::micros(at(9000)));
    let insert = format!("INSERT INTO idp_revocations (id, until, at) VALUES ('{revoked}', {until}, {now} - 60000000)");
    slow.execute_unprepared(&insert).await.expect("is written");
    let other = replica(&place, &clock, false).await;
    assert!(!other.revocations.contains(revoked), "it is not committed");
    slow.commit().await.expect("is committed");
    learns(&other, 1).await;
}

#[tokio::test]
async fn poll_for_revocations_uses_indexes_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    let database = open(&place).await.database().clone();
    let fill = "INSERT INTO idp_revocations (id, until, at) \
                SELECT gen_random_uuid(), 9000000000000000, n FROM generate_series(1, 20000) n; ANALYZE idp_revocations";
    database.connection().execute_unprepared(fill).await.expect("is written");
    let statements = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&statements);
    let observed = database.clone().observed(move |sql| noted.lock().expect("is whole").push(sql.to_owned()));
    let store = &Store::new(observed);
    let sync = ReplicaSync::open("idp_revocations", "idp_revocations", &database).await.expect("opens");
    let found = sync.read(|unread| async move { store.revocations(Some(&unread), at(1500)).await }).await;
    assert_eq!(found.expect("reads"), []);
    let poll = statements.lock().expect("is whole").pop().expect("a statement");
    let plan = plan_of_poll(&database, &poll, [&[1], &[1000]]).await;
    for index in ["idp_revocations_at", "idp_revocations_transaction_id"] {
        assert!(plan.contains(&format!("Index Scan on {index}")), "{plan}");
    }
}
