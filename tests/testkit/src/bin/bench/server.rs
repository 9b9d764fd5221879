//! The servers that are measured, each a process of its own so that its CPU time and memory can be read.

use std::{
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use authn::BoxError;
use testkit::free_address;

use crate::spent::Spent;

/// A server's process; ended when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it answers gRPC.
    pub(crate) address: String,
    /// How long it took from the start until it listened, or answered.
    pub(crate) start: Duration,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts the echo.
    pub(crate) fn echo() -> Result<Self, BoxError> {
        let address = free_address().to_string();
        let mut command = Command::new(std::env::current_exe()?);
        Self::launch(command.args(["echo", &address]), address)
    }

    /// Starts a program that will answer at this address.
    pub(crate) fn launch(command: &mut Command, address: String) -> Result<Self, BoxError> {
        Self::launch_until(command, address, listens)
    }

    /// The same; it has started when `answers` says so of its address.
    pub(crate) fn launch_until(
        command: &mut Command,
        address: String,
        answers: fn(SocketAddr) -> bool,
    ) -> Result<Self, BoxError> {
        let begin = Instant::now();
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).spawn().map_err(|error| format!("{program}: {error}"))?;
        let mut server = Self { child, address, start: Duration::ZERO };
        server.wait_until(answers)?;
        server.start = begin.elapsed();
        Ok(server)
    }

    /// Asks it to end, and waits until it has written what it has to.
    pub(crate) fn stop(mut self) -> Result<(), BoxError> {
        let process = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &process]).status()?;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the server did not end well: {status}").into()) }
    }

    /// What it has used up so far.
    pub(crate) fn spent(&self) -> Result<Spent, BoxError> {
        Spent::by(self.child.id())
    }

    /// The most memory it ever had, and what it has now, in MiB.
    pub(crate) fn memory_mib(&self) -> Result<(u64, u64), BoxError> {
        let [most, now, _] = self.memory_kib()?;
        Ok((most / 1024, now / 1024))
    }

    /// The most memory it ever had, what it has now, and what of that is no part of a file, in KiB.
    pub(crate) fn memory_kib(&self) -> Result<[u64; 3], BoxError> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| -> Result<u64, BoxError> {
            let line = status.lines().find(|line| line.starts_with(name)).ok_or("no memory in /proc/PID/status")?;
            Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
        };
        Ok([field("VmHWM:")?, field("VmRSS:")?, field("RssAnon:")?])
    }

    fn wait_until(&mut self, answers: fn(SocketAddr) -> bool) -> Result<(), BoxError> {
        let address: SocketAddr = self.address.parse()?;
        let start = Instant::now();
        while !answers(address) {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server has ended: {status}").into());
            }
            if start.elapsed() > Duration::from_secs(20) {
                return Err(format!("{address} does not answer").into());
            }
            std::thread::yield_now();
        }
        Ok(())
    }
}

fn listens(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_ok()
}
