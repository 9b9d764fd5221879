//! What every service says of itself.

use std::future::Future;

use crate::{App, Context, Misconfigured, telemetry};
use authn::BoxError;
use config::{Configuration, Debug, Grpc, Http, Identity, Log, Mtls, Tracing};

/// The sections each service has, borrowed from its configuration.
#[derive(Clone, Copy, Debug)]
pub struct Listeners<'a> {
    /// What is logged.
    pub log: &'a Log,
    /// Where spans are sent.
    pub tracing: &'a Tracing,
    /// The debug server.
    pub debug: &'a Debug,
    /// The gRPC server, if there is one.
    pub grpc: Option<&'a Grpc>,
    /// The HTTP server, if there is one.
    pub http: Option<&'a Http>,
    /// The server for clients with certificates, if there is one. It grants requests what the HTTP server does, and is not
    /// there without that.
    pub mtls: Option<&'a Mtls>,
}

impl<'a> Listeners<'a> {
    /// What a process of this service alone logs, and what becomes of its spans.
    pub fn telemetry(&self) -> telemetry::Settings<'a> {
        telemetry::Settings { log: self.log, tracing: self.tracing, keeps_spans: self.debug.zpages }
    }
}

/// A service: what it is called, how it is configured, how it is built.
pub trait Service: Send + 'static {
    /// Its name and the prefix of its environment variables.
    const IDENTITY: Identity;
    /// One sentence for `--help`.
    const ABOUT: &'static str;
    /// Its configuration.
    type Config: Configuration + Clone + Send + Sync + 'static;

    /// The sections of its configuration that the runtime serves.
    fn listeners(config: &Self::Config) -> Listeners<'_>;

    /// Reads the files that settings name and that have a format of the service's own, as it does when it starts, for `config check`.
    /// Returns what an operator should know of them, one line each.
    ///
    /// # Errors
    /// When one of them cannot be used.
    fn check_files(_config: &Self::Config) -> Result<Vec<String>, Misconfigured> {
        Ok(Vec::new())
    }

    /// Builds the service as a process of its own, which reaches its peers by gRPC. Its sockets are bound already.
    fn build(config: Self::Config, context: Context) -> impl Future<Output = Result<App, BoxError>> + Send;

    /// Subcommands in addition to `server`, `health`, `version` and `config`.
    fn commands() -> Vec<clap::Command> {
        Vec::new()
    }

    /// Runs the one of [`commands`](Self::commands) that is the subcommand of these matches.
    fn command(matches: &clap::ArgMatches, _context: Context) -> impl Future<Output = Result<(), BoxError>> + Send {
        let problem = format!("there is no subcommand {}", matches.subcommand_name().unwrap_or_default());
        async { Err(problem.into()) }
    }
}
