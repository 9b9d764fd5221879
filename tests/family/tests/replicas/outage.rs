//! The database goes away from one of two replicas of the family, behind the balancer that leads there, and comes back.

use std::time::{Duration, Instant};

use store::MAX_STALENESS;
use store::testing::{Balancer, Cluster};

use crate::replicas::replica::{Answer, HEALTHY, Replica, layout, replica_of};

/// For so long a token may be accepted without an answer of the database: the one bound, and a moment until the database is gone.
const BOUND: Duration = MAX_STALENESS.saturating_add(Duration::from_millis(500));
/// How long the database is away.
const OUTAGE: Duration = Duration::from_secs(9);
/// The most that a loaded machine may need until every answer is the right one again.
const RETURN: Duration = Duration::from_secs(20);

/// Uses a token until the end of the outage: until when it was accepted, and the last answer.
async fn use_token(replica: &Replica, token: &str, begin: Instant) -> ([Duration; 2], [Answer; 2]) {
    let (mut accepted, mut last) = ([Duration::ZERO; 2], [Answer::Unavailable; 2]);
    while begin.elapsed() < OUTAGE {
        last = replica.both(token).await;
        for (until, answer) in accepted.iter_mut().zip(last) {
            match answer {
                Answer::Accepted => *until = begin.elapsed(),
                Answer::Unavailable => {}
                Answer::Refused => panic!("nothing is known of a refusal after {:?}", begin.elapsed()),
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (accepted, last)
}

/// Waits until both answers to a token are these, since the database is back; returns how long it took.
async fn settle(replica: &Replica, token: &str, answer: Answer, back: Instant) -> Duration {
    loop {
        let found = replica.both(token).await;
        if found == [answer; 2] {
            return back.elapsed();
        }
        assert!(found.iter().all(|one| *one == Answer::Unavailable || *one == answer), "{found:?}, not {answer:?}");
        assert!(back.elapsed() < RETURN, "{found:?}, not {answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Row G14: while the database is away, a token that was confirmed just before is accepted within the one bound; then and for
/// everything else the answer is that the service is unavailable, never a refusal. A revocation elsewhere holds afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn absent_postgres_is_made_up_for_within_one_bound_and_never_refuses() {
    let Some(cluster) = Cluster::start().await else { return };
    let database = cluster.fresh_database().await;
    let balancer = Balancer::start(&database, b"").await;
    let layout = layout("outage");
    let elsewhere = replica_of(&layout);
    let here = Replica::start(layout, balancer.url(), true).await;
    let elsewhere = Replica::start(elsewhere, database.url(), false).await;

    let [kept, revoked, unused] = [(); 3].map(|()| here.family.app_token("einstein"));
    let (kept, revoked, unused) = (kept.await, revoked.await, unused.await);
    for token in [&kept, &revoked] {
        assert_eq!(here.both(token).await, [Answer::Accepted; 2]);
        assert_eq!(elsewhere.both(token).await, [Answer::Accepted; 2]);
    }

    balancer.lose_server().await;
    let begin = Instant::now();
    elsewhere.revoke(&revoked).await;
    assert_eq!(elsewhere.both(&revoked).await, [Answer::Refused; 2], "it has its database");
    let (of_kept, of_revoked) = tokio::join!(use_token(&here, &kept, begin), use_token(&here, &revoked, begin));
    eprintln!("accepted for {of_kept:.1?}, where it was revoked elsewhere for {of_revoked:.1?}");
    for (accepted, last) in [of_kept, of_revoked] {
        assert!(accepted.iter().all(|until| *until < BOUND), "{accepted:?}");
        assert_eq!(last, [Answer::Unavailable; 2]);
    }
    assert!(of_kept.0.iter().all(|until| *until > Duration::from_secs(1)), "a short outage is noticed: {of_kept:?}");
    assert_eq!(here.both(&unused).await, [Answer::Unavailable; 2], "nor is anything known of this one");
    assert_eq!(elsewhere.both(&kept).await, [Answer::Accepted; 2]);

    balancer.find_server();
    let back = Instant::now();
    let accepted = settle(&here, &kept, Answer::Accepted, back).await;
    eprintln!("accepted {accepted:.1?} after the database was back");
    assert!(accepted < HEALTHY, "accepted again after {accepted:?}");
    settle(&here, &revoked, Answer::Refused, back).await;
    settle(&here, &unused, Answer::Accepted, back).await;
}
