//! The access log: a line for each request, when its response has been sent.
//!
//! A line has the route's template and never the path or the query, which may hold a secret
//! (`docs/security-requirements.md#t5`).

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use authn::Actor;
use http::{Extensions, HeaderValue};

use config::Log;

/// The target of its lines.
pub(crate) const TARGET: &str = "access";

/// Set once the process logs.
static LOGGED: OnceLock<LoggedRequests> = OnceLock::new();

/// Which requests have a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LoggedRequests {
    /// None.
    #[default]
    None,
    /// All but probes: gRPC health checks, and requests to the debug server.
    AllButProbes,
    /// Probes too.
    All,
}

impl LoggedRequests {
    /// Those that these settings name.
    pub(crate) fn of(log: &Log) -> Self {
        match (log.access.as_str(), log.level.as_str()) {
            ("requests", _) | ("", "info") => Self::AllButProbes,
            ("all", _) | ("", "debug" | "trace") => Self::All,
            _ => Self::None,
        }
    }

    /// Those of this process.
    pub(crate) fn of_process() -> Self {
        LOGGED.get().copied().unwrap_or_default()
    }

    /// Sets those of this process, unless they are set already.
    pub(crate) fn begin(self) {
        let _ = LOGGED.set(self);
    }
}

/// What a service adds to the line of an HTTP request. It stands in the extensions of a request that gets a line.
#[derive(Clone, Debug, Default)]
pub struct AccessDetails(Arc<OnceLock<Details>>);

#[derive(Debug)]
struct Details {
    route: String,
    subject: Option<String>,
    act: Option<String>,
}

impl AccessDetails {
    /// Adds the name of the configured route that the request takes, the identifier of its user, and who acts for the user. Only the
    /// first call counts; a request without a line costs nothing.
    pub fn record(extensions: &Extensions, route: &str, subject: Option<&str>, actor: Option<&Actor>) {
        if let Some(Self(recorded)) = extensions.get() {
            let (subject, act) = (subject.map(str::to_owned), actor.map(Actor::to_string));
            let _ = recorded.set(Details { route: route.to_owned(), subject, act });
        }
    }
}

/// What the line of a request has before the request has ended.
#[derive(Debug)]
pub(crate) struct AccessLine {
    pub(crate) method: &'static str,
    pub(crate) request_id: Option<HeaderValue>,
    /// The address of the client, as far as trusted proxies forward it.
    pub(crate) source: Option<IpAddr>,
    /// The trace, where spans are sent.
    pub(crate) trace_id: Option<String>,
    pub(crate) details: AccessDetails,
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestEnd<'a> {
    pub(crate) service: &'static str,
    pub(crate) protocol: &'static str,
    /// The template of an HTTP path, or a gRPC method.
    pub(crate) path: &'a str,
    /// The status of an HTTP response.
    pub(crate) status: Option<u16>,
    /// The name of a gRPC code.
    pub(crate) grpc_status: Option<&'a str>,
    /// From the first byte of the request's head to the last one of the response.
    pub(crate) took: Duration,
}

impl AccessLine {
    /// Writes the line. It belongs to no span, since it has the identifiers of the request itself.
    pub(crate) fn write(&self, end: &RequestEnd<'_>) {
        let details = self.details.0.get();
        tracing::info!(
            target: TARGET,
            parent: None,
            service = end.service,
            protocol = end.protocol,
            method = self.method,
            path = end.path,
            route = details.map(|details| details.route.as_str()),
            status = end.status,
            grpc_status = end.grpc_status,
            milliseconds = end.took.as_secs_f64() * 1000.0,
            request_id = self.request_id.as_ref().and_then(|id| id.to_str().ok()),
            trace_id = self.trace_id.as_deref(),
            subject = details.and_then(|details| details.subject.as_deref()),
            act = details.and_then(|details| details.act.as_deref()),
            source = self.source.map(tracing::field::display),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_decides_or_else_the_level() {
        for (access, level, logged) in [
            ("", "", LoggedRequests::None),
            ("", "warn", LoggedRequests::None),
            ("", "info", LoggedRequests::AllButProbes),
            ("", "debug", LoggedRequests::All),
            ("", "trace", LoggedRequests::All),
            ("none", "trace", LoggedRequests::None),
            ("requests", "", LoggedRequests::AllButProbes),
            ("requests", "trace", LoggedRequests::AllButProbes),
            ("all", "error", LoggedRequests::All),
        ] {
            let log = Log { access: access.into(), level: level.into(), ..Log::default() };
            assert_eq!(LoggedRequests::of(&log), logged, "{access} {level}");
        }
    }
}
