//! The health of the services (`docs/security-requirements.md#n61`).

use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use proto::doorward::idp::v1::Key;
use runtime::{CertificateValidity, ListenerKind, ServiceHealth};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::i18n::Language;

use super::super::caller::Administrator;
use super::super::timestamp::Timestamp;
use crate::administration::health::{CertificateState as Validity, Health, VERSION};
use crate::http::admin::health::explanation;
use crate::remote_health::RemoteHealth;
use crate::state::AccountState;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// The health of the services.
#[derive(Serialize, ToSchema)]
struct HealthReport {
    /// Whether no service is known not to be ready.
    ready: bool,
    /// The services of the process of the account pages, and those in other processes that it calls for them. Others are not listed.
    services: Vec<ServiceStatus>,
    /// The certificates of the listeners of this process.
    certificates: Vec<ListenerCertificate>,
    /// The keys with which the provider signs now; empty if it does not say.
    signing_keys: Vec<SigningKey>,
}

/// The health of a service.
#[derive(Serialize, ToSchema)]
struct ServiceStatus {
    /// The name of the service.
    #[schema(example = "idp")]
    name: &'static str,
    /// Whether it is ready; `null` if it does not say.
    ready: Option<bool>,
    /// What is wrong.
    problems: Vec<ServiceProblem>,
    /// Since when it runs; `null` of a service in another process.
    since: Option<Timestamp>,
    /// Its version; `null` of a service in another process.
    version: Option<&'static str>,
}

/// What is wrong with a service.
#[derive(Serialize, ToSchema)]
struct ServiceProblem {
    /// The check that has failed, as `/readyz` of the service names it. Of a service in another process it is `not_ready`, `unknown`,
    /// `unreachable` or `no_answer`.
    #[schema(example = "database")]
    code: &'static str,
    /// What it means, and what to do.
    detail: String,
}

/// The certificate of a listener.
#[derive(Serialize, ToSchema)]
struct ListenerCertificate {
    /// The name of the service.
    service: &'static str,
    listener: Listener,
    state: CertificateState,
    /// The first moment at which it is valid.
    valid_from: Timestamp,
    /// The last one.
    valid_until: Timestamp,
}

/// A listener of a service.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Listener {
    /// The listener for gRPC.
    Grpc,
    /// The listener for HTTPS.
    Https,
    /// The listener that asks clients for certificates.
    Mtls,
    /// The debug server.
    Debug,
}

/// Whether a certificate is valid.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CertificateState {
    /// It is valid.
    Valid,
    /// It is valid, and ends within two weeks.
    EndsSoon,
    /// It is not valid yet.
    NotYetValid,
    /// It is not valid any more.
    Expired,
}

/// A key that signs now.
#[derive(Serialize, ToSchema)]
struct SigningKey {
    /// Its name, as in the header of tokens.
    kid: String,
    /// What it signs with.
    #[schema(example = "ES256")]
    algorithm: String,
    /// From when on it signs.
    active: Timestamp,
}

fn timestamp(time: SystemTime) -> Timestamp {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Timestamp::at(i64::try_from(seconds).unwrap_or_default())
}

const fn code(health: RemoteHealth) -> Option<&'static str> {
    match health {
        RemoteHealth::Ready => None,
        RemoteHealth::NotReady => Some("not_ready"),
        RemoteHealth::Unknown => Some("unknown"),
        RemoteHealth::Unreachable => Some("unreachable"),
        RemoteHealth::NoAnswer => Some("no_answer"),
    }
}

impl ServiceStatus {
    fn here(service: &ServiceHealth) -> Self {
        let problem =
            |code: &&'static str| ServiceProblem { code, detail: explanation::of_check(Language::English, code) };
        Self {
            name: service.name,
            ready: Some(service.failing.is_empty()),
            problems: service.failing.iter().map(problem).collect(),
            since: Some(timestamp(service.started)),
            version: Some(VERSION),
        }
    }

    fn remote(name: &'static str, health: RemoteHealth) -> Self {
        let problem = code(health).zip(explanation::of_remote(Language::English, health));
        let problem = problem.map(|(code, detail)| ServiceProblem { code, detail: detail.to_owned() });
        let problems = problem.into_iter().collect();
        Self { name, ready: health.is_ready(), problems, since: None, version: None }
    }
}

impl ListenerCertificate {
    fn of(service: &'static str, certificate: &CertificateValidity, now: SystemTime) -> Self {
        Self {
            service,
            listener: match certificate.listener {
                ListenerKind::Grpc => Listener::Grpc,
                ListenerKind::Http => Listener::Https,
                ListenerKind::Mtls => Listener::Mtls,
                ListenerKind::Debug => Listener::Debug,
            },
            state: match Validity::of(certificate, now) {
                Validity::Valid => CertificateState::Valid,
                Validity::EndsSoon => CertificateState::EndsSoon,
                Validity::Early => CertificateState::NotYetValid,
                Validity::Expired => CertificateState::Expired,
            },
            valid_from: timestamp(certificate.from),
            valid_until: timestamp(certificate.until),
        }
    }
}

impl HealthReport {
    fn of(health: Health, now: SystemTime) -> Self {
        let Health { here, remote, signing_keys } = health;
        let certificates = here.iter().flat_map(|service| {
            service.certificates.iter().map(|certificate| ListenerCertificate::of(service.name, certificate, now))
        });
        let certificates = certificates.collect();
        let remote = remote.into_iter().map(|(name, health)| ServiceStatus::remote(name, health));
        let services: Vec<ServiceStatus> = here.iter().map(ServiceStatus::here).chain(remote).collect();
        let key = |key: Key| SigningKey { kid: key.kid, algorithm: key.algorithm, active: Timestamp::at(key.active) };
        Self {
            ready: services.iter().all(|service| service.ready != Some(false)),
            services,
            certificates,
            signing_keys: signing_keys.into_iter().map(key).collect(),
        }
    }
}

/// Returns the health of the services.
///
/// The status is 200 whether they are ready or not. A service that does not answer is waited for two seconds.
#[utoipa::path(
    get,
    path = "/admin/api/v1/health",
    operation_id = "getHealth",
    tag = "administration: health",
    responses((status = 200, description = "The health.", body = HealthReport))
)]
async fn show(administrator: Administrator) -> Json<HealthReport> {
    let state = &administrator.0.state;
    let health = state.administration.health(&administrator.0.on_behalf()).await;
    Json(HealthReport::of(health, state.clock.now()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn report_has_the_state_of_each_certificate_and_key() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let certificate = |listener, until| CertificateValidity { listener, from: at(60), until: at(until) };
        let service = ServiceHealth {
            name: "idp",
            started: at(3_600),
            failing: Vec::new(),
            certificates: vec![
                certificate(ListenerKind::Http, 2_000_000),
                certificate(ListenerKind::Grpc, 100_000),
                certificate(ListenerKind::Mtls, 3_000),
            ],
        };
        let key = Key { kid: "k1".to_owned(), algorithm: "ES256".to_owned(), active: 60, ..Key::default() };
        let remote = vec![("users", RemoteHealth::Unknown)];
        let health = Health { here: vec![service], remote, signing_keys: vec![key] };
        let report = serde_json::to_value(HealthReport::of(health, at(7_200))).expect("JSON");
        assert_eq!(report["ready"], true, "a service that does not say is no problem");
        assert_eq!(report["services"][0]["since"], "1970-01-01T01:00:00Z");
        assert_eq!((&report["services"][1]["ready"], &report["services"][1]["since"]), (&json!(null), &json!(null)));
        assert_eq!(report["services"][1]["problems"][0]["code"], "unknown");
        let states = ["valid", "ends_soon", "expired"];
        let listeners = ["https", "grpc", "mtls"];
        for (at, (state, listener)) in states.into_iter().zip(listeners).enumerate() {
            let certificate = &report["certificates"][at];
            assert_eq!((&certificate["state"], &certificate["listener"]), (&json!(state), &json!(listener)));
        }
        let key = json!({ "kid": "k1", "algorithm": "ES256", "active": "1970-01-01T00:01:00Z" });
        assert_eq!(report["signing_keys"], json!([key]));
    }
}
