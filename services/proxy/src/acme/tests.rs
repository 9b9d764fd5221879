//! Certificates from an authority that verifies what it is sent, and fetches challenges from the listeners of the edge.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::UNIX_EPOCH;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::testing::{HOST, Refusal, SECRET, TestAuthority, TestEdge, config, connect, get, shown_by, stored};
use super::*;
use crate::session::Migrator;

const DAY: Duration = Duration::from_hours(24);
const HTTP_01: (&str, &str) = ("PROXY_ACME_CHALLENGE", "http-01");

struct World {
    clock: Clock,
    authority: TestAuthority,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        // certificates have whole seconds
        let since_epoch = Clock::system().now().duration_since(UNIX_EPOCH).expect("is later").as_secs();
        let clock = Clock::manual(UNIX_EPOCH + Duration::from_secs(since_epoch));
        let authority = TestAuthority::start(&clock).await;
        Self { clock, authority, folder: tempfile::tempdir().expect("a folder") }
    }

    /// An edge that the authority validates.
    async fn edge(&self, variables: &[(&str, &str)]) -> TestEdge {
        let edge = TestEdge::start(&self.authority, &self.folder, &self.clock, variables).await;
        self.authority.validate_at((edge.plain(), edge.https()));
        edge
    }

    /// The certificate that the edge shows, if the authority has issued it.
    async fn is_issued(&self, edge: &TestEdge) -> bool {
        connect(edge.https(), HOST, &[b"h2", b"http/1.1"], Some(&self.authority.file())).await.is_ok()
    }
}

async fn attempt(edge: &TestEdge) -> state::Attempt {
    stored(&edge.acme).await.attempt.expect("an attempt")
}

/// `docs/security-requirements.md#e44`
#[tokio::test]
async fn certificate_is_obtained_by_tls_alpn_and_shown_without_closing_connections() {
    let world = World::new().await;
    let edge = world.edge(&[("PROXY_ACME_EMAIL", "admin@example.org")]).await;
    assert!(!world.is_issued(&edge).await, "a self-signed one until then");
    let mut open = connect(edge.https(), HOST, &[b"http/1.1"], None).await.expect("connects");
    let request = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    // a connection on which nothing is sent is closed after some seconds
    let (begin, end) = request.split_at(request.len() - 2);
    open.write_all(begin.as_bytes()).await.expect("writes");
    edge.acme.step().await;
    assert_eq!(world.authority.last_order(), (vec!["tls-alpn-01".to_owned()], None));
    assert!(world.is_issued(&edge).await);
    open.write_all(end.as_bytes()).await.expect("writes");
    let mut response = String::new();
    open.read_to_string(&mut response).await.expect("reads");
    assert!(response.ends_with("the edge"), "{response}");
    assert_ne!(shown_by(&open), world.authority.last_certificate());
    assert_eq!(edge.shown().await, world.authority.last_certificate());
    let mode = fs::metadata(world.folder.path().join("acme.json")).expect("is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(world.authority.contacts(), [serde_json::json!(["mailto:admin@example.org"])]);
    let metrics = edge.context.metrics.render();
    assert!(metrics.contains("doorward_acme_orders_total{outcome=\"success\"} 1"), "{metrics}");
    let remaining = "doorward_certificate_remaining_seconds{service=\"proxy\",listener=\"http\"} 7776000";
    assert!(metrics.contains(remaining), "{metrics}");
}

/// `docs/security-requirements.md#e41`
#[tokio::test]
async fn certificate_is_obtained_by_http_and_challenges_end_with_their_order() {
    let world = World::new().await;
    let edge = world.edge(&[HTTP_01]).await;
    edge.acme.step().await;
    assert_eq!(world.authority.last_order().0, ["http-01"]);
    assert!(world.is_issued(&edge).await);
    let (status, head, body) = get(edge.plain(), "/.well-known/acme-challenge/token-of-order-0-host-0").await;
    assert_eq!((status, body.as_str()), (404, ""), "{head}");
    assert!(!head.to_ascii_lowercase().contains("location:"), "{head}");
    let (status, head, _) = get(edge.plain(), "/a?b=c").await;
    assert!(status == 308 && head.contains("https://cloud.example.org:9443/a?b=c"), "{head}");
}

/// Port 80 may be forwarded to the port of HTTPS.
#[tokio::test]
async fn http_challenges_are_answered_at_the_port_of_https_too() {
    let world = World::new().await;
    let edge = world.edge(&[HTTP_01]).await;
    world.authority.validate_at((edge.https(), edge.https()));
    edge.acme.step().await;
    assert!(world.is_issued(&edge).await);
}

/// `docs/security-requirements.md#e42`
#[tokio::test]
async fn tls_challenges_are_answered_for_names_of_the_running_order_only() {
    let world = World::new().await;
    let edge = world.edge(&[]).await;
    let validate = async |host: &str| connect(edge.https(), host, &[b"acme-tls/1"], None).await;
    let answer = |host: &str| challenges::Answer {
        host: host.to_owned(),
        token: "token".to_owned(),
        authorization: "token.thumbprint".to_owned(),
    };
    assert!(validate(HOST).await.is_err(), "no order runs");
    edge.acme.answers.replace(vec![answer(HOST)]);
    let stream = validate(HOST).await.expect("is answered");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"acme-tls/1"[..]));
    assert!(validate(&HOST.to_uppercase()).await.is_ok());
    assert!(validate("other.example.org").await.is_err());
    let both = connect(edge.https(), HOST, &[b"acme-tls/1", b"http/1.1"], None).await.expect("an ordinary connection");
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    edge.acme.answers.replace(Vec::new());
    assert!(validate(HOST).await.is_err());
}

#[tokio::test]
async fn certificate_is_renewed_when_the_authority_suggests_it() {
    let world = World::new().await;
    let edge = world.edge(&[]).await;
    edge.acme.step().await;
    let first = edge.shown().await;
    let start = world.clock.now() + DAY * 20;
    world.authority.suggest((start, start + DAY));
    edge.acme.step().await;
    let renewal = stored(&edge.acme).await.renewal.expect("was asked");
    let chosen = renewal.window.expect("a window").chosen;
    assert!(start - Duration::from_secs(1) <= chosen && chosen <= start + DAY, "{chosen:?}");
    world.clock.set(chosen - Duration::from_hours(1));
    // the window is asked for again, and stays
    edge.acme.step().await;
    edge.acme.step().await;
    assert_eq!((world.authority.orders(), edge.shown().await), (1, first.clone()));
    world.clock.set(chosen);
    edge.acme.step().await;
    assert_eq!(world.authority.orders(), 2);
    assert!(world.authority.last_order().1.is_some(), "the order names the certificate that it replaces");
    assert_ne!(edge.shown().await, first);
    assert_eq!(edge.shown().await, world.authority.last_certificate());
}

#[tokio::test]
async fn window_before_1970_is_stored_as_a_past_one() {
    let world = World::new().await;
    let edge = world.edge(&[]).await;
    edge.acme.step().await;
    world.authority.suggest((UNIX_EPOCH - DAY * 2, UNIX_EPOCH - DAY));
    edge.acme.step().await;
    let window = stored(&edge.acme).await.renewal.expect("was asked").window.expect("a window");
    assert_eq!((window.start, window.chosen, window.end), (UNIX_EPOCH, UNIX_EPOCH, UNIX_EPOCH));
}

#[tokio::test]
async fn certificate_is_renewed_after_two_thirds_of_its_lifetime_without_renewal_information() {
    let world = World::new().await;
    let edge = world.edge(&[]).await;
    edge.acme.step().await;
    world.clock.advance(DAY * 59);
    edge.acme.step().await;
    edge.acme.step().await;
    assert_eq!(world.authority.orders(), 1);
    world.clock.advance(DAY);
    edge.acme.step().await;
    assert_eq!(world.authority.orders(), 2);
    assert_eq!(edge.shown().await, world.authority.last_certificate());
}

#[tokio::test]
async fn failure_is_shown_and_not_repeated_before_its_time_nor_by_a_restart() {
    let world = World::new().await;
    let edge = world.edge(&[HTTP_01]).await;
    // the authority finds nothing at the port of plain HTTP
    world.authority.validate_at((wrong_server(), edge.https()));
    edge.acme.step().await;
    let failed = attempt(&edge).await;
    let problem = failed.problem.expect("a problem");
    assert!(problem.contains(HOST) && problem.contains("no right answer from the edge"), "{problem}");
    assert_eq!((failed.failures, world.authority.orders()), (1, 1));
    assert!(edge.context.metrics.render().contains("doorward_acme_failures 1"));
    edge.acme.step().await;
    edge.stop().await;
    let edge = world.edge(&[HTTP_01]).await;
    edge.acme.step().await;
    assert_eq!(world.authority.orders(), 1);
    assert!(!world.is_issued(&edge).await);
    world.clock.set(failed.next);
    edge.acme.step().await;
    assert_eq!(world.authority.orders(), 2);
    assert!(edge.context.metrics.render().contains("doorward_acme_failures 0"));
    assert_eq!(edge.shown().await, world.authority.last_certificate());
}

/// `docs/security-requirements.md#e43`
#[tokio::test]
async fn answer_at_which_the_client_panics_is_a_failed_attempt() {
    let world = World::new().await;
    world.authority.answer_malformed(true);
    let edge = world.edge(&[]).await;
    edge.acme.step().await;
    let failed = attempt(&edge).await;
    assert_eq!(failed.problem.as_deref(), Some("the answer of the authority could not be processed"));
    world.authority.answer_malformed(false);
    world.clock.set(failed.next);
    edge.acme.step().await;
    assert_eq!(edge.shown().await, world.authority.last_certificate());
    world.authority.suggest((failed.next + DAY, failed.next + DAY * 2));
    world.authority.answer_malformed(true);
    edge.acme.step().await;
    let renewal = stored(&edge.acme).await.renewal.expect("was asked");
    assert_eq!((renewal.window, renewal.next_check), (None, Some(failed.next + Duration::from_hours(6))));
}

/// An address at which a server of the test answers every request with the wrong text.
fn wrong_server() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let addr = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwrong");
        }
    });
    addr
}

#[tokio::test]
async fn rate_limit_of_the_authority_is_respected() {
    let world = World::new().await;
    let refusal = Refusal { status: 429, kind: "rateLimited", retry_after: Some("36000") };
    world.authority.refuse(Some(refusal));
    let edge = world.edge(&[]).await;
    edge.acme.step().await;
    let failed = attempt(&edge).await;
    assert_eq!(failed.next, world.clock.now() + Duration::from_hours(10));
    assert!(failed.problem.expect("a problem").contains("rateLimited"));
    world.authority.refuse(None);
    world.clock.advance(Duration::from_hours(9));
    edge.acme.step().await;
    assert_eq!(world.authority.orders(), 0);
    world.clock.advance(Duration::from_hours(1));
    edge.acme.step().await;
    assert_eq!(world.authority.orders(), 1);
}

#[tokio::test]
async fn account_is_bound_to_an_external_account() {
    let world = World::new().await;
    world.authority.demand("kid-1", b"a key of the customer");
    let edge = world.edge(&[]).await;
    edge.acme.step().await;
    assert!(attempt(&edge).await.problem.expect("a problem").contains("externalAccountRequired"));
    edge.stop().await;
    world.clock.advance(Duration::from_mins(2));
    let key = URL_SAFE_NO_PAD.encode(b"a key of the customer");
    // another configuration need not wait for the time of the former one
    let edge = world.edge(&[("PROXY_ACME_EAB_KEY_ID", "kid-1"), ("PROXY_ACME_EAB_HMAC_KEY", key.as_str())]).await;
    edge.acme.step().await;
    assert_eq!(attempt(&edge).await.problem, None);
    assert_eq!(edge.shown().await, world.authority.last_certificate());
}

#[tokio::test]
async fn restart_uses_the_stored_certificate_and_account() {
    let world = World::new().await;
    let edge = world.edge(&[]).await;
    edge.acme.step().await;
    edge.stop().await;
    let edge = world.edge(&[]).await;
    assert_eq!(edge.shown().await, world.authority.last_certificate(), "from the first connection on");
    edge.acme.step().await;
    world.clock.advance(DAY * 61);
    edge.acme.step().await;
    assert_eq!((world.authority.orders(), world.authority.contacts().len()), (2, 1));
}

#[tokio::test]
async fn former_certificate_is_shown_until_one_for_other_hosts_is_issued() {
    let world = World::new().await;
    let edge = world.edge(&[]).await;
    edge.acme.step().await;
    edge.stop().await;
    let former = world.authority.last_certificate();
    let both = [("PROXY_ACME_HOSTS", "cloud.example.org,other.example.org")];
    let edge = world.edge(&both).await;
    assert_eq!(edge.shown().await, former, "from the first connection on");
    world.authority.refuse(Some(Refusal { status: 403, kind: "rejectedIdentifier", retry_after: None }));
    world.clock.advance(Duration::from_mins(2));
    edge.acme.step().await;
    assert_eq!((attempt(&edge).await.failures, edge.shown().await), (1, former.clone()));
    world.authority.refuse(None);
    world.clock.set(attempt(&edge).await.next);
    edge.acme.step().await;
    let latest = world.authority.last_certificate();
    assert_eq!((world.authority.orders(), edge.shown().await), (2, latest.clone()));
    assert_ne!(latest, former);
    edge.stop().await;
    world.clock.advance(DAY * 91);
    assert_ne!(world.edge(&[]).await.shown().await, latest, "it has expired");
}

/// `docs/security-requirements.md#e44`
#[tokio::test]
async fn file_that_other_accounts_can_read_or_that_is_damaged_is_refused() {
    let world = World::new().await;
    let edge = world.edge(&[]).await;
    edge.acme.step().await;
    edge.stop().await;
    let file = world.folder.path().join("acme.json");
    let (config, environment) = config(&world.authority, world.folder.path(), &[]);
    let context = Context { clock: world.clock.clone(), ..Context::new(environment) };
    let open = async || Acme::open(&config, None, &context).await.err().map(|error| error.to_string());
    assert_eq!(open().await, None);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("sets the mode");
    assert!(open().await.expect("is refused").contains("other accounts of this machine can read"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("sets the mode");
    fs::write(&file, "junk").expect("writes");
    assert!(open().await.expect("is refused").contains("is no state of ACME"));
}

#[tokio::test]
async fn second_process_does_not_order_while_the_first_does() {
    let world = World::new().await;
    let edge = world.edge(&[]).await;
    let lock = edge.acme.storage.lock(world.clock.now()).await.expect("works").expect("is free");
    edge.acme.step().await;
    assert_eq!(world.authority.orders(), 0);
    drop(lock);
    edge.acme.step().await;
    assert_eq!(world.authority.orders(), 1);
}

/// Two replicas of one database: one orders, the other answers the authority and shows the same certificate.
async fn replicas_share(database: ::store::testing::TestDatabase) {
    let world = World::new().await;
    let one = database.open().await;
    one.migrate::<Migrator>().await.expect("migrates");
    let two = database.open().await;
    let replica = async |database: Database, name: &str| {
        let row = Row::new(database, "row".to_owned());
        TestEdge::replica(&world.authority, &world.folder, &world.clock, row, (name, SECRET)).await
    };
    let (orders, answers) = (replica(one, "one").await, replica(two, "two").await);
    world.authority.validate_at((answers.plain(), answers.https()));
    orders.acme.step().await;
    assert_eq!((world.authority.orders(), world.authority.contacts().len()), (1, 1));
    answers.acme.step().await;
    assert_eq!(orders.shown().await, world.authority.last_certificate());
    assert_eq!(answers.shown().await, world.authority.last_certificate());
    assert_eq!(world.authority.orders(), 1);
    world.clock.advance(DAY * 61);
    world.authority.validate_at((orders.plain(), orders.https()));
    answers.acme.step().await;
    orders.acme.step().await;
    assert_eq!(world.authority.orders(), 2);
    assert_eq!(orders.shown().await, answers.shown().await);
    assert_eq!(orders.shown().await, world.authority.last_certificate());
    stale_replica_changes_nothing(&orders.acme, &answers.acme, &world.clock).await;
}

async fn stale_replica_changes_nothing(one: &Acme, two: &Acme, clock: &Clock) {
    let now = clock.now();
    let superseded = one.storage.lock(now).await.expect("works").expect("is free");
    assert!(two.storage.lock(now).await.expect("works").is_none());
    one.storage.release().await;
    let held = two.storage.lock(now).await.expect("works").expect("was released");
    assert!(two.storage.lock(now).await.expect("works").is_some(), "the answer to its claim may have been lost");
    assert!(one.storage.lock(now).await.expect("works").is_none());
    let state = two.storage.read().await.expect("reads");
    let outcome = one.storage.write(&superseded, &State::default()).await;
    assert!(matches!(outcome, Err(StorageError::Lost)), "{outcome:?}");
    two.storage.write(&held, &state).await.expect("writes");
    one.storage.release().await;
    assert!(one.storage.lock(now).await.expect("works").is_none(), "a release of what another one holds");
    two.storage.release().await;
    assert!(two.storage.read().await.expect("reads").certificate.is_some());
}

/// `docs/security-requirements.md#e44`
#[tokio::test]
async fn replica_that_cannot_open_what_is_stored_orders_nothing() {
    let (world, database) = (World::new().await, ::store::testing::sqlite());
    let replica = async |database: Database, named: (&str, &str)| {
        let row = Row::new(database, "row".to_owned());
        TestEdge::replica(&world.authority, &world.folder, &world.clock, row, named).await
    };
    let one = database.open().await;
    one.migrate::<Migrator>().await.expect("migrates");
    let orders = replica(one, ("one", SECRET)).await;
    let other = replica(database.open().await, ("two", "another-secret-of-32-characters---")).await;
    world.authority.validate_at((orders.plain(), orders.https()));
    orders.acme.step().await;
    other.acme.step().await;
    assert_eq!(world.authority.orders(), 1);
    let problem = other.acme.storage.read().await.err().expect("cannot be opened").to_string();
    assert!(problem.contains("PROXY_SESSION_SECRET_PREVIOUS"), "{problem}");
    assert!(stored(&orders.acme).await.certificate.is_some(), "it is not overwritten");
    assert_eq!(orders.shown().await, world.authority.last_certificate());
}

#[tokio::test]
async fn replicas_share_one_certificate_on_sqlite() {
    replicas_share(::store::testing::sqlite()).await;
}

#[tokio::test]
async fn replicas_share_one_certificate_on_postgres() {
    let Some(cluster) = ::store::testing::Cluster::start().await else { return };
    replicas_share(cluster.fresh_database().await).await;
}
