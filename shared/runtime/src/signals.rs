//! What the operating system asks of a process.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

use crate::service_manager::ServiceManager;
use crate::{Context, telemetry};

/// From now on SIGTERM and SIGINT stop the service, and SIGHUP has it open its log files and read its other files again. The
/// service manager sees both.
pub(crate) fn obey(context: &Context, manager: &ServiceManager) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let (background, context, manager) = (context.background.clone(), context.clone(), manager.clone());
    background.spawn("signals", async move {
        let stop = || {
            manager.stopping();
            context.shutdown.cancel();
        };
        loop {
            tokio::select! {
                _ = terminate.recv() => stop(),
                _ = interrupt.recv() => stop(),
                _ = hang_up.recv() => manager.reload(|| {
                    telemetry::reopen_log_files();
                    tracing::info!("asked to reload");
                    context.reload.announce();
                }),
            }
        }
    });
    Ok(())
}
