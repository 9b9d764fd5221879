//! How soon a token that was revoked at one replica is refused at the others, which have it in their caches.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant, UNIX_EPOCH};

use auth_app::policy::LifetimeRequest;
use runtime::{Clock, Random};
use sea_orm::{ConnectionTrait, Statement};
use store::Database;
use store::testing::Cluster;
use tokio::task::JoinSet;

use crate::support::{HOUR, Replica, SECOND, Verdict, three};

/// Which replica does what, and when, is the same in every run.
const SEED: u64 = 20_261_124;

fn below(random: &Random, bound: usize) -> usize {
    usize::from(u16::from_be_bytes(random.bytes())) % bound
}

/// Prints how long it took, and returns the 99th percentile and the longest.
fn report(what: &str, mut took: Vec<Duration>) -> (Duration, Duration) {
    took.sort();
    let at = |percent: usize| took[(took.len() * percent).div_ceil(100) - 1];
    let (p50, p99, max) = (at(50), at(99), at(100));
    eprintln!("{what}: {} times p50 {p50:.1?} p99 {p99:.1?} max {max:.1?}", took.len());
    (p99, max)
}

/// Ends the connections on which the replicas listen; how many there were.
async fn kill_listeners(database: &Database) -> i64 {
    let kill = "SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
    let kill = Statement::from_string(database.connection().get_database_backend(), kill);
    let row = database.connection().query_one_raw(kill).await.expect("reads").expect("a row");
    row.try_get("", "n").expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_is_pushed_to_all_postgres_replicas() {
    let Some(cluster) = Cluster::start().await else { return };
    let (_, replicas) = three(&cluster, true).await;
    let watcher = cluster.fresh_database().await.open().await;
    let random = Random::seeded(SEED);
    let mut took = Vec::new();
    for round in 0..200 {
        if round % 50 == 25 {
            assert_eq!(kill_listeners(&watcher).await, 3, "all have to listen anew");
        }
        let (token, secret) = replicas[below(&random, 3)].token(LifetimeRequest::For(HOUR)).await;
        for replica in &replicas {
            assert_eq!(replica.answer(&secret).await, Verdict::Good);
        }
        let revoking = below(&random, 3);
        replicas[revoking].revoke(token.id).await;
        let begin = Instant::now();
        assert_eq!(replicas[revoking].answer(&secret).await, Verdict::Refused, "where it was revoked, at once");
        let (one, other) = (&replicas[(revoking + 1) % 3], &replicas[(revoking + 2) % 3]);
        let (one, other) = tokio::join!(one.refuses_after(&secret, begin), other.refuses_after(&secret, begin));
        took.extend([one, other]);
    }
    let (p99, max) = report("revocations, pushed", took);
    assert!(p99 < SECOND && max < 5 * SECOND, "{p99:?} {max:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_postgres_replicas_poll_for_revocations() {
    let Some(cluster) = Cluster::start().await else { return };
    let (_, replicas) = three(&cluster, false).await;
    let random = Random::seeded(SEED);
    let mut took = Vec::new();
    for _ in 0..12 {
        let mut secrets = Vec::new();
        for _ in 0..20 {
            let (_, secret) = replicas[below(&random, 3)].token(LifetimeRequest::For(HOUR)).await;
            for replica in &replicas {
                assert_eq!(replica.answer(&secret).await, Verdict::Good);
            }
            secrets.push(secret);
        }
        let at_any_moment = Duration::from_millis(u64::from(random.bytes::<1>()[0]) * 4);
        tokio::time::sleep(at_any_moment).await;
        let revoking = below(&random, 3);
        replicas[revoking].revoke_all().await;
        let begin = Instant::now();
        let mut asking = JoinSet::new();
        for secret in secrets {
            assert_eq!(replicas[revoking].answer(&secret).await, Verdict::Refused, "where it was revoked, at once");
            for other in [(revoking + 1) % 3, (revoking + 2) % 3] {
                let (replica, secret) = (Arc::clone(&replicas[other]), secret.clone());
                asking.spawn(async move { replica.refuses_after(&secret, begin).await });
            }
        }
        took.extend(asking.join_all().await);
    }
    let (_, max) = report("revocations, asked for", took);
    assert!(max < 5 * SECOND, "{max:?}");
}

/// Polls a call so many times, and then drops it: as when its caller has gone away.
async fn cut_short(call: impl Future, polls: usize) {
    let (mut call, mut left) = (pin!(call), polls);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        call.as_mut().poll(context).map(drop)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_completes_when_its_caller_disconnects() {
    let file = store::testing::sqlite();
    let replica = Replica::start(file.url(), &Clock::manual(UNIX_EPOCH + 400_000 * HOUR), true).await;
    let mut tokens = Vec::new();
    for polls in (0..12).cycle().take(120) {
        let (token, secret) = replica.token(LifetimeRequest::For(HOUR)).await;
        assert_eq!(replica.answer(&secret).await, Verdict::Good);
        cut_short(replica.revoke(token.id), polls).await;
        tokens.push((token.id, secret, polls));
    }
    // what was begun ends by itself
    tokio::time::sleep(SECOND).await;
    let mut revoked = 0;
    for (id, secret, polls) in tokens {
        let is_revoked = replica.written(id).await.revoked.is_some();
        let expected = if is_revoked { Verdict::Refused } else { Verdict::Good };
        assert_eq!(replica.answer(&secret).await, expected, "cut short after {polls} steps");
        revoked += usize::from(is_revoked);
    }
    assert!((1..120).contains(&revoked), "{revoked} of 120");
}
