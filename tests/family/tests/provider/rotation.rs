//! Keys change while tokens are fetched and verified all the time: no token fails (row I40).

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use config::{GrpcClientTls, TokenManager};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use proto::doorward::idp::v1::RotateKeyRequest;
use proto::doorward::idp::v1::keys_api_client::KeysApiClient;
use reqwest::header::CACHE_CONTROL;
use runtime::client::channel_within;
use runtime::{Clock, Context};
use serde_json::Value;
use tokio::task::JoinSet;
use tonic::Request;

use crate::provider::world::{ALGORITHMS, World};

const ROTATIONS: usize = 10;
/// `IDP_KEY_AHEAD`, as short as it can be.
const AHEAD: Duration = Duration::from_mins(10);
/// The least number of tokens that each client verifies between two steps of the operator.
const BATCH: usize = 4;

/// The least number of tokens that are verified while the keys change.
const LEAST: usize = 500;

/// How long the operator waits: to make an RSA key takes seconds on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a relying party keeps the provider's keys.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Habit {
    /// Reads them again when they are older than the provider says, and never for a key that it does not know.
    AsToldOnly,
    /// Reads them again for a key that it does not know too.
    ForUnknownKeysToo,
}

/// A relying party that verifies tokens by the provider's key set.
struct Party {
    habit: Habit,
    clock: Clock,
    held: Option<(JwkSet, SystemTime, Duration)>,
    kids: HashSet<String>,
}

impl Party {
    fn new(habit: Habit, clock: Clock) -> Self {
        Self { habit, clock, held: None, kids: HashSet::new() }
    }

    async fn verify(&mut self, world: &World, token: &str) {
        let header = decode_header(token).expect("a token is a JWT");
        let kid = header.kid.expect("a token names its key");
        let is_old = |(_, read, keep): &(JwkSet, SystemTime, Duration)| {
            self.clock.now().duration_since(*read).unwrap_or_default() > *keep
        };
        let knows = |(keys, ..): &(JwkSet, SystemTime, Duration)| keys.find(&kid).is_some();
        let is_needed = match (&self.held, self.habit) {
            (None, _) => true,
            (Some(held), Habit::AsToldOnly) => is_old(held),
            (Some(held), Habit::ForUnknownKeysToo) => is_old(held) || !knows(held),
        };
        if is_needed {
            self.held = Some(self.read(world).await);
        }
        let (keys, ..) = self.held.as_ref().expect("was read");
        let key = keys.find(&kid).unwrap_or_else(|| panic!("{:?}: the key {kid} was not published", self.habit));
        let mut rules = Validation::new(header.alg);
        rules.validate_aud = false;
        // the clock of the test is not the library's
        rules.validate_exp = false;
        rules.set_issuer(&[&world.issuer]);
        decode::<Value>(token, &DecodingKey::from_jwk(key).expect("a key of the set"), &rules)
            .unwrap_or_else(|error| panic!("{:?}: a token fails: {error}", self.habit));
        self.kids.insert(kid);
    }

    async fn read(&self, world: &World) -> (JwkSet, SystemTime, Duration) {
        let read = self.clock.now();
        let answer = world.http.get(format!("{}/konnect/v1/jwks.json", world.base(0))).send().await.expect("answers");
        let cache_control = answer.headers()[CACHE_CONTROL].to_str().expect("text").to_owned();
        let keep =
            cache_control.rsplit_once("max-age=").and_then(|(_, seconds)| seconds.parse().ok()).expect("max-age");
        let keys = serde_json::from_str(&answer.text().await.expect("text")).expect("a key set");
        (keys, read, Duration::from_secs(keep))
    }
}

/// Clients that fetch tokens and verify them until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    /// How many tokens each client has verified.
    verified: Vec<Arc<AtomicUsize>>,
    parties: JoinSet<HashSet<String>>,
}

impl Load {
    fn begin(world: &Arc<World>, clock: &Clock, habits: &[Habit]) -> Self {
        let (stop, mut counts) = (Arc::new(AtomicBool::new(false)), Vec::new());
        let mut parties = JoinSet::new();
        for &habit in habits {
            for client in ALGORITHMS {
                let (world, stop, verified) = (Arc::clone(world), Arc::clone(&stop), Arc::<AtomicUsize>::default());
                counts.push(Arc::clone(&verified));
                let mut party = Party::new(habit, clock.clone());
                parties.spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        let response = world.own(world.base(0), client).await.expect("the provider answers");
                        assert!(response.is_good(), "{response:?}");
                        let token = response.text("access_token");
                        let signed = decode_header(token).expect("a token is a JWT").alg;
                        assert_eq!(signed, client.parse::<Algorithm>().expect("an algorithm"));
                        party.verify(&world, token).await;
                        verified.fetch_add(1, Ordering::Relaxed);
                    }
                    party.kids
                });
            }
        }
        Self { stop, verified: counts, parties }
    }

    /// How many tokens each client has verified so far.
    fn verified(&self) -> Vec<usize> {
        self.verified.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }

    /// Waits until each client has verified some more tokens; a failure of any ends the test.
    async fn go_on(&mut self) {
        let before = self.verified();
        while self.verified().iter().zip(&before).any(|(now, before)| *now < before + BATCH) {
            if let Some(ended) = self.parties.try_join_next() {
                panic!("a client has ended: {ended:?}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends it: how many tokens were verified, and how many keys each client has seen.
    async fn end(self) -> (usize, Vec<usize>) {
        self.stop.store(true, Ordering::Relaxed);
        let verified = self.verified().iter().sum();
        let seen = self.parties.join_all().await;
        (verified, seen.iter().map(HashSet::len).collect())
    }
}

/// Has the operator publish the next keys of all algorithms, by the clock of the test.
async fn rotate(world: &World, clock: &Clock) {
    let layout = &world.family.layout;
    let tokens = TokenManager { jwt_secret: layout.jwt_secret.as_str().into(), ..TokenManager::default() };
    let context = Context::new(layout.variables().clone().into_iter().collect());
    let context = Context { clock: clock.clone(), ..context };
    let address = layout.address(doorward::ServiceId::Idp).to_string();
    let channel = channel_within(&address, &GrpcClientTls::default(), Some(PATIENCE), &context);
    let mut keys = KeysApiClient::new(channel.expect("an address is an endpoint"));
    for algorithm in ALGORITHMS {
        let mut request = Request::new(RotateKeyRequest { algorithm: algorithm.to_owned(), at_once: false });
        let token = runtime::operator_token(&tokens, &context).expect("is minted");
        request.metadata_mut().insert(token::METADATA_KEY, token);
        keys.rotate_key(request).await.expect("the operator may");
    }
}

/// Row I40.
#[tokio::test(flavor = "multi_thread")]
async fn ten_rotations_under_load_cause_no_verification_failure() {
    let clock = Clock::manual(Clock::system().now());
    let world = Arc::new(World::inside("rotations", &clock, &[("IDP_KEY_AHEAD", "10m")]).await);
    let mut load = Load::begin(&world, &clock, &[Habit::AsToldOnly, Habit::ForUnknownKeysToo]);
    for _ in 0..ROTATIONS {
        load.go_on().await;
        rotate(&world, &clock).await;
        load.go_on().await;
        // the new keys begin to sign
        clock.advance(AHEAD + Duration::from_secs(1));
    }
    load.go_on().await;
    let (verified, seen) = load.end().await;
    eprintln!("{ROTATIONS} rotations, {verified} tokens verified, no failure; keys seen by each client: {seen:?}");
    assert!(seen.iter().all(|keys| *keys == ROTATIONS + 1), "every client has seen every key: {seen:?}");
    assert!(verified >= LEAST, "{verified} tokens are no load");
}

/// Row I40.
#[tokio::test(flavor = "multi_thread")]
async fn ten_immediate_rotations_of_a_process_cause_no_failure_for_clients_that_fetch_unknown_keys() {
    let world = Arc::new(World::alone("rotations-at-once", &[]).await);
    let clock = Clock::system();
    let mut load = Load::begin(&world, &clock, &[Habit::ForUnknownKeysToo]);
    for _ in 0..ROTATIONS {
        // keys that begin in the same second are one
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        load.go_on().await;
        world.operate(&["keys", "rotate", "--at-once"]).await;
    }
    load.go_on().await;
    let (verified, seen) = load.end().await;
    eprintln!("{ROTATIONS} rotations at once, {verified} tokens verified, no failure; keys seen: {seen:?}");
    assert!(seen.iter().all(|keys| *keys == ROTATIONS + 1), "every client has seen every key: {seen:?}");
    assert!(verified >= LEAST, "{verified} tokens are no load");
}
