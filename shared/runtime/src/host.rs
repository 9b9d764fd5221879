//! What a process does around its services: `main` of one service and of several share it.

mod health_check;

use std::future::Future;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::service_manager::ServiceManager;
use crate::start::{StartError, USAGE, is_configuration};
use crate::{Context, InheritedListeners, process, signals, telemetry, tls};
use authn::BoxError;
use config::ListenAddr;

/// Runs what `start` starts, until SIGTERM or SIGINT; `start` answers with what ends when everything has ended. Where a service
/// manager has started the process (systemd), sockets that it has bound are used, and start, reload and end are reported to it.
///
/// # Errors
/// When logs have nowhere to go, a socket that the service manager passes cannot be used, or `start` fails.
pub fn host<E: Future<Output = ()>>(
    name: &str,
    settings: telemetry::Settings<'_>,
    context: Context,
    start: impl AsyncFnOnce(Context) -> Result<E, BoxError>,
) -> Result<(), BoxError> {
    process::prepare()?;
    // Before anything can ask for another one.
    tls::provider();
    // Before there is a second thread, as it changes the variables of the process.
    let inherited = InheritedListeners::of_process(&context.environment).map_err(StartError::from)?;
    let context = Context { inherited, ..context };
    block_on(async {
        telemetry::init(name, settings)?;
        let manager = ServiceManager::of(&context.environment, std::process::id()).unwrap_or_else(|error| {
            tracing::warn!(%error, "the service manager (NOTIFY_SOCKET) cannot be reached");
            ServiceManager::default()
        });
        signals::obey(&context, &manager)?;
        let services = context.running.clone();
        let ended = match start(context).await {
            Ok(end) => {
                manager.ready();
                tokio::spawn(manager.clone().ping_watchdog(services.clone()));
                tokio::spawn(manager.report_readiness(services));
                end.await;
                Ok(())
            }
            Err(problem) => Err(problem),
        };
        telemetry::flush().await;
        ended
    })
}

/// Does asynchronous work to its end, on every core.
///
/// # Errors
/// Those of the work.
pub fn block_on(work: impl Future<Output = Result<(), BoxError>>) -> Result<(), BoxError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// Tells the operator in one line what went wrong, if something did, and what to exit with: 64 when the configuration is
/// to blame, 1 otherwise.
pub fn report(name: &str, outcome: Result<(), BoxError>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    let code = exit_code(error.as_ref());
    if code != 0 {
        // Nothing can be done when even this cannot be printed.
        let _ = writeln!(io::stderr(), "{name}: {}", in_one_line(&error.to_string()));
    }
    ExitCode::from(code)
}

pub(crate) fn exit_code(error: &(dyn std::error::Error + 'static)) -> u8 {
    match error.downcast_ref::<StartError>() {
        Some(error) => error.exit_code(),
        None if is_configuration(error) => USAGE,
        None => 1,
    }
}

/// So that a log collector sees one message.
pub(crate) fn in_one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Prints help, the version, or what is wrong with a command line, and says what to exit with.
pub fn usage(problem: &clap::Error) -> ExitCode {
    let _ = problem.print();
    ExitCode::from(if problem.use_stderr() { USAGE } else { 0 })
}

/// Asks the debug server at this address, by TLS if it `has_tls`, whether its service is ready.
///
/// # Errors
/// When it is not, or cannot be asked.
pub fn health(debug: &ListenAddr, has_tls: bool) -> Result<(), BoxError> {
    health_check::run(debug, has_tls)
}
