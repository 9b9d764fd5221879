//! Service accounts of the cluster in place of the machine key and of the secret of a service account.

use super::cluster::{AUDIENCE, Cluster, WORKLOAD_AUDIENCE};
use crate::interop::family::{Family, USER};
use crate::interop::processes::{wait_until, write};
use crate::interop::report::Scenarios;
use crate::interop::workloads::{Kind, SERVICE_ACCOUNT, accepted, refused};
use crate::tools::Outcome;

/// The account that acts for the user, and the one that is a service account of ours.
const ACCOUNTS: [(&str, Kind); 2] = [("indexer", Kind::Machine), ("backup", Kind::ServiceAccount)];
/// A namespace that no entry of the policy has.
const OTHER: &str = "other";
/// The file with the token by which the keys of the cluster are fetched.
const TOKEN: &str = "discovery-token";
/// How long it takes until a new key is known: the keys are fetched at most every ten seconds.
const PATIENCE: u64 = 60;

/// Lets two accounts of the cluster be what [`ACCOUNTS`] says.
pub(super) fn allow(family: &mut Family<'_>, issuer: &str) -> Outcome {
    let token = family.file(TOKEN, "")?;
    let entry = |name: &str, more: &str| {
        format!(
            "  - issuer: {issuer}\n    audience: [{WORKLOAD_AUDIENCE}]\n    namespace: default\n    name: {name}\n    {more}\n"
        )
    };
    let text = format!(
        "callers:\n{}{}issuers:\n  - issuer: {issuer}\n    ca_file: {}\n    token_file: {}\n",
        entry("indexer", &format!("may_act_for: {{ users: [{USER}] }}")),
        entry("backup", &format!("service_account: {SERVICE_ACCOUNT}")),
        family.certificates.path("ca.pem"),
        token.display()
    );
    let file = family.file("policy.yaml", &text)?;
    for service in ["AUTH_MACHINE", "AUTH_SERVICE"] {
        family.set(&format!("{service}_POLICY_FILE"), file.display());
    }
    Ok(())
}

/// Before anonymous callers may read the discovery document.
pub(super) fn run(family: &mut Family<'_>, cluster: &mut Cluster<'_>, scenarios: &mut Scenarios<'_>) {
    let begun = begin(family, cluster);
    let is_ready = scenarios.add(
        "tokens of service accounts of the cluster in place of the machine key and of a secret; its keys are read with a token",
        begun,
    );
    if !is_ready {
        return;
    }
    scenarios.add("another namespace, name or audience is refused, as the table says", others(family, cluster));
    scenarios.add("the cluster's keys are replaced twice: new tokens are accepted", rotation(family, cluster));
    scenarios.add("the API server is away: accepted with known keys, else unavailable", outage(family, cluster));
}

/// A token of an account.
fn token(cluster: &Cluster<'_>, namespace: &str, name: &str, audience: &str) -> Outcome<String> {
    cluster.admin(&["create", "token", name, "--namespace", namespace, "--audience", audience], "")
}

/// Writes a new token of an account into the file from which it is shown to the cluster, as a kubelet does. All accounts of a cluster may
/// read its discovery document.
fn renew(family: &Family<'_>, cluster: &Cluster<'_>) -> Outcome {
    write(&family.path(TOKEN), &token(cluster, "default", "other", AUDIENCE)?)
}

fn begin(family: &Family<'_>, cluster: &Cluster<'_>) -> Outcome<String> {
    cluster.admin(&["create", "namespace", OTHER], "")?;
    for (namespace, name) in [("default", "indexer"), ("default", "backup"), ("default", "other"), (OTHER, "indexer")] {
        cluster.admin(&["create", "serviceaccount", name, "--namespace", namespace], "")?;
    }
    let indexer = token(cluster, "default", "indexer", WORKLOAD_AUDIENCE)?;
    refused(family, Kind::Machine, &indexer, "Unavailable")?;
    renew(family, cluster)?;
    wait_until("the keys of the cluster", PATIENCE, || Ok(accepted(family, Kind::Machine, &indexer).is_ok()))?;
    for (name, kind) in ACCOUNTS {
        accepted(family, kind, &token(cluster, "default", name, WORKLOAD_AUDIENCE)?)?;
    }
    Ok(format!("`machine` for {USER}, `serviceaccounts` as {SERVICE_ACCOUNT}"))
}

fn others(family: &Family<'_>, cluster: &Cluster<'_>) -> Outcome<String> {
    for (namespace, name, audience, status) in [
        (OTHER, "indexer", WORKLOAD_AUDIENCE, "PermissionDenied"),
        ("default", "other", WORKLOAD_AUDIENCE, "PermissionDenied"),
        ("default", "indexer", "another-audience", "Unauthenticated"),
    ] {
        let token = token(cluster, namespace, name, audience)?;
        for (_, kind) in ACCOUNTS {
            refused(family, kind, &token, status).map_err(|failure| format!("{namespace}/{name}: {failure}"))?;
        }
    }
    // a workload of the policy, and not for this
    refused(
        family,
        Kind::ServiceAccount,
        &token(cluster, "default", "indexer", WORKLOAD_AUDIENCE)?,
        "PermissionDenied",
    )?;
    refused(family, Kind::Machine, &token(cluster, "default", "backup", WORKLOAD_AUDIENCE)?, "PermissionDenied")?;
    Ok(String::new())
}

fn rotation(family: &Family<'_>, cluster: &mut Cluster<'_>) -> Outcome<String> {
    let former = token(cluster, "default", "indexer", WORKLOAD_AUDIENCE)?;
    family.certificates.sign("accounts-2", "/CN=accounts", None)?;
    cluster.restart(family, &["accounts", "accounts-2"])?;
    let next = token(cluster, "default", "indexer", WORKLOAD_AUDIENCE)?;
    wait_until("the new key", PATIENCE, || Ok(accepted(family, Kind::Machine, &next).is_ok()))?;
    accepted(family, Kind::Machine, &former)?;
    family.certificates.sign("accounts-3", "/CN=accounts", None)?;
    cluster.restart(family, &["accounts-2", "accounts-3"])?;
    renew(family, cluster)?;
    let last = token(cluster, "default", "indexer", WORKLOAD_AUDIENCE)?;
    wait_until("the newest key", PATIENCE, || Ok(accepted(family, Kind::Machine, &last).is_ok()))?;
    accepted(family, Kind::Machine, &next)?;
    refused(family, Kind::Machine, &former, "Unauthenticated")?;
    Ok("a token of the removed key: refused".to_owned())
}

fn outage(family: &mut Family<'_>, cluster: &mut Cluster<'_>) -> Outcome<String> {
    let known = token(cluster, "default", "indexer", WORKLOAD_AUDIENCE)?;
    accepted(family, Kind::Machine, &known)?;
    let fresh = token(cluster, "default", "indexer", WORKLOAD_AUDIENCE)?;
    cluster.stop();
    let without = accepted(family, Kind::Machine, &fresh);
    family.restart("auth-machine")?;
    let unknown = refused(family, Kind::Machine, &known, "Unavailable");
    // the other scenarios need it, whatever was found
    cluster.restart(family, &["accounts-2", "accounts-3"])?;
    without.and(unknown)?;
    wait_until("the keys of the cluster", PATIENCE, || Ok(accepted(family, Kind::Machine, &known).is_ok()))?;
    Ok("a token that was not seen before; then auth-machine without any key: unavailable".to_owned())
}
