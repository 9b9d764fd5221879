//! Who users are for the API server: by the webhook, by ID tokens, and its service accounts at our gateway.

use std::path::Path;

use super::cluster::{AUDIENCE, CLIENT_ID, Cluster, PREFIX, WORKLOAD_AUDIENCE};
use crate::interop::family::{Family, USER};
use crate::interop::openid::id_token;
use crate::interop::processes::wait_until;
use crate::interop::report::Scenarios;
use crate::tools::Outcome;

pub(super) fn run(family: &Family<'_>, cluster: &Cluster<'_>, client: &Path, scenarios: &mut Scenarios<'_>) {
    scenarios.add(
        "TokenReview by the webhook at the edge: an app token is its owner, with groups",
        webhook(family, cluster),
    );
    scenarios.add("TokenReview: a wrong or a revoked app token is refused", refused(family, cluster));
    scenarios
        .add("`kubectl` signed in by OpenID Connect, with rights of a group", by_id_token(family, cluster, client));
    scenarios.add("an ID token for another client is refused", for_another(family, cluster, client));
    scenarios.add("the token of a service account of the cluster is a user at our gateway", workload(family, cluster));
}

/// The rules of the role `view`: a controller would copy them there, and there is none.
const VIEW: &str = "--clusterrole=system:aggregate-to-view";

/// The user that the API server sees behind a token.
fn who(cluster: &Cluster<'_>, token: &str, member: &str) -> Outcome<String> {
    cluster.with_token(token, &["auth", "whoami", "--output", &format!("jsonpath={{.status.userInfo.{member}}}")])
}

fn webhook(family: &Family<'_>, cluster: &Cluster<'_>) -> Outcome<String> {
    let (token, group) = (family.app_token()?, family.group_id()?);
    let (name, groups) = (who(cluster, &token, "username")?, who(cluster, &token, "groups")?);
    if name != USER || !groups.contains(&group) {
        return Err(format!("the API server sees {name} in {groups}"));
    }
    if may(cluster, &token, "list") {
        return Err("the user has rights without a binding".to_owned());
    }
    cluster.admin(&["create", "clusterrolebinding", "reads", VIEW, &format!("--user={USER}")], "")?;
    wait_until("the right of the user", 30, || Ok(may(cluster, &token, "list")))?;
    if may(cluster, &token, "delete") {
        return Err("a reader may delete".to_owned());
    }
    // what the API server itself answers to a service that asks it
    let review = format!(
        r#"{{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{{"token":"{token}","audiences":["{AUDIENCE}"]}}}}"#
    );
    let answer = cluster.admin(
        &["create", "--filename", "-", "--output", "jsonpath={.status.user.uid} {.status.audiences}"],
        &review,
    )?;
    if answer.len() < 36 || !answer.contains(AUDIENCE) {
        return Err(format!("the review has {answer}"));
    }
    Ok(format!("{USER} in one group"))
}

/// Whether a user may do this with pods.
fn may(cluster: &Cluster<'_>, token: &str, verb: &str) -> bool {
    cluster.with_token(token, &["auth", "can-i", verb, "pods"]).is_ok_and(|said| said == "yes")
}

fn refused(family: &Family<'_>, cluster: &Cluster<'_>) -> Outcome<String> {
    let token = family.app_token()?;
    who(cluster, &token, "username")?;
    let (begin, last) = token.split_at(token.len().saturating_sub(1));
    let wrong = format!("{begin}{}", if last == "x" { 'y' } else { 'x' });
    is_unauthorized(&who(cluster, &wrong, "username"))?;
    family.doorward(&["auth-app", "revoke", "--token-stdin", "--yes"], &token)?;
    // the API server remembers an answer for a second
    wait_until("the end of the revoked token", 20, || Ok(is_unauthorized(&who(cluster, &token, "username")).is_ok()))?;
    Ok("revoked: within its cache time of 1 s and the lookup".to_owned())
}

fn is_unauthorized(outcome: &Outcome<String>) -> Outcome {
    match outcome {
        Err(failure) if failure.contains("Unauthorized") || failure.contains("must be logged in") => Ok(()),
        Err(failure) => Err(format!("the API server says {failure}")),
        Ok(user) => Err(format!("the API server sees {user}")),
    }
}

fn by_id_token(family: &Family<'_>, cluster: &Cluster<'_>, client: &Path) -> Outcome<String> {
    let token = id_token(family, client, CLIENT_ID)?;
    let (name, groups) = (who(cluster, &token, "username")?, who(cluster, &token, "groups")?);
    if name != format!("{PREFIX}{USER}") {
        return Err(format!("the API server sees {name} in {groups}"));
    }
    let listed = groups.trim_start_matches('[').trim_end_matches(']').split(',').map(|group| group.trim_matches('"'));
    let group = listed.into_iter().find(|group| group.starts_with(PREFIX));
    let group = group.ok_or_else(|| format!("no group of the claim: {groups}"))?;
    if may(cluster, &token, "list") {
        return Err("the user has rights without a binding".to_owned());
    }
    cluster.admin(&["create", "clusterrolebinding", "group-reads", VIEW, &format!("--group={group}")], "")?;
    wait_until("the right of the group", 30, || Ok(may(cluster, &token, "list")))?;
    Ok(format!("{name}, by one group of the claim"))
}

fn for_another(family: &Family<'_>, cluster: &Cluster<'_>, client: &Path) -> Outcome<String> {
    let token = id_token(family, client, "another-client")?;
    is_unauthorized(&who(cluster, &token, "username")).map(|()| String::new())
}

/// The name of a service account of the cluster, and of the user that its tokens are for.
const WORKLOAD: &str = "reporter";

/// The API server is the issuer: its discovery has to be open, and auth-bearer knows it by its file of issuers.
fn workload(family: &Family<'_>, cluster: &Cluster<'_>) -> Outcome<String> {
    let open = ["--clusterrole=system:service-account-issuer-discovery", "--group=system:unauthenticated"];
    cluster.admin(&["create", "clusterrolebinding", "discovery", open[0], open[1]], "")?;
    cluster.admin(&["create", "serviceaccount", WORKLOAD], "")?;
    family.doorward(&["user", "add", WORKLOAD, "--mail", "reporter@example.org", "--no-password"], "")?;
    let token = |audience| cluster.admin(&["create", "token", WORKLOAD, "--audience", audience], "");
    let authenticate = ["authenticate", "--type", "bearer", "--secret-stdin", "--json"];
    let user = family.doorward(&authenticate, &token(WORKLOAD_AUDIENCE)?)?;
    if !user.contains(&format!("\"{WORKLOAD}\"")) {
        return Err(format!("the gateway sees another user: {user}"));
    }
    match family.doorward(&authenticate, &token("another-audience")?) {
        Ok(_) => Err("a token for another audience is accepted".to_owned()),
        Err(_) => Ok("with the audience in `AUTH_BEARER_OIDC_ISSUERS_FILE`; another audience: refused".to_owned()),
    }
}
