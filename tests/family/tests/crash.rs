//! auth-app is killed at any moment, again and again: what it has acknowledged holds, and what has ended does not come back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use authn::{Authenticated, Scopes, User, UserId};
use config::Environment;
use proto::cs3::auth::applications::v1beta1::{
    GenerateAppPasswordRequest, GetAppPasswordRequest, InvalidateAppPasswordRequest,
    applications_api_client::ApplicationsApiClient,
};
use proto::cs3::types::v1beta1::Timestamp;
use runtime::{Clock, Random};
use secrecy::SecretString;
use status::Kind;
use tempfile::TempDir;
use testkit::{Server, free_address};
use token::{KeyRing, Minter};
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, metadata::MetadataValue};

const ROUNDS: usize = 200;
/// How many calls are under way at the same time.
const CLIENTS: usize = 6;
/// How many tokens of earlier rounds are looked at in each.
const SAMPLE: usize = 20;
const SERVICE: &str = "auth-app";
const JWT_SECRET: &str = "the-secret-of-the-internal-tokens-32-bytes";

type Client = ApplicationsApiClient<Channel>;

/// What is known of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its making was acknowledged.
    Live,
    /// Its revocation was acknowledged, or it was refused since.
    Revoked,
    /// Its revocation was requested; the outcome is unknown.
    Requested,
}

#[derive(Debug)]
struct Made {
    secret: String,
    end: Option<SystemTime>,
    state: State,
}

/// The test's side of the service.
struct World {
    folder: TempDir,
    address: SocketAddr,
    variables: BTreeMap<String, String>,
    clock: Clock,
    random: Random,
}

impl World {
    fn new(seed: u64) -> Self {
        let (folder, address) = (tempfile::tempdir().expect("a folder"), free_address());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let unused_address = || free_address().to_string();
        let variables = [
            ("OCIS_BASE_DATA_PATH", path("data")),
            ("OCIS_CONFIG_DIR", path("config")),
            ("OCIS_LOG_LEVEL", "error".to_owned()),
            ("OCIS_LOG_FILE", path("log")),
            ("OCIS_JWT_SECRET", JWT_SECRET.to_owned()),
            ("OCIS_REVA_GATEWAY", unused_address()),
            ("AUTH_APP_USERS_ENDPOINT", unused_address()),
            ("AUTH_APP_TOKEN_KEY", "the-key-of-the-token-digests-32-bytes".to_owned()),
            ("AUTH_APP_MAX_TOKENS_PER_USER", "0".to_owned()),
            ("AUTH_APP_GRPC_ADDR", address.to_string()),
            ("AUTH_APP_HTTP_ADDR", unused_address()),
            ("AUTH_APP_DEBUG_ADDR", unused_address()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        Self { folder, address, variables, clock: Clock::system(), random: Random::seeded(seed) }
    }

    fn below(&self, bound: usize) -> usize {
        usize::from(u16::from_be_bytes(self.random.bytes())) % bound
    }

    fn up_to(&self, most: Duration) -> Duration {
        most * u32::try_from(self.below(1000)).expect("small") / 1000
    }

    /// Starts the service, and waits until it answers: it listens before that.
    async fn start(&self) -> (Server, Client) {
        let begin = Instant::now();
        let mut server = Server::start(SERVICE, &self.variables);
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).expect("an address is an endpoint");
        let mut client = ApplicationsApiClient::new(endpoint.connect_lazy());
        while let Err(error) = client.get_app_password(GetAppPasswordRequest::default()).await {
            assert!(server.is_running() && begin.elapsed() < Duration::from_secs(30), "it does not start: {error}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        (server, client)
    }

    /// Has clients make and revoke tokens until the service is killed, after so long; what was acknowledged to them.
    async fn work(self: &Arc<Self>, mut server: Server, client: &Client, after: Duration) -> Vec<Made> {
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (world, client) = (Arc::clone(self), client.clone());
            clients.spawn(async move {
                let mut made = Vec::new();
                let ended =
                    world.work_as_one(client, &mut made).await.expect_err("it goes on until the service is gone");
                assert!(
                    matches!(ended.code(), tonic::Code::Unavailable | tonic::Code::Unknown | tonic::Code::Cancelled),
                    "{ended:?}"
                );
                made
            });
        }
        tokio::time::sleep(after).await;
        server.kill();
        clients.join_all().await.into_iter().flatten().collect()
    }

    async fn work_as_one(&self, mut client: Client, made: &mut Vec<Made>) -> Result<(), Status> {
        let jwt = self.jwt();
        loop {
            let end = (self.below(2) == 0).then(|| self.soon());
            let secret = make(&mut client, &jwt, end).await?;
            made.push(Made { secret, end, state: State::Live });
            if self.below(3) == 0 {
                let chosen = self.below(made.len());
                let one = &mut made[chosen];
                if one.state == State::Live {
                    one.state = State::Requested;
                    if revoke(&mut client, &jwt, &one.secret).await? {
                        one.state = State::Revoked;
                    } else {
                        assert!(one.end.is_some_and(|end| end <= self.clock.now()), "{one:?} is not found");
                    }
                }
            }
        }
    }

    /// One to three seconds from now, in whole milliseconds.
    fn soon(&self) -> SystemTime {
        let now = self.clock.now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let ahead = 1000 + u128::try_from(self.below(2000)).expect("small");
        UNIX_EPOCH + Duration::from_millis(u64::try_from(now.as_millis() + ahead).expect("it is before the year 9999"))
    }

    /// An internal token of the tokens' owner.
    fn jwt(&self) -> MetadataValue<tonic::metadata::Ascii> {
        let keys = KeyRing::new(&SecretString::from(JWT_SECRET), None).expect("it is long enough");
        let user = User { id: owner(), username: "einstein".to_owned(), ..User::default() };
        let answer = Authenticated::full(Arc::new(user), "pwd");
        let token = Minter::new(Arc::new(keys), Duration::from_mins(5), false).mint(self.clock.now(), &answer);
        token.expect("is minted").parse().expect("a token is ASCII")
    }

    /// Looks whether all of these are what they have to be.
    async fn verify(self: &Arc<Self>, client: &Client, mut made: Vec<Made>) -> Vec<Made> {
        let mut checking = JoinSet::new();
        let each = made.len().div_ceil(CLIENTS).max(1);
        while !made.is_empty() {
            let mut some = made.split_off(made.len().saturating_sub(each));
            let (world, mut client) = (Arc::clone(self), client.clone());
            checking.spawn(async move {
                for one in &mut some {
                    world.verify_one(&mut client, one).await;
                }
                some
            });
        }
        checking.join_all().await.into_iter().flatten().collect()
    }

    async fn verify_one(&self, client: &mut Client, made: &mut Made) {
        let before = self.clock.now();
        let is_good = is_good(client, &made.secret).await;
        let after = self.clock.now();
        let was_over = made.end.is_some_and(|end| end <= before);
        // it may expire during the request
        let is_not_over = made.end.is_none_or(|end| after < end);
        match made.state {
            State::Revoked => assert!(!is_good, "{made:?} is good, though it is revoked"),
            _ if was_over => assert!(!is_good, "{made:?} is good, though it is over"),
            State::Live => assert!(is_good || !is_not_over, "{made:?} is not there"),
            State::Requested if is_not_over => made.state = if is_good { State::Live } else { State::Revoked },
            State::Requested => {}
        }
    }
}

fn owner() -> UserId {
    UserId { opaque_id: "id-of-einstein".to_owned(), ..UserId::default() }
}

fn with<T>(jwt: &MetadataValue<tonic::metadata::Ascii>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(token::METADATA_KEY, jwt.clone());
    request
}

/// What a CS3 status says.
fn outcome(status: Option<proto::cs3::rpc::v1beta1::Status>) -> Option<Kind> {
    Kind::from_cs3(status.expect("there is a status").code)
}

async fn make(
    client: &mut Client,
    jwt: &MetadataValue<tonic::metadata::Ascii>,
    end: Option<SystemTime>,
) -> Result<String, Status> {
    let since_epoch = end.map(|end| end.duration_since(UNIX_EPOCH).expect("it is after 1970"));
    let expiration = since_epoch.map(|time| Timestamp { seconds: time.as_secs(), nanos: time.subsec_nanos() });
    let (token_scope, label) = ((&Scopes::full_user()).into(), "crash".to_owned());
    let wish = GenerateAppPasswordRequest { token_scope, label, expiration, ..GenerateAppPasswordRequest::default() };
    let answer = client.generate_app_password(with(jwt, wish)).await?.into_inner();
    assert_eq!(outcome(answer.status), None, "nothing else goes wrong");
    Ok(answer.app_password.expect("an app token is made").password)
}

/// Whether it was there to be revoked.
async fn revoke(
    client: &mut Client,
    jwt: &MetadataValue<tonic::metadata::Ascii>,
    secret: &str,
) -> Result<bool, Status> {
    let which = InvalidateAppPasswordRequest { password: secret.to_owned(), ..InvalidateAppPasswordRequest::default() };
    match outcome(client.invalidate_app_password(with(jwt, which)).await?.into_inner().status) {
        None => Ok(true),
        Some(Kind::NotFound) => Ok(false),
        Some(other) => panic!("nothing else goes wrong: {other:?}"),
    }
}

async fn is_good(client: &mut Client, secret: &str) -> bool {
    let (user, password) = (Some((&owner()).into()), secret.to_owned());
    let question = GetAppPasswordRequest { user, password, ..GetAppPasswordRequest::default() };
    let answer = client.get_app_password(question).await.expect("it answers").into_inner();
    match outcome(answer.status) {
        None => true,
        Some(Kind::NotFound) => false,
        Some(other) => panic!("neither good nor refused: {other:?}"),
    }
}

/// The same in every run, unless another one is tried.
fn seed() -> u64 {
    Environment::of_process().get("DOORWARD_CRASH_SEED").and_then(|seed| seed.parse().ok()).unwrap_or(1905)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_keeps_its_word() {
    let seed = seed();
    let (begin, world) = (Instant::now(), Arc::new(World::new(seed)));
    let (mut last, mut earlier) = (Vec::new(), Vec::<Made>::new());
    let (mut creates, mut revokes) = (0, 0);
    for _ in 0..ROUNDS {
        let (server, client) = world.start().await;
        for _ in 0..SAMPLE.min(earlier.len()) {
            last.push(earlier.swap_remove(world.below(earlier.len())));
        }
        earlier.extend(world.verify(&client, last).await);
        let after = Duration::from_millis(5) + world.up_to(Duration::from_millis(55));
        last = world.work(server, &client, after).await;
        creates += last.len();
        revokes += last.iter().filter(|one| one.state == State::Revoked).count();
    }
    let (_server, client) = world.start().await;
    let last = world.verify(&client, last).await;
    earlier.extend(last);
    // until the last of them is over
    tokio::time::sleep(Duration::from_secs(3)).await;
    let all = world.verify(&client, earlier).await;
    assert_eq!(all.len(), creates);
    let size = std::fs::metadata(world.folder.path().join("data/auth-app.db")).map_or(0, |file| file.len());
    eprintln!(
        "seed {seed}: killed {ROUNDS} times in {:.0?}; {creates} creates and {revokes} revokes acknowledged, {size} bytes",
        begin.elapsed()
    );
    assert!(creates > ROUNDS && revokes > ROUNDS / 10, "the service was busy when it was killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_in_its_first_start_starts_again() {
    let random = World::new(seed());
    for _ in 0..60 {
        let world = World::new(0);
        let mut server = Server::start(SERVICE, &world.variables);
        tokio::time::sleep(random.up_to(Duration::from_millis(80))).await;
        server.kill();
        let (_server, mut client) = world.start().await;
        make(&mut client, &world.jwt(), None).await.expect("it works");
    }
}
