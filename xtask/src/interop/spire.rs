//! A real SPIRE server and agent: JWT-SVIDs in place of the machine key and of the secret of a service account.

mod server;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Session;
use super::family::{Family, USER};
use super::go_program::GoProgram;
use super::processes::{pause, wait_until};
use super::report::{Scenarios, Trouble};
use super::workloads::{AUDIENCE, Kind, SERVICE_ACCOUNT, accepted, accepted_from, refused};
use crate::tools::{self, Outcome};
use server::{Agent, Server};

const SPIRE: (&str, &str) = ("github.com/spiffe/spire", "v1.13.3");
/// What a release has.
const VARIABLES: &[(&str, &str)] = &[("github.com/spiffe/spire/pkg/common/version.gittag", "1.13.3")];

pub(super) const PROGRAM: GoProgram = GoProgram {
    variables: VARIABLES,
    ..GoProgram::new("spire-server", SPIRE, "github.com/spiffe/spire/cmd/spire-server")
};
const AGENT: GoProgram = GoProgram {
    variables: VARIABLES,
    ..GoProgram::new("spire-agent", SPIRE, "github.com/spiffe/spire/cmd/spire-agent")
};

/// The trust domain whose bundle is pushed by the agent and fetched from the server, and the one whose bundle is in a file.
const DOMAINS: [&str; 2] = ["example.org", "partner.org"];
/// The path of the workload.
const WORKLOAD: &str = "/indexer";
/// How long it takes at most until a change of a bundle is in use: an agent asks every five seconds, a bundle endpoint is asked every ten.
const PATIENCE: u64 = 30;
/// How long a new key is in the bundle before it signs: all that verify have it then.
const DISTRIBUTION: Duration = Duration::from_secs(12);
/// How often the key is replaced under calls.
const ROTATIONS: usize = 20;

pub(super) fn run(session: &Session<'_>, scenarios: &mut Scenarios<'_>) -> Result<(), Trouble> {
    // the database of the server is compiled by it
    if !tools::answers("gcc", &["--version"]) {
        return Err(Trouble::Missing("there is no gcc".to_owned()));
    }
    let (server, agent) = (session.build(&PROGRAM)?, session.build(&AGENT)?);
    let mut family = Family::prepare(session, "spire", scenarios)?;
    let [own, partner] = DOMAINS;
    let own = Server::start(session, scenarios, &server, own, &family)?;
    let partner = Server::start(session, scenarios, &server, partner, &family)?;
    let mut agent = Agent::start(session, scenarios, &agent, &own)?;
    own.register(WORKLOAD)?;
    allow(&mut family, &own, &partner, agent.socket())?;
    family.run()?;

    let is_ready = scenarios.add(
        "JWT-SVIDs of the agent in place of the machine key and of a secret; bundles by Workload API, https endpoint and file",
        begin(&family, (&own, &partner), &agent),
    );
    if !is_ready {
        return Ok(());
    }
    scenarios.add("another audience or SPIFFE id, and an expired JWT-SVID, are refused", others(&family, &own));
    scenarios.add("a new key is accepted; the former one is revoked: refused within 30 s", revocation(&family, &own));
    scenarios
        .add("an X.509-SVID opens the gateway; by another authority it does not", x509(session, &family, &own, &agent));
    scenarios.add("a JWT-SVID as client assertion at the token endpoint (`jwt-spiffe`)", client(&family, &own));
    scenarios.add("20 new keys while a caller authenticates: no failure", rotation(&family, &own));
    scenarios.add("the agent ends: accepted; it is back: a new key is accepted", outage(&family, &own, &mut agent));
    Ok(())
}

/// Lets the workload act for the user and be a service account.
fn allow(family: &mut Family<'_>, own: &Server<'_>, partner: &Server<'_>, socket: &Path) -> Outcome {
    let entry = |domain: &str, more: &str| {
        format!("  - identity: spiffe://{domain}{WORKLOAD}\n    audience: [{AUDIENCE}]\n    {more}\n")
    };
    let [first, second] = DOMAINS;
    let text = format!(
        "callers:\n{}{}{}",
        entry(first, &format!("may_act_for: {{ users: [{USER}] }}")),
        entry(first, &format!("service_account: {SERVICE_ACCOUNT}")),
        entry(second, &format!("may_act_for: {{ users: [{USER}] }}"))
    );
    let policy = family.file("policy.yaml", &text)?;
    let bundle = family.file("partner.json", &partner.bundle("spiffe")?)?;
    let in_file = format!("{second}={}", bundle.display());
    family.set("AUTH_MACHINE_POLICY_FILE", policy.display());
    family.set("AUTH_SERVICE_POLICY_FILE", policy.display());
    family.set("OCIS_SPIFFE_TRUST_DOMAINS", format!("{first}=workload-api,{in_file}"));
    family.set("OCIS_SPIFFE_ENDPOINT_SOCKET", format!("unix://{}", socket.display()));
    family.set("AUTH_SERVICE_SPIFFE_TRUST_DOMAINS", format!("{first}={},{in_file}", own.endpoint()));
    let authority = family.certificates.path("ca.pem");
    family.set("OCIS_SPIFFE_CACERT", authority);
    require_certificates(family)
}

/// Lets the services show each other certificates, and accept X.509-SVIDs too.
fn require_certificates(family: &mut Family<'_>) -> Outcome {
    family.certificates.sign("services", "/CN=services", Some("subjectAltName=URI:spiffe://doorward/services"))?;
    let path = |name: &str| family.certificates.path(name);
    let settings = [
        ("OCIS_GRPC_TLS_CERTIFICATE", path("server.pem")),
        ("OCIS_GRPC_TLS_KEY", path("server.key")),
        ("OCIS_GRPC_TLS_CLIENT_CA", path("ca.pem")),
        ("OCIS_GRPC_CLIENT_TLS_CACERT", path("ca.pem")),
        ("OCIS_GRPC_CLIENT_TLS_CERTIFICATE", path("services.pem")),
        ("OCIS_GRPC_CLIENT_TLS_KEY", path("services.key")),
        ("OCIS_GRPC_CLIENT_TLS_MODE", "on".to_owned()),
        ("OCIS_GRPC_TLS_ENABLED", "true".to_owned()),
        ("OCIS_GRPC_TLS_CLIENT_SPIFFE", "true".to_owned()),
    ];
    for (name, value) in settings {
        family.set(name, value);
    }
    Ok(())
}

/// Waits until a token is accepted as both kinds.
fn both(family: &Family<'_>, token: &str) -> Outcome {
    for kind in [Kind::Machine, Kind::ServiceAccount] {
        let mut last = String::new();
        let waited = wait_until("the token is accepted", PATIENCE, || {
            let outcome = accepted(family, kind, token);
            last = outcome.as_ref().err().cloned().unwrap_or_default();
            Ok(outcome.is_ok())
        });
        waited.map_err(|failure| format!("{failure}: {last}"))?;
    }
    Ok(())
}

fn begin(family: &Family<'_>, (own, partner): (&Server<'_>, &Server<'_>), agent: &Agent<'_>) -> Outcome<String> {
    both(family, &agent.svid(AUDIENCE)?)?;
    both(family, &own.svid(WORKLOAD, AUDIENCE, "5m")?)?;
    accepted(family, Kind::Machine, &partner.svid(WORKLOAD, AUDIENCE, "5m")?)?;
    Ok(format!("`machine` for {USER}, `serviceaccounts` as {SERVICE_ACCOUNT}"))
}

fn others(family: &Family<'_>, own: &Server<'_>) -> Outcome<String> {
    let short = own.svid(WORKLOAD, AUDIENCE, "2s")?;
    for kind in [Kind::Machine, Kind::ServiceAccount] {
        refused(family, kind, &own.svid(WORKLOAD, "another", "5m")?, "Unauthenticated")?;
        refused(family, kind, &own.svid("/other", AUDIENCE, "5m")?, "PermissionDenied")?;
    }
    pause(Duration::from_secs(8));
    refused(family, Kind::Machine, &short, "Unauthenticated")?;
    Ok(String::new())
}

fn revocation(family: &Family<'_>, own: &Server<'_>) -> Outcome<String> {
    let former = own.svid(WORKLOAD, AUDIENCE, "5m")?;
    both(family, &former)?;
    let active = own.active_key()?;
    own.activate(&own.prepare()?)?;
    both(family, &own.svid(WORKLOAD, AUDIENCE, "5m")?)?;
    both(family, &former)?;
    own.revoke(&active)?;
    for kind in [Kind::Machine, Kind::ServiceAccount] {
        let is_refused = || Ok(refused(family, kind, &former, "Unauthenticated").is_ok());
        wait_until("the end of the revoked key", PATIENCE, is_refused)?;
    }
    both(family, &own.svid(WORKLOAD, AUDIENCE, "5m")?)?;
    Ok("without a restart".to_owned())
}

fn x509(session: &Session<'_>, family: &Family<'_>, own: &Server<'_>, agent: &Agent<'_>) -> Outcome<String> {
    let token = own.svid(WORKLOAD, AUDIENCE, "5m")?;
    let opened = |files: [PathBuf; 2]| {
        let [certificate, key] = files.map(|file| file.display().to_string());
        accepted_from(family, &token, [&certificate, &key])
    };
    opened(agent.x509_svid()?)?;
    own.replace_certificate_authority()?;
    let next = own.x509_svid(session, WORKLOAD)?;
    wait_until("an X.509-SVID of the new authority", PATIENCE, || Ok(opened(next.clone()).is_ok()))?;
    let [domain, _] = DOMAINS;
    let id = format!("subjectAltName=URI:spiffe://{domain}{WORKLOAD}");
    family.certificates.sign("forged", "/CN=forged", Some(&id))?;
    let [certificate, key] = ["forged.pem", "forged.key"].map(|name| family.certificates.path(name));
    match accepted_from(family, &token, [&certificate, &key]) {
        Ok(()) => Err("a certificate of the family's authority has a SPIFFE id of the trust domain".to_owned()),
        Err(_) => Ok("also by a new authority; `OCIS_GRPC_TLS_CLIENT_CA` signs no id of the trust domain".to_owned()),
    }
}

/// The type of assertion that a JWT-SVID is (draft-ietf-oauth-spiffe-client-auth 3.1).
const ASSERTION: &str = "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";

fn client(family: &Family<'_>, own: &Server<'_>) -> Outcome<String> {
    let [domain, _] = DOMAINS;
    let metadata = format!(
        r#"{{"token_endpoint_auth_method":"spiffe_jwt","spiffe_id":"spiffe://{domain}{WORKLOAD}","grant_types":["client_credentials"],"response_types":[]}}"#
    );
    family.doorward(&["client", "add", "--id", "indexer", "--metadata", "-"], &metadata)?;
    let (_, discovery) = family.request("/.well-known/openid-configuration", &[])?;
    let address = discovery.split_once("\"token_endpoint\"").and_then(|(_, rest)| rest.split('"').nth(1));
    let path = address.and_then(|address| address.strip_prefix(&family.url)).ok_or("no token endpoint of the edge")?;
    let ask = |token: &str| {
        let assertion = format!("client_assertion={token}");
        let form = ["grant_type=client_credentials", "client_id=indexer", ASSERTION, assertion.as_str()];
        let arguments: Vec<_> = form.into_iter().flat_map(|member| ["--data-urlencode", member]).collect();
        family.request(path, &arguments)
    };
    let (status, body) = ask(&own.svid(WORKLOAD, &family.url, "5m")?)?;
    if status != 200 || !body.contains("access_token") {
        return Err(format!("the provider answers {status}: {body}"));
    }
    for token in [own.svid(WORKLOAD, AUDIENCE, "5m")?, own.svid("/other", &family.url, "5m")?] {
        let (status, body) = ask(&token)?;
        if status != 401 || !body.contains("invalid_client") {
            return Err(format!("another audience or SPIFFE id: the provider answers {status}: {body}"));
        }
    }
    Ok("another audience or SPIFFE id: refused".to_owned())
}

fn rotation(family: &Family<'_>, own: &Server<'_>) -> Outcome<String> {
    let mut calls = 0;
    for round in 0..ROTATIONS {
        let next = own.prepare()?;
        let begin = Instant::now();
        while begin.elapsed() < DISTRIBUTION {
            let token = own.svid(WORKLOAD, AUDIENCE, "5m")?;
            for kind in [Kind::Machine, Kind::ServiceAccount] {
                accepted(family, kind, &token).map_err(|failure| format!("round {round}: {failure}"))?;
                calls += 1;
            }
            pause(Duration::from_millis(400));
        }
        own.activate(&next)?;
    }
    Ok(format!("{calls} calls"))
}

fn outage(family: &Family<'_>, own: &Server<'_>, agent: &mut Agent<'_>) -> Outcome<String> {
    let token = own.svid(WORKLOAD, AUDIENCE, "5m")?;
    agent.stop();
    pause(Duration::from_secs(2));
    accepted(family, Kind::Machine, &token)?;
    agent.restart(own)?;
    own.activate(&own.prepare()?)?;
    both(family, &own.svid(WORKLOAD, AUDIENCE, "5m")?)?;
    Ok(String::new())
}
