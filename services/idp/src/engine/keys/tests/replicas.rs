//! Replicas whose settings name different algorithms, as while they are started again one after the other. Rows I40 and G9.

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

async fn replica(world: &World, algorithms: &[Algorithm]) -> Keys {
    let parts = Parts { algorithms: algorithms.into(), ..world.parts(SECRET) };
    Keys::open(parts).await.expect("the keys are opened")
}

#[tokio::test]
async fn shorter_list_retires_no_key_that_another_replica_signs_with() {
    let world = World::new().await;
    let more = replica(&world, &[Algorithm::Es256, Algorithm::EdDsa]).await;
    let fewer = replica(&world, &[Algorithm::Es256]).await;
    let kid = more.signer(Algorithm::EdDsa).kid().to_owned();
    let version = world.store.version().await.expect("reads");
    let mut last = token(&more, Algorithm::EdDsa);
    for step in 0..(3 * 24 * 12) {
        world.clock.advance(5 * MINUTE);
        fewer.tend().await.expect("is tended");
        more.tend().await.expect("is tended");
        last = token(&more, Algorithm::EdDsa);
        assert_eq!(more.signer(Algorithm::EdDsa).kid(), kid, "step {step}");
        if step % 12 == 0 {
            assert!(is_good(&fewer, &last) && is_good(&more, &last), "step {step}");
            assert!(kids(&fewer).contains(&kid) && kids(&more).contains(&kid), "step {step}");
        }
    }
    assert_eq!(world.store.keys().await.expect("reads").len(), 2, "none was made anew");
    assert_eq!(world.store.version().await.expect("reads"), version, "and no replica woken");

    // the last replica with the longer list is gone; it may have said so ten minutes before
    world.clock.advance(49 * MINUTE + 59 * SECOND);
    fewer.tend().await.expect("is tended");
    assert_eq!(state_of(&fewer, &kid), Some(State::Current));
    world.clock.advance(11 * MINUTE);
    fewer.tend().await.expect("is tended");
    assert_eq!(state_of(&fewer, &kid), Some(State::Retired));
    // the longest token lives an hour, and a day is added
    world.clock.advance(24 * HOUR + 59 * MINUTE + 59 * SECOND);
    fewer.tend().await.expect("is tended");
    assert!(is_good(&fewer, &last) && kids(&fewer).contains(&kid));
    world.clock.advance(2 * SECOND);
    fewer.tend().await.expect("is tended");
    assert!(!is_good(&fewer, &last) && !kids(&fewer).contains(&kid));
}

#[tokio::test]
async fn key_of_a_release_that_says_nothing_is_left_alone_for_a_while() {
    let world = World::new().await;
    let of_before = replica(&world, &[Algorithm::Es256, Algorithm::EdDsa]).await;
    let kid = of_before.signer(Algorithm::EdDsa).kid().to_owned();
    let mut stored = world.store.keys().await.expect("reads").into_iter().find(|key| key.kid == kid).expect("is there");
    // as the former release has written it, under another name
    (stored.kid, stored.claimed) = ("of-before".to_owned(), None);
    let parts = world.parts(SECRET);
    stored.sealed = sealed::seal(&parts.sealer, &SigningKey::generate(Algorithm::Ps256, "of-before").expect("a key"))
        .expect("is sealed");
    stored.algorithm = Algorithm::Ps256.name().to_owned();
    world.store.add_key(&stored, None).await.expect("adds");

    let fewer = replica(&world, &[Algorithm::Es256]).await;
    for (minutes, state) in [(0, State::Current), (59, State::Current), (1, State::Retired)] {
        world.clock.advance(minutes * MINUTE);
        fewer.tend().await.expect("is tended");
        assert_eq!(state_of(&fewer, "of-before"), Some(state), "{minutes} minutes later");
    }
}
