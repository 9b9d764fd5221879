//! One code, redeemed by many at once (rows I7, I8).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use store::testing::Cluster;
use testkit::Browser;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::provider::flow::OAuthResponse;
use crate::provider::world::{TRUSTED, World};

/// How often a code is made and redeemed.
pub(crate) const ROUNDS: usize = 20;
/// How many try at the same time.
pub(crate) const CALLERS: usize = 50;
/// The time in which a revocation must reach every replica.
pub(crate) const REVOKED_WITHIN: Duration = Duration::from_secs(4);

/// Sends all requests at the same moment, to the replicas in turn.
pub(crate) async fn at_once<F>(world: &Arc<World>, ask: impl Fn(Arc<World>, usize) -> F) -> Vec<OAuthResponse>
where
    F: Future<Output = OAuthResponse> + Send + 'static,
{
    let ready = Arc::new(Barrier::new(CALLERS));
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (ready, asking) = (Arc::clone(&ready), ask(Arc::clone(world), caller));
        callers.spawn(async move {
            ready.wait().await;
            asking.await
        });
    }
    callers.join_all().await
}

/// Waits until every replica says that an access token is over.
pub(crate) async fn until_revoked(world: &World, token: &str) -> Duration {
    let begin = Instant::now();
    for replica in &world.replicas {
        while world.is_active(&replica.base, TRUSTED, token).await {
            assert!(begin.elapsed() < REVOKED_WITHIN, "{}: the access token is still active", world.described());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    begin.elapsed()
}

async fn one_winner_each(world: World) {
    let world = Arc::new(world);
    let (mut browser, mut slowest, mut seen) = (Browser::new(), Duration::ZERO, HashSet::new());
    for round in 0..ROUNDS {
        let code = world.code(&mut browser, TRUSTED).await;
        let responses = at_once(&world, |world, caller| {
            let code = code.clone();
            async move { world.redeem(world.base(caller), TRUSTED, &code).await.expect("the provider answers") }
        })
        .await;
        let (good, bad): (Vec<_>, Vec<_>) = responses.into_iter().partition(OAuthResponse::is_good);
        assert_eq!((good.len(), bad.len()), (1, CALLERS - 1), "{}, round {round}", world.described());
        assert!(bad.iter().all(OAuthResponse::is_invalid_grant), "{}, round {round}: {bad:?}", world.described());
        let winner = &good[0];
        assert!(seen.insert(winner.text("access_token").to_owned()), "a token is given once");
        slowest = slowest.max(until_revoked(&world, winner.text("access_token")).await);
        let refreshed = world.refresh(world.base(round), TRUSTED, winner.text("refresh_token")).await;
        assert!(refreshed.expect("the provider answers").is_invalid_grant(), "the replays have ended the family");
    }
    eprintln!(
        "{}: {ROUNDS} codes, {CALLERS} redemptions each: one winner each; revoked everywhere within {slowest:.0?}",
        world.described()
    );
}

/// Row I8.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_redemptions_of_a_code_at_a_process() {
    one_winner_each(World::alone("redemptions", &[]).await).await;
}

/// Row I8.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_redemptions_of_a_code_at_two_processes_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    one_winner_each(World::replicated("redemptions-two", &cluster, &[]).await).await;
}
