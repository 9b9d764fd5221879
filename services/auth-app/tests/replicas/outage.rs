//! A database that hangs, and one that dies: what is known of a token is believed for a few seconds, never after a revocation
//! that others could have made meanwhile.

use std::time::{Duration, Instant};

use auth_app::policy::LifetimeRequest;
use secrecy::SecretString;
use store::testing::Cluster;

use crate::support::{HOUR, Replica, SECOND, Verdict, three};

/// The time for which cached tokens stay valid without the database, and a margin for the database to stop.
const BELIEVED: Duration = store::MAX_STALENESS.saturating_add(Duration::from_millis(500));

/// What was seen of a token while it was used again and again.
struct Seen {
    /// How long it was found good.
    good: Duration,
    was_refused: bool,
    last: Verdict,
}

async fn used(replica: &Replica, secret: &SecretString, begin: Instant, until: Duration) -> Seen {
    let mut seen = Seen { good: Duration::ZERO, was_refused: false, last: Verdict::Unavailable };
    while begin.elapsed() < until {
        seen.last = replica.answer(secret).await;
        match seen.last {
            Verdict::Good => seen.good = begin.elapsed(),
            Verdict::Refused => seen.was_refused = true,
            Verdict::Unavailable => {}
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    seen
}

/// Until a token gets this answer again.
async fn comes_to(replica: &Replica, secret: &SecretString, wanted: Verdict) {
    let asking = async {
        while replica.answer(secret).await != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(10 * SECOND, asking).await.expect("the database is used again");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_stay_valid_for_seconds_while_postgres_hangs_or_is_down() {
    let Some(mut cluster) = Cluster::start().await else { return };
    let (_, replicas) = three(&cluster, false).await;
    let replicas = replicas.each_ref().map(|replica| &**replica);
    let (kept, kept_secret) = replicas[0].token(LifetimeRequest::For(HOUR)).await;
    let (revoked, revoked_secret) = replicas[0].token(LifetimeRequest::For(HOUR)).await;
    for replica in replicas {
        assert_eq!(replica.answer(&kept_secret).await, Verdict::Good);
        assert_eq!(replica.answer(&revoked_secret).await, Verdict::Good);
    }

    replicas[0].revoke(revoked.id).await;
    let paused = cluster.pause();
    let begin = Instant::now();
    hangs(replicas, &kept_secret, &revoked_secret, begin).await;
    drop(paused);
    for replica in replicas {
        comes_to(replica, &kept_secret, Verdict::Good).await;
        comes_to(replica, &revoked_secret, Verdict::Refused).await;
    }
    for replica in replicas {
        assert_eq!(replica.answer(&revoked_secret).await, Verdict::Refused);
    }

    replicas[0].revoke(kept.id).await;
    cluster.crash();
    let begin = Instant::now();
    is_dead(replicas, &kept_secret, begin).await;
}

/// One token was revoked at the first replica, just before the database stopped to answer; the other one is good.
async fn hangs(replicas: [&Replica; 3], kept: &SecretString, revoked: &SecretString, begin: Instant) {
    let [here, there, third] = replicas;
    // longer than the store trusts what it has read
    let until = 12 * SECOND;
    let (known, one, other, kept_one, kept_other) = tokio::join!(
        used(here, revoked, begin, until),
        used(there, revoked, begin, until),
        used(third, revoked, begin, until),
        used(here, kept, begin, until),
        used(third, kept, begin, until),
    );
    eprintln!("the database hangs: a revoked token is good for {:.1?} and {:.1?} elsewhere", one.good, other.good);
    eprintln!("the database hangs: another token is good for {:.1?} and {:.1?}", kept_one.good, kept_other.good);
    assert_eq!(known.good, Duration::ZERO, "who has revoked it knows");
    for kept in [&kept_one, &kept_other] {
        assert!(kept.good > SECOND, "a short pause is not noticed");
        assert!(!kept.was_refused, "a valid token is never refused");
    }
    for seen in [known, one, other, kept_one, kept_other] {
        assert!(seen.good < BELIEVED, "{:?}", seen.good);
        assert_eq!(seen.last, Verdict::Unavailable);
    }
}

/// A token was revoked at the first replica, just before the database died.
async fn is_dead([here, there, third]: [&Replica; 3], revoked: &SecretString, begin: Instant) {
    let until = 7 * SECOND;
    let (known, one, other) = tokio::join!(
        used(here, revoked, begin, until),
        used(there, revoked, begin, until),
        used(third, revoked, begin, until),
    );
    eprintln!("the database crashes: a revoked token is valid for {:.1?} and {:.1?} elsewhere", one.good, other.good);
    assert_eq!(known.good, Duration::ZERO, "who has revoked it knows");
    for seen in [known, one, other] {
        assert!(seen.good < BELIEVED, "{:?}", seen.good);
        assert_eq!(seen.last, Verdict::Unavailable);
    }
}
