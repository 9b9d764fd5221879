//! The processes and temporary files of a run, of which nothing is left when it ends, however it ends.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::tools::{self, Outcome};

/// Ends what is still there once the pipe from this process is closed: at the end of a run, at Ctrl-C and at a crash alike. PostgreSQL
/// servers leave the process group that started them, so they are found by their files.
const JANITOR: &str = r#"
trap '' INT HUP TERM
groups=' '
while read -r verb group; do
    case $verb in
        start) groups="$groups$group " ;;
        end) groups="${groups%% "$group" *} ${groups#* "$group" }" ;;
    esac
done
for group in $groups; do kill -TERM "-$group" 2>/dev/null; done
alive() {
    ps -A -o pgid= -o stat= | while read -r group state; do
        case $state in Z*) continue ;; esac
        case $groups in *" $group "*) echo "$group" ;; esac
    done
}
rounds=0
while [ -n "$(alive)" ] && [ "$rounds" -lt 50 ]; do rounds=$((rounds + 1)); sleep 0.1; done
for group in $groups; do kill -KILL "-$group" 2>/dev/null; done
find "$1" -name postmaster.pid 2>/dev/null | while read -r file; do kill -QUIT "$(head -n 1 "$file")" 2>/dev/null && sleep 1; done
rm -rf "$1"
"#;

/// The ports that are given away: below those of outgoing connections.
const FIRST_PORT: u16 = 12_000;
const PORTS: u16 = 18_000;

/// What a run has started, and its temporary folder.
pub(super) struct Processes {
    janitor: Child,
    pipe: RefCell<Option<ChildStdin>>,
    /// The temporary folder.
    pub(super) scratch: PathBuf,
    next_port: Cell<u16>,
}

impl Processes {
    /// Makes the temporary folder, and starts the process that clears up.
    pub(super) fn new() -> Outcome<Self> {
        let made =
            tools::output(Command::new("mktemp").args(["--directory", "--tmpdir", "doorward-interop-XXXXXXXX"]))?;
        let scratch = PathBuf::from(made.trim());
        let mut janitor = Command::new("sh");
        janitor.args(["-c", JANITOR, "janitor"]).arg(&scratch).process_group(0);
        let mut janitor = janitor.stdin(Stdio::piped()).spawn().map_err(|error| format!("sh: {error}"))?;
        let pipe = RefCell::new(janitor.stdin.take());
        let offset = u16::try_from(u32::from(PORTS) / 20 * (std::process::id() % 20)).unwrap_or_default();
        Ok(Self { janitor, pipe, scratch, next_port: Cell::new(FIRST_PORT + offset) })
    }

    fn tell(&self, verb: &str, group: u32) -> Outcome {
        let mut pipe = self.pipe.borrow_mut();
        let written = pipe.as_mut().map(|pipe| writeln!(pipe, "{verb} {group}"));
        written.transpose().map(|_| ()).map_err(|error| format!("the process that clears up has ended: {error}"))
    }

    /// Starts a program with its output in a log, in a process group of its own.
    pub(super) fn start(&self, command: &mut Command, log: &Path) -> Outcome<Running<'_>> {
        let file = File::options().create(true).append(true).open(log);
        let file = file.map_err(|error| format!("{}: {error}", log.display()))?;
        let copy = file.try_clone().map_err(|error| format!("{}: {error}", log.display()))?;
        let command = command.stdin(Stdio::null()).stdout(copy).stderr(file).process_group(0);
        let child = command.spawn();
        let child = child.map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let running = Running { processes: self, child, log: log.to_owned() };
        self.tell("start", running.child.id())?;
        Ok(running)
    }

    /// Runs a program to its end, with its output in a log.
    pub(super) fn run(&self, command: &mut Command, log: &Path) -> Outcome {
        let mut running = self.start(command, log)?;
        let status = running.child.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("{status}; see {}", log.display())) }
    }

    /// A loopback address without a listener.
    pub(super) fn address(&self) -> Outcome<SocketAddr> {
        for _ in 0..PORTS {
            let port = self.next_port.get();
            self.next_port.set(if port + 1 < FIRST_PORT + PORTS { port + 1 } else { FIRST_PORT });
            if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
                return listener.local_addr().map_err(|error| error.to_string());
            }
        }
        Err("no port is free".to_owned())
    }

    /// A new folder in the temporary one.
    pub(super) fn folder(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.scratch.join(name);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(folder)
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        drop(self.pipe.borrow_mut().take());
        // it has no result
        let _ = self.janitor.wait();
    }
}

/// A process that was started, and all that it starts; they end with this.
pub(super) struct Running<'a> {
    processes: &'a Processes,
    child: Child,
    log: PathBuf,
}

impl Running<'_> {
    /// Waits until a condition holds. It fails once the process has ended or the time is over.
    pub(super) fn wait_for(&mut self, what: &str, seconds: u64, mut holds: impl FnMut() -> bool) -> Outcome {
        let log = self.log.clone();
        wait_until(what, seconds, || match self.child.try_wait() {
            Ok(None) => Ok(holds()),
            Ok(Some(status)) => Err(format!("{what}: the process has ended with {status}")),
            Err(error) => Err(error.to_string()),
        })
        .map_err(|failure| format!("{failure}; see {}", log.display()))
    }

    /// Sends a signal to the process and all that it has started.
    pub(super) fn signal(&self, signal: &str) -> Outcome {
        let group = format!("-{}", self.child.id());
        tools::run(Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()))
    }

    /// Where its output is.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.signal("-TERM");
        let ended = wait_until("the end", 5, || Ok(!matches!(self.child.try_wait(), Ok(None))));
        // also what the process has left behind
        let _ = self.signal("-KILL");
        if ended.is_err() {
            let _ = self.child.wait();
        }
        let _ = self.processes.tell("end", self.child.id());
    }
}

/// Waits until a condition holds.
pub(super) fn wait_until(what: &str, seconds: u64, mut holds: impl FnMut() -> Outcome<bool>) -> Outcome {
    let start = Instant::now();
    while !holds()? {
        if start.elapsed() > Duration::from_secs(seconds) {
            return Err(format!("{what}: not within {seconds} s"));
        }
        pause(Duration::from_millis(100));
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "there is no executor: processes are waited for")]
pub(super) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Writes a file that only its owner can read.
pub(super) fn write(path: &Path, text: &str) -> Outcome {
    let file = File::options().create(true).write(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

/// The status and the body of an answer by plain HTTP.
pub(super) fn get(address: SocketAddr, path: &str) -> Outcome<(u16, String)> {
    let failed = |error: std::io::Error| format!("http://{address}{path}: {error}");
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).map_err(failed)?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(failed)?;
    // by 1.0 the body ends with the connection
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").map_err(failed)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(failed)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("http://{address}{path}: no answer"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(|| format!("http://{address}{path}: {head}"))?, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_run() {
        let processes = Processes::new().unwrap();
        let scratch = processes.folder("a").unwrap();
        let log = scratch.join("log");
        let mut running = processes.start(Command::new("sh").args(["-c", "sleep 300 & echo $!; wait"]), &log).unwrap();
        let pid = || fs::read_to_string(&log).unwrap_or_default().trim().to_owned();
        running.wait_for("the child", 60, || !pid().is_empty()).unwrap();
        let child = format!("/proc/{}", pid());
        assert!(Path::new(&child).exists());
        // as when this process crashes: only the pipe is closed
        std::mem::forget(running);
        drop(processes);
        assert!(!scratch.exists());
        let is_gone = || !fs::read_to_string(format!("{child}/cmdline")).is_ok_and(|line| line.contains("sleep"));
        wait_until("the end of the child", 60, || Ok(is_gone())).unwrap();
    }

    #[test]
    fn what_has_ended_is_no_longer_the_janitors() {
        let processes = Processes::new().unwrap();
        let log = processes.scratch.join("log");
        let failure = processes.run(Command::new("sh").args(["-c", "echo said; exit 3"]), &log).unwrap_err();
        assert!(failure.contains("exit status: 3") && failure.contains("log"), "{failure}");
        assert_eq!(fs::read_to_string(&log).unwrap(), "said\n");
        let mut ended = processes.start(&mut Command::new("true"), &log).unwrap();
        let failure = ended.wait_for("a thing", 60, || false).unwrap_err();
        assert!(failure.contains("has ended"), "{failure}");
    }
}
