//! Reports the state of the process to the service manager that started it: `sd_notify(3)` and `sd_watchdog_enabled(3)`.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

use crate::{RunningServices, ServiceHealth};
use config::Environment;

/// The service manager's socket; within which time, in microseconds, it wants a ping, and from which process.
const SOCKET: &str = "NOTIFY_SOCKET";
const WATCHDOG: &str = "WATCHDOG_USEC";
const WATCHDOG_PID: &str = "WATCHDOG_PID";
/// How often readiness is looked at.
const INTERVAL: Duration = Duration::from_secs(10);
/// How long a service manager that does not read its socket may hold up the process.
const PATIENCE: Duration = Duration::from_secs(1);

/// The service manager; without one nothing is sent. Clones share the connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceManager(Option<Arc<Connection>>);

#[derive(Debug)]
struct Connection {
    /// The socket is opened here and not by `sd_notify`, which would read the variables of the process itself.
    socket: UnixDatagram,
    /// Within which time a ping is due, if any is.
    watchdog: Option<Duration>,
    /// Whether the process has started and does not stop yet.
    is_ready: AtomicBool,
}

impl ServiceManager {
    /// The service manager of a process with these variables and this number.
    ///
    /// # Errors
    /// When there is one that cannot be reached.
    pub(crate) fn of(environment: &Environment, pid: u32) -> io::Result<Self> {
        let Some(name) = environment.get_filled(SOCKET) else { return Ok(Self::default()) };
        let addr = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&addr)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let connection = Connection { socket, watchdog: watchdog(environment, pid), is_ready: AtomicBool::new(false) };
        Ok(Self(Some(Arc::new(connection))))
    }

    /// Reports that every service serves.
    pub(crate) fn ready(&self) {
        self.set_ready(true);
        self.send(&[NotifyState::Ready, NotifyState::Status("serving")]);
    }

    /// Reports that the process finishes what it has begun and then ends.
    pub(crate) fn stopping(&self) {
        self.set_ready(false);
        self.send(&[NotifyState::Stopping, NotifyState::Status("stopping, finishing what is in flight")]);
    }

    /// Reports a reload, and its end once `work` is done. While the process starts or stops, that state remains.
    pub(crate) fn reload(&self, work: impl FnOnce()) {
        let is_ready = self.is_ready();
        if is_ready {
            match NotifyState::monotonic_usec_now() {
                Ok(now) => self.send(&[NotifyState::Reloading, now]),
                Err(error) => tracing::warn!(%error, "no monotonic clock: the service manager does not see the reload"),
            }
        }
        work();
        if is_ready {
            self.send(&[NotifyState::Ready]);
        }
    }

    /// Reports changes of readiness, until the process stops.
    pub(crate) async fn report_readiness(self, services: RunningServices) {
        let mut reported = None;
        loop {
            tokio::time::sleep(INTERVAL).await;
            if !self.is_ready() {
                return;
            }
            let status = status(&services.health().await);
            if reported.as_ref() != Some(&status) {
                self.send(&[NotifyState::Status(&status)]);
                reported = Some(status);
            }
        }
    }

    /// Pings the service manager, if it watches the process, until a background task is lost: then only a restart makes the
    /// process ready again.
    pub(crate) async fn ping_watchdog(self, services: RunningServices) {
        let Some(watchdog) = self.0.as_ref().and_then(|connection| connection.watchdog) else { return };
        loop {
            let lost = services.lost_tasks();
            if !lost.is_empty() {
                tracing::error!(
                    tasks = lost.join(","),
                    "background tasks have ended that should not have; the watchdog will restart the process"
                );
                return;
            }
            self.send(&[NotifyState::Watchdog]);
            tokio::time::sleep(watchdog / 2).await;
        }
    }

    fn is_ready(&self) -> bool {
        self.0.as_ref().is_some_and(|connection| connection.is_ready.load(Ordering::Acquire))
    }

    fn set_ready(&self, is_ready: bool) {
        if let Some(connection) = &self.0 {
            connection.is_ready.store(is_ready, Ordering::Release);
        }
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        let Some(connection) = &self.0 else { return };
        let lines: Vec<String> = states.iter().map(ToString::to_string).collect();
        if let Err(error) = connection.socket.send(lines.join("\n").as_bytes()) {
            tracing::warn!(%error, "the service manager ({SOCKET}) cannot be notified");
        }
    }
}

/// Within which time the service manager wants a ping from the process with this number.
fn watchdog(environment: &Environment, pid: u32) -> Option<Duration> {
    let is_for_it = environment.get_filled(WATCHDOG_PID).is_none_or(|value| value.parse() == Ok(pid));
    let microseconds = environment.get_filled(WATCHDOG).filter(|_| is_for_it)?.parse().ok()?;
    Some(Duration::from_micros(microseconds)).filter(|time| !time.is_zero())
}

/// One line on the services of the process.
fn status(services: &[ServiceHealth]) -> String {
    let failing = services.iter().filter(|service| !service.failing.is_empty());
    let failing: Vec<_> = failing.map(|service| format!("{} ({})", service.name, service.failing.join(", "))).collect();
    if failing.is_empty() { "serving".to_owned() } else { format!("not ready: {}", failing.join(", ")) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::UNIX_EPOCH;

    use tempfile::TempDir;

    use super::*;
    use crate::readiness::Readiness;

    /// The socket of a service manager, and the variables that name it to process 7.
    fn service_manager() -> (TempDir, UnixDatagram, Environment) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("binds");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("sets the limit");
        (folder, socket, Environment::from([(SOCKET, path.display().to_string())]))
    }

    fn received(socket: &UnixDatagram) -> String {
        let mut message = [0; 256];
        let length = socket.recv(&mut message).expect("a message");
        String::from_utf8_lossy(&message[..length]).into_owned()
    }

    #[test]
    fn start_reload_and_end_are_reported() {
        let (_folder, socket, environment) = service_manager();
        let manager = ServiceManager::of(&environment, 7).expect("is reached");
        let mut reloads = 0;
        manager.reload(|| reloads += 1);
        manager.ready();
        assert_eq!(received(&socket), "READY=1\nSTATUS=serving", "a reload does not end the start");
        manager.clone().reload(|| reloads += 1);
        let reloading = received(&socket);
        let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("the reload and its time");
        assert!(time.parse::<u64>().is_ok_and(|time| time > 0), "{reloading}");
        assert_eq!(received(&socket), "READY=1");
        manager.stopping();
        assert!(received(&socket).starts_with("STOPPING=1\nSTATUS="));
        manager.reload(|| reloads += 1);
        socket.set_nonblocking(true).expect("sets the mode");
        assert!(socket.recv(&mut [0; 16]).is_err(), "a process that stops does not become ready again");
        assert_eq!(reloads, 3, "the work is done in any case");
    }

    #[test]
    fn nothing_is_sent_without_a_service_manager() {
        let manager = ServiceManager::of(&Environment::default(), 7).expect("needs none");
        let mut is_done = false;
        manager.reload(|| is_done = true);
        assert!(is_done && manager.0.is_none());
        let elsewhere = Environment::from([(SOCKET, "/nowhere/notify")]);
        assert!(ServiceManager::of(&elsewhere, 7).is_err());
        assert!(!Path::new("/nowhere/notify").exists());
    }

    #[test]
    fn abstract_socket_is_reached() {
        let name = format!("doorward-test-{}", std::process::id());
        let addr = SocketAddr::from_abstract_name(&name).expect("a name");
        let socket = UnixDatagram::bind_addr(&addr).expect("binds");
        let environment = Environment::from([(SOCKET, format!("@{name}"))]);
        ServiceManager::of(&environment, 7).expect("is reached").ready();
        assert_eq!(received(&socket), "READY=1\nSTATUS=serving");
    }

    #[test]
    fn watchdog_is_for_the_process_that_it_names() {
        let asked = |variables: &[(&str, &str)]| {
            let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            watchdog(&environment, 7)
        };
        assert_eq!(asked(&[(WATCHDOG, "500000"), (WATCHDOG_PID, "7")]), Some(Duration::from_millis(500)));
        assert_eq!(asked(&[(WATCHDOG, "500000")]), Some(Duration::from_millis(500)));
        for variables in
            [&[][..], &[(WATCHDOG, "0")], &[(WATCHDOG, "soon")], &[(WATCHDOG, "500000"), (WATCHDOG_PID, "8")]]
        {
            assert_eq!(asked(variables), None, "{variables:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn watchdog_is_not_pinged_after_a_background_task_is_lost() {
        let (_folder, socket, environment) = service_manager();
        let environment = environment.with(WATCHDOG, "500000");
        let manager = ServiceManager::of(&environment, 7).expect("is reached");
        let (services, readiness) = (RunningServices::default(), Readiness::default());
        services.add("idp", UNIX_EPOCH, &readiness, []);
        let pings = tokio::spawn(manager.ping_watchdog(services));
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(250)).await;
            assert_eq!(received(&socket), "WATCHDOG=1");
        }
        readiness.lost().add("flush");
        pings.await.expect("ends of itself");
    }

    #[tokio::test(start_paused = true)]
    async fn changes_of_readiness_are_reported_once() {
        let (_folder, socket, environment) = service_manager();
        let manager = ServiceManager::of(&environment, 7).expect("is reached");
        let (services, readiness) = (RunningServices::default(), Readiness::default());
        services.add("idp", UNIX_EPOCH, &readiness, []);
        manager.ready();
        assert_eq!(received(&socket), "READY=1\nSTATUS=serving");
        tokio::spawn(manager.report_readiness(services));
        tokio::time::sleep(INTERVAL * 3).await;
        readiness.built(Vec::new());
        tokio::time::sleep(INTERVAL * 3).await;
        assert_eq!(received(&socket), "STATUS=not ready: idp (starting)");
        assert_eq!(received(&socket), "STATUS=serving");
        socket.set_nonblocking(true).expect("sets the mode");
        assert!(socket.recv(&mut [0; 16]).is_err(), "nothing has changed since");
    }
}
