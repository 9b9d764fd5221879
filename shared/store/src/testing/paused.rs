//! Processes that are stopped for a while, as on a machine that hangs.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Stopped processes: they go on when this is dropped, or the test's process ends.
#[derive(Debug)]
pub struct Paused(Vec<Child>);

impl Paused {
    /// Stops a process and those that it has started: the first one before the others are looked for, so that no more can follow.
    pub(super) fn with_children(process: u32) -> Self {
        let first = stop(&[process]);
        Self(vec![stop(&children(process)), first])
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        for holder in &mut self.0 {
            drop(holder.stdin.take());
            // nothing to be done about a failure
            let _ = holder.wait();
        }
    }
}

/// Returns when the processes have stopped; they go on when the standard input of the returned one ends.
fn stop(processes: &[u32]) -> Child {
    // a process that was sent the signal may go on for a moment; one that has ended (Z) needs no waiting for
    let script = r#"[ $# -eq 0 ] || kill -STOP "$@"
        tries=0
        for process; do
            while [ -e "/proc/$process" ] && ! grep -q '^State:.[TZ]' "/proc/$process/status"; do
                tries=$((tries + 1))
                [ $tries -lt 2000 ] || { kill -CONT "$@"; exit 1; }
                sleep 0.01
            done
        done
        echo; read -r _; [ $# -eq 0 ] || kill -CONT "$@""#;
    let mut holder = Command::new("sh");
    holder.args(["-c", script, "sh"]).args(processes.iter().map(u32::to_string));
    let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh starts");
    let mut line = String::new();
    let stdout = holder.stdout.take().expect("stdout is piped");
    BufReader::new(stdout).read_line(&mut line).expect("sh says when they are stopped");
    assert!(!line.is_empty(), "the processes stop");
    holder
}

/// The processes that this one has started.
fn children(process: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("processes are listed").flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|&number| parent(number) == Some(process)).collect()
}

/// The process that started this one, unless it has ended meanwhile.
fn parent(process: u32) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // number (name, which may have anything in it) state parent ...
    text.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
