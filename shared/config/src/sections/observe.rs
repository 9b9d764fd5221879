//! Logs and the debug server.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Audit;
use crate::{ListenAddr, PrivateKeyFile, Secret, Section};

/// `log`: what is logged, and how it looks.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Log {
    /// The log level. Valid values are: 'panic', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'.
    #[schemars(extend("x-env" = ["OCIS_LOG_LEVEL", "<P>_LOG_LEVEL"]))]
    #[schemars(extend("enum" = ["", "panic", "fatal", "error", "warn", "info", "debug", "trace"]))]
    pub level: String,
    /// Which requests have a line in the log when they have ended: 'none', 'requests' (all but health checks and requests to the
    /// debug server) or 'all'. If empty, 'requests' with the log level info, 'all' with debug and trace, and 'none' with the others.
    #[schemars(extend("x-env" = ["OCIS_LOG_ACCESS", "<P>_LOG_ACCESS"]))]
    #[schemars(extend("enum" = ["", "none", "requests", "all"]))]
    pub access: String,
    /// Activates pretty log output.
    #[schemars(extend("x-env" = ["OCIS_LOG_PRETTY", "<P>_LOG_PRETTY"]))]
    pub pretty: bool,
    /// Activates colorized log output.
    #[schemars(extend("x-env" = ["OCIS_LOG_COLOR", "<P>_LOG_COLOR"]))]
    pub color: bool,
    /// The path to the log file. Activates logging to this file if set.
    #[schemars(extend("x-env" = ["OCIS_LOG_FILE", "<P>_LOG_FILE"], "x-written" = true))]
    pub file: Option<PathBuf>,
    /// The path to a file for the audit log, as JSON lines. If empty, audit lines are in the log; with 'doorward server'
    /// the file audit.log in the data folder, unless `OCIS_LOG_FILE` is set or this variable is set to nothing.
    #[schemars(extend("x-env" = ["OCIS_AUDIT_LOG_FILE", "<P>_AUDIT_LOG_FILE"], "x-written" = true))]
    pub audit_file: Option<PathBuf>,
    /// How the file of the audit log is rotated, and where else its lines go.
    pub audit: Audit,
}

impl Section for Log {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![("audit", &self.audit)]
    }
}

/// `debug`: the server for health, metrics and the configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Debug {
    /// Bind address of the debug server, where metrics, health, config and debug endpoints will be exposed.
    #[schemars(extend("x-env" = ["<P>_DEBUG_ADDR"]))]
    pub addr: ListenAddr,
    /// Token to secure the metrics endpoint.
    #[schemars(extend("x-env" = ["<P>_DEBUG_TOKEN"]))]
    pub token: Secret,
    /// Enables pprof, which can be used for profiling.
    #[schemars(extend("x-env" = ["<P>_DEBUG_PPROF"]))]
    pub pprof: bool,
    /// Enables zpages, which can be used for collecting and viewing traces in-memory.
    #[schemars(extend("x-env" = ["<P>_DEBUG_ZPAGES"]))]
    pub zpages: bool,
    /// How long the service goes on accepting requests after SIGTERM while /readyz answers 503, so that load balancers
    /// take it out first.
    #[schemars(extend("x-env" = ["OCIS_DRAIN_DELAY", "<P>_DRAIN_DELAY"]))]
    pub drain_delay: Duration,
    /// Its TLS.
    pub tls: DebugTls,
}

/// `debug.tls`: the certificate of the debug server.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct DebugTls {
    /// Activates TLS for the debug server, which it needs where other machines reach it. If `OCIS_DEBUG_TLS_CERTIFICATE`
    /// is not set, a temporary server certificate is generated, for probes and scrapers that do not verify it.
    #[schemars(extend("x-env" = ["OCIS_DEBUG_TLS_ENABLED"]))]
    pub enabled: bool,
    /// Path/File name of the TLS server certificate (in PEM format) for the debug server.
    #[schemars(extend("x-env" = ["OCIS_DEBUG_TLS_CERTIFICATE"]))]
    pub cert: Option<PathBuf>,
    /// Path/File name for the TLS certificate key (in PEM format) for the server certificate of the debug server.
    #[schemars(extend("x-env" = ["OCIS_DEBUG_TLS_KEY"], "x-certificate" = "cert"))]
    pub key: Option<PrivateKeyFile>,
}
