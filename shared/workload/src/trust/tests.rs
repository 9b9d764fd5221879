use std::path::Path;

use config::Environment;
use runtime::{CapturedLog, Clock};

use super::*;
use crate::testing::{Agent, Documents, SpiffeAuthority};

/// How long a test waits at most for what happens at once on an idle machine.
const PATIENCE: Duration = Duration::from_secs(20);
const DOMAIN: &str = "example.org";

fn context(clock: &Clock) -> Context {
    Context { clock: clock.clone(), ..Context::new(Environment::default()) }
}

fn spiffe(source: &str) -> Spiffe {
    Spiffe { trust_domains: vec![format!("{DOMAIN}={source}")], ..Spiffe::default() }
}

fn open(spiffe: &Spiffe, context: &Context) -> Arc<TrustBundles> {
    TrustBundles::open(spiffe, "test", Arc::default(), context).expect("opens")
}

/// Waits until this is so.
async fn until(is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("in time");
}

/// The names of the keys for JWT-SVIDs.
async fn names(bundles: &TrustBundles) -> Result<Vec<String>, WorkloadError> {
    let keys = bundles.keys(DOMAIN).await?;
    let bundle = keys.jwt.as_ref().and_then(|jwt| jwt.iter().next().map(|(_, bundle)| Arc::clone(bundle)));
    let mut names: Vec<_> = bundle.expect("a bundle").jwt_authorities().map(|key| key.key_id().to_owned()).collect();
    names.sort();
    Ok(names)
}

/// How often a bundle was read, or could not be.
fn updates(bundles: &TrustBundles, is_read: bool) -> u64 {
    bundles.updates.get_or_create(&BundleUpdate::new("test", DOMAIN, is_read)).get()
}

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).expect("writes");
}

/// Row [M16](../../../docs/security-requirements.md#m16).
#[tokio::test]
async fn file_with_half_a_bundle_or_an_older_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bundle.json");
    let mut authority = SpiffeAuthority::new(DOMAIN);
    let oldest = authority.bundle();
    authority.add_key();
    write(&file, &authority.bundle());
    let context = context(&Clock::system());
    let bundles = open(&spiffe(file.to_str().expect("UTF-8")), &context);
    let both = vec!["example.org-1".to_owned(), "example.org-2".to_owned()];
    assert_eq!(names(&bundles).await, Ok(both.clone()));
    let changes = bundles.changes.load(Ordering::SeqCst);

    for (number, text) in [&oldest[..oldest.len() / 2], oldest.as_str()].into_iter().enumerate() {
        write(&file, text);
        context.reload.announce();
        until(async || updates(&bundles, false) == number as u64 + 1).await;
        assert_eq!(names(&bundles).await, Ok(both.clone()));
    }
    assert_eq!(bundles.changes.load(Ordering::SeqCst), changes);

    authority.remove_oldest_key();
    write(&file, &authority.bundle());
    context.reload.announce();
    until(async || names(&bundles).await == Ok(vec!["example.org-2".to_owned()])).await;
    assert_eq!(bundles.changes.load(Ordering::SeqCst), changes + 1);

    write(&file, "{}");
    let unreadable = TrustBundles::open(&spiffe(file.to_str().expect("UTF-8")), "test", Arc::default(), &context);
    let error = unreadable.err().expect("is refused").to_string();
    assert!(error.contains(SETTING) && error.contains("bundle.json"), "{error}");
}

/// Row [M16](../../../docs/security-requirements.md#m16).
#[tokio::test]
async fn bundle_of_an_endpoint_is_used_for_a_day_without_it() {
    let (documents, authority) = (Documents::start().await, SpiffeAuthority::new(DOMAIN));
    let clock = Clock::manual(Clock::system().now());
    let bundles = open(&spiffe(&documents.url("/bundle.json")), &context(&clock));
    assert_eq!(names(&bundles).await, Err(UNAVAILABLE), "there is none yet");

    documents.put("/bundle.json", authority.bundle());
    clock.advance(PAUSE_WHILE_EMPTY);
    assert_eq!(names(&bundles).await, Ok(vec!["example.org-1".to_owned()]));
    documents.set_down(true);
    for (hours, is_used) in [(23, true), (2, false)] {
        clock.advance(Duration::from_hours(hours));
        assert_eq!(names(&bundles).await.is_ok(), is_used, "{hours}");
    }
    documents.set_down(false);
    clock.advance(PAUSE_WHILE_EMPTY);
    assert!(names(&bundles).await.is_ok(), "it is back");
    assert_eq!(bundles.keys("partner.org").await.err(), Some(WorkloadError::Unknown));
}

/// Row [M16](../../../docs/security-requirements.md#m16).
#[tokio::test]
async fn unknown_keys_cause_one_request_in_ten_seconds_and_older_bundles_are_refused() {
    let (documents, mut authority) = (Documents::start().await, SpiffeAuthority::new(DOMAIN));
    let former = authority.bundle();
    authority.add_key();
    // so that it is not fetched again while the test runs
    let hourly = |authority: &SpiffeAuthority| authority.bundle().replace("_hint\":10", "_hint\":3600");
    documents.put("/bundle.json", hourly(&authority));
    let clock = Clock::manual(Clock::system().now());
    let bundles = open(&spiffe(&documents.url("/bundle.json")), &context(&clock));
    until(async || updates(&bundles, true) == 1).await;
    let requests = documents.requests();

    authority.add_key();
    documents.put("/bundle.json", hourly(&authority));
    for _ in 0..100 {
        assert!(bundles.newer_keys(DOMAIN).await.is_ok_and(|keys| keys.count() == 3));
    }
    assert_eq!(documents.requests(), requests);
    clock.advance(PAUSE);
    for _ in 0..100 {
        assert!(bundles.newer_keys(DOMAIN).await.is_ok_and(|keys| keys.count() == 4));
    }
    assert_eq!(documents.requests(), requests + 1);

    let failures = updates(&bundles, false);
    for text in [former.as_str(), "no bundle"] {
        documents.put("/bundle.json", text);
        clock.advance(PAUSE);
        assert!(bundles.newer_keys(DOMAIN).await.is_ok_and(|keys| keys.count() == 4));
    }
    assert_eq!(updates(&bundles, false), failures + 2);
}

/// Row [M16](../../../docs/security-requirements.md#m16).
#[tokio::test]
async fn bundles_of_the_workload_api_are_used_until_it_withdraws_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("agent.sock");
    let (mut authority, partner) = (SpiffeAuthority::new(DOMAIN), SpiffeAuthority::new("partner.org"));
    let agent = Agent::start(&socket);
    let endpoint_socket = format!("unix://{}", socket.display());
    let spiffe = Spiffe { endpoint_socket, ..spiffe("workload-api") };
    let bundles = open(&spiffe, &context(&Clock::system()));
    assert_eq!(names(&bundles).await, Err(UNAVAILABLE), "it has pushed none yet");

    agent.push(&[&authority, &partner]);
    until(async || names(&bundles).await == Ok(vec!["example.org-1".to_owned()])).await;
    assert_eq!(bundles.keys("partner.org").await.err(), Some(WorkloadError::Unknown), "no setting names it");
    authority.add_key();
    authority.remove_oldest_key();
    agent.push(&[&authority]);
    until(async || names(&bundles).await == Ok(vec!["example.org-2".to_owned()])).await;
    agent.withdraw();
    until(async || names(&bundles).await == Err(UNAVAILABLE)).await;
    agent.push(&[&authority]);
    until(async || names(&bundles).await.is_ok()).await;
    agent.push(&[&partner]);
    until(async || names(&bundles).await == Err(UNAVAILABLE)).await;
}

/// Row [M16](../../../docs/security-requirements.md#m16).
#[tokio::test]
async fn workload_api_that_is_away_is_named_with_what_holds_meanwhile() {
    let log = CapturedLog::start(tracing::Level::WARN);
    let folder = tempfile::tempdir().expect("a folder");
    let (socket, mut authority) = (folder.path().join("agent.sock"), SpiffeAuthority::new(DOMAIN));
    let endpoint_socket = format!("unix://{}", socket.display());
    let spiffe = Spiffe { endpoint_socket: endpoint_socket.clone(), ..spiffe("workload-api") };
    let bundles = open(&spiffe, &context(&Clock::system()));
    let _listener = bundles.client_authorities();
    let is_logged = |texts: &[&str]| log.text().lines().any(|line| texts.iter().all(|text| line.contains(text)));
    let place = format!("{endpoint_socket} (OCIS_SPIFFE_ENDPOINT_SOCKET) cannot be connected to");
    for kind in ["JWT-SVID", "X.509-SVID"] {
        let meanwhile = format!("until then no {kind} of example.org is accepted");
        until(async || is_logged(&[&place, &meanwhile])).await;
    }

    let agent = Agent::start(&socket);
    agent.push(&[&authority]);
    let has_both = async || bundles.keys(DOMAIN).await.is_ok_and(|keys| !keys.x509.is_empty());
    until(async || has_both().await).await;
    // what is pushed after the first bundles comes by the call that the agent's end interrupts
    authority.add_key();
    agent.push(&[&authority]);
    until(async || names(&bundles).await.is_ok_and(|names| names.len() == 2)).await;
    drop(agent);
    until(async || is_logged(&["has ended the connection", "the former trust bundles stay in use"])).await;
    assert!(has_both().await, "they are used without the agent");
}
