//! Whether the services answer, and are ready.

use config::GrpcClientTls;
use futures_util::future::join_all;
use runtime::client::check_health;

use super::{Finding, Installation, Subject};
use crate::cli::Check;
use crate::services::ServiceId;

/// A service or another peer, and where it answers gRPC.
struct Peer {
    name: &'static str,
    endpoint: String,
    /// The setting that names the endpoint.
    setting: String,
}

/// Asks each of them, with the client certificate and the authorities of this family.
pub(super) async fn check(installation: &Installation) -> Vec<Finding> {
    let tls = &installation.settings.gateway.grpc_client_tls;
    let own = own(installation);
    let others = others(installation);
    let (own, others) = futures_util::future::join(
        join_all(own.iter().map(|peer| ask(peer, tls, installation))),
        join_all(others.iter().map(|peer| ask(peer, tls, installation))),
    )
    .await;
    let mut findings: Vec<Finding> = own.into_iter().flatten().collect();
    if !findings.is_empty() && findings.iter().all(|finding| finding.outcome == super::Outcome::Failed) {
        let names = installation.enabled.iter().map(ServiceId::name).collect::<Vec<_>>().join(", ");
        let found = findings.first().map(|finding| finding.found.clone()).unwrap_or_default();
        let remedy = "start doorward server, or run this command with the environment of the server";
        findings = vec![Subject::new(Check::Peers, names).failed(format_args!("none answers: {found}"), remedy)];
    }
    findings.extend(others.into_iter().flatten());
    findings
}

/// The services that run with this configuration.
fn own(installation: &Installation) -> Vec<Peer> {
    let peer = |service: ServiceId| {
        let grpc = installation.settings.listeners(service).grpc?;
        let endpoint = runtime::endpoint_of(&grpc.addr);
        let setting = format!("{}_GRPC_ADDR", service.identity().prefix);
        (!endpoint.is_empty()).then(|| Peer { name: service.name(), endpoint, setting })
    };
    installation.enabled.iter().filter_map(peer).collect()
}

/// The peers in other processes that settings name.
fn others(installation: &Installation) -> Vec<Peer> {
    let (settings, standard) = (&installation.settings, config::defaults::<gateway::Endpoints>());
    let endpoints = &settings.gateway.endpoints;
    let services = [
        (ServiceId::AuthApp, &endpoints.auth_app, &standard.auth_app),
        (ServiceId::AuthBasic, &endpoints.auth_basic, &standard.auth_basic),
        (ServiceId::AuthBearer, &endpoints.auth_bearer, &standard.auth_bearer),
        (ServiceId::AuthMachine, &endpoints.auth_machine, &standard.auth_machine),
        (ServiceId::AuthService, &endpoints.auth_service, &standard.auth_service),
        (ServiceId::Users, &endpoints.users, &standard.users),
    ];
    // the default of a service that does not run here means that it is switched off
    let elsewhere = services.into_iter().filter(|(service, endpoint, default)| {
        installation.enabled.contains(ServiceId::Gateway)
            && !installation.enabled.contains(*service)
            && endpoint != default
    });
    let services = elsewhere.map(|(service, endpoint, _)| Peer {
        name: service.name(),
        endpoint: endpoint.clone(),
        setting: format!("GATEWAY_{}_ENDPOINT", service.identity().prefix),
    });
    let foreign = [
        ("upstream gateway", &endpoints.upstream, "GATEWAY_UPSTREAM_ENDPOINT"),
        ("settings service", &endpoints.settings, "GATEWAY_SETTINGS_ENDPOINT"),
        ("idp of the edge", &settings.proxy.idp_endpoint, "PROXY_IDP_ENDPOINT"),
        ("idp of auth-bearer", &settings.auth_bearer.idp_endpoint, "AUTH_BEARER_IDP_ENDPOINT"),
    ];
    let foreign = foreign.into_iter().map(|(name, endpoint, setting)| Peer {
        name,
        endpoint: endpoint.clone(),
        setting: setting.to_owned(),
    });
    services.chain(foreign).filter(|peer| !peer.endpoint.is_empty()).collect()
}

async fn ask(peer: &Peer, tls: &GrpcClientTls, installation: &Installation) -> Vec<Finding> {
    let Peer { name, endpoint, setting } = peer;
    let subject = Subject::new(Check::Peers, format_args!("{name} at {endpoint}"));
    let asked = async {
        vec![match check_health(endpoint, tls, &installation.context).await {
            Ok(true) => subject.ok("it serves"),
            Ok(false) => subject.ok("it answers, and has no health service"),
            Err(problem) => {
                let remedy = format!(
                    "see whether it runs, its log, and whether {setting} and OCIS_GRPC_CLIENT_TLS_* fit its listener"
                );
                subject.failed(problem, remedy)
            }
        }]
    };
    subject.within_limit(asked).await
}
