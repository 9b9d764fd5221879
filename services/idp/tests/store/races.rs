//! What must happen once happens once, however many try, on however many replicas.

use std::future::Future;

use futures_util::future::join_all;
use idp::store::{Poll, Redeemed, Rotation, Store};
use store::testing::Cluster;

use crate::devices::device;
use crate::keys::key;
use crate::support::{GRACE, NO_TIME, at, family, id, open, revoked};

/// How many try at once.
const MANY: usize = 50;

/// What all of them are answered, in turn from one store and the next.
async fn all<T, F>(stores: &[Store], attempt: impl Fn(Store, usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let attempts = stores.iter().cycle().take(MANY).enumerate();
    let running: Vec<_> = attempts.map(|(number, store)| tokio::spawn(attempt(store.clone(), number))).collect();
    join_all(running).await.into_iter().map(|outcome| outcome.expect("no attempt panics")).collect()
}

fn count<T: PartialEq>(outcomes: &[T], wanted: &T) -> usize {
    outcomes.iter().filter(|outcome| *outcome == wanted).count()
}

async fn suite(stores: &[Store]) {
    codes(stores).await;
    rotations(stores).await;
    renewals(stores).await;
    once(stores).await;
    requests(stores).await;
    devices(stores).await;
    registrations(stores).await;
    keys(stores).await;
}

async fn codes(stores: &[Store]) {
    for round in 0..20 {
        let outcomes = all(stores, move |store, _| async move {
            let family = family(round, Some("einstein"), "web");
            store.redeem_code(id(round), at(1060), Some(&family), at(1000), at(9000)).await.expect("answers")
        })
        .await;
        assert_eq!(count(&outcomes, &Redeemed::First), 1, "round {round}");
        assert_eq!(count(&outcomes, &Redeemed::Again), MANY - 1);
        assert_eq!(stores[0].family(id(round), at(1000)).await.expect("reads"), None);
    }
    assert_eq!(revoked(&stores[0]).await.len(), 20);
}

async fn rotations(stores: &[Store]) {
    for (grant, grace) in [(100, GRACE), (101, NO_TIME)] {
        stores[0].begin_family(&family(grant, Some("einstein"), "web")).await.expect("begins");
        let outcomes = all(stores, move |store, _| async move {
            store.rotate(id(grant), 0, at(1500), grace, at(2500), at(9000)).await.expect("answers")
        })
        .await;
        let rotated: Vec<_> = outcomes.iter().filter(|outcome| matches!(outcome, Rotation::Rotated(_))).collect();
        assert_eq!(rotated.len(), 1);
        if grace == GRACE {
            let Rotation::Rotated(family) = rotated[0] else { unreachable!("the test requests it above") };
            assert_eq!(family.generation, 1);
            assert_eq!(count(&outcomes, &Rotation::Repeated(family.clone())), MANY - 1);
        } else {
            assert_eq!(count(&outcomes, &Rotation::Reused), 1);
            assert_eq!(count(&outcomes, &Rotation::Gone), MANY - 2);
        }
        assert_eq!(revoked(&stores[0]).await.contains(&id(grant)), grace == NO_TIME);
    }
}

/// Row [I74](../../../../docs/security-requirements.md#i74).
async fn renewals(stores: &[Store]) {
    stores[0].begin_family(&family(102, Some("einstein"), "bank")).await.expect("begins");
    let renew =
        |store: Store, _| async move { store.renew(id(102), 0, at(1500), at(2500), at(9000)).await.expect("answers") };
    let outcomes = all(stores, renew).await;
    let renewed =
        outcomes.iter().filter(|outcome| matches!(outcome, Rotation::Rotated(family) if family.generation == 0));
    assert_eq!(renewed.count(), MANY);
    assert!(!revoked(&stores[0]).await.contains(&id(102)));
}

async fn once(stores: &[Store]) {
    for round in 0..5 {
        let outcomes =
            all(stores, move |store, _| async move { store.first_time([round; 32], at(2000)).await.expect("answers") })
                .await;
        assert_eq!(count(&outcomes, &true), 1);
    }
}

async fn requests(stores: &[Store]) {
    stores[0].push_request([9; 32], "web", "request", at(2000)).await.expect("keeps");
    let outcomes =
        all(stores, |store, _| async move { store.use_up_request([9; 32], at(2000)).await.expect("answers") }).await;
    assert_eq!(count(&outcomes, &true), 1);
}

async fn devices(stores: &[Store]) {
    stores[0].add_device(&device(1, "BCDF")).await.expect("adds");
    let decided = all(stores, |store, number| async move {
        let approval = number.to_string();
        store.decide_device("BCDF", Some(&approval), at(1500)).await.expect("answers")
    })
    .await;
    assert_eq!(count(&decided, &true), 1);
    let polls =
        all(stores, |store, _| async move { store.poll_device([1; 32], "tv", at(1500)).await.expect("answers") }).await;
    let winner = decided.iter().position(|&won| won).expect("one has decided");
    assert_eq!(count(&polls, &Poll::Approved(winner.to_string())), 1);
    assert_eq!(count(&polls, &Poll::Unknown), MANY - 1);
}

async fn registrations(stores: &[Store]) {
    stores[0].add_initial_access([1; 32], 7, at(2000)).await.expect("adds");
    let outcomes =
        all(stores, |store, _| async move { store.use_initial_access([1; 32], at(1500)).await.expect("answers") })
            .await;
    assert_eq!(count(&outcomes, &true), 7);
}

async fn keys(stores: &[Store]) {
    let before = stores[0].version().await.expect("reads");
    let outcomes = all(stores, |store, number| async move {
        store.add_key(&key(&number.to_string(), "RS256", 1000), Some(at(500))).await.expect("answers")
    })
    .await;
    assert_eq!(count(&outcomes, &true), 1);
    assert_eq!(stores[0].keys().await.expect("reads").len(), 1);
    assert_eq!(stores[0].version().await.expect("reads"), before + 1);
}

/// Rows I7, I8, I10 and I11.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_time_values_are_redeemed_once_on_sqlite() {
    let place = store::testing::sqlite();
    suite(&[open(&place).await]).await;
}

/// Rows I7, I8, I10 and I11.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_time_values_are_redeemed_once_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    suite(&[open(&place).await, open(&place).await]).await;
}

async fn deliveries(stores: &[Store]) {
    let session = crate::sessions::session(1, "einstein");
    stores[0].begin_session(&session).await.expect("begins");
    let clients: Vec<String> = (0..20).map(|number| format!("client{number}")).collect();
    for client in &clients {
        stores[0].join_session(session.id, client, "cells").await.expect("joins");
    }
    let notified_clients = clients.clone();
    let ended = all(stores, move |store, _| {
        let notified_clients = notified_clients.clone();
        async move { store.end_session(id(1), &notified_clients, at(1500)).await.expect("answers").len() }
    })
    .await;
    assert_eq!((count(&ended, &20), count(&ended, &0)), (1, MANY - 1), "it ends once");
    let lease = std::time::Duration::from_secs(30);
    let claimed =
        all(stores, move |store, _| async move { store.due_deliveries(10, lease, at(1500)).await.expect("answers") })
            .await;
    let mut claimed: Vec<String> = claimed.into_iter().flatten().map(|delivery| delivery.client).collect();
    claimed.sort_unstable();
    let given = claimed.len();
    claimed.dedup();
    assert_eq!(claimed.len(), given, "each is given to one caller");
    assert!(given >= 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_once_and_each_message_is_one_callers_on_sqlite() {
    let place = store::testing::sqlite();
    deliveries(&[open(&place).await]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_once_and_each_message_is_one_callers_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    deliveries(&[open(&place).await, open(&place).await]).await;
}
