use std::net::Ipv4Addr;
use std::time::UNIX_EPOCH;

use ::store::testing::{self, Cluster, TestDatabase};
use authn::Device;
use config::Secret;
use runtime::Clock;

use super::*;
use crate::Migrator;
use crate::digest::shared_key;
use crate::store::SqlCounts;

const HOME: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
const AWAY: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)));

struct Bench {
    throttle: Throttle,
    clock: Clock,
}

impl Bench {
    fn new(rules: Rules) -> Self {
        Self::over(rules, Arc::new(Memory::default()))
    }

    fn over(rules: Rules, counts: Arc<dyn Counts>) -> Self {
        let secret = Secret::from("a secret of the tests, at least 32 bytes long");
        let throttle = Throttle::new(rules, shared_key(&secret), counts);
        Self { throttle, clock: Clock::manual(UNIX_EPOCH + Duration::from_hours(500_000)) }
    }

    /// A replica on this database.
    async fn replica(database: &TestDatabase, rules: Rules) -> Self {
        let database = database.open().await;
        database.migrate::<Migrator>().await.expect("it migrates");
        Self::over(rules, Arc::new(SqlCounts(database)))
    }

    fn keys(&self, login: &str, source: Option<IpAddr>) -> Keys {
        self.throttle.keys(&Login::new(login), &from(source))
    }

    fn keys_of(&self, login: &str, user_id: &str, caller: &Caller) -> Keys {
        self.throttle.keys_of_account(&Login::new(login), user_id, b"", caller)
    }

    async fn begin(&self, keys: Keys) -> Result<Attempt, Duration> {
        self.throttle.begin(self.clock.now(), keys).await.map_err(wait)
    }

    async fn fail(&self, login: &str, source: Option<IpAddr>) -> Result<(), Duration> {
        self.begin(self.keys(login, source)).await.map(drop)
    }

    async fn succeed(&self, login: &str, source: Option<IpAddr>) -> Result<(), Duration> {
        self.begin(self.keys(login, source)).await?.succeeded(self.clock.now()).await;
        Ok(())
    }

    async fn check(&self, login: &str, source: Option<IpAddr>) -> Result<(), Duration> {
        self.throttle.check(self.clock.now(), &self.keys(login, source)).await.map_err(wait)
    }

    async fn fails(&self, times: usize, login: &str, source: Option<IpAddr>) {
        for _ in 0..times {
            assert_eq!(self.fail(login, source).await, Ok(()));
        }
    }
}

fn from(source: Option<IpAddr>) -> Caller {
    Caller { source, ..Caller::default() }
}

fn wait(error: ThrottleError) -> Duration {
    match error {
        ThrottleError::Wait(wait) => wait,
        ThrottleError::Store(error) => panic!("the counts are there: {error}"),
    }
}

/// Row I36.
#[tokio::test]
async fn five_failures_are_free_and_then_delays_double() {
    let bench = Bench::new(Rules::default());
    bench.fails(5, "einstein", HOME).await;
    for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
        let wait = Duration::from_secs(seconds);
        assert_eq!(bench.check("einstein", HOME).await, Err(wait));
        assert_eq!(bench.fail("einstein", HOME).await, Err(wait), "an attempt that is refused changes nothing");
        bench.clock.advance(wait);
        assert_eq!(bench.fail("einstein", HOME).await, Ok(()));
    }
}

/// Row I36.
#[tokio::test]
async fn attacks_from_elsewhere_do_not_lock_the_user_out() {
    let bench = Bench::new(Rules::default());
    for _ in 0..1000 {
        let _ = bench.fail("einstein", AWAY).await;
        bench.clock.advance(Duration::from_secs(1));
    }
    assert!(bench.check("einstein", AWAY).await.is_err());
    assert_eq!(bench.check("einstein", HOME).await, Ok(()));
    assert_eq!(bench.succeed("einstein", HOME).await, Ok(()));
    assert!(bench.check("einstein", AWAY).await.is_err(), "the victim's success is not the attacker's");
}

/// Row I36.
#[tokio::test]
async fn known_device_has_its_own_budget_for_its_user_only() {
    let bench = Bench::new(Rules::default());
    bench.fails(5, "einstein", HOME).await;
    let device = Device { user_id: "id-of-einstein".to_owned(), id: "device".to_owned() };
    let caller = Caller { device: Some(device), ..from(HOME) };
    for attempt in 0..5 {
        let keys = bench.keys_of("einstein", "id-of-einstein", &caller);
        assert!(bench.begin(keys).await.is_ok(), "{attempt}");
    }
    assert!(bench.begin(bench.keys_of("einstein", "id-of-einstein", &caller)).await.is_err(), "and that one ends too");
    let keys = bench.keys_of("marie", "id-of-marie", &caller);
    assert_eq!(keys, bench.keys_of("marie", "id-of-marie", &from(HOME)), "the device of another user is none");
}

#[tokio::test]
async fn names_of_one_account_share_its_count() {
    let bench = Bench::new(Rules::default());
    for login in ["einstein", "einstein@example.org", "e@example.org", "albert", "a.einstein"] {
        assert!(bench.begin(bench.keys_of(login, "id-of-einstein", &from(HOME))).await.is_ok());
    }
    assert!(bench.begin(bench.keys_of("ae", "id-of-einstein", &from(HOME))).await.is_err());
    assert_eq!(bench.check("ae", HOME).await, Ok(()), "nothing was tried under this login");
}

#[tokio::test]
async fn variants_of_a_login_share_its_count() {
    let bench = Bench::new(Rules::default());
    for login in ["einstein", "EINSTEIN", " einstein", "ｅｉｎｓｔｅｉｎ", "ein\u{200b}stein"] {
        assert_eq!(bench.fail(login, HOME).await, Ok(()));
    }
    assert!(bench.check("\u{a0}einstein", HOME).await.is_err());
}

#[tokio::test]
async fn attempts_at_the_same_time_all_count() {
    let bench = Bench::new(Rules::default());
    let mut begun = Vec::new();
    for _ in 0..20 {
        begun.extend(bench.begin(bench.keys("einstein", HOME)).await);
    }
    assert_eq!(begun.len(), 5);
    for attempt in begun {
        attempt.cancelled().await;
    }
    assert_eq!(bench.check("einstein", HOME).await, Ok(()), "without a verdict nothing happened");
}

#[tokio::test]
async fn success_forgives_and_so_does_time() {
    let bench = Bench::new(Rules::default());
    bench.fails(4, "einstein", HOME).await;
    assert_eq!(bench.succeed("einstein", HOME).await, Ok(()));
    bench.fails(5, "einstein", HOME).await;
    assert!(bench.check("einstein", HOME).await.is_err());
    bench.clock.advance(Duration::from_hours(1));
    bench.fails(5, "einstein", HOME).await;
}

/// Row B5.
#[tokio::test]
async fn one_password_tried_on_all_accounts_is_stopped_at_its_source() {
    let bench = Bench::new(Rules::default());
    assert_eq!(bench.succeed("marie", AWAY).await, Ok(()));
    let mut tried = 0;
    for number in 0..10_000 {
        tried += usize::from(bench.fail(&format!("user{number}"), AWAY).await.is_ok());
    }
    assert_eq!(tried, 100);
    assert!(bench.check("richard", AWAY).await.is_err());
    assert_eq!(bench.check("marie", AWAY).await, Ok(()), "who has signed in from there stays welcome");
    assert_eq!(bench.check("richard", HOME).await, Ok(()));
    bench.clock.advance(Duration::from_secs(30));
    let mut tried = 0;
    for number in 0..100 {
        tried += usize::from(bench.fail(&format!("next{number}"), AWAY).await.is_ok());
    }
    assert_eq!(tried, 50);
}

#[tokio::test]
async fn hammering_one_account_does_not_use_up_a_shared_address() {
    let bench = Bench::new(Rules::default());
    for _ in 0..10_000 {
        let _ = bench.fail("einstein", AWAY).await;
        bench.clock.advance(Duration::from_millis(1));
    }
    assert_eq!(bench.check("marie", AWAY).await, Ok(()));
}

#[tokio::test]
async fn unknown_source_has_no_budget_over_all_accounts() {
    let bench = Bench::new(Rules::default());
    for number in 0..1000 {
        assert_eq!(bench.fail(&format!("user{number}"), None).await, Ok(()));
    }
    bench.fails(5, "einstein", None).await;
    assert!(bench.check("einstein", None).await.is_err());
}

#[tokio::test]
async fn network_of_version_6_is_one_source() {
    let address = |text: &str| Some(text.parse().expect("an address"));
    let bench = Bench::new(Rules::default());
    for host in 1..=5 {
        assert_eq!(bench.fail("einstein", address(&format!("2001:db8::{host}"))).await, Ok(()));
    }
    assert!(bench.check("einstein", address("2001:db8::ffff")).await.is_err());
    assert_eq!(bench.check("einstein", address("2001:db8:0:1::1")).await, Ok(()));
    bench.fails(5, "marie", HOME).await;
    assert!(bench.check("marie", address("::ffff:192.0.2.1")).await.is_err());
}

/// A clock that was two hours ahead, on one kind of counts.
async fn corrected_clock_locks_no_account_out(bench: &Bench) {
    bench.clock.advance(Duration::from_hours(2));
    bench.fails(5, "einstein", HOME).await;
    let longest = Duration::from_mins(15);
    loop {
        let wait = bench.check("einstein", HOME).await.expect_err("is delayed");
        if wait == longest {
            break;
        }
        bench.clock.advance(wait);
        bench.fails(1, "einstein", HOME).await;
    }
    bench.clock.set(bench.clock.now() - Duration::from_hours(2));
    assert_eq!(bench.check("einstein", HOME).await, Err(longest), "never longer than the longest");
    bench.throttle.prune(bench.clock.now()).await.expect("prunes");
    bench.clock.advance(longest);
    assert_eq!(bench.succeed("einstein", HOME).await, Ok(()), "and over after that");
    assert_eq!(bench.check("marie", HOME).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_that_goes_backwards_makes_no_delay_longer() {
    corrected_clock_locks_no_account_out(&Bench::new(Rules::default())).await;
    corrected_clock_locks_no_account_out(&Bench::replica(&testing::sqlite(), Rules::default()).await).await;
    let Some(cluster) = Cluster::start().await else { return };
    corrected_clock_locks_no_account_out(&Bench::replica(&cluster.fresh_database().await, Rules::default()).await)
        .await;
}

fn at(network: u8, host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(203, network, 113, host))
}

/// Row I36: a thousand failures from one network.
#[tokio::test]
async fn guesses_from_all_addresses_of_one_network_are_stopped_and_lock_no_user_out() {
    let bench = Bench::new(Rules::default());
    let device = Device { user_id: "id".to_owned(), id: "device".to_owned() };
    let keys = |source| bench.keys_of("einstein", "id", &from(source));
    let mut tried = 0;
    for number in 0..1000_u32 {
        let source = at(0, u8::try_from(number % 250).expect("fits"));
        tried += u32::from(bench.begin(keys(Some(source))).await.is_ok());
    }
    assert_eq!(tried, 25);
    assert!(bench.begin(keys(Some(at(0, 251)))).await.is_err(), "also an address that has tried nothing");
    let caller = Caller { device: Some(device), ..from(Some(at(0, 1))) };
    assert!(bench.begin(bench.keys_of("einstein", "id", &caller)).await.is_ok(), "a known device");
    for source in [HOME, AWAY, Some(at(1, 1))] {
        let attempt = bench.begin(keys(source)).await.expect("another place");
        attempt.succeeded(bench.clock.now()).await;
    }
}

/// Row I36: a hundred failures of one account.
#[tokio::test]
async fn guesses_from_many_networks_are_stopped_at_a_hundred_for_places_that_the_user_does_not_know() {
    for user in ["id", ""] {
        let bench = Bench::new(Rules::default());
        let stamped = |source, stamp: &[u8]| match user {
            // an unknown login gets the same response
            "" => bench.keys("unknown", source),
            id => bench.throttle.keys_of_account(&Login::new("einstein"), id, stamp, &from(source)),
        };
        let keys = |source| stamped(source, b"");
        if !user.is_empty() {
            bench.begin(keys(HOME)).await.expect("may try").succeeded(bench.clock.now()).await;
        }
        let mut tried = 0;
        for (network, host) in (0..200).flat_map(|network| (0..5).map(move |host| (network, host))) {
            tried += u32::from(bench.begin(keys(Some(at(network, host)))).await.is_ok());
        }
        assert_eq!(tried, 100, "{user:?}");
        let wait = bench.begin(keys(AWAY)).await.map(drop).expect_err("no place is free that was not known");
        assert!(wait <= Duration::from_mins(15), "{wait:?}");
        if !user.is_empty() {
            assert!(bench.begin(keys(HOME)).await.is_ok(), "where the user has signed in before");
            assert!(bench.begin(stamped(AWAY, b"new")).await.is_ok(), "a new password ends it");
        }
        bench.clock.advance(wait);
        bench.throttle.prune(bench.clock.now()).await.expect("prunes");
        assert!(
            bench.begin(keys(AWAY)).await.is_ok() && bench.begin(keys(Some(at(250, 1)))).await.is_err(),
            "one by one"
        );
        bench.clock.advance(Duration::from_hours(25));
        bench.throttle.prune(bench.clock.now()).await.expect("prunes");
        assert!(bench.begin(keys(AWAY)).await.is_ok(), "and after a day");
    }
}

/// Row B5.
#[tokio::test]
async fn cheap_requests_do_not_flush_delays_from_memory() {
    let bench = Bench::new(Rules { per_source: 0, ..Rules::default() });
    bench.fails(6 - 1, "einstein", HOME).await;
    bench.clock.advance(Duration::from_secs(1));
    bench.fails(1, "einstein", HOME).await;
    for number in 0..100_000 {
        let _ = bench.fail(&format!("user{number}"), AWAY).await;
    }
    assert!(bench.check("einstein", HOME).await.is_err());
}

/// Rows B5 and I36, on one kind of database.
async fn database_conforms(database: &TestDatabase) {
    let rules = Rules { per_source: 10, capacity: 20, ..Rules::default() };
    let (one, other) = (Bench::replica(database, rules).await, Bench::replica(database, rules).await);
    one.fails(3, "einstein", HOME).await;
    other.fails(2, "einstein", HOME).await;
    for bench in [&one, &other, &Bench::replica(database, rules).await] {
        assert_eq!(bench.check("einstein", HOME).await, Err(Duration::from_secs(1)), "shared, and after a restart");
        assert_eq!(bench.fail("einstein", HOME).await, Err(Duration::from_secs(1)));
    }
    assert_eq!(one.succeed("marie", HOME).await, Ok(()));
    let (attempt, cancelled) = (one.begin(one.keys("lise", HOME)).await, one.begin(one.keys("lise", HOME)).await);
    attempt.expect("may be made").cancelled().await;
    cancelled.expect("may be made").cancelled().await;
    one.fails(5, "richard", HOME).await;
    assert!(other.check("otto", HOME).await.is_err(), "the source has failed ten times");
    assert_eq!(other.check("marie", HOME).await, Ok(()), "a known account is spared");
    let tries = (0..20).map(|_| one.begin(one.keys("emmy", AWAY)));
    let begun = futures_util::future::join_all(tries).await;
    assert_eq!(begun.iter().filter(|attempt| attempt.is_ok()).count(), 5, "those at the same time count too");
    for number in 0..100_u8 {
        let source = Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, number)));
        one.fails(1, &format!("user{number}"), source).await;
    }
    one.throttle.prune(one.clock.now()).await.expect("prunes");
    for login in ["einstein", "richard"] {
        assert!(other.check(login, HOME).await.is_err(), "the delay of {login} is kept");
    }
    let kept = SqlCounts(database.open().await);
    assert_eq!(kept.count().await.expect("counts"), 20);
    one.clock.advance(Duration::from_hours(25));
    one.throttle.prune(one.clock.now()).await.expect("prunes");
    assert_eq!(kept.count().await.expect("counts"), 1, "only that marie has signed in from there is still known");
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_shared_kept_and_bounded_on_sqlite() {
    database_conforms(&testing::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_shared_kept_and_bounded_on_postgres() {
    let Some(cluster) = Cluster::start().await else { return };
    database_conforms(&cluster.fresh_database().await).await;
}
