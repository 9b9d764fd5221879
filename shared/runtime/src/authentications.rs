//! Metrics and spans of authentications, by service and type of credential.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use authn::{AuthError, Authenticated, Authenticator, Credentials};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use tracing::{Instrument, Span};

use crate::Metrics;
use crate::telemetry::STEP;

/// The type of credentials with an unknown one: clients must not be able to make up metrics.
const OTHER: &str = "other";
const OUTCOMES: [&str; 6] = ["accepted", "refused", "invalid", "busy", "unavailable", "failed"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabels {
    service: &'static str,
    r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    service: &'static str,
    r#type: &'static str,
    outcome: &'static str,
}

/// Counts and times the authentications of a service.
pub struct Authentications(Vec<OfType>);

struct OfType {
    name: &'static str,
    duration: Histogram,
    /// In the order of [`OUTCOMES`].
    counts: [Counter; OUTCOMES.len()],
}

impl Authentications {
    /// Those of a service, for credentials of these types; all others count as one.
    pub fn new(metrics: &Metrics, service: &'static str, types: &[&'static str]) -> Self {
        Self::of(metrics, service, types.iter().copied().chain([OTHER]))
    }

    fn of(metrics: &Metrics, service: &'static str, types: impl Iterator<Item = &'static str>) -> Self {
        let counts = metrics.counter(
            "doorward_authentications",
            "Authentications, by service, type of credential and outcome: accepted, refused, invalid, busy, unavailable, failed",
            Family::<OutcomeLabels, Counter>::default(),
        );
        let durations = metrics.histogram(
            "doorward_authentication_duration_seconds",
            "How long authentications took, by service and type of credential",
            Family::<TypeLabels, Histogram, fn() -> Histogram>::new_with_constructor(histogram as fn() -> Histogram),
        );
        let of_type = |name: &'static str| OfType {
            name,
            duration: durations.get_or_create_owned(&TypeLabels { service, r#type: name }),
            counts: OUTCOMES
                .map(|outcome| counts.get_or_create_owned(&OutcomeLabels { service, r#type: name, outcome })),
        };
        Self(types.map(of_type).collect())
    }

    /// Records an authentication.
    pub fn record<T>(&self, kind: &str, result: &Result<T, AuthError>, took: Duration) {
        // the last one is that of all others
        let Some(of_type) = self.0.iter().find(|of_type| of_type.name == kind).or(self.0.last()) else { return };
        of_type.duration.observe(took.as_secs_f64());
        let outcome = outcome(result);
        let count = OUTCOMES.iter().zip(&of_type.counts).find(|(name, _)| **name == outcome);
        if let Some((_, count)) = count {
            count.inc();
        }
    }
}

fn outcome<T>(result: &Result<T, AuthError>) -> &'static str {
    match result {
        Ok(_) => "accepted",
        Err(AuthError::Refused(_) | AuthError::Explained(_) | AuthError::UnknownUser | AuthError::NotPermitted(_)) => {
            "refused"
        }
        Err(AuthError::UnknownType { .. } | AuthError::Malformed(_)) => "invalid",
        Err(AuthError::Busy { .. }) => "busy",
        Err(AuthError::Unavailable { .. }) => "unavailable",
        Err(AuthError::Internal(_)) => "failed",
    }
}

/// From 0.1 ms, a cached answer, to 10 s, longer than any may take.
fn histogram() -> Histogram {
    Histogram::new([0.000_1, 0.000_25, 0.001, 0.002_5, 0.01, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0])
}

/// The same authenticator of a service, for credentials of this type, with its answers counted and timed, each in a span of its
/// own.
pub fn measured(
    authenticator: Arc<dyn Authenticator>,
    service: &'static str,
    kind: &'static str,
    metrics: &Metrics,
) -> Arc<dyn Authenticator> {
    Arc::new(Measured {
        authenticator,
        kind,
        authentications: Authentications::of(metrics, service, [kind].into_iter()),
    })
}

struct Measured {
    authenticator: Arc<dyn Authenticator>,
    kind: &'static str,
    authentications: Authentications,
}

impl Measured {
    fn span(&self) -> Span {
        let kind = self.kind;
        tracing::info_span!(
            target: STEP,
            "authenticate",
            otel.name = %format_args!("authenticate {kind}"),
            otel.status_code = tracing::field::Empty,
            outcome = tracing::field::Empty,
            // of a program that proves who it is: `authn::trace`
            workload.identity = tracing::field::Empty,
            workload.proof = tracing::field::Empty,
        )
    }
}

#[async_trait]
impl Authenticator for Measured {
    async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let (begin, span) = (Instant::now(), self.span());
        let result = self.authenticator.authenticate(credentials).instrument(span.clone()).await;
        self.authentications.record(self.kind, &result, begin.elapsed());
        let outcome = outcome(&result);
        span.record("outcome", outcome);
        if matches!(outcome, "unavailable" | "failed") {
            span.record("otel.status_code", "error");
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use authn::trace::record_workload;
    use authn::{Reason, User};

    use super::*;
    use crate::testing::Recorder;

    struct OneUser;

    #[async_trait]
    impl Authenticator for OneUser {
        async fn authenticate(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
            match credentials.client_id.as_str() {
                "marie" => Ok(Authenticated::full(Arc::new(User::default()), "pwd")),
                "later" => Err(AuthError::Unavailable { service: "users", source: "gone".into() }),
                _ => Err(AuthError::Refused(Reason::UnknownUser)),
            }
        }
    }

    #[tokio::test]
    async fn answers_are_counted_by_service_type_and_outcome() {
        let (recorder, _guard) = Recorder::here();
        let metrics = Metrics::default();
        let authenticator = measured(Arc::new(OneUser), "auth-basic", "basic", &metrics);
        for login in ["marie", "marie", "einstein", "later"] {
            let _ = authenticator.authenticate(&Credentials::new(login, "secret")).await;
        }
        let of_gateway = Authentications::new(&metrics, "gateway", &["basic"]);
        of_gateway.record("made up", &Err::<(), _>(AuthError::Malformed("no type")), Duration::ZERO);
        let text = metrics.render();
        for (service, kind, outcome, count) in [
            ("auth-basic", "basic", "accepted", 2),
            ("auth-basic", "basic", "refused", 1),
            ("auth-basic", "basic", "unavailable", 1),
            ("gateway", "other", "invalid", 1),
            ("gateway", "basic", "accepted", 0),
        ] {
            let line = format!(
                "doorward_authentications_total{{service=\"{service}\",type=\"{kind}\",outcome=\"{outcome}\"}} {count}"
            );
            assert!(text.contains(&line), "{line} in {text}");
        }
        assert!(!text.contains("made up"), "{text}");
        let durations = "doorward_authentication_duration_seconds_count{service=\"auth-basic\",type=\"basic\"} 4";
        assert!(text.contains(durations), "{text}");
        assert_eq!(recorder.values("outcome"), ["accepted", "accepted", "refused", "unavailable"]);
        assert!(recorder.values("otel.name").iter().all(|name| name == "authenticate basic"));
        assert!(!recorder.has("secret") && !recorder.has("marie"));
    }

    /// Refuses a program that has proved who it is.
    struct OfWorkloads;

    #[async_trait]
    impl Authenticator for OfWorkloads {
        async fn authenticate(&self, _credentials: &Credentials) -> Result<Authenticated, AuthError> {
            record_workload(&Span::current(), "spiffe://example.org/indexer", "jwt_svid");
            Err(AuthError::NotPermitted(Reason::Policy))
        }
    }

    #[tokio::test]
    async fn span_names_the_workload_and_its_proof() {
        let (recorder, _guard) = Recorder::here();
        let authenticator = measured(Arc::new(OfWorkloads), "auth-machine", "machine", &Metrics::default());
        let _ = authenticator.authenticate(&Credentials::new("einstein", "secret")).await;
        assert_eq!(recorder.values("workload.identity"), ["spiffe://example.org/indexer"]);
        assert_eq!(recorder.values("workload.proof"), ["jwt_svid"]);
        assert!(!recorder.has("secret") && !recorder.has("einstein"));
    }
}
