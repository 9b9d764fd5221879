//! Metrics of requests: their number, result and duration.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::uri::PathAndQuery;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use tokio::time::Instant;

use super::Metrics;
use crate::access_log::{AccessLine, RequestEnd};

/// The route of requests with unknown paths: clients must not be able to make up metrics.
const OTHER: &str = "other";
/// More routes than any service has.
const MAX_ROUTES: usize = 512;
const CANCELLED: u16 = tonic::Code::Cancelled as u16;
const UNIMPLEMENTED: u16 = tonic::Code::Unimplemented as u16;
const RESOURCE_EXHAUSTED: u16 = tonic::Code::ResourceExhausted as u16;
/// The codes of gRPC requests that may have ended before a service was found for their path.
const UNROUTED: [u16; 3] = [CANCELLED, UNIMPLEMENTED, RESOURCE_EXHAUSTED];
/// The status that proxies log for a client that disconnected before the response.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The protocol of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Http,
    /// HTTP of the debug server.
    Debug,
}

impl Protocol {
    const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
            Self::Debug => "debug",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabels {
    service: &'static str,
    protocol: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    service: &'static str,
    protocol: &'static str,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    service: &'static str,
    protocol: &'static str,
    route: String,
    code: String,
}

/// The requests of one listener. Looking up a known route takes no lock and no memory.
pub(crate) struct Requests {
    labels: ListenerLabels,
    protocol: Protocol,
    counts: Family<CodeLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    connections: Gauge,
    routes: ArcSwap<HashMap<Box<str>, Arc<Route>>>,
}

/// The handles of one route.
struct Route {
    name: Box<str>,
    duration: Histogram,
    /// The few codes that occurred; a handful, so that a search is quicker than a map.
    counts: RwLock<Vec<(u16, Counter)>>,
}

impl Requests {
    pub(crate) fn new(metrics: &Metrics, service: &'static str, protocol: Protocol) -> Arc<Self> {
        let labels = ListenerLabels { service, protocol: protocol.name() };
        let counts = metrics.counter("doorward_requests", "Requests, by how they ended", Family::default());
        let durations = Family::new_with_constructor(histogram as fn() -> Histogram);
        let durations = metrics.histogram("doorward_request_duration_seconds", "How long requests took", durations);
        let in_flight = metrics.gauge(
            "doorward_requests_in_flight",
            "Requests being handled",
            Family::<ListenerLabels, Gauge>::default(),
        );
        let connections =
            metrics.gauge("doorward_connections", "Open connections", Family::<ListenerLabels, Gauge>::default());
        Arc::new(Self {
            protocol,
            counts,
            durations,
            in_flight: in_flight.get_or_create_owned(&labels),
            connections: connections.get_or_create_owned(&labels),
            routes: ArcSwap::default(),
            labels,
        })
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn service(&self) -> &'static str {
        self.labels.service
    }

    /// The gauge of open connections.
    pub(crate) fn connections(&self) -> &Gauge {
        &self.connections
    }

    fn known(&self, route: &str) -> Option<Arc<Route>> {
        self.routes.load().get(route).cloned()
    }

    /// The route's handles, made if there are none.
    fn route(&self, name: &str) -> Arc<Route> {
        if let Some(route) = self.known(name) {
            return route;
        }
        let name = if self.routes.load().len() < MAX_ROUTES { name } else { OTHER };
        let ListenerLabels { service, protocol } = self.labels;
        let duration = self.durations.get_or_create_owned(&RouteLabels { service, protocol, route: name.into() });
        let route = Arc::new(Route { name: name.into(), duration, counts: RwLock::default() });
        self.routes.rcu(|routes| {
            let mut routes = HashMap::clone(routes);
            routes.entry(name.into()).or_insert_with(|| Arc::clone(&route));
            routes
        });
        self.known(name).unwrap_or(route)
    }

    fn count(&self, route: &Route, code: u16) {
        let known = |counts: &[(u16, Counter)]| {
            counts.iter().find(|(known, _)| *known == code).map(|(_, counter)| counter.inc()).is_some()
        };
        if known(&route.counts.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let ListenerLabels { service, protocol } = self.labels;
        let labels = CodeLabels { service, protocol, route: (&*route.name).into(), code: self.code_name(code) };
        let counter = self.counts.get_or_create_owned(&labels);
        let mut counts = route.counts.write().unwrap_or_else(PoisonError::into_inner);
        if !known(&counts) {
            counter.inc();
            counts.push((code, counter));
        }
    }

    /// Writes the line of a request that took this long.
    fn write(&self, line: &AccessLine, route: &str, code: u16, took: Duration) {
        let ListenerLabels { service, protocol } = self.labels;
        let is_grpc = self.protocol == Protocol::Grpc;
        let name = is_grpc.then(|| self.code_name(code));
        // the route of an HTTP request begins with the method
        let path = route.split_once(' ').map_or(route, |(_, template)| template);
        let status = (!is_grpc).then_some(code);
        line.write(&RequestEnd { service, protocol, path, status, grpc_status: name.as_deref(), took });
    }

    fn code_name(&self, code: u16) -> String {
        if self.protocol == Protocol::Grpc {
            match tonic::Code::from(i32::from(code)) {
                tonic::Code::Ok => "OK".into(),
                other => format!("{other:?}"),
            }
        } else {
            code.to_string()
        }
    }
}

/// From 0.25 ms, a cached answer, to 8 s, longer than any request may take.
fn histogram() -> Histogram {
    Histogram::new([0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 8.0])
}

/// One request being handled; recorded when it is dropped, however it ended.
pub(crate) struct Measurement {
    requests: Arc<Requests>,
    route: RouteOf,
    started: Instant,
    code: Option<u16>,
    /// `None` if the access log leaves the request out.
    line: Option<Box<AccessLine>>,
}

enum RouteOf {
    Known(Arc<Route>),
    /// A gRPC path that is not known to exist.
    Path(PathAndQuery),
    /// An HTTP request whose service has not recorded a route.
    Unknown,
}

impl Measurement {
    /// Starts to measure. The path of a gRPC request is its method; [`matched`](Self::matched) sets the route of an HTTP request.
    pub(crate) fn start(requests: &Arc<Requests>, uri: &http::Uri) -> Self {
        let route = match uri.path_and_query() {
            Some(path) if requests.protocol == Protocol::Grpc => {
                requests.known(path.path()).map_or_else(|| RouteOf::Path(path.clone()), RouteOf::Known)
            }
            _ => RouteOf::Unknown,
        };
        requests.in_flight.inc();
        Self { requests: Arc::clone(requests), route, started: Instant::now(), code: None, line: None }
    }

    /// Sets the HTTP route: its method and template.
    pub(crate) fn matched(&mut self, route: &str) {
        self.route = RouteOf::Known(self.requests.route(route));
    }

    /// Sets the result: a gRPC code or an HTTP status.
    pub(crate) fn ended(&mut self, code: u16) {
        self.code = Some(code);
    }

    /// Has the request written into the access log when it has ended.
    pub(crate) fn log(&mut self, line: Box<AccessLine>) {
        self.line = Some(line);
    }

    /// Its line of the access log, if it gets one.
    pub(crate) fn line(&mut self) -> Option<&mut AccessLine> {
        self.line.as_deref_mut()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.code.is_some()
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.requests.protocol
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        let requests = &self.requests;
        requests.in_flight.dec();
        let unanswered = if requests.protocol == Protocol::Grpc { CANCELLED } else { CLIENT_CLOSED_REQUEST };
        let code = self.code.unwrap_or(unanswered);
        let made;
        let route = match &self.route {
            RouteOf::Known(route) => route,
            RouteOf::Path(path) if !UNROUTED.contains(&code) => {
                made = requests.route(path.path());
                &made
            }
            RouteOf::Path(_) | RouteOf::Unknown => {
                made = requests.route(OTHER);
                &made
            }
        };
        let took = self.started.elapsed();
        route.duration.observe(took.as_secs_f64());
        requests.count(route, code);
        if let Some(line) = &self.line {
            requests.write(line, &route.name, code, took);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(requests: &Arc<Requests>, path: &str, code: Option<u16>) {
        let mut measurement = Measurement::start(requests, &path.parse().expect("a path"));
        measurement.code = code;
    }

    #[test]
    fn a_stranger_cannot_make_up_routes() {
        let metrics = Metrics::default();
        let requests = Requests::new(&metrics, "echo", Protocol::Grpc);
        end(&requests, "/echo.Echo/Say", Some(0));
        end(&requests, "/echo.Echo/Say", Some(16));
        end(&requests, "/made.Up/Method", Some(UNIMPLEMENTED));
        end(&requests, "/made.Up/Other", None);
        // refused without a look at its path, as too many requests are in progress
        end(&requests, "/made.Up/Third", Some(RESOURCE_EXHAUSTED));
        let text = metrics.render();
        let counted = |route: &str, code: &str| {
            let line = format!(
                "doorward_requests_total{{service=\"echo\",protocol=\"grpc\",route=\"{route}\",code=\"{code}\"}} 1"
            );
            assert!(text.contains(&line), "{line} in {text}");
        };
        counted("/echo.Echo/Say", "OK");
        counted("/echo.Echo/Say", "Unauthenticated");
        counted("other", "Unimplemented");
        counted("other", "Cancelled");
        counted("other", "ResourceExhausted");
        assert!(!text.contains("made.Up"), "{text}");
        assert!(text.contains("doorward_requests_in_flight{service=\"echo\",protocol=\"grpc\"} 0"), "{text}");
    }
}
