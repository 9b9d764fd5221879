//! How workloads authenticate as accounts.

use std::time::Duration;

use auth_service::Config;
use auth_service::model::Change;
use authn::{AuthError, Authenticated, Caller, Credentials, Reason, UserType, amr};
use config::WorkloadPolicy;
use runtime::CapturedLog;
use tracing::Level;
use workload::testing::Issuer;

use crate::support::{Bench, JOBS_SECRET, stored, text};

const HOUR: Duration = Duration::from_hours(1);

/// A service with the stored account `backup`, which a service account of the cluster `issuer` is, and the account `jobs`, which the holder of
/// a certificate is.
async fn with_policy(issuer: &Issuer) -> (Bench, String) {
    let policy = format!(
        "
callers:
  - issuer: {}
    audience: [doorward]
    namespace: batch
    name: reporter
    service_account: backup
  - identity: jobs.example.org
    service_account: jobs
",
        issuer.name()
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, policy).expect("writes");
    let config = Config {
        workload_policy: WorkloadPolicy { policy_file: Some(file) },
        trusted_gateways: vec!["gateway.example.org".to_owned()],
        ..stored()
    };
    let bench = Bench::over(config, folder, 500_000).await;
    let secret = text(&bench.create("backup").await).to_owned();
    (bench, secret)
}

fn is_denied(verdict: &Result<Authenticated, AuthError>) -> bool {
    matches!(verdict, Err(AuthError::NotPermitted(Reason::Policy)))
}

/// `docs/security-requirements.md#m14`, `docs/security-requirements.md#m17`
#[tokio::test]
async fn workload_is_the_account_of_its_entry() {
    let issuer = Issuer::start().await;
    let (bench, secret) = with_policy(&issuer).await;
    let now = bench.context.clock.now();
    let token = |namespace: &str, name: &str, audience: &str| {
        issuer.service_account_token((namespace, name), audience, HOUR, now)
    };
    let reporter = token("batch", "reporter", "doorward");
    for id in ["backup", ""] {
        let answer = bench.authenticate(id, &reporter).await.expect("is accepted");
        let user = &answer.user.id;
        assert_eq!((user.opaque_id.as_str(), user.idp.as_str(), user.kind), ("backup", "none", UserType::Service));
        assert_eq!((&*answer.amr, answer.actor, answer.not_after), (amr::SERVICE, None, Some(now + HOUR)));
    }
    for (id, token) in [
        ("jobs", &reporter),
        ("backup", &token("batch", "other", "doorward")),
        ("backup", &token("other", "reporter", "doorward")),
    ] {
        let verdict = bench.authenticate(id, token).await;
        assert!(is_denied(&verdict), "{id}: {verdict:?}");
    }
    assert_eq!(bench.refusal("backup", &token("batch", "reporter", "another")).await, Reason::ForeignToken);
    bench.authenticate("backup", &secret).await.expect("secrets are accepted too");

    let disabled = |disabled| Change { disabled: Some(disabled), ..Change::default() };
    bench.administration().update("backup", &disabled(true)).await.expect("is disabled");
    assert_eq!(bench.refusal("backup", &reporter).await, Reason::Disabled);
    bench.administration().delete("backup").await.expect("is deleted");
    assert_eq!(bench.refusal("backup", &reporter).await, Reason::UnknownUser);
}

/// `docs/security-requirements.md#m18`
#[tokio::test]
async fn empty_secret_counts_only_with_a_certificate() {
    let issuer = Issuer::start().await;
    let (bench, _) = with_policy(&issuer).await;
    let ask = async |id: &str, identity: Option<&str>, forwarded: Option<&str>| {
        let [identity, forwarded] = [identity, forwarded].map(|name| name.map(str::to_owned));
        let caller = Caller { identity, forwarded, ..Caller::default() };
        bench.opened.authenticator.authenticate(&Credentials { caller, ..Credentials::new(id, "") }).await
    };
    let (jobs, gateway) = (Some("jobs.example.org"), Some("gateway.example.org"));
    for (identity, forwarded) in [(jobs, None), (gateway, jobs)] {
        let answer = ask("jobs", identity, forwarded).await.expect("is accepted");
        assert_eq!((answer.user.id.opaque_id.as_str(), answer.not_after), ("jobs", None));
    }
    for (identity, forwarded) in [(None, None), (None, jobs), (gateway, None), (Some("other.example.org"), jobs)] {
        let verdict = ask("jobs", identity, forwarded).await;
        assert!(matches!(verdict, Err(AuthError::Refused(Reason::EmptySecret))), "{identity:?}: {verdict:?}");
    }
    for (id, identity) in [("backup", jobs), ("jobs", Some("other.example.org"))] {
        let verdict = ask(id, identity, None).await;
        assert!(is_denied(&verdict), "{id}: {verdict:?}");
    }
    let without = Bench::start(stored()).await;
    let now = without.context.clock.now();
    let token = issuer.service_account_token(("batch", "reporter"), "doorward", HOUR, now);
    assert_eq!(without.refusal("jobs", &token).await, Reason::WrongSecret, "there is no policy");
    without.authenticate("jobs", JOBS_SECRET).await.expect("is accepted");
}

/// `docs/security-requirements.md#m4`
#[tokio::test]
async fn use_of_a_workload_is_an_audit_event() {
    let log = CapturedLog::start(Level::INFO);
    let issuer = Issuer::start().await;
    let (bench, _) = with_policy(&issuer).await;
    let token = issuer.service_account_token(("batch", "reporter"), "doorward", HOUR, bench.context.clock.now());
    bench.authenticate("", &token).await.expect("is accepted");
    let _ = bench.authenticate("jobs", &token).await;
    let (metrics, misses) = (bench.context.metrics.render(), "{cache=\"workload_tokens\",outcome=\"miss\"} ");
    assert!(metrics.contains(misses) && !metrics.contains(&format!("{misses}0")), "{metrics}");
    let events = log.audit_events();
    let of_it: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "service_account_authenticated")
        .map(|event| ["outcome", "reason", "proof", "subject", "caller", "issuer"].map(|name| event[name].as_str()))
        .collect();
    let name = issuer.name();
    let event = |outcome, reason, subject| {
        [outcome, reason, "kubernetes", subject, "system:serviceaccount:batch:reporter", name.as_str()].map(Some)
    };
    assert_eq!(of_it, [event("granted", "", "backup"), event("refused", "policy", "jobs")]);
    assert!(!log.text().contains(&token));
}
