//! What the operating system asks of a process.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

use crate::{Context, telemetry};

/// From now on SIGTERM and SIGINT stop the service, and SIGHUP has it open its log file and read its other files again.
pub(crate) fn obey(context: &Context) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let context = context.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => context.shutdown.cancel(),
                _ = interrupt.recv() => context.shutdown.cancel(),
                _ = hang_up.recv() => {
                    telemetry::reopen_log_file();
                    tracing::info!("asked to reload");
                    context.reload.announce();
                }
            }
        }
    });
    Ok(())
}
