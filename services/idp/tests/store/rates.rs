//! Limits that all replicas share. Rows [I26](../../../../docs/security-requirements.md#i26) and
//! [L4](../../../../docs/security-requirements.md#l4).

use std::num::NonZeroU32;
use std::time::Duration;

use futures_util::future::join_all;
use idp::store::{Rate, Store};
use store::testing::{Cluster, TestDatabase};

use crate::support::{at, open};

const RATE: Rate = Rate {
    kind: 900,
    most: NonZeroU32::new(5).expect("is not zero"),
    period: Duration::from_secs(50),
    most_keys: 1000,
};

async fn take(store: &Store, key: u8, now: u64) -> Result<(), u64> {
    let outcome = store.take(&RATE, [key; 32], at(now)).await.expect("answers");
    outcome.map_err(|wait| wait.as_secs())
}

async fn suite(place: &TestDatabase) {
    let replicas = [open(place).await, open(place).await];
    let [one, other] = &replicas;
    for number in 0..5 {
        assert_eq!(take(&replicas[number % 2], 1, 1000).await, Ok(()));
    }
    assert_eq!((take(one, 1, 1000).await, take(other, 1, 1003).await), (Err(10), Err(7)));
    assert_eq!(take(other, 2, 1000).await, Ok(()), "another key");
    assert_eq!((take(other, 1, 1010).await, take(one, 1, 1010).await), (Ok(()), Err(10)));

    // one at 1010 is taken back
    assert_eq!(take(one, 1, 1010).await, Err(10));
    other.give_back(&RATE, [1; 32]).await.expect("is written");
    assert_eq!((take(one, 1, 1010).await, take(other, 1, 1010).await), (Ok(()), Err(10)));
    other.give_back(&RATE, [9; 32]).await.expect("there is none");

    // a clock that was ahead, and has been corrected since
    assert_eq!(take(one, 3, 9000).await, Ok(()));
    assert_eq!(take(other, 3, 1000).await, Ok(()));
    assert_eq!(take(other, 3, 1060).await, Ok(()));

    let tries: Vec<_> = (0..20).map(|number: usize| take(&replicas[number % 2], 4, 1000)).collect();
    let allowed = join_all(tries).await.into_iter().flatten().count();
    assert_eq!(allowed, 5, "of twenty at the same time");

    while one.prune(at(1500), 100).await.expect("prunes") > 0 {}
    assert_eq!(take(one, 1, 1500).await, Ok(()), "it may be done again in any case");
}

#[tokio::test]
async fn replicas_have_the_limits_of_one_on_sqlite() {
    suite(&store::testing::sqlite()).await;
}

#[tokio::test]
async fn replicas_have_the_limits_of_one_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    suite(&cluster.fresh_database().await).await;
}
