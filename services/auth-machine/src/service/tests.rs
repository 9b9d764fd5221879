use std::time::Duration;

use authn::role;
use authn::testing::{MemoryDirectory, refusal_reason, user};
use config::{Environment, Spiffe, WorkloadPolicy};
use runtime::{CapturedLog, Context, Random};
use tempfile::TempDir;
use tracing::Level;
use workload::testing::SpiffeAuthority;

use super::*;

const GATEWAY: &str = "spiffe://doorward/gateway";
const PROXY: &str = "spiffe://doorward/proxy";
const KEY: &str = "a-machine-key-of-at-least-32-characters";

fn directory() -> Arc<MemoryDirectory> {
    let root = user("root").with_roles(vec![role::ADMIN.to_owned()]);
    MemoryDirectory::new([user("einstein").with_roles(Vec::new()), root])
}

fn machine(rules: &[&str]) -> Machine {
    let rules: Vec<_> = rules.iter().map(|&rule| rule.to_owned()).collect();
    let keys = Keys::new([&KEY.into(), &"".into()], &Random::system());
    let policy = Policy::parse(&rules).expect("rules");
    Machine {
        keys: Arc::new(keys),
        policy,
        workloads: None,
        gateways: [GATEWAY.to_owned()].into(),
        directory: directory(),
        clock: Clock::manual(Clock::system().now()),
    }
}

/// What a workload of the policy below may do.
const POLICY: &str = "
callers:
  - identity: spiffe://example.org/indexer
    audience: [doorward]
    may_act_for: { users: ['*'] }
    scopes: [profile]
    lifetime: 5m
  - identity: spiffe://example.org/administration
    audience: [doorward]
    may_act_for: { roles: [admin] }
  - identity: spiffe://example.org/job
    audience: [doorward]
    service_account: job
";
const INDEXER: &str = "spiffe://example.org/indexer";

/// A service with that policy, and the trust domain of its workloads, which verifies certificates too. No rule lets holders of the key act for
/// users.
fn with_workloads() -> (Machine, SpiffeAuthority, TempDir) {
    let (machine, authority, folder) = with_workloads_by_tokens();
    drop(machine.workloads.as_ref().map(|workloads| workloads.client_authorities()));
    (machine, authority, folder)
}

/// The same where another authority verifies certificates.
fn with_workloads_by_tokens() -> (Machine, SpiffeAuthority, TempDir) {
    let (authority, folder) = (SpiffeAuthority::new("example.org"), tempfile::tempdir().expect("a folder"));
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writes");
        path
    };
    let bundle = file("bundle.json", &authority.bundle());
    let spiffe = Spiffe { trust_domains: vec![format!("example.org={}", bundle.display())], ..Spiffe::default() };
    let policy = WorkloadPolicy { policy_file: Some(file("policy.yaml", POLICY)) };
    let machine = machine(&[]);
    let context = Context { clock: machine.clock.clone(), ..Context::new(Environment::default()) };
    let workloads = Workloads::open(&policy, &spiffe, "auth-machine", &context).expect("a policy");
    (Machine { workloads: Some(workloads), ..machine }, authority, folder)
}

fn caller(identity: Option<&str>, forwarded: Option<&str>) -> Caller {
    let [identity, forwarded] = [identity, forwarded].map(|name| name.map(str::to_owned));
    Caller { identity, forwarded, ..Caller::default() }
}

/// Row M4: before the caller has the answer there is one event, which names the caller, the peer and the user.
#[tokio::test]
async fn every_attempt_is_one_audit_event() {
    let log = CapturedLog::start(Level::INFO);
    let machine = machine(&[&format!("{PROXY}=users")]);
    for (login, secret) in [("einstein", KEY), ("root", KEY), ("einstein", "another key")] {
        let caller = Caller { trace_id: "4bf92f35".to_owned(), ..caller(Some(GATEWAY), Some(PROXY)) };
        let credentials = Credentials { client_id: login.to_owned(), secret: secret.into(), caller };
        let _ = machine.authenticate(&credentials).await;
    }
    let (text, events) = (log.text(), log.audit_events());
    assert_eq!(text.lines().count(), events.len(), "{text}");
    let fields: Vec<_> = events
        .iter()
        .map(|event| ["outcome", "reason", "caller", "peer", "trace_id"].map(|name| event[name].as_str()))
        .collect();
    let event = |outcome, reason| [outcome, reason, PROXY, GATEWAY, "4bf92f35"].map(Some);
    assert_eq!(fields, [event("granted", ""), event("refused", "policy"), event("refused", "wrong_secret")]);
    assert!(!text.contains(KEY) && !text.contains("another key"));
}

/// Rows M2, M3 and M4: an allowed impersonation is valid for the same caller only, ends with the key and with any change of the
/// directory, and each use of it is an audit event.
#[tokio::test]
async fn allowed_impersonation_is_valid_until_key_directory_or_caller_changes() {
    let log = CapturedLog::start(Level::INFO);
    let users = directory();
    let machine = Machine { directory: Arc::<MemoryDirectory>::clone(&users), ..machine(&[&format!("{PROXY}=users")]) };
    let (proxy, other) = (caller(Some(GATEWAY), Some(PROXY)), caller(Some(GATEWAY), Some("other")));
    let allowed = async || {
        let credentials = Credentials { caller: proxy.clone(), ..Credentials::new("einstein", KEY) };
        machine.authenticate(&credentials).await.expect("is allowed").revalidate.expect("can be checked again")
    };

    let first = allowed().await;
    assert!(first.is_still_valid(&proxy));
    assert_eq!(log.audit_events().len(), 2, "{}", log.text());
    assert!(
        !first.is_still_valid(&other)
            && !first.is_still_valid(&caller(Some(PROXY), Some(PROXY)))
            && !first.is_still_valid(&Caller::default())
    );
    assert_eq!(log.audit_events().len(), 2, "what is not valid any more is decided anew");

    users.put(user("marie"));
    assert!(!first.is_still_valid(&proxy));
    let second = allowed().await;
    assert!(second.is_still_valid(&proxy));
    machine.keys.replace([&KEY.into(), &"".into()]);
    assert!(!second.is_still_valid(&proxy), "the key was read again and may be another");
}

#[test]
fn only_known_claims_divide_the_client_id() {
    assert_eq!(claim_of("userid:4c51:0ada"), Claim::UserId("4c51:0ada".into()));
    assert_eq!(claim_of("mail:e@example.org"), Claim::Mail("e@example.org".into()));
    assert_eq!(claim_of("uid:20000"), Claim::Uid("20000".into()));
    assert_eq!(claim_of("gid:30000"), Claim::Gid("30000".into()));
    assert_eq!(claim_of("username:einstein"), Claim::Username("einstein".into()));
    assert_eq!(claim_of("foo:bar"), Claim::Username("foo:bar".into()));
    assert_eq!(claim_of("einstein"), Claim::Username("einstein".into()));
}

/// Rows [M13](../../../../docs/security-requirements.md#m13) and [M17](../../../../docs/security-requirements.md#m17).
#[tokio::test]
async fn workload_acts_for_the_users_of_its_entry() {
    let (machine, authority, _folder) = with_workloads();
    let now = machine.clock.now();
    let ask = async |login: &str, path: &str, audience: &str| {
        let token = authority.svid(path, audience, Duration::from_mins(2), now);
        machine.authenticate(&Credentials::new(login, token)).await
    };
    let answer = ask("einstein", "/indexer", "doorward").await.expect("is allowed");
    assert_eq!(answer.user.username, "einstein");
    assert_eq!((answer.amr.as_ref(), answer.actor), (amr::MACHINE, Some(INDEXER.into())));
    assert_eq!(answer.scopes.keys().collect::<Vec<_>>(), ["profile"]);
    let end = answer.not_after.expect("ends");
    assert!(now + Duration::from_mins(1) < end && end <= now + Duration::from_mins(2), "with the token");
    assert!(ask("root", "/administration", "doorward").await.is_ok());

    for (login, path) in [("root", "/indexer"), ("einstein", "/administration"), ("einstein", "/other")] {
        let verdict = ask(login, path, "doorward").await;
        assert!(matches!(verdict, Err(AuthError::NotPermitted(Reason::Policy))), "{login} {path}: {verdict:?}");
    }
    assert_eq!(refusal_reason(ask("einstein", "/indexer", "another").await), Reason::ForeignToken);
    for path in ["/other", "/job"] {
        let verdict = ask("marie", path, "doorward").await;
        assert!(matches!(verdict, Err(AuthError::NotPermitted(Reason::Policy))), "it learns of no user: {verdict:?}");
    }
    let unknown = ask("marie", "/indexer", "doorward").await;
    assert!(matches!(unknown, Err(AuthError::UnknownUser)), "{unknown:?}");
    let foreign = SpiffeAuthority::new("example.org").svid("/indexer", "doorward", Duration::from_mins(2), now);
    assert!(machine.authenticate(&Credentials::new("einstein", foreign)).await.is_err(), "by another key");
}

/// Row [M18](../../../../docs/security-requirements.md#m18).
#[tokio::test]
async fn token_key_and_certificate_are_not_taken_for_each_other() {
    let (with, authority, _folder) = with_workloads();
    let token = authority.svid("/indexer", "doorward", Duration::from_mins(2), with.clock.now());
    let ask = async |machine: &Machine, secret: &str, caller: &Caller| {
        let caller = caller.clone();
        machine.authenticate(&Credentials { caller, ..Credentials::new("einstein", secret.to_owned()) }).await
    };
    let (unnamed, indexer) = (Caller::default(), caller(Some(INDEXER), None));
    let without = machine(&["*=users"]);
    assert_eq!(refusal_reason(ask(&without, &token, &indexer).await), Reason::WrongSecret, "there is no policy");
    assert_eq!(refusal_reason(ask(&without, "", &indexer).await), Reason::EmptySecret, "there is no policy");

    assert!(ask(&with, "", &indexer).await.is_ok());
    assert!(ask(&with, "", &caller(Some(GATEWAY), Some(INDEXER))).await.is_ok(), "by a trusted gateway");
    for untrusted in
        [unnamed, caller(Some(GATEWAY), None), caller(Some("other"), Some(INDEXER)), caller(None, Some(INDEXER))]
    {
        assert_eq!(refusal_reason(ask(&with, "", &untrusted).await), Reason::EmptySecret, "{untrusted:?}");
    }
    let caller = caller(Some("spiffe://example.org/other"), None);
    for login in ["einstein", "unknown"] {
        let other = Credentials { caller: caller.clone(), ..Credentials::new(login, "") };
        let other = with.authenticate(&other).await;
        assert!(matches!(other, Err(AuthError::NotPermitted(Reason::Policy))), "{login}: {other:?}");
    }
    assert_eq!(refusal_reason(ask(&with, "another key", &indexer).await), Reason::WrongSecret);
    let by_key = ask(&with, KEY, &indexer).await;
    assert!(matches!(by_key, Err(AuthError::NotPermitted(Reason::Policy))), "the key has rules of its own: {by_key:?}");
}

/// Row [M15](../../../../docs/security-requirements.md#m15).
#[tokio::test]
async fn certificate_of_another_authority_is_no_workload_of_a_trust_domain() {
    let (machine, authority, _folder) = with_workloads_by_tokens();
    let ask = async |secret: &str, caller: Caller| {
        machine.authenticate(&Credentials { caller, ..Credentials::new("einstein", secret.to_owned()) }).await
    };
    for peer in [caller(Some(INDEXER), None), caller(Some(GATEWAY), Some(INDEXER))] {
        assert_eq!(refusal_reason(ask("", peer).await), Reason::EmptySecret);
    }
    let token = authority.svid("/indexer", "doorward", Duration::from_mins(2), machine.clock.now());
    assert!(ask(&token, caller(Some(INDEXER), None)).await.is_ok());
    let of_family = ask("", caller(Some("spiffe://doorward/other"), None)).await;
    assert!(matches!(of_family, Err(AuthError::NotPermitted(Reason::Policy))), "no trust domain: {of_family:?}");
}

/// Rows [M4](../../../../docs/security-requirements.md#m4) and [M17](../../../../docs/security-requirements.md#m17).
#[tokio::test]
async fn use_of_a_workload_is_an_audit_event_with_its_proof() {
    let log = CapturedLog::start(Level::INFO);
    let (machine, authority, _folder) = with_workloads();
    let peer = caller(Some(GATEWAY), Some(PROXY));
    let token = authority.svid("/indexer", "doorward", Duration::from_mins(2), machine.clock.now());
    let credentials = Credentials { caller: peer.clone(), ..Credentials::new("einstein", token.clone()) };
    let allowed = machine.authenticate(&credentials).await.expect("is allowed").revalidate.expect("can be checked");
    assert!(allowed.is_still_valid(&peer) && allowed.is_still_valid(&Caller::default()), "the token proves it");
    let indexer = caller(Some(INDEXER), None);
    let credentials = Credentials { caller: indexer.clone(), ..Credentials::new("einstein", "") };
    let by_name = machine.authenticate(&credentials).await.expect("is allowed").revalidate.expect("can be checked");
    assert!(by_name.is_still_valid(&indexer) && !by_name.is_still_valid(&peer));

    let events = log.audit_events();
    let names = ["outcome", "proof", "issuer", "caller", "act"];
    let fields: Vec<_> = events.iter().map(|event| names.map(|name| event[name].as_str())).collect();
    let of_token = [Some("granted"), Some("jwt_svid"), Some("example.org"), Some(INDEXER), Some(INDEXER)];
    let of_certificate = [Some("granted"), Some("certificate"), None, Some(INDEXER), Some(INDEXER)];
    assert_eq!(fields, [of_token, of_token, of_token, of_certificate, of_certificate]);
    assert!(!log.text().contains(&token));
}
