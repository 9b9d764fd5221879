use runtime::{Clock, Random};

use super::*;

const HOME: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
const AWAY: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7)));

struct Bench {
    throttle: Throttle,
    clock: Clock,
}

impl Bench {
    fn new(rules: Rules) -> Self {
        let throttle = Throttle::new(rules, Digester::new(&Random::seeded(5)));
        Self { throttle, clock: Clock::manual(UNIX_EPOCH + Duration::from_hours(500_000)) }
    }

    fn fail(&self, account: &str, source: Option<IpAddr>) -> Result<(), Duration> {
        self.throttle.begin(self.clock.now(), account, source).map(drop)
    }

    fn succeed(&self, account: &str, source: Option<IpAddr>) -> Result<(), Duration> {
        self.throttle.begin(self.clock.now(), account, source).map(Attempt::succeeded)
    }

    fn check(&self, account: &str, source: Option<IpAddr>) -> Result<(), Duration> {
        self.throttle.check(self.clock.now(), account, source)
    }
}

#[test]
fn i36_five_failures_are_free_and_then_delays_double() {
    let bench = Bench::new(Rules::default());
    for _ in 0..5 {
        assert_eq!(bench.fail("einstein", HOME), Ok(()));
    }
    for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
        let wait = Duration::from_secs(seconds);
        assert_eq!(bench.check("einstein", HOME), Err(wait));
        assert_eq!(bench.fail("einstein", HOME), Err(wait), "an attempt that is refused changes nothing");
        bench.clock.advance(wait);
        assert_eq!(bench.fail("einstein", HOME), Ok(()));
    }
}

#[test]
fn i36_the_victim_is_never_locked_out() {
    let bench = Bench::new(Rules::default());
    for _ in 0..1000 {
        let _ = bench.fail("einstein", AWAY);
        bench.clock.advance(Duration::from_secs(1));
    }
    assert!(bench.check("einstein", AWAY).is_err());
    assert_eq!(bench.check("einstein", HOME), Ok(()));
    assert_eq!(bench.succeed("einstein", HOME), Ok(()));
    assert!(bench.check("einstein", AWAY).is_err(), "the victim's success is not the attacker's");
}

#[test]
fn attempts_at_the_same_time_all_count() {
    let bench = Bench::new(Rules::default());
    let now = bench.clock.now();
    let begun: Vec<_> = (0..20).filter_map(|_| bench.throttle.begin(now, "einstein", HOME).ok()).collect();
    assert_eq!(begun.len(), 5);
    begun.into_iter().for_each(Attempt::cancelled);
    assert_eq!(bench.check("einstein", HOME), Ok(()), "without a verdict nothing happened");
}

#[test]
fn success_forgives_and_so_does_time() {
    let bench = Bench::new(Rules::default());
    for _ in 0..4 {
        assert_eq!(bench.fail("einstein", HOME), Ok(()));
    }
    assert_eq!(bench.succeed("einstein", HOME), Ok(()));
    for _ in 0..5 {
        assert_eq!(bench.fail("einstein", HOME), Ok(()));
    }
    assert!(bench.check("einstein", HOME).is_err());
    bench.clock.advance(Duration::from_hours(1));
    for _ in 0..5 {
        assert_eq!(bench.fail("einstein", HOME), Ok(()));
    }
}

#[test]
fn b5_one_password_on_everybody_is_stopped_at_its_source() {
    let bench = Bench::new(Rules::default());
    assert_eq!(bench.succeed("marie", AWAY), Ok(()));
    let tried = (0..10_000).filter(|number| bench.fail(&format!("user{number}"), AWAY).is_ok()).count();
    assert_eq!(tried, 100);
    assert!(bench.check("richard", AWAY).is_err());
    assert_eq!(bench.check("marie", AWAY), Ok(()), "who has signed in from there stays welcome");
    assert_eq!(bench.check("richard", HOME), Ok(()));
    bench.clock.advance(Duration::from_secs(30));
    assert_eq!((0..100).filter(|number| bench.fail(&format!("next{number}"), AWAY).is_ok()).count(), 50);
}

#[test]
fn b5_what_is_remembered_is_bounded() {
    let bench = Bench::new(Rules { capacity: 100, per_source: 0, ..Rules::default() });
    for number in 0..10_000 {
        assert_eq!(bench.fail(&format!("user{number}"), HOME), Ok(()));
    }
    bench.throttle.pairs.run_pending_tasks();
    assert!(bench.throttle.pairs.entry_count() <= 100);
}

#[test]
fn hammering_one_account_does_not_use_up_a_shared_address() {
    let bench = Bench::new(Rules::default());
    for _ in 0..10_000 {
        let _ = bench.fail("einstein", AWAY);
        bench.clock.advance(Duration::from_millis(1));
    }
    assert_eq!(bench.check("marie", AWAY), Ok(()));
}

#[test]
fn a_source_that_nobody_knows_has_no_budget_over_all_accounts() {
    let bench = Bench::new(Rules::default());
    for number in 0..1000 {
        assert_eq!(bench.fail(&format!("user{number}"), None), Ok(()));
    }
    for _ in 0..5 {
        assert_eq!(bench.fail("einstein", None), Ok(()));
    }
    assert!(bench.check("einstein", None).is_err());
}

#[test]
fn a_network_of_version_6_is_one_source() {
    let address = |text: &str| Some(text.parse().expect("an address"));
    let bench = Bench::new(Rules::default());
    for host in 1..=5 {
        assert_eq!(bench.fail("einstein", address(&format!("2001:db8::{host}"))), Ok(()));
    }
    assert!(bench.check("einstein", address("2001:db8::ffff")).is_err());
    assert_eq!(bench.check("einstein", address("2001:db8:0:1::1")), Ok(()));
    for _ in 0..5 {
        assert_eq!(bench.fail("marie", HOME), Ok(()));
    }
    assert!(bench.check("marie", address("::ffff:192.0.2.1")).is_err());
}

#[test]
fn a_clock_that_goes_backwards_does_no_harm() {
    let bench = Bench::new(Rules::default());
    let later = bench.clock.now() + Duration::from_hours(48);
    let _ = bench.throttle.begin(later, "einstein", HOME);
    assert_eq!(bench.fail("einstein", HOME), Ok(()));
}
