use std::path::Path;
use std::time::{Duration, Instant};

use authn::{AuthError, BoxError};
use config::{BundleSource, Spiffe, WorkloadPolicy, duration};
use runtime::{Context, Misconfigured};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use workload::{Entry, Explanation, Refusal, WorkloadError, Workloads};

use super::{json, say, secret};
use crate::cli::{CheckWorkload, Workload};
use crate::services::{ServiceId, Settings};

/// How long to wait for the bundle that the agent of the Workload API pushes; all others are there at once, or are not.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// No service has a policy.
#[derive(Debug, thiserror::Error)]
#[error(
    "OCIS_WORKLOAD_POLICY_FILE is not set, so that tokens of workloads are refused; set it, or run this command with the environment of the server"
)]
struct NoPolicy;

/// A policy file, and the services that have it.
struct InUse<'a> {
    file: &'a Path,
    policy: &'a WorkloadPolicy,
    spiffe: &'a Spiffe,
    services: Vec<&'static str>,
}

/// Runs `doorward workload ...`.
pub(crate) async fn run(command: Workload, settings: &Settings, context: &Context) -> Result<(), BoxError> {
    let Workload::Check(CheckWorkload { token, output }) = command;
    let policies = in_use(settings);
    if policies.is_empty() {
        return Err(Misconfigured::new(NoPolicy).into());
    }
    let token = secret(&token.into(), "token: ")?;
    let (mut values, mut refused, mut is_accepted) = (Vec::new(), Vec::new(), false);
    for policy in policies {
        let workloads = Workloads::open(policy.policy, policy.spiffe, "doorward", context)?;
        let explained = explain((&workloads, policy.spiffe), token.expose(), context).await;
        is_accepted |= explained.is_ok();
        if output.json {
            values.push(value(&policy, &explained));
        } else {
            show(&policy, &explained)?;
        }
        refused.extend(explained.err().map(|refusal| refusal.to_string()));
    }
    if output.json {
        json(&values.into())?;
    }
    if is_accepted { Ok(()) } else { Err(format!("the token is refused: {}", refused.join("; ")).into()) }
}

/// The policy files that services have, each once.
fn in_use(settings: &Settings) -> Vec<InUse<'_>> {
    let Settings { auth_machine, auth_service, idp, .. } = settings;
    let mut found: Vec<InUse<'_>> = Vec::new();
    for (service, policy, spiffe) in [
        (ServiceId::AuthMachine, &auth_machine.workload_policy, &auth_machine.spiffe),
        (ServiceId::AuthService, &auth_service.workload_policy, &auth_service.spiffe),
        (ServiceId::Idp, &idp.workload_policy, &idp.spiffe),
    ] {
        let Some(file) = policy.policy_file.as_deref() else { continue };
        let service = service.identity().name;
        if let Some(known) = found.iter_mut().find(|known| known.file == file && is_same(known.spiffe, spiffe)) {
            known.services.push(service);
        } else {
            found.push(InUse { file, policy, spiffe, services: vec![service] });
        }
    }
    found
}

/// Whether both verify SPIFFE IDs by the same bundles.
fn is_same(one: &Spiffe, other: &Spiffe) -> bool {
    let Spiffe { trust_domains, endpoint_socket, cacert } = one;
    (trust_domains, endpoint_socket, cacert) == (&other.trust_domains, &other.endpoint_socket, &other.cacert)
}

/// What a policy says of the token, once a bundle that is pushed is there.
async fn explain(
    (workloads, spiffe): (&Workloads, &Spiffe),
    token: &str,
    context: &Context,
) -> Result<Explanation, Refusal> {
    let sources = spiffe.sources().unwrap_or_default();
    let is_pushed = sources.iter().any(|source| source.source == BundleSource::WorkloadApi);
    let begin = Instant::now();
    loop {
        match workloads.explain(token, context.clock.now()).await {
            Err(Refusal { reason: WorkloadError::Unavailable(_), .. }) if is_pushed && begin.elapsed() < PATIENCE => {
                tokio::time::sleep(PAUSE).await;
            }
            explained => return explained,
        }
    }
}

/// The reason for which services refuse a token, as the audit log has it.
fn reason(refusal: &Refusal) -> &'static str {
    AuthError::from(refusal.reason).reason()
}

fn show(policy: &InUse<'_>, explained: &Result<Explanation, Refusal>) -> Result<(), BoxError> {
    say(format_args!("policy    {} ({})", policy.file.display(), policy.services.join(", ")))?;
    let Explanation { workload, entries } = match explained {
        Ok(explanation) => explanation,
        Err(refusal) => return say(format_args!("refused   {}: {refusal}", reason(refusal))),
    };
    // what an issuer says may hold characters that a terminal obeys
    say(format_args!("workload  {}", workload.identity.escape_debug()))?;
    say(format_args!("proof     {} of {}", workload.proof.name(), workload.issuer))?;
    say(format_args!("audience  {}", workload.audience))?;
    say(format_args!("expires   {}", end_of(explained).unwrap_or_default()))?;
    entries.iter().try_for_each(|entry| say(format_args!("entry {:<3} {}", entry.number(), permissions(entry))))
}

/// When an accepted token ends (RFC 3339).
fn end_of(explained: &Result<Explanation, Refusal>) -> Option<String> {
    let end = explained.as_ref().ok()?.workload.expires?;
    OffsetDateTime::from(end).format(&Rfc3339).ok()
}

/// What an entry allows.
fn permissions(entry: &Entry) -> String {
    let mut parts = Vec::new();
    if let Some(users) = entry.may_act_for() {
        let lifetime = entry.lifetime().map(|lifetime| format!(", for {} each time", duration::format(lifetime)));
        let (scopes, lifetime) = (scopes(entry).join(" "), lifetime.unwrap_or_default());
        parts.push(format!("may act for {users}; scopes {scopes}{lifetime}"));
    }
    parts.extend(entry.service_account().map(|account| format!("is the service account {account}")));
    parts.extend(entry.client().map(|client| format!("is the OAuth client {client}")));
    parts.join("; ")
}

fn scopes(entry: &Entry) -> Vec<&str> {
    entry.scopes().keys().collect()
}

fn value(policy: &InUse<'_>, explained: &Result<Explanation, Refusal>) -> Value {
    let InUse { file, services, .. } = policy;
    match explained {
        Ok(Explanation { workload, entries }) => json!({
            "policy": file.display().to_string(),
            "services": services,
            "accepted": true,
            "workload": {
                "identity": *workload.identity,
                "proof": workload.proof.name(),
                "issuer": *workload.issuer,
                "audience": *workload.audience,
                "expires": end_of(explained),
            },
            "entries": entries.iter().map(|entry| of_entry(entry)).collect::<Vec<_>>(),
        }),
        Err(refusal) => json!({
            "policy": file.display().to_string(),
            "services": services,
            "accepted": false,
            "reason": reason(refusal),
            "problem": refusal.to_string(),
        }),
    }
}

fn of_entry(entry: &Entry) -> Value {
    let users = entry.may_act_for();
    json!({
        "entry": entry.number(),
        "scopes": users.as_ref().map(|_| scopes(entry)),
        "may_act_for": users,
        "lifetime": entry.lifetime().map(duration::format),
        "service_account": entry.service_account(),
        "client": entry.client(),
    })
}
