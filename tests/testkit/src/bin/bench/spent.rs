//! What a process has used up, as the kernel counts it.

use std::{collections::HashMap, fs};

use authn::BoxError;

/// What a process had used up at some moment.
#[derive(Clone)]
pub(crate) struct Spent {
    /// Nanoseconds on a CPU, by thread. The process's own sum comes in steps of 10 ms, too coarse for a short row.
    threads: HashMap<String, u64>,
    file_reads: u64,
}

/// What was used up in between.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cost {
    /// CPU time, in milliseconds.
    pub(crate) cpu_ms: f64,
    /// Reads of files. Sockets do not count here, and `SQLite` keeps only 2 MiB of a file in a connection's memory: of a
    /// large store hardly any lookup goes without a read.
    pub(crate) file_reads: u64,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.cpu_ms += other.cpu_ms;
        self.file_reads += other.file_reads;
    }
}

/// Nanoseconds that this thread has been on a CPU.
pub(crate) fn on_this_thread() -> Result<u64, BoxError> {
    let times = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(times.split_whitespace().next().ok_or("no time in schedstat")?.parse()?)
}

impl Spent {
    /// What this process has used up so far.
    pub(crate) fn by(process: u32) -> Result<Self, BoxError> {
        let mut threads = HashMap::new();
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            let thread = thread?;
            // One that has just ended is none any more.
            let Ok(times) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
            let on_cpu = times.split_whitespace().next().ok_or("no time in schedstat")?.parse()?;
            threads.insert(thread.file_name().to_string_lossy().into_owned(), on_cpu);
        }
        let io = fs::read_to_string(format!("/proc/{process}/io"))?;
        let reads = io.lines().find_map(|line| line.strip_prefix("syscr: ")).ok_or("no reads in /proc/PID/io")?;
        Ok(Self { threads, file_reads: reads.parse()? })
    }

    /// What was used up since an earlier moment.
    #[expect(clippy::cast_precision_loss, reason = "the nanoseconds of a run are far below 2^52")]
    pub(crate) fn since(&self, earlier: &Self) -> Cost {
        let before = |thread| earlier.threads.get(thread).copied().unwrap_or_default();
        let nanos: u64 = self.threads.iter().map(|(thread, now)| now.saturating_sub(before(thread))).sum();
        Cost { cpu_ms: nanos as f64 / 1e6, file_reads: self.file_reads.saturating_sub(earlier.file_reads) }
    }
}
