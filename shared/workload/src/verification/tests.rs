//! The table of the page about workloads, by real issuers, trust domains and policy files.

mod explanation;
mod keys;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use config::{Environment, Spiffe, WorkloadPolicy};
use oidc::jose::hs256_jwt;
use proptest::prelude::*;
use runtime::{Clock, Context};
use serde_json::{Map, Value, json};
use spiffe::{JwtBundle, JwtBundleSet, JwtSvid, TrustDomain};
use tempfile::TempDir;

use super::{Accepted, Verifier, verify_by};
use crate::issuers::Issuers;
use crate::policy::Policy;
use crate::testing::{Documents, Issuer, SpiffeAuthority};
use crate::trust::{DomainKeys, TrustBundles};
use crate::{Proof, Workload, WorkloadError, Workloads};

const AUDIENCE: &str = "doorward";
const PROVIDER: &str = "https://cloud.example";
const LIFETIME: Duration = Duration::from_mins(10);
const INDEXER: &str = "/ns/mail/sa/indexer";

/// A service with a policy for a trust domain, whose bundle is at an endpoint, and an issuer.
struct Setting {
    folder: TempDir,
    clock: Clock,
    context: Context,
    bundles: Documents,
    authority: SpiffeAuthority,
    issuer: Issuer,
    workloads: Arc<Workloads>,
}

impl Setting {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Clock::manual(Clock::system().now());
        let context = Context { clock: clock.clone(), ..Context::new(Environment::default()) };
        let (bundles, issuer) = (Documents::start().await, Issuer::start().await);
        let authority = SpiffeAuthority::new("example.org");
        bundles.put("/bundle.json", hourly(&authority));
        let file = folder.path().join("policy.yaml");
        std::fs::write(&file, policy(&issuer.name(), "indexer")).expect("writes");
        let trust_domains = vec![format!("example.org={}", bundles.url("/bundle.json"))];
        let spiffe = Spiffe { trust_domains, ..Spiffe::default() };
        let policy = WorkloadPolicy { policy_file: Some(file) };
        let workloads = Workloads::open(&policy, &spiffe, "test", &context).expect("opens");
        until(|| workloads.generation() > 0).await;
        Self { folder, clock, context, bundles, authority, issuer, workloads }
    }

    fn now(&self) -> SystemTime {
        self.clock.now()
    }

    async fn verify(&self, token: &str) -> Result<Arc<Workload>, WorkloadError> {
        self.workloads.verify(token, self.now()).await
    }

    fn svid(&self, path: &str, audience: &str) -> String {
        self.authority.svid(path, audience, LIFETIME, self.now())
    }

    fn account(&self, namespace: &str, name: &str, audience: &str) -> String {
        self.issuer.service_account_token((namespace, name), audience, LIFETIME, self.now())
    }

    /// A token of the issuer for a CI job, with these further claims.
    fn job(&self, subject: &str, more: &Value) -> String {
        let mut claims = self.issuer.claims(subject, AUDIENCE, LIFETIME, self.now());
        claims.extend(more.as_object().cloned().unwrap_or_default());
        self.issuer.token(&claims)
    }
}

/// Waits until this is so.
async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("in time");
}

/// The bundle, to be fetched again no sooner than the test ends.
fn hourly(authority: &SpiffeAuthority) -> String {
    authority.bundle().replace("_hint\":10", "_hint\":3600")
}

fn policy(issuer: &str, account: &str) -> String {
    format!(
        "callers:
  - identity: spiffe://example.org/ns/mail/sa/{account}
    audience: [{AUDIENCE}]
    may_act_for: {{ users: ['*'] }}
  - issuer: {issuer}
    audience: [{AUDIENCE}]
    namespace: batch
    name: reporter
    may_act_for: {{ users: [einstein] }}
  - issuer: {issuer}
    audience: [{AUDIENCE}]
    identity: 'repo:acme/site:*'
    claims: {{ environment: production }}
    service_account: deployer
  - issuer: {issuer}
    audience: [{PROVIDER}]
    identity: 'repo:acme/site:*'
    client: site-deployer
"
    )
}

#[tokio::test]
async fn token_proves_a_workload_of_the_policy() {
    let setting = Setting::new().await;
    let svid = setting.verify(&setting.svid(INDEXER, AUDIENCE)).await.expect("is accepted");
    assert_eq!((svid.proof, &*svid.identity), (Proof::JwtSvid, "spiffe://example.org/ns/mail/sa/indexer"));
    assert_eq!((&*svid.issuer, &*svid.audience), ("example.org", AUDIENCE));

    let account = setting.verify(&setting.account("batch", "reporter", AUDIENCE)).await.expect("is accepted");
    assert_eq!((account.proof, &*account.identity), (Proof::Kubernetes, "system:serviceaccount:batch:reporter"));
    assert_eq!((account.namespace.as_deref(), account.name.as_deref()), (Some("batch"), Some("reporter")));
    // idp uses the verifier without the cache
    assert!(!setting.context.metrics.render().contains("workload_tokens"), "who uses the cache registers it");
    assert_eq!(*account.issuer, *setting.issuer.name());

    let more = json!({ "environment": "production", "jti": "x".repeat(100), "actor": "somebody" });
    let token = setting.job("repo:acme/site:ref:refs/heads/main", &more);
    let job = setting.verify(&token).await.expect("is accepted");
    assert_eq!((job.proof, job.claims.len()), (Proof::Oidc, 1), "only what an entry compares");
    assert_eq!(job.token.as_deref(), Some("x".repeat(64).as_str()));
    let again = setting.verify(&token).await.expect("is accepted");
    assert!(Arc::ptr_eq(&job, &again), "it is known");
}

/// Rows [M13](../../../docs/security-requirements.md#m13) and [M14](../../../docs/security-requirements.md#m14).
#[tokio::test]
async fn proved_workload_without_an_entry_is_not_permitted() {
    let setting = Setting::new().await;
    for token in [
        setting.svid("/ns/mail/sa/other", AUDIENCE),
        setting.account("other", "reporter", AUDIENCE),
        setting.account("batch", "other", AUDIENCE),
        setting.job("repo:acme/site:main", &json!({ "environment": "staging" })),
        setting.job("repo:acme/site:main", &json!({})),
        setting.job("repo:evil/site:main", &json!({ "environment": "production" })),
        setting.job("system:serviceaccount:batch:reporter", &json!({})),
    ] {
        assert_eq!(setting.verify(&token).await, Err(WorkloadError::Policy), "{token}");
    }
}

/// Row [M13](../../../docs/security-requirements.md#m13).
#[tokio::test]
async fn token_of_a_stranger_or_for_something_else_is_refused_without_a_request() {
    let setting = Setting::new().await;
    let (stranger, elsewhere) = (SpiffeAuthority::new("example.com"), Issuer::start().await);
    let now = setting.now();
    let requests = (setting.bundles.requests(), setting.issuer.documents().requests());
    let reporter = |claims: &Value| {
        let account = json!({ "namespace": "batch", "serviceaccount": { "name": "reporter" } });
        let mut all = setting.issuer.claims("system:serviceaccount:batch:reporter", AUDIENCE, LIFETIME, now);
        all.insert("kubernetes.io".to_owned(), account);
        all.extend(claims.as_object().cloned().unwrap_or_default());
        all
    };
    let unknown = [
        stranger.svid(INDEXER, AUDIENCE, LIFETIME, now),
        elsewhere.service_account_token(("batch", "reporter"), AUDIENCE, LIFETIME, now),
        setting.svid(INDEXER, "other"),
        setting.account("batch", "reporter", "other"),
        setting.account("batch", "reporter", PROVIDER),
        setting.issuer.token(&reporter(&json!({ "aud": [AUDIENCE, "other"] }))),
        setting.issuer.token(&reporter(&json!({ "aud": [] }))),
        setting.issuer.token(&reporter(&json!({ "iss": format!("{}/", setting.issuer.name()) }))),
        hs256_jwt(setting.issuer.key_set().as_bytes(), "JWT", &reporter(&json!({}))),
        unsigned(&reporter(&json!({}))),
    ];
    for token in unknown {
        assert_eq!(setting.verify(&token).await, Err(WorkloadError::Unknown), "{token}");
    }
    let late = setting.now() + Duration::from_hours(25);
    let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let malformed = [
        String::new(),
        "a.b".to_owned(),
        setting.issuer.token(&reporter(&json!({ "nonce": "x" }))),
        setting.issuer.token(&reporter(&json!({ "at_hash": "x" }))),
        setting.issuer.token(&reporter(&json!({ "events": {} }))),
        setting.issuer.token(&reporter(&json!({ "cnf": { "jkt": "x" } }))),
        setting.issuer.token(&reporter(&json!({ "sub": null }))),
        setting.issuer.token(&reporter(&json!({ "exp": "soon" }))),
        setting.issuer.token(&reporter(&json!({ "sub": "system:serviceaccount:batch:other" }))),
        setting.issuer.token(&reporter(&json!({ "sub": "spiffe://example.org/ns/mail/sa/indexer" }))),
        setting.issuer.token(&reporter(&json!({ "sub": "SPIFFE://example.org/ns/mail/sa/indexer" }))),
        setting.authority.svid("", AUDIENCE, LIFETIME, now),
        setting.authority.svid("/ns/../x", AUDIENCE, LIFETIME, now),
    ];
    for token in malformed {
        assert_eq!(setting.verify(&token).await, Err(WorkloadError::Malformed), "{token}");
    }
    let late = setting.issuer.token(&reporter(&json!({ "exp": seconds(late) })));
    for token in [late, setting.authority.svid(INDEXER, AUDIENCE, Duration::from_hours(25), now)] {
        assert_eq!(setting.verify(&token).await, Err(WorkloadError::TooLong), "{token}");
    }
    let mut endless = reporter(&json!({}));
    endless.remove("exp");
    assert_eq!(setting.verify(&setting.issuer.token(&endless)).await, Err(WorkloadError::Malformed));
    for typ in ["at+jwt", "application/at+jwt", "dpop+jwt", "txntoken+jwt", "logout+jwt", "x"] {
        let token = setting.issuer.token_of_type(typ, &reporter(&json!({})));
        assert_eq!(setting.verify(&token).await, Err(WorkloadError::Malformed), "{typ}");
    }
    assert_eq!((setting.bundles.requests(), setting.issuer.documents().requests()), requests);
    assert!(setting.verify(&setting.issuer.token(&reporter(&json!({})))).await.is_ok(), "but for that it is good");
}

/// The claims as an unsecured JWT.
fn unsigned(claims: &Map<String, Value>) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let part = |json: String| URL_SAFE_NO_PAD.encode(json);
    format!("{}.{}.", part(json!({ "alg": "none" }).to_string()), part(json!(claims).to_string()))
}

#[tokio::test]
async fn token_outside_its_times_is_refused() {
    let setting = Setting::new().await;
    let (svid, account) = (setting.svid(INDEXER, AUDIENCE), setting.account("batch", "reporter", AUDIENCE));
    for token in [&svid, &account] {
        assert!(setting.verify(token).await.is_ok());
    }
    let old = setting.now() - Duration::from_hours(24 * 30);
    let old = old.duration_since(SystemTime::UNIX_EPOCH).expect("a time").as_secs();
    let long_lived = setting.job("repo:acme/site:x", &json!({ "environment": "production", "iat": old }));
    assert_eq!(setting.verify(&long_lived).await, Err(WorkloadError::TooLong), "also in its last minutes");
    assert_eq!(authn::AuthError::from(WorkloadError::TooLong).reason(), "too_long_lived");
    setting.clock.advance(LIFETIME);
    assert!(setting.verify(&account).await.is_ok(), "clocks differ by seconds");
    setting.clock.advance(Duration::from_secs(6));
    for token in [&svid, &account] {
        assert_eq!(setting.verify(token).await, Err(WorkloadError::Expired));
    }
    setting.clock.set(setting.now() - LIFETIME - Duration::from_secs(30));
    assert_eq!(setting.verify(&account).await, Err(WorkloadError::NotYet));
}

/// Row [M14](../../../docs/security-requirements.md#m14).
#[tokio::test]
async fn keys_of_another_trust_domain_or_issuer_verify_nothing() {
    let setting = Setting::new().await;
    let (stranger, elsewhere) = (SpiffeAuthority::new("example.com"), Issuer::start().await);
    let mut claims = setting.issuer.claims("", AUDIENCE, LIFETIME, setting.now());
    claims.insert("sub".to_owned(), setting.authority.id(INDEXER).into());
    claims.remove("iss");
    assert_eq!(setting.verify(&stranger.sign(&claims)).await, Err(WorkloadError::Unknown), "no such key");
    let of_job = setting.issuer.claims("repo:acme/site:main", AUDIENCE, LIFETIME, setting.now());
    assert_eq!(setting.verify(&elsewhere.token(&of_job)).await, Err(WorkloadError::Signature), "a key of this name");
    let svid = setting.svid(INDEXER, AUDIENCE);
    let (message, signature) = svid.rsplit_once('.').expect("a JWT");
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let changed = format!("{message}.{first}{}", &signature[1..]);
    assert_eq!(setting.verify(&changed).await, Err(WorkloadError::Signature));
}

/// Rows [M13](../../../docs/security-requirements.md#m13) and [M16](../../../docs/security-requirements.md#m16).
#[tokio::test]
async fn new_keys_are_accepted_and_removed_ones_refused() {
    let mut setting = Setting::new().await;
    let (former, former_account) = (setting.svid(INDEXER, AUDIENCE), setting.account("batch", "reporter", AUDIENCE));
    for token in [&former, &former_account] {
        assert!(setting.verify(token).await.is_ok());
    }
    setting.authority.add_key();
    setting.issuer.add_key();
    setting.bundles.put("/bundle.json", hourly(&setting.authority));
    let (svid, account) = (setting.svid(INDEXER, AUDIENCE), setting.account("batch", "reporter", AUDIENCE));
    setting.clock.advance(Duration::from_secs(10));
    for token in [&svid, &account, &former, &former_account] {
        assert!(setting.verify(token).await.is_ok());
    }
    // the next unknown key has both fetched, so that the removed one is not in use any more
    setting.authority.add_key();
    setting.authority.remove_oldest_key();
    setting.issuer.add_key();
    setting.issuer.remove_oldest_key();
    setting.bundles.put("/bundle.json", hourly(&setting.authority));
    setting.clock.advance(Duration::from_secs(10));
    let (svid, account) = (setting.svid(INDEXER, AUDIENCE), setting.account("batch", "reporter", AUDIENCE));
    for token in [&svid, &account] {
        assert!(setting.verify(token).await.is_ok());
    }
    for token in [&former, &former_account] {
        assert_eq!(setting.verify(token).await, Err(WorkloadError::Unknown), "although it was cached");
    }
}

/// Row [M16](../../../docs/security-requirements.md#m16).
#[tokio::test]
async fn removed_key_is_refused_by_a_service_that_was_idle() {
    let mut setting = Setting::new().await;
    let reports = |setting: &Setting| setting.account("batch", "reporter", AUDIENCE);
    assert!(setting.verify(&reports(&setting)).await.is_ok());
    setting.clock.advance(Duration::from_mins(21));
    let former = reports(&setting);
    setting.issuer.add_key();
    setting.issuer.remove_oldest_key();
    assert_eq!(setting.verify(&former).await, Err(WorkloadError::Unknown), "the keys are fetched first");
    assert!(setting.verify(&reports(&setting)).await.is_ok());
}

/// Row [M16](../../../docs/security-requirements.md#m16).
#[tokio::test]
async fn keys_are_used_for_a_day_while_their_source_is_away() {
    let setting = Setting::new().await;
    setting.issuer.documents().set_down(true);
    let account = setting.account("batch", "reporter", AUDIENCE);
    assert!(matches!(setting.verify(&account).await, Err(WorkloadError::Unavailable(_))), "nothing is cached");
    setting.issuer.documents().set_down(false);
    setting.clock.advance(Duration::from_secs(1));
    assert!(setting.verify(&account).await.is_ok());
    assert!(setting.verify(&setting.svid(INDEXER, AUDIENCE)).await.is_ok());

    setting.issuer.documents().set_down(true);
    setting.bundles.set_down(true);
    setting.clock.advance(Duration::from_hours(23));
    assert!(setting.verify(&setting.account("batch", "reporter", AUDIENCE)).await.is_ok());
    assert!(setting.verify(&setting.svid(INDEXER, AUDIENCE)).await.is_ok());
    setting.clock.advance(Duration::from_hours(2));
    for token in [setting.account("batch", "reporter", AUDIENCE), setting.svid(INDEXER, AUDIENCE)] {
        assert!(matches!(setting.verify(&token).await, Err(WorkloadError::Unavailable(_))), "{token}");
    }
}

/// Row [M17](../../../docs/security-requirements.md#m17).
#[tokio::test]
async fn changed_policy_holds_for_cached_tokens_too() {
    let setting = Setting::new().await;
    let svid = setting.svid(INDEXER, AUDIENCE);
    assert!(setting.verify(&svid).await.is_ok());
    let generation = setting.workloads.generation();
    let changed = policy(&setting.issuer.name(), "another");
    std::fs::write(setting.folder.path().join("policy.yaml"), changed).expect("writes");
    setting.context.reload.announce();
    until(|| setting.workloads.generation() > generation).await;
    assert_eq!(setting.verify(&svid).await, Err(WorkloadError::Policy));
}

/// Rows [M17](../../../docs/security-requirements.md#m17) and [E30](../../../docs/security-requirements.md#e30).
#[tokio::test]
async fn last_entry_of_a_file_is_removed_where_the_file_says_that_it_is_complete() {
    let setting = Setting::new().await;
    let shorter = policy(&setting.issuer.name(), "indexer");
    let last = "  - { identity: spiffe://example.org/last, audience: [doorward], may_act_for: { users: ['*'] } }\n";
    let write = |text: &str| {
        std::fs::write(setting.folder.path().join("policy.yaml"), text).expect("writes");
        setting.context.reload.announce();
    };
    let svid = setting.svid("/last", AUDIENCE);
    let becomes = async |is_accepted: bool| {
        let waiting = async {
            loop {
                let verdict = setting.verify(&svid).await.map(drop);
                if verdict.is_ok() == is_accepted {
                    return verdict;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("in time")
    };
    write(&format!("{shorter}{last}"));
    assert_eq!(becomes(true).await, Ok(()));

    write(&shorter);
    let failures = "doorward_file_reload_failures_total{service=\"test\",setting=\"OCIS_WORKLOAD_POLICY_FILE\"} ";
    let is_counted = |line: &str| line.strip_prefix(failures).is_some_and(|count| count != "0");
    until(|| setting.context.metrics.render().lines().any(is_counted)).await;
    assert!(setting.verify(&svid).await.is_ok(), "it may be cut off: what was read before stays in use");

    write(&format!("{shorter}# end\n"));
    assert_eq!(becomes(false).await, Err(WorkloadError::Policy));
}

#[tokio::test]
async fn keys_of_an_issuer_are_asked_with_a_token_or_read_from_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writes");
        path
    };
    let (asked, mut read) = (Issuer::start().await, Issuer::start().await);
    let (token, keys) = (file("token", "of-the-pod\n"), file("keys.json", &read.key_set()));
    let entry = |issuer: &str| {
        format!(
            "  - {{ issuer: {issuer}, audience: [{AUDIENCE}], namespace: '*', name: '*', may_act_for: {{ users: ['*'] }} }}\n"
        )
    };
    let text = format!(
        "callers:\n{}{}issuers:\n  - {{ issuer: {}, token_file: {} }}\n  - {{ issuer: {}, jwks_file: {} }}\n",
        entry(&asked.name()),
        entry(&read.name()),
        asked.name(),
        token.display(),
        read.name(),
        keys.display()
    );
    let policy = WorkloadPolicy { policy_file: Some(file("policy.yaml", &text)) };
    let context = Context::new(Environment::default());
    let workloads = Workloads::open(&policy, &Spiffe::default(), "test", &context).expect("opens");
    let now = context.clock.now();
    let of = |issuer: &Issuer| issuer.service_account_token(("batch", "reporter"), AUDIENCE, LIFETIME, now);

    assert!(workloads.verify(&of(&asked), now).await.is_ok());
    assert_eq!(asked.documents().authorization().as_deref(), Some("Bearer of-the-pod"));
    let former = of(&read);
    assert!(workloads.verify(&former, now).await.is_ok());
    read.add_key();
    assert_eq!(workloads.verify(&of(&read), now).await, Err(WorkloadError::Unknown));
    read.remove_oldest_key();
    file("keys.json", &read.key_set());
    let generation = workloads.generation();
    context.reload.announce();
    until(|| workloads.generation() > generation).await;
    assert!(workloads.verify(&of(&read), now).await.is_ok());
    assert_eq!(workloads.verify(&former, now).await, Err(WorkloadError::Unknown));
    assert_eq!(read.documents().requests(), 0, "its keys are in a file");
    assert!(Workloads::check(&policy, &Spiffe::default()).is_ok());
    file("keys.json", "no keys");
    assert!(Workloads::check(&policy, &Spiffe::default()).is_err_and(|error| error.to_string().contains("keys.json")));
}

#[tokio::test]
async fn assertion_is_accepted_for_the_provider_alone() {
    let setting = Setting::new().await;
    let (workloads, now) = (&setting.workloads, setting.now());
    let claims = setting.issuer.claims("repo:acme/site:main", PROVIDER, LIFETIME, now);
    let job = setting.issuer.token(&claims);
    let workload = workloads.verify_for(&job, PROVIDER, now).await.expect("is accepted");
    assert_eq!((&*workload.identity, &*workload.audience), ("repo:acme/site:main", PROVIDER));
    assert_eq!(workloads.verify_for(&job, "https://other.example", now).await, Err(WorkloadError::Unknown));
    assert_eq!(setting.verify(&job).await, Err(WorkloadError::Unknown), "the entry is for a client");
    let account = setting.account("batch", "reporter", AUDIENCE);
    assert_eq!(workloads.verify_for(&account, AUDIENCE, now).await, Err(WorkloadError::Unknown), "no client");

    let svid = setting.svid("/any/workload", PROVIDER);
    assert!(workloads.verify_svid_for(&svid, PROVIDER, now).await.is_ok(), "the client's registration decides");
    assert_eq!(workloads.verify_svid_for(&svid, AUDIENCE, now).await, Err(WorkloadError::Unknown));
    assert_eq!(workloads.verify_svid_for(&job, PROVIDER, now).await, Err(WorkloadError::Unknown));
}

/// Keys of each algorithm of the profile (JWT-SVID 2.1) verify what the library verifies, and no token that says another algorithm.
#[test]
fn svids_of_all_algorithms_are_verified_as_by_the_library() {
    let domain = TrustDomain::new("example.org").expect("a name");
    let keys = keys::all();
    let set = json!({ "keys": keys.iter().map(|key| &key.jwk).collect::<Vec<_>>() }).to_string();
    let bundle = JwtBundle::from_jwt_authorities(domain, set.as_bytes()).expect("is a key set");
    let bundles = std::iter::once(bundle).collect::<JwtBundleSet>();
    let by_domain = DomainKeys { jwt: Some(bundles.clone()), ..DomainKeys::default() };
    let end = Clock::system().now() + LIFETIME;
    let end = end.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = json!({ "sub": "spiffe://example.org/ns/mail", "aud": AUDIENCE, "exp": end });
    for key in &keys {
        let other = if key.algorithm == "PS256" { "RS512" } else { "PS256" };
        for (algorithm, is_good) in [(key.algorithm, true), (other, false)] {
            let token = key.sign(&claims, algorithm);
            let library = JwtSvid::parse_and_validate(&token, &bundles, &[AUDIENCE]);
            assert_eq!(library.is_ok(), is_good, "{} as {algorithm}", key.algorithm);
            assert_eq!(verify_by(&by_domain, &token, AUDIENCE).is_ok(), is_good, "{} as {algorithm}", key.algorithm);
        }
        assert!(super::OF_SVIDS.contains(&key.algorithm), "{}", key.algorithm);
    }
    assert_eq!(keys.len(), super::OF_SVIDS.len());
}

proptest! {
    #[test]
    fn never_panics(
        claims in r#"\{"sub":("(spiffe:/{1,3}|SPIFFE://)?[a-zé./%]{0,9}"|null|1)(,"iss":("x"|1))?(,"kubernetes.io":(1|\{\}))?\}"#,
        rest in "[A-Za-z0-9_.-]{0,40}",
    ) {
        use base64::Engine;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let token = format!("{}.{}.{rest}", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#), URL_SAFE_NO_PAD.encode(claims));
        let context = Context::new(Environment::default());
        let trust = TrustBundles::open(&Spiffe::default(), "test", Arc::default(), &context).expect("has no domain");
        let verifier = Verifier { policy: &Policy::default(), issuers: &Issuers::default(), trust: &trust };
        prop_assert!(verifier.read(&token, Accepted::SvidsFor(AUDIENCE)).is_err());
        let _ = (Workloads::is_token(&token), Workloads::is_token(&rest));
    }
}
