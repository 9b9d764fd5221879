//! The family's binaries.

use std::{
    collections::BTreeMap,
    io::Write,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use config::Environment;

/// A binary of the workspace, from the target folder of the running test.
///
/// # Panics
/// When it was not built.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a file");
    let found = test.ancestors().map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("the binary {name} is missing; build it with: cargo build --workspace --bins"))
}

/// Fails a test whose program is not installed, unless `DOORWARD_TEST_REDUCED=1` says that this is known.
///
/// # Panics
/// Without that variable.
#[track_caller]
pub fn report_missing(program: &str, remedy: &str) {
    let is_reduced = Environment::of_process().get("DOORWARD_TEST_REDUCED") == Some("1");
    assert!(is_reduced, "this test needs {program}: {remedy}, or set DOORWARD_TEST_REDUCED=1 to do without");
}

/// What a command left behind.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// Runs a binary of the workspace to its end, with these variables only and `input` on its standard input.
///
/// # Panics
/// When it cannot be started.
pub fn run(name: &str, arguments: &[&str], variables: &BTreeMap<String, String>, input: &str) -> Finished {
    let mut child = Command::new(binary(name))
        .args(arguments)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
    // A command that reads no input may have closed it already.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("a started command ends");
    Finished {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The process of a service; killed when dropped.
#[derive(Debug)]
pub struct Server {
    pub(crate) name: &'static str,
    child: Child,
}

impl Server {
    /// Starts `name server`, or `doorward server`.
    pub fn start(name: &'static str, variables: &BTreeMap<String, String>) -> Self {
        Self::start_by(&[], name, variables)
    }

    /// Starts it by a command that ends in executing it.
    pub(crate) fn start_by(prefix: &[String], name: &'static str, variables: &BTreeMap<String, String>) -> Self {
        // a write beyond a file-size limit fails, as on a full disk, and does not end the process: see `limit_files`
        let mut command = Command::new("/bin/sh");
        command.args(["-c", r#"trap "" XFSZ; exec "$@" server"#, "sh"]).args(prefix).arg(binary(name));
        Self::run(name, command.env_clear().envs(variables).stdin(Stdio::null()).stdout(Stdio::null()))
    }

    /// Starts a server that is none of the family.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(name: &'static str, command: &mut Command) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        Self { name, child }
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops it where it is: it is connected to, and does not answer.
    ///
    /// # Panics
    /// When it does not stop within 20 seconds.
    pub fn pause(&self) {
        self.signal("-STOP");
        let start = Instant::now();
        // the signal is sent by then, and each thread stops on request
        while !self.is_paused() {
            assert!(start.elapsed() < Duration::from_secs(20), "{} does not stop", self.name);
            std::thread::yield_now();
        }
    }

    /// Whether the kernel says of every thread that it is stopped.
    fn is_paused(&self) -> bool {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", self.child.id())) else { return false };
        threads.flatten().all(|thread| {
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            // behind the name, which is in brackets and may hold anything
            stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
        })
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Has it read its files again, as `systemctl reload` does.
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    /// Lets it write files up to this size only, whatever account runs the test: each write beyond fails. Without a size, up
    /// to any.
    ///
    /// # Panics
    /// When there is no `prlimit`, which is of the package `util-linux`.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let size = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        let pid = self.child.id().to_string();
        let limited = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={size}:")]).status();
        assert!(limited.is_ok_and(|status| status.success()), "{} cannot be limited", self.name);
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{} cannot be sent {signal}", self.name);
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended of itself.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end, and waits.
    ///
    /// # Panics
    /// When it does not end within 20 seconds.
    pub fn terminate(&mut self) -> i32 {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let start = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code().unwrap_or(-1);
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{} does not end", self.name);
            std::thread::yield_now();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
