//! What a service tells about itself.

use std::path::PathBuf;
use std::time::Duration;

use super::super::{ListenAddr, Secret, Section, Visitor};

/// `tracing`: where spans are sent.
#[derive(Clone, Debug, Default)]
pub struct Tracing {
    /// Whether spans are sent at all.
    pub enabled: bool,
    /// `type`: the kind of receiver: empty, `jaeger` or `otlp`; all are sent OTLP.
    pub kind: String,
    /// The agent's address.
    pub endpoint: String,
    /// The collector's URL, used when there is no endpoint.
    pub collector: String,
}

impl Section for Tracing {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.value("enabled", &mut self.enabled, &["OCIS_TRACING_ENABLED", "<P>_TRACING_ENABLED"], "Activates tracing.");
        v.value(
            "type",
            &mut self.kind,
            &["OCIS_TRACING_TYPE", "<P>_TRACING_TYPE"],
            "The type of tracing. Defaults to '', which is the same as 'jaeger'. Allowed tracing types are 'jaeger' and '' as of now.",
        )
        .one_of(&["", "jaeger", "otlp"]);
        v.value(
            "endpoint",
            &mut self.endpoint,
            &["OCIS_TRACING_ENDPOINT", "<P>_TRACING_ENDPOINT"],
            "The endpoint of the tracing agent.",
        );
        v.value(
            "collector",
            &mut self.collector,
            &["OCIS_TRACING_COLLECTOR", "<P>_TRACING_COLLECTOR"],
            "The HTTP endpoint for sending spans directly to a collector, i.e. http://jaeger-collector:14268/api/traces. Only used if the tracing endpoint is unset.",
        );
    }
}

/// `log`: what is logged, and how it looks.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The least severe level that is logged; empty is `error`.
    pub level: String,
    /// For people instead of JSON lines.
    pub pretty: bool,
    /// With colours.
    pub color: bool,
    /// A file instead of the standard error stream.
    pub file: Option<PathBuf>,
}

impl Section for Log {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "level",
            &mut self.level,
            &["OCIS_LOG_LEVEL", "<P>_LOG_LEVEL"],
            "The log level. Valid values are: 'panic', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'.",
        )
        .one_of(&["", "panic", "fatal", "error", "warn", "info", "debug", "trace"]);
        v.value("pretty", &mut self.pretty, &["OCIS_LOG_PRETTY", "<P>_LOG_PRETTY"], "Activates pretty log output.");
        v.value("color", &mut self.color, &["OCIS_LOG_COLOR", "<P>_LOG_COLOR"], "Activates colorized log output.");
        v.value(
            "file",
            &mut self.file,
            &["OCIS_LOG_FILE", "<P>_LOG_FILE"],
            "The path to the log file. Activates logging to this file if set.",
        );
    }
}

/// `debug`: the server for health, metrics and the configuration.
#[derive(Clone, Debug, Default)]
pub struct Debug {
    /// Where it listens.
    pub addr: ListenAddr,
    /// What a reader of the metrics has to show; empty lets everybody read them.
    pub token: Secret,
    /// Whether profiles can be taken.
    pub pprof: bool,
    /// Whether recent traces can be looked at.
    pub zpages: bool,
    /// How long a service that is stopping accepts requests while `/readyz` fails.
    pub drain_delay: Duration,
}

impl Debug {
    /// The defaults, with a service's own address.
    pub fn at(addr: &str) -> Self {
        Self { addr: ListenAddr::built_in(addr), ..Self::default() }
    }
}

impl Section for Debug {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "addr",
            &mut self.addr,
            &["<P>_DEBUG_ADDR"],
            "Bind address of the debug server, where metrics, health, config and debug endpoints will be exposed.",
        );
        v.secret("token", &mut self.token, &["<P>_DEBUG_TOKEN"], "Token to secure the metrics endpoint.");
        v.value("pprof", &mut self.pprof, &["<P>_DEBUG_PPROF"], "Enables pprof, which can be used for profiling.");
        v.value(
            "zpages",
            &mut self.zpages,
            &["<P>_DEBUG_ZPAGES"],
            "Enables zpages, which can be used for collecting and viewing traces in-memory.",
        );
        v.value(
            "drain_delay",
            &mut self.drain_delay,
            &["OCIS_DRAIN_DELAY", "<P>_DRAIN_DELAY"],
            "How long the service goes on accepting requests after SIGTERM while /readyz answers 503, so that load balancers take it out first.",
        );
    }
}
