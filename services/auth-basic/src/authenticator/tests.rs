use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

use authn::{Caller, Device, User, UserId, UserStatus};
use config::Secret;
use secrecy::SecretString;
use store::StoreError;

use super::*;
use crate::backend::Proof;
use crate::digest::shared_key;
use crate::throttle::{Change, Counts, Memory, Record, Rules};

const LOGIN: &str = "einstein";
const MAIL: &str = "einstein@example.org";
const PASSWORD: &str = "the password of a test";
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const AWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

/// Counts in memory, and how often they were read and changed.
#[derive(Default)]
struct Observed {
    counts: Memory,
    reads: AtomicUsize,
    changes: AtomicUsize,
}

impl Observed {
    /// Reads and changes since the last time.
    fn take(&self) -> (usize, usize) {
        (self.reads.swap(0, Ordering::SeqCst), self.changes.swap(0, Ordering::SeqCst))
    }
}

#[async_trait]
impl Counts for Observed {
    async fn read(&self, keys: &[Digest]) -> Result<Vec<Record>, StoreError> {
        self.reads.fetch_add(keys.len(), Ordering::SeqCst);
        self.counts.read(keys).await
    }

    async fn change(&self, keys: &[Digest], change: &Change<'_>) -> Result<Result<(), Duration>, StoreError> {
        self.changes.fetch_add(keys.len(), Ordering::SeqCst);
        self.counts.change(keys, change).await
    }

    async fn prune(&self, now: SystemTime, rules: &Rules, most: u64) -> Result<(), StoreError> {
        self.counts.prune(now, rules, most).await
    }
}

/// One user, whose password is compared as it is.
struct OneUser;

#[async_trait]
impl Backend for OneUser {
    async fn find(&self, login: &Login) -> Result<Option<Person>, AuthError> {
        let id = UserId { opaque_id: "id-of-einstein".to_owned(), ..UserId::default() };
        let user = User { id, username: LOGIN.to_owned(), status: UserStatus::Active, ..User::default() };
        let is_known = [LOGIN, MAIL].contains(&login.given());
        Ok(is_known.then(|| Person { user: Arc::new(user), proof: Proof::Verifier(PASSWORD.to_owned()) }))
    }

    fn is_busy(&self, _account: Digest) -> bool {
        false
    }

    fn sees_changes(&self) -> bool {
        true
    }

    async fn verify(
        &self,
        _account: Digest,
        person: Option<&Person>,
        password: &SecretString,
        _begun: Instant,
    ) -> Result<bool, AuthError> {
        Ok(person.is_some() && password.expose_secret() == PASSWORD)
    }
}

/// A replica with these counts.
struct Replica {
    basic: Basic,
    clock: Clock,
}

impl Replica {
    fn new(counts: &Arc<Observed>) -> Self {
        let secret = Secret::from("a secret of the tests, at least 32 bytes long");
        let throttle = Throttle::new(Rules::default(), shared_key(&secret), counts.clone());
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_hours(500_000));
        let digester = HmacKey::new(&[1; 32]);
        let basic = Basic::new(Arc::new(OneUser), throttle, digester, clock.clone(), Duration::from_mins(1));
        Self { basic, clock }
    }

    async fn sign_in(&self, source: IpAddr, login: &str, password: &str) -> Result<Authenticated, AuthError> {
        let caller = Caller { source: Some(source), ..Caller::default() };
        self.basic.authenticate(&Credentials { caller, ..Credentials::new(login, password) }).await
    }

    async fn guess(&self, source: IpAddr, login: &str, number: usize) -> Result<Authenticated, AuthError> {
        self.sign_in(source, login, &format!("guess {number}")).await
    }
}

fn is_busy(outcome: &Result<Authenticated, AuthError>) -> bool {
    matches!(outcome, Err(AuthError::Busy { .. }))
}

#[test]
fn b4_what_basic_cannot_carry_is_no_login() {
    assert!(is_login("einstein") && is_login("einstein@example.org") && is_login("Zoë"));
    assert!(is_login(&"x".repeat(256)));
    for text in ["", "a:b", "a\0", "a\nb", &"x".repeat(257)] {
        assert!(!is_login(text), "{text:?}");
    }
}

/// Row B3.
#[tokio::test]
async fn remembered_password_reads_no_counts() {
    let counts = Arc::default();
    let replica = Replica::new(&counts);
    replica.sign_in(HOME, LOGIN, PASSWORD).await.expect("the right password");
    assert_ne!(counts.take(), (0, 0));
    for _ in 0..100 {
        replica.sign_in(HOME, LOGIN, PASSWORD).await.expect("the right password");
    }
    assert_eq!(counts.take(), (0, 0));
    replica.sign_in(AWAY, LOGIN, PASSWORD).await.expect("the right password");
    assert_ne!(counts.take().0, 0, "the counts of another source were not read yet");
    replica.clock.advance(Duration::from_mins(1));
    replica.sign_in(HOME, LOGIN, PASSWORD).await.expect("the right password");
    assert_ne!(counts.take().0, 0, "what was read a minute ago is outdated");
}

/// Row I36.
#[tokio::test]
async fn remembered_password_is_delayed_like_any_other_once_its_source_has_guessed() {
    let counts = Arc::default();
    let replica = Replica::new(&counts);
    replica.sign_in(HOME, LOGIN, PASSWORD).await.expect("the right password");
    for number in 0..5 {
        let guess = replica.guess(HOME, LOGIN, number).await;
        assert!(matches!(guess, Err(AuthError::Refused(Reason::WrongSecret))), "{guess:?}");
    }
    assert!(is_busy(&replica.guess(HOME, LOGIN, 5).await));
    assert!(is_busy(&replica.sign_in(HOME, LOGIN, PASSWORD).await), "or it could be told from the guesses");
    replica.sign_in(AWAY, LOGIN, PASSWORD).await.expect("nothing was guessed there");
}

/// Row I36.
#[tokio::test]
async fn guesses_elsewhere_are_not_answered_where_a_password_is_remembered() {
    let counts = Arc::default();
    let (one, other) = (Replica::new(&counts), Replica::new(&counts));
    for (login, guessed_at) in [(LOGIN, &other), (MAIL, &one)] {
        one.sign_in(HOME, LOGIN, PASSWORD).await.expect("the right password");
        for number in 0..5 {
            assert!(guessed_at.guess(HOME, login, number).await.is_err());
        }
        one.sign_in(HOME, LOGIN, PASSWORD).await.expect("no other password has come by this login and replica");
        assert!(is_busy(&one.guess(HOME, LOGIN, 99).await), "a wrong one is delayed");
        assert!(is_busy(&one.sign_in(HOME, LOGIN, PASSWORD).await), "and from then on the right one too");
        one.clock.advance(Duration::from_hours(1));
        other.clock.advance(Duration::from_hours(1));
    }
}

/// Row I34.
#[tokio::test]
async fn unknown_login_reads_and_writes_as_many_counts_as_a_known_one() {
    let counts = Arc::default();
    let replica = Replica::new(&counts);
    let device = Device { user_id: "id-of-marie".to_owned(), id: "device".to_owned() };
    for device in [None, Some(device)] {
        let mut taken = Vec::new();
        for login in [LOGIN, "unknown"] {
            let caller = Caller { source: Some(HOME), device: device.clone(), ..Caller::default() };
            let credentials = Credentials { caller, ..Credentials::new(login, "a guess") };
            assert!(replica.basic.authenticate(&credentials).await.is_err());
            taken.push(counts.take());
        }
        assert_eq!(taken[0], taken[1], "{device:?}");
        replica.basic.refused.invalidate_all();
    }
}
