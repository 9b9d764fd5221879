//! Workloads: services that prove by a token or a certificate who they are, in place of a shared key.

mod clients;
mod commands;
mod svids;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use authn::{Channel, kind};
use doorward::ServiceId;
use proto::cs3::gateway::v1beta1::AuthenticateRequest;
use proto::cs3::gateway::v1beta1::gateway_api_client::GatewayApiClient;
use proto::cs3::identity::user::v1beta1::UserType;
use runtime::Clock;
use status::Kind;
use testkit::{Certificates, Finished, Layout, Mode, TestFamily, note_secret};
use workload::testing::{Documents, Issuer, SpiffeAuthority};

/// How long a change may take until it holds, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// The audience of tokens.
const HERE: &str = "doorward";
/// The subject of the tokens of a CI system.
const JOB: &str = "repo:acme/site:ref:refs/heads/main";

fn now() -> SystemTime {
    Clock::system().now()
}

/// Replaces a file at once, as programs do that others read.
fn replace(file: &Path, text: &str) {
    let next = file.with_extension("next");
    fs::write(&next, text).expect("writes");
    fs::rename(&next, file).expect("renames");
}

/// The trust domain `example.org`, an issuer, and a policy for their workloads.
struct World {
    authority: SpiffeAuthority,
    issuer: Issuer,
    /// An issuer that never answers.
    away: Issuer,
    policy: PathBuf,
    bundle: PathBuf,
}

impl World {
    async fn new(layout: &mut Layout) -> Self {
        let (policy, bundle) = (layout.folder().join("policy.yaml"), layout.folder().join("bundle.json"));
        let world = Self {
            authority: SpiffeAuthority::new("example.org"),
            issuer: Issuer::start().await,
            away: Issuer::start().await,
            policy,
            bundle,
        };
        world.away.documents().set_down(true);
        world.publish();
        replace(&world.policy, &world.entries(&world.indexer()));
        layout.set("OCIS_SPIFFE_TRUST_DOMAINS", &format!("example.org={}", world.bundle.display()));
        layout.set("OCIS_WORKLOAD_POLICY_FILE", &world.policy.display().to_string());
        world
    }

    /// The entry of the policy by which the indexer acts for all users.
    fn indexer(&self) -> String {
        let id = self.authority.id("/indexer");
        format!("  - {{ identity: '{id}', audience: [{HERE}], may_act_for: {{ users: ['*'] }} }}\n")
    }

    /// A policy with these entries first.
    fn entries(&self, first: &str) -> String {
        let (cluster, away) = (self.issuer.name(), self.away.name());
        format!(
            "callers:\n{first}  - {{ identity: '{}', audience: [{HERE}], may_act_for: {{ users: [marie] }} }}\n  \
             - {{ issuer: '{cluster}', audience: [{HERE}], namespace: batch, name: reporter, service_account: jobs }}\n  \
             - {{ issuer: '{cluster}', audience: [{HERE}], namespace: batch, name: mailer, may_act_for: {{ users: [marie] }} }}\n  \
             - {{ issuer: '{away}', audience: [{HERE}], namespace: batch, name: mailer, may_act_for: {{ users: [marie] }} }}\n  \
             - {{ issuer: '{cluster}', audience: [{HERE}], identity: '{JOB}', claims: {{ environment: production }}, may_act_for: {{ users: [marie] }} }}\n",
            self.authority.id("/marie")
        )
    }

    /// Writes the trust bundle.
    fn publish(&self) {
        replace(&self.bundle, &self.authority.bundle());
    }

    /// A JWT-SVID of this path, which is noted so that no log may have it.
    fn svid(&self, path: &str, audience: &str) -> String {
        noted(self.authority.svid(path, audience, HOUR, now()))
    }

    /// A token of this service account of the cluster.
    fn token(&self, namespace: &str, name: &str, audience: &str) -> String {
        noted(self.issuer.service_account_token((namespace, name), audience, HOUR, now()))
    }

    /// A token of a CI system for a job in this environment.
    fn job(&self, subject: &str, environment: &str) -> String {
        let mut claims = self.issuer.claims(subject, HERE, HOUR, now());
        claims.insert("environment".to_owned(), environment.into());
        noted(self.issuer.token(&claims))
    }
}

fn noted(token: String) -> String {
    note_secret(&token);
    token
}

/// How an authentication ended: the identifier or login of the user, or the kind of failure.
async fn outcome(family: &TestFamily, kind: &str, client_id: &str, secret: &str) -> Result<String, Kind> {
    let answer = family.authenticate(kind, client_id, secret).await;
    let name = |user: proto::cs3::identity::user::v1beta1::User| match user.id {
        Some(id) if id.r#type() == UserType::Service => id.opaque_id,
        _ => user.username,
    };
    answer.map(|(user, _)| name(user)).map_err(|(kind, _)| kind)
}

/// Tries an authentication until it ends like this.
async fn until(family: &TestFamily, (kind, client_id, secret): (&str, &str, &str), expected: Result<&str, Kind>) {
    let begin = Instant::now();
    loop {
        let outcome = outcome(family, kind, client_id, secret).await;
        if outcome.as_deref().map_err(|kind| *kind) == expected {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{outcome:?}, not {expected:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Rows M13, M14, M17 and X11 of `docs/security-requirements.md`.
#[tokio::test(flavor = "multi_thread")]
async fn workloads_are_accepted_as_the_policy_says_in_one_process() {
    workloads_are_accepted_as_the_policy_says("workload-one-process", Mode::OneProcess).await;
}

/// Rows M13, M14, M17 and X11 of `docs/security-requirements.md`.
#[tokio::test(flavor = "multi_thread")]
async fn workloads_are_accepted_as_the_policy_says_in_processes() {
    workloads_are_accepted_as_the_policy_says("workload-processes", Mode::Processes).await;
}

async fn workloads_are_accepted_as_the_policy_says(name: &str, mode: Mode) {
    let mut layout = Layout::new(name, false);
    let mut world = World::new(&mut layout).await;
    let family = TestFamily::start_with(layout, mode, |context| context).await;
    let expired = noted(world.authority.svid("/indexer", HERE, HOUR, now() - 2 * HOUR));
    let expired_account = noted(world.issuer.service_account_token(("batch", "mailer"), HERE, HOUR, now() - 2 * HOUR));
    let mut stranger = SpiffeAuthority::new("example.org");
    stranger.add_key();
    let (foreign, unknown_key) = (
        noted(SpiffeAuthority::new("partner.org").svid("/indexer", HERE, HOUR, now())),
        noted(stranger.svid("/indexer", HERE, HOUR, now())),
    );
    let (indexer, reporter) = (world.svid("/indexer", HERE), world.token("batch", "reporter", HERE));
    for (kind, client_id, token, expected) in [
        (kind::MACHINE, "einstein", &indexer, Ok("einstein")),
        (kind::MACHINE, "mail:marie@example.org", &indexer, Ok("marie")),
        (kind::MACHINE, "marie", &world.svid("/marie", HERE), Ok("marie")),
        (kind::MACHINE, "marie", &world.token("batch", "mailer", HERE), Ok("marie")),
        (kind::MACHINE, "marie", &world.job(JOB, "production"), Ok("marie")),
        (kind::SERVICE, "jobs", &reporter, Ok("jobs")),
        (kind::SERVICE, "", &reporter, Ok("jobs")),
        (kind::MACHINE, "admin", &indexer, Err(Kind::PermissionDenied)),
        (kind::MACHINE, "einstein", &world.svid("/marie", HERE), Err(Kind::PermissionDenied)),
        (kind::MACHINE, "einstein", &world.svid("/other", HERE), Err(Kind::PermissionDenied)),
        (kind::MACHINE, "marie", &world.token("other", "mailer", HERE), Err(Kind::PermissionDenied)),
        (kind::MACHINE, "marie", &world.token("batch", "other", HERE), Err(Kind::PermissionDenied)),
        (kind::MACHINE, "marie", &reporter, Err(Kind::PermissionDenied)),
        (kind::MACHINE, "einstein", &world.job(JOB, "production"), Err(Kind::PermissionDenied)),
        (kind::MACHINE, "marie", &world.job(JOB, "staging"), Err(Kind::PermissionDenied)),
        (kind::MACHINE, "marie", &world.job("repo:acme/site:pull_request", "production"), Err(Kind::PermissionDenied)),
        (kind::SERVICE, "other", &reporter, Err(Kind::PermissionDenied)),
        (kind::SERVICE, "jobs", &indexer, Err(Kind::PermissionDenied)),
        (kind::MACHINE, "unknown", &indexer, Err(Kind::NotFound)),
        (kind::MACHINE, "einstein", &world.svid("/indexer", "another"), Err(Kind::Unauthenticated)),
        (kind::MACHINE, "marie", &world.token("batch", "mailer", "another"), Err(Kind::Unauthenticated)),
        (kind::MACHINE, "einstein", &expired, Err(Kind::Unauthenticated)),
        (kind::MACHINE, "marie", &expired_account, Err(Kind::Unauthenticated)),
        (kind::MACHINE, "einstein", &foreign, Err(Kind::Unauthenticated)),
        (kind::MACHINE, "einstein", &unknown_key, Err(Kind::Unauthenticated)),
    ] {
        let answer = outcome(&family, kind, client_id, token).await;
        assert_eq!(answer.as_deref().map_err(|kind| *kind), expected, "{kind} {client_id} {token}");
    }
    let mailer = world.token("batch", "mailer", HERE);
    for (client_id, token, actor) in [
        ("einstein", &indexer, world.authority.id("/indexer").as_str()),
        ("marie", &mailer, "system:serviceaccount:batch:mailer"),
    ] {
        let (_, internal) = family.authenticate(kind::MACHINE, client_id, token).await.expect("is accepted");
        assert_eq!(family.claims_of(&internal).actor, Some(actor.into()), "{mode:?}");
    }
    issuers_that_are_away(&family, &mut world).await;
    for secret in ["", "not a key"] {
        let refused = outcome(&family, kind::MACHINE, "einstein", secret).await;
        assert_eq!(refused, Err(Kind::Unauthenticated), "{secret:?}");
    }
    assert_eq!(outcome(&family, kind::MACHINE, "einstein", &family.layout.machine_key).await, Ok("einstein".into()));
    assert!(family.stop().await.into_iter().all(|code| code == 0), "every process ends with 0");
}

/// Keys that were fetched are used while their issuer is away; without any there is no verdict. A new key is fetched, and a removed one is
/// not accepted any more.
async fn issuers_that_are_away(family: &TestFamily, world: &mut World) {
    let unverified = noted(world.away.service_account_token(("batch", "mailer"), HERE, HOUR, now()));
    let begin = Instant::now();
    assert_eq!(outcome(family, kind::MACHINE, "marie", &unverified).await, Err(Kind::Unavailable));
    assert!(begin.elapsed() < Duration::from_secs(10), "the caller is answered soon: {:?}", begin.elapsed());

    world.issuer.documents().set_down(true);
    let cached = noted(world.issuer.service_account_token(("batch", "mailer"), HERE, 2 * HOUR, now()));
    assert_eq!(outcome(family, kind::MACHINE, "marie", &cached).await, Ok("marie".into()));
    world.issuer.documents().set_down(false);
    world.issuer.add_key();
    let rotated = world.token("batch", "mailer", HERE);
    until(family, (kind::MACHINE, "marie", &rotated), Ok("marie")).await;
    // another unknown key has the key set fetched, and the removed key is not in it
    world.issuer.add_key();
    world.issuer.remove_oldest_key();
    let newest = world.token("batch", "mailer", HERE);
    until(family, (kind::MACHINE, "marie", &newest), Ok("marie")).await;
    until(family, (kind::MACHINE, "marie", &cached), Err(Kind::Unauthenticated)).await;
    assert_eq!(outcome(family, kind::MACHINE, "marie", &rotated).await, Ok("marie".into()));
}

/// Rows M7 and M18 of `docs/security-requirements.md`.
#[tokio::test(flavor = "multi_thread")]
async fn certificate_takes_the_place_of_a_secret() {
    for (mode, name) in [(Mode::OneProcess, "workload-tls-process"), (Mode::ProcessesWithTls, "workload-tls-processes")]
    {
        let mut layout = Layout::new(name, true);
        let policy = layout.folder().join("policy.yaml");
        replace(
            &policy,
            "callers:\n  - { identity: 'spiffe://doorward.test/indexer', may_act_for: { users: ['*'] }, service_account: jobs }\n",
        );
        layout.set("OCIS_WORKLOAD_POLICY_FILE", &policy.display().to_string());
        for service in ["AUTH_MACHINE", "AUTH_SERVICE"] {
            layout.set(&format!("{service}_TRUSTED_GATEWAYS"), "spiffe://doorward.test/service");
        }
        let issue = |name: &str| Certificates::issue(layout.folder(), name, &format!("spiffe://doorward.test/{name}"));
        let (indexer, other) = (issue("indexer"), issue("other"));
        let family = TestFamily::start_with(layout, mode, |context| context).await;
        let ask = async |channel: Channel, kind: &str, client_id: &str| {
            let request = AuthenticateRequest {
                r#type: kind.to_owned(),
                client_id: client_id.to_owned(),
                ..AuthenticateRequest::default()
            };
            let answer = GatewayApiClient::new(channel).authenticate(request).await.expect("the gateway answers");
            Kind::from_cs3(answer.into_inner().status.unwrap_or_default().code)
        };
        let by = |certificates: &Certificates| family.channel_with(ServiceId::Gateway, certificates);
        for _ in 0..2 {
            assert_eq!(ask(by(&indexer), kind::MACHINE, "einstein").await, None, "{mode:?}");
            assert_eq!(ask(by(&other), kind::MACHINE, "einstein").await, Some(Kind::PermissionDenied), "{mode:?}");
        }
        assert_eq!(ask(by(&indexer), kind::SERVICE, "jobs").await, None, "{mode:?}");
        assert_eq!(ask(by(&other), kind::SERVICE, "jobs").await, Some(Kind::PermissionDenied), "{mode:?}");
        assert_eq!(ask(by(&indexer), kind::MACHINE, "admin").await, Some(Kind::PermissionDenied), "{mode:?}");
        assert_eq!(ask(by(&indexer), kind::BASIC, "einstein").await, Some(Kind::Unauthenticated), "{mode:?}");
        family.stop().await;
    }
}

/// What callers show that authenticate all the time, and how often they were refused.
struct Load {
    token: Mutex<String>,
    calls: AtomicU64,
    failures: Mutex<Vec<Kind>>,
    is_over: AtomicBool,
}

impl Load {
    fn of(token: String) -> Self {
        let (failures, is_over) = (Mutex::default(), AtomicBool::new(false));
        Self { token: Mutex::new(token), calls: AtomicU64::new(0), failures, is_over }
    }

    fn token(&self) -> String {
        self.token.lock().expect("is not poisoned").clone()
    }

    fn show(&self, token: String) {
        *self.token.lock().expect("is not poisoned") = token;
    }

    /// Authenticates again and again.
    async fn call(&self, family: &TestFamily) {
        while !self.is_over.load(Ordering::SeqCst) {
            if let Err(kind) = outcome(family, kind::MACHINE, "einstein", &self.token()).await {
                self.failures.lock().expect("is not poisoned").push(kind);
            }
            self.calls.fetch_add(1, Ordering::SeqCst);
            // eight callers are enough to be in between, and leave the machine to what they call
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Has callers authenticate while this is done. None may be refused.
    async fn during(&self, family: &TestFamily, doing: impl Future<Output = ()>) {
        let doing = async {
            doing.await;
            while self.calls.load(Ordering::SeqCst) < 100 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            self.is_over.store(true, Ordering::SeqCst);
        };
        let callers = async { futures_util::future::join_all((0..8).map(|_| self.call(family))).await };
        tokio::join!(doing, callers);
        assert_eq!(*self.failures.lock().expect("is not poisoned"), Vec::new());
    }
}

/// Row M16 of `docs/security-requirements.md`.
#[tokio::test(flavor = "multi_thread")]
async fn trust_bundle_is_replaced_twenty_times_under_calls() {
    for (mode, name) in
        [(Mode::OneProcess, "workload-bundles-process"), (Mode::Processes, "workload-bundles-processes")]
    {
        let mut layout = Layout::new(name, false);
        let mut world = World::new(&mut layout).await;
        let family = TestFamily::start_with(layout, mode, |context| context).await;
        let first = world.svid("/indexer", HERE);
        assert_eq!(outcome(&family, kind::MACHINE, "einstein", &first).await, Ok("einstein".into()));
        let load = Load::of(first.clone());
        let swaps = async {
            for swap in 0..20 {
                world.authority.add_key();
                if swap > 1 {
                    world.authority.remove_oldest_key();
                }
                world.publish();
                family.hang_up();
                let next = world.svid("/indexer", HERE);
                // what is cached for the former bundle must not be used for this one
                until(&family, (kind::MACHINE, "einstein", &next), Ok("einstein")).await;
                load.show(next);
            }
        };
        load.during(&family, swaps).await;
        until(&family, (kind::MACHINE, "einstein", &first), Err(Kind::Unauthenticated)).await;

        // half a bundle changes nothing
        let text = world.authority.bundle();
        replace(&world.bundle, &text[..text.len() / 2]);
        family.hang_up();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(outcome(&family, kind::MACHINE, "einstein", &load.token()).await, Ok("einstein".into()));
        family.stop().await;
    }
}

/// Row M16 of `docs/security-requirements.md`: the same where the bundle is at an endpoint, which is asked for a key that is not known.
#[tokio::test(flavor = "multi_thread")]
async fn trust_bundle_of_an_endpoint_is_replaced_under_calls() {
    let mut layout = Layout::new("workload-endpoint", false);
    let mut world = World::new(&mut layout).await;
    let documents = Documents::start().await;
    documents.put("/bundle", world.authority.bundle());
    layout.set("OCIS_SPIFFE_TRUST_DOMAINS", &format!("example.org={}", documents.url("/bundle")));
    let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
    let first = world.svid("/indexer", HERE);
    until(&family, (kind::MACHINE, "einstein", &first), Ok("einstein")).await;
    let load = Load::of(first);
    let swaps = async {
        for _ in 0..2 {
            world.authority.add_key();
            documents.put("/bundle", world.authority.bundle());
            let next = world.svid("/indexer", HERE);
            until(&family, (kind::MACHINE, "einstein", &next), Ok("einstein")).await;
            load.show(next);
        }
        documents.set_down(true);
    };
    load.during(&family, swaps).await;
    assert_eq!(outcome(&family, kind::MACHINE, "einstein", &load.token()).await, Ok("einstein".into()), "it is kept");
    family.stop().await;
}

/// Row M17 of `docs/security-requirements.md`.
#[tokio::test(flavor = "multi_thread")]
async fn changed_policy_holds_from_then_on() {
    for (mode, name) in [(Mode::OneProcess, "workload-policy-process"), (Mode::Processes, "workload-policy-processes")]
    {
        let mut layout = Layout::new(name, false);
        let world = World::new(&mut layout).await;
        let family = TestFamily::start_with(layout, mode, |context| context).await;
        let token = world.svid("/indexer", HERE);
        let load = Load::of(token.clone());
        let changes = async {
            for round in 0..3 {
                // entries in another order, and more of them, allow the same
                let more = format!("  - {{ identity: 'b{round}.example.org', may_act_for: {{ users: [marie] }} }}\n");
                replace(&world.policy, &world.entries(&format!("{more}{}", world.indexer())));
                family.hang_up();
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        };
        load.during(&family, changes).await;

        replace(&world.policy, &world.entries(""));
        family.hang_up();
        until(&family, (kind::MACHINE, "einstein", &token), Err(Kind::PermissionDenied)).await;
        for _ in 0..20 {
            let refused = outcome(&family, kind::MACHINE, "einstein", &token).await;
            assert_eq!(refused, Err(Kind::PermissionDenied), "{mode:?}");
        }
        // a wrong file changes nothing
        replace(&world.policy, &format!("{}    unknown: x\n", world.entries(&world.indexer())));
        family.hang_up();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(outcome(&family, kind::MACHINE, "einstein", &token).await, Err(Kind::PermissionDenied));
        replace(&world.policy, &world.entries(&world.indexer()));
        family.hang_up();
        until(&family, (kind::MACHINE, "einstein", &token), Ok("einstein")).await;
        family.stop().await;
    }
}

fn succeeded(finished: &Finished) -> &str {
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    &finished.stdout
}
