mod grpc;
mod plan;
mod replicas;

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use store::testing::TestDatabase;

use super::*;
use crate::lifetimes::Lifetimes;
use crate::migration::Migrator;
use crate::seal::Purpose;

const START: Duration = Duration::from_hours(500_000);
const DAY: Duration = Duration::from_hours(24);
const HOUR: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);
const SECRET: &str = "an-adequate-secret-of-32-bytes-ok";
const NEW: &str = "another-adequate-secret-of-32-byte";

/// A database, and a clock that all replicas share.
struct World {
    store: Store,
    clock: Clock,
    random: Random,
    _file: TestDatabase,
}

impl World {
    async fn new() -> Self {
        let file = store::testing::database();
        let database = file.open().await;
        database.migrate::<Migrator>().await.expect("the schema is made");
        let clock = Clock::manual(UNIX_EPOCH + START);
        Self { store: Store::new(database), clock, random: Random::seeded(7), _file: file }
    }

    fn parts(&self, secret: &str) -> Parts {
        self.exchanging(secret, "")
    }

    fn exchanging(&self, secret: &str, previous: &str) -> Parts {
        Parts {
            store: self.store.clone(),
            sealer: Sealer::new(&secret.into(), &previous.into(), self.random.clone()),
            schedule: Schedule::of(&config::defaults()),
            clock: self.clock.clone(),
            random: self.random.clone(),
            algorithms: Algorithm::SIGNING.into(),
        }
    }

    async fn replica(&self) -> Keys {
        Keys::open(self.parts(SECRET)).await.expect("the keys are opened")
    }

    fn now(&self) -> SystemTime {
        self.clock.now()
    }
}

fn kids(keys: &Keys) -> Vec<String> {
    let set: Value = serde_json::from_slice(&keys.published().body).expect("JSON");
    let keys = set["keys"].as_array().expect("a list");
    keys.iter().map(|key| key["kid"].as_str().expect("a name").to_owned()).collect()
}

fn token(keys: &Keys, algorithm: Algorithm) -> String {
    keys.signer(algorithm).jwt("at+jwt", &json!({ "sub": "einstein" }))
}

fn is_good(keys: &Keys, token: &str) -> bool {
    keys.verifies(&UnverifiedJwt::parse(token).expect("a JWT"))
}

fn state_of(keys: &Keys, kid: &str) -> Option<State> {
    keys.list().into_iter().find(|key| key.kid == kid).map(|key| key.state)
}

#[tokio::test]
async fn the_first_start_makes_a_key_of_each_algorithm_and_the_next_ones_find_them() {
    let world = World::new().await;
    let first = world.replica().await;
    for algorithm in Algorithm::SIGNING {
        assert_eq!(first.signer(algorithm).algorithm(), algorithm);
        assert!(is_good(&first, &token(&first, algorithm)), "{algorithm}");
    }
    assert_eq!(first.signer(Algorithm::Hs256).algorithm(), Algorithm::Rs256);
    let second = world.replica().await;
    assert_eq!(kids(&second), kids(&first));
    for algorithm in Algorithm::SIGNING {
        assert!(is_good(&second, &token(&first, algorithm)), "{algorithm}");
    }
    assert_eq!(first.list().iter().map(|key| key.state).collect::<Vec<_>>(), [State::Current; 4]);
}

#[tokio::test]
async fn replicas_that_start_at_the_same_time_have_the_same_keys() {
    let world = World::new().await;
    let (one, other) = tokio::join!(world.replica(), world.replica());
    assert_eq!(kids(&one), kids(&other));
    assert_eq!(kids(&one).len(), 4);
}

#[tokio::test]
async fn the_key_set_is_public_and_complete() {
    let world = World::new().await;
    let keys = world.replica().await;
    let published = keys.published();
    let set: Value = serde_json::from_slice(&published.body).expect("JSON");
    for (key, algorithm) in set["keys"].as_array().expect("a list").iter().zip(Algorithm::SIGNING) {
        assert_eq!((&key["alg"], &key["use"]), (&json!(algorithm.name()), &json!("sig")));
        let kid = key["kid"].as_str().expect("a name");
        assert_eq!(URL_SAFE_NO_PAD.decode(kid).expect("base64url").len(), 16);
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert_eq!(key.get(private), None, "{algorithm}: {private}");
        }
    }
    oidc::jose::KeySet::parse(&published.body).expect("a key set that others can read");
    let tag = std::str::from_utf8(&published.etag).expect("text");
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 20, "{tag}");
    assert_eq!(keys.published().etag, published.etag);
}

#[tokio::test]
async fn i40_a_key_is_published_before_it_signs_and_for_as_long_as_its_tokens_live() {
    let world = World::new().await;
    let keys = world.replica().await;
    let old = keys.signer(Algorithm::Rs256).kid().to_owned();
    let of_old = token(&keys, Algorithm::Rs256);

    world.clock.advance((90 * DAY).saturating_sub(SECOND));
    keys.tend().await.expect("is tended");
    assert_eq!(kids(&keys).len(), 4, "it is not due yet");
    world.clock.advance(SECOND);
    keys.tend().await.expect("is tended");
    assert_eq!(kids(&keys).len(), 8, "each has a successor");
    assert_eq!(kids(&keys)[0], old, "the one that signs comes first");
    let new = kids(&keys)[1].clone();
    assert_eq!((state_of(&keys, &old), state_of(&keys, &new)), (Some(State::Current), Some(State::Next)));
    keys.tend().await.expect("is tended");
    assert_eq!(kids(&keys).len(), 8, "one successor is enough");

    world.clock.advance(HOUR.saturating_sub(SECOND));
    assert_eq!(keys.signer(Algorithm::Rs256).kid(), old);
    let last_of_old = token(&keys, Algorithm::Rs256);
    world.clock.advance(SECOND);
    assert_eq!(keys.signer(Algorithm::Rs256).kid(), new, "by the time alone");
    assert!(is_good(&keys, &last_of_old) && is_good(&keys, &of_old));
    keys.tend().await.expect("is tended");
    assert_eq!((state_of(&keys, &old), state_of(&keys, &new)), (Some(State::Retired), Some(State::Current)));

    // the longest token is valid for an hour, and a day is added
    world.clock.advance((25 * HOUR).saturating_sub(SECOND));
    keys.tend().await.expect("is tended");
    assert!(is_good(&keys, &last_of_old) && kids(&keys).contains(&old));
    world.clock.advance(SECOND);
    assert!(!is_good(&keys, &last_of_old), "it is over by the time alone");
    world.clock.advance(SECOND);
    keys.tend().await.expect("is tended");
    assert!(!kids(&keys).contains(&old));
    assert_eq!((kids(&keys).len(), state_of(&keys, &old)), (4, None), "and removed");
    assert_eq!(world.store.keys().await.expect("is read").len(), 4);
}

#[tokio::test]
async fn rotation_that_is_overdue_is_measured_and_none_where_keys_are_not_rotated() {
    let (world, metrics) = (World::new().await, Metrics::default());
    let keys = world.replica().await;
    keys.measure(&metrics);
    let name = "doorward_signing_key_rotation_seconds{algorithm=\"RS256\"}";
    assert!(metrics.render().contains(name), "{}", metrics.render());
    let full = (90 * DAY + HOUR).as_secs_f64();
    assert_eq!(keys.until_rotation(Algorithm::Rs256), Some(full));
    world.clock.advance(90 * DAY + 3 * HOUR);
    assert_eq!(keys.until_rotation(Algorithm::Rs256), Some(-(2 * HOUR).as_secs_f64()));
    keys.tend().await.expect("is tended");
    world.clock.advance(HOUR);
    assert_eq!(keys.until_rotation(Algorithm::Rs256), Some(full), "the successor signs");

    let schedule = Schedule { rotation: Duration::ZERO, ..Schedule::of(&config::defaults()) };
    let keys = Keys::open(Parts { schedule, ..world.parts(SECRET) }).await.expect("the keys are opened");
    assert_eq!(keys.until_rotation(Algorithm::Rs256), None);
    let metrics = Metrics::default();
    keys.measure(&metrics);
    assert!(!metrics.render().contains(name));
}

#[tokio::test]
async fn i40_no_token_is_refused_by_another_replica_while_keys_are_exchanged() {
    let world = World::new().await;
    let (one, other) = (world.replica().await, world.replica().await);
    for _ in 0..(2 * 91 * 24 / 6) {
        world.clock.advance(6 * HOUR);
        one.tend().await.expect("is tended");
        other.tend().await.expect("is tended");
        let (from_one, from_other) = (token(&one, Algorithm::EdDsa), token(&other, Algorithm::EdDsa));
        assert!(is_good(&other, &from_one) && is_good(&one, &from_other));
        assert_eq!(one.signer(Algorithm::EdDsa).kid(), other.signer(Algorithm::EdDsa).kid());
        assert_eq!(one.published().etag, other.published().etag);
    }
    assert!(world.store.keys().await.expect("is read").len() <= 8, "what is over is removed");
}

#[tokio::test]
async fn a_rotation_on_demand_is_published_first_and_not_repeated() {
    let world = World::new().await;
    let keys = world.replica().await;
    let old = keys.signer(Algorithm::Es256).kid().to_owned();
    let next = keys.rotate(Algorithm::Es256, Begin::Published).await.expect("is made");
    assert_eq!((next.state, next.active), (State::Next, world.now() + HOUR));
    assert_eq!(keys.signer(Algorithm::Es256).kid(), old);
    let again = keys.rotate(Algorithm::Es256, Begin::Published).await.expect("is there");
    assert_eq!(again, next);
    world.clock.advance(HOUR);
    assert_eq!(keys.signer(Algorithm::Es256).kid(), next.kid);
}

#[tokio::test]
async fn in_an_emergency_a_key_is_replaced_and_taken_out_at_once() {
    let world = World::new().await;
    let (keys, other) = (world.replica().await, world.replica().await);
    let stolen = keys.signer(Algorithm::EdDsa).kid().to_owned();
    let forged = token(&keys, Algorithm::EdDsa);
    world.clock.advance(HOUR);
    let error = keys.retire(&stolen).await.expect_err("nothing else signs");
    assert!(matches!(error, KeysError::Only(Algorithm::EdDsa)), "{error}");
    keys.rotate(Algorithm::EdDsa, Begin::Published).await.expect("is made");
    keys.retire(&stolen).await.expect_err("nothing else signs yet");

    let new = keys.rotate(Algorithm::EdDsa, Begin::AtOnce).await.expect("is made");
    assert_eq!((new.state, keys.signer(Algorithm::EdDsa).kid()), (State::Current, new.kid.as_str()));
    assert!(is_good(&keys, &forged));
    keys.retire(&stolen).await.expect("is taken out");
    assert!(!is_good(&keys, &forged) && !kids(&keys).contains(&stolen));
    assert!(is_good(&other, &forged), "it has not looked yet");
    other.tend().await.expect("is tended");
    assert!(!is_good(&other, &forged) && is_good(&other, &token(&keys, Algorithm::EdDsa)));
    keys.retire("unknown").await.expect_err("there is none");
}

/// Row I40.
#[tokio::test]
async fn key_that_was_taken_out_while_the_clock_was_ahead_stays_out_when_it_is_corrected() {
    let world = World::new().await;
    let keys = world.replica().await;
    let (stolen, forged) = (keys.signer(Algorithm::EdDsa).kid().to_owned(), token(&keys, Algorithm::EdDsa));
    world.clock.advance(2 * HOUR);
    keys.rotate(Algorithm::EdDsa, Begin::AtOnce).await.expect("is made");
    keys.retire(&stolen).await.expect("is taken out");
    world.clock.set(world.now() - 2 * HOUR);
    for keys in [keys, world.replica().await] {
        assert!(!is_good(&keys, &forged) && !kids(&keys).contains(&stolen));
        // the new one has not begun by this clock, and signs as there is no other
        let signed = token(&keys, Algorithm::EdDsa);
        assert!(is_good(&keys, &signed));
    }
}

#[tokio::test]
async fn a_key_that_was_taken_out_does_not_come_back_by_a_retirement_that_was_slower() {
    let world = World::new().await;
    let keys = world.replica().await;
    let old = keys.signer(Algorithm::EdDsa).kid().to_owned();
    world.clock.advance(SECOND);
    keys.rotate(Algorithm::EdDsa, Begin::AtOnce).await.expect("is made");
    keys.retire(&old).await.expect("is taken out");
    let later = world.now() + DAY;
    assert!(!world.store.retire_key(&old, later).await.expect("is written"));
    keys.tend().await.expect("is tended");
    assert!(!kids(&keys).contains(&old));
}

#[tokio::test]
async fn change_of_another_replica_is_adopted_after_its_notification() {
    let world = World::new().await;
    let (keys, other) = (world.replica().await, world.replica().await);
    let (tell, told) = tokio::sync::watch::channel(0);
    let stop = tokio_util::sync::CancellationToken::new();
    let task = tokio::spawn(other.clone().keep_tending(told, stop.clone()));
    world.clock.advance(SECOND);
    let new = keys.rotate(Algorithm::EdDsa, Begin::AtOnce).await.expect("is made");
    while other.signer(Algorithm::EdDsa).kid() != new.kid {
        tell.send(1).expect("has a receiver");
        tokio::task::yield_now().await;
    }
    stop.cancel();
    task.await.expect("it ends");
}

#[tokio::test]
async fn removed_algorithm_signs_no_more_and_stays_published_until_its_tokens_have_ended() {
    let world = World::new().await;
    let with = |algorithms: &[Algorithm]| Keys::open(Parts { algorithms: algorithms.into(), ..world.parts(SECRET) });
    let before = with(&[Algorithm::Rs256, Algorithm::EdDsa]).await.expect("opens");
    assert_eq!(kids(&before).len(), 2, "no key of another algorithm is made");
    let (removed, of_removed) = (before.signer(Algorithm::EdDsa).kid().to_owned(), token(&before, Algorithm::EdDsa));

    let keys = with(&[Algorithm::Es256, Algorithm::Rs256]).await.expect("opens");
    assert_eq!(keys.choose(None), Algorithm::Es256, "the first is the default");
    assert_eq!(
        (keys.choose(Some(Algorithm::Rs256)), keys.choose(Some(Algorithm::EdDsa))),
        (Algorithm::Rs256, Algorithm::Es256)
    );
    world.clock.advance(HOUR);
    keys.tend().await.expect("is tended");
    assert_eq!(keys.signer(Algorithm::EdDsa).algorithm(), Algorithm::Es256);
    assert!(is_good(&keys, &of_removed) && kids(&keys).contains(&removed));
    assert_eq!(state_of(&keys, &removed), Some(State::Retired));
    let refused = keys.rotate(Algorithm::EdDsa, Begin::Published).await.expect_err("it is not signed with");
    assert!(refused.to_string().contains("IDP_SIGNING_ALGORITHMS"), "{refused}");

    world.clock.advance((25 * HOUR).saturating_sub(SECOND));
    keys.tend().await.expect("is tended");
    assert!(is_good(&keys, &of_removed), "the longest token may still be good");
    world.clock.advance(2 * SECOND);
    keys.tend().await.expect("is tended");
    keys.tend().await.expect("is tended");
    assert!(!is_good(&keys, &of_removed) && !kids(&keys).contains(&removed));

    let again = with(&[Algorithm::Rs256, Algorithm::EdDsa]).await.expect("opens");
    assert_eq!(again.signer(Algorithm::EdDsa).algorithm(), Algorithm::EdDsa, "it can come back with a new key");
}

#[tokio::test]
async fn a_token_of_a_stranger_is_not_ours() {
    let world = World::new().await;
    let keys = world.replica().await;
    let kid = keys.signer(Algorithm::EdDsa).kid().to_owned();
    let stranger = SigningKey::generate(Algorithm::EdDsa, &kid).expect("a key");
    assert!(!is_good(&keys, &stranger.jwt("JWT", &json!({}))), "the name alone is nothing");
    let nameless = SigningKey::generate(Algorithm::EdDsa, "other").expect("a key");
    assert!(!is_good(&keys, &nameless.jwt("JWT", &json!({}))));
    let shared = oidc::jose::hs256_jwt(&keys.published().body, "JWT", &json!({}));
    assert!(!is_good(&keys, &shared));
}

#[tokio::test]
async fn without_the_secret_no_key_can_be_used_and_none_is_made() {
    let world = World::new().await;
    let keys = world.replica().await;
    let other = Keys::open(world.parts(NEW)).await.map(drop);
    let error = other.expect_err("it is the wrong secret");
    assert!(matches!(error, KeysError::Sealed(_)) && error.to_string().contains("IDP_ENCRYPTION_SECRET"), "{error}");
    assert_eq!(world.store.keys().await.expect("is read").len(), kids(&keys).len());
}

#[tokio::test]
async fn after_an_exchange_of_the_secret_the_former_one_is_not_needed_for_keys() {
    let world = World::new().await;
    let old = world.replica().await;
    let of_old = token(&old, Algorithm::Es256);
    let both = Keys::open(world.exchanging(NEW, SECRET)).await.expect("opens");
    assert_eq!(kids(&both), kids(&old), "the same keys");
    let new = Keys::open(world.parts(NEW)).await.expect("the former secret is not needed");
    assert!(is_good(&new, &of_old) && kids(&new) == kids(&old));
    Keys::open(world.parts(SECRET)).await.map(drop).expect_err("nor is it enough");

    // a replica that was not started again makes a key
    old.rotate(Algorithm::EdDsa, Begin::AtOnce).await.expect("makes a key");
    Keys::open(world.parts(NEW)).await.map(drop).expect_err("it is sealed under the former secret");
    both.tend().await.expect("is tended");
    Keys::open(world.parts(NEW)).await.map(drop).expect("tending has sealed it anew");
}

#[tokio::test]
async fn a_private_key_is_stored_sealed_and_belongs_to_its_row() {
    let world = World::new().await;
    let keys = world.replica().await;
    let stored = world.store.keys().await.expect("is read");
    let sealer = world.parts(SECRET).sealer;
    for row in &stored {
        let algorithm: Algorithm = row.algorithm.parse().expect("an algorithm");
        let pkcs8 = keys.signer(algorithm).to_pkcs8().expect("can be written");
        assert!(!row.sealed.windows(32).any(|bytes| pkcs8.windows(32).any(|other| other == bytes)));
        sealer.open_bytes(Purpose::Code, &row.sealed).expect_err("it is sealed for something else");
        sealed::open(&sealer, algorithm, row).map(drop).expect("its own row");
        for other in stored.iter().filter(|other| other.kid != row.kid) {
            let swapped = crate::store::StoredKey { sealed: other.sealed.clone(), ..row.clone() };
            let refused = sealed::open(&sealer, algorithm, &swapped).map(drop);
            assert!(matches!(refused, Err(KeysError::Sealed(_))), "{algorithm}");
        }
    }
}
