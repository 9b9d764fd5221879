//! One refresh token, used by many at once (rows I10, I11).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use store::testing::Cluster;
use testkit::Browser;

use crate::provider::flow::OAuthResponse;
use crate::provider::redemptions::{ROUNDS, at_once, until_revoked};
use crate::provider::world::{TRUSTED, World};

/// `IDP_REFRESH_TOKEN_GRACE`, as it is by default.
const GRACE: Duration = Duration::from_secs(10);
const NO_GRACE: [(&str, &str); 1] = [("IDP_REFRESH_TOKEN_GRACE", "0s")];

/// A new family of refresh tokens: its first one.
async fn first(world: &World, browser: &mut Browser) -> String {
    let code = world.code(browser, TRUSTED).await;
    let response = world.redeem(world.base(0), TRUSTED, &code).await.expect("the provider answers");
    assert!(response.is_good() && !response.text("refresh_token").is_empty(), "{response:?}");
    response.text("refresh_token").to_owned()
}

async fn used_at_once(world: &Arc<World>, token: &str) -> Vec<OAuthResponse> {
    at_once(world, |world, caller| {
        let token = token.to_owned();
        async move { world.refresh(world.base(caller), TRUSTED, &token).await.expect("the provider answers") }
    })
    .await
}

async fn one_successor_each(world: World) {
    let world = Arc::new(world);
    let (mut browser, mut families) = (Browser::new(), Vec::new());
    for round in 0..ROUNDS {
        let token = first(&world, &mut browser).await;
        let responses = used_at_once(&world, &token).await;
        assert!(responses.iter().all(OAuthResponse::is_good), "{}, round {round}: {responses:?}", world.described());
        let successors: HashSet<_> = responses.iter().map(|response| response.text("refresh_token")).collect();
        assert_eq!(successors.len(), 1, "{}, round {round}: never a fork", world.described());
        let next = world.refresh(world.base(round), TRUSTED, responses[0].text("refresh_token")).await;
        let next = next.expect("the provider answers");
        assert!(next.is_good(), "{}, round {round}: the token family is valid: {next:?}", world.described());
        families.push((token, next));
    }
    tokio::time::sleep(GRACE + Duration::from_secs(1)).await;
    for (round, (token, last)) in families.into_iter().enumerate() {
        let again = world.refresh(world.base(round), TRUSTED, &token).await.expect("the provider answers");
        assert!(again.is_invalid_grant(), "{}, round {round}: {again:?}", world.described());
        until_revoked(&world, last.text("access_token")).await;
        let after = world.refresh(world.base(round + 1), TRUSTED, last.text("refresh_token")).await;
        assert!(after.expect("the provider answers").is_invalid_grant(), "the reuse has ended the family");
    }
    eprintln!("{}: {ROUNDS} refresh tokens with grace: one successor each, no family lost", world.described());
}

async fn one_winner_each(world: World) {
    let world = Arc::new(world);
    let mut browser = Browser::new();
    for round in 0..ROUNDS {
        let token = first(&world, &mut browser).await;
        let (good, bad): (Vec<_>, Vec<_>) =
            used_at_once(&world, &token).await.into_iter().partition(OAuthResponse::is_good);
        assert_eq!(good.len(), 1, "{}, round {round}", world.described());
        assert!(bad.iter().all(OAuthResponse::is_invalid_grant), "{}, round {round}: {bad:?}", world.described());
        until_revoked(&world, good[0].text("access_token")).await;
        let after = world.refresh(world.base(round), TRUSTED, good[0].text("refresh_token")).await;
        assert!(after.expect("the provider answers").is_invalid_grant(), "the reuse has ended the family");
    }
    eprintln!("{}: {ROUNDS} refresh tokens without grace: one winner each, every family ended", world.described());
}

/// Row I11.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_uses_of_a_refresh_token_at_a_process() {
    one_successor_each(World::alone("refreshes", &[]).await).await;
}

/// Row I11.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_uses_of_a_refresh_token_at_two_processes_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    one_successor_each(World::replicated("refreshes-two", &cluster, &[]).await).await;
}

/// Row I10.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_uses_of_a_refresh_token_without_grace_at_a_process() {
    one_winner_each(World::alone("refreshes-no-grace", &NO_GRACE).await).await;
}

/// Row I10.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_uses_of_a_refresh_token_without_grace_at_two_processes_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    one_winner_each(World::replicated("refreshes-no-grace-two", &cluster, &NO_GRACE).await).await;
}
