//! Uses at one replica move the end of a sliding token at all of them.

use std::time::Duration;

use auth_app::policy::LifetimeRequest;
use store::testing::Cluster;

use crate::support::{HOUR, Replica, SECOND, Verdict, three};

const WINDOW: Duration = Duration::from_mins(1);
/// Uses are written down every second, if they are due.
const WRITTEN_SOON: Duration = Duration::from_secs(15);

/// Waits until the end of the token has been moved to here in the database.
async fn is_written(replica: &Replica, id: uuid::Uuid, end: std::time::SystemTime) {
    let looking = async {
        while replica.written(id).await.end() != Some(end) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(WRITTEN_SOON, looking).await.expect("a use is written down soon");
}

/// Row A8.
#[tokio::test(flavor = "multi_thread")]
async fn replica_whose_clock_is_not_that_of_postgres_is_not_ready() {
    let Some(cluster) = Cluster::start().await else { return };
    let (clock, [replica, ..]) = three(&cluster, true).await;
    let is_right = async || {
        let checks = auth_app::app(&replica.opened).checks;
        let check = checks.iter().find(|check| check.name == "clock").expect("the clock is checked");
        (check.probe)().await
    };
    let problem = is_right().await.expect_err("the test's clock stands in another year");
    assert!(problem.contains("apart"), "{problem}");
    let server = runtime::Clock::system().now();
    clock.advance(server.duration_since(clock.now()).expect("the test's clock is behind"));
    is_right().await.expect("within five seconds is near enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_slides_at_all_postgres_replicas() {
    let Some(cluster) = Cluster::start().await else { return };
    let (clock, [here, there, third]) = three(&cluster, true).await;
    let sliding = LifetimeRequest::Sliding { window: WINDOW, max_lifetime: Some(HOUR) };
    let (token, secret) = here.token(sliding).await;
    for replica in [&here, &there, &third] {
        assert_eq!(replica.answer(&secret).await, Verdict::Good, "all have it in their caches");
    }
    for round in 1..=2 {
        clock.advance(55 * SECOND);
        let good = here.authenticate(&secret).await.expect("is used here only");
        assert_eq!(good.not_after, Some(clock.now() + WINDOW));
        is_written(&here, token.id, clock.now() + WINDOW).await;
        // the end that the others have in mind is past
        clock.advance(10 * SECOND);
        let good = there.authenticate(&secret).await.unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert_eq!(good.not_after, Some(clock.now() + WINDOW), "and moves it once more");
        is_written(&there, token.id, clock.now() + WINDOW).await;
    }
    clock.advance(50 * SECOND);
    assert_eq!(third.answer(&secret).await, Verdict::Good, "who has not seen it for two windows asks");
    clock.advance(WINDOW);
    for replica in [&here, &there, &third] {
        assert_eq!(replica.answer(&secret).await, Verdict::Refused, "a window without any use ends it everywhere");
    }
}
