//! Profiles of the process: where it spends its time, and what memory it has.

mod encoding;
mod memory;
mod proto;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use pprof::{Frames, ProfilerGuard, ProfilerGuardBuilder};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

use super::text;
use encoding::{Timing, encode};

/// Samples in a second of CPU time. A prime, so that work that recurs is not always or never met.
const FREQUENCY: i32 = 99;
const DEFAULT_SECONDS: u64 = 30;
/// The longest profile.
pub(super) const MAX_SECONDS: u64 = 120;
/// Libraries in which no sample is taken: a signal that interrupts them may find their locks held. A static program has none of
/// them: there the unwinder has to do without locks, see [`IS_INTERRUPTIBLE`].
const BLOCKED: [&str; 4] = ["libc", "libgcc", "pthread", "vdso"];
/// Whether the unwinder may interrupt the C library and itself. What handles the signal allocates no memory but on its stack, and takes
/// no lock that it could wait for. The unwinder of GCC finds frames by `_dl_find_object` of glibc (2.35 and later), without a lock or
/// memory. The one that Rust links for musl takes a lock which the interrupted thread may hold, and its programs are static.
const IS_INTERRUPTIBLE: bool = cfg!(target_env = "gnu");
const INDEX: &str = "\
profile?seconds=30  the CPU time of the process, for the programs named pprof (1 to 120 seconds)
heap                the memory of the process and of its allocator, as JSON
";

/// There is one profiler in a process.
static PROFILER: Semaphore = Semaphore::const_new(1);

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
enum ProfileError {
    #[error("the profiler cannot be started: {0}")]
    Profiler(#[from] pprof::Error),
    #[error("the profile cannot be compressed: {0}")]
    Encoding(#[from] std::io::Error),
    #[error("the profiler has panicked")]
    Panic(#[from] JoinError),
}

impl ProfileError {
    fn kind(&self) -> status::Kind {
        match self {
            Self::Profiler(_) | Self::Encoding(_) | Self::Panic(_) => status::Kind::Internal,
        }
    }
}

pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/debug/pprof/", get(async || text(StatusCode::OK, INDEX)))
        .route("/debug/pprof/profile", get(cpu))
        .route("/debug/pprof/heap", get(heap))
}

async fn cpu(Query(query): Query<HashMap<String, String>>) -> Response {
    if !IS_INTERRUPTIBLE {
        return text(StatusCode::NOT_IMPLEMENTED, "a profile is taken only of a program that is built for glibc");
    }
    let Some(seconds) = seconds(query.get("seconds").map(String::as_str)) else {
        return text(StatusCode::BAD_REQUEST, format!("seconds must be a number from 1 to {MAX_SECONDS}"));
    };
    let Ok(_permit) = PROFILER.try_acquire() else {
        return text(StatusCode::CONFLICT, "another profile is being taken; repeat the request when it has ended");
    };
    match take(Duration::from_secs(seconds)).await {
        Ok(profile) => {
            let head = [
                (header::CONTENT_TYPE, "application/octet-stream"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"profile\""),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (head, profile).into_response()
        }
        Err(problem) => {
            tracing::error!(%problem, "no profile: {problem}");
            text(problem.kind().http(), problem.to_string())
        }
    }
}

async fn heap() -> Response {
    let head = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (head, format!("{:#}\n", memory::figures())).into_response()
}

fn seconds(asked: Option<&str>) -> Option<u64> {
    let seconds = asked.map_or(Some(DEFAULT_SECONDS), |asked| asked.parse().ok())?;
    (1..=MAX_SECONDS).contains(&seconds).then_some(seconds)
}

/// Takes a profile of this length, in the compressed form of `profile.proto`. Dropped before its end it stops the profiler.
async fn take(length: Duration) -> Result<Vec<u8>, ProfileError> {
    let profiler = spawn_blocking(start).await??;
    tokio::time::sleep(length).await;
    spawn_blocking(move || -> Result<_, ProfileError> {
        let report = profiler.report().build_unresolved()?;
        // before the addresses get their names, which takes a while
        drop(profiler);
        let (samples, timing) = (report.data, report.timing);
        let samples = samples.into_iter().map(|(frames, count)| (Frames::from(frames), count));
        let timing = Timing { frequency: timing.frequency, started: timing.start_time, length: timing.duration };
        Ok(encode(samples, &timing)?)
    })
    .await?
}

fn start() -> Result<ProfilerGuard<'static>, pprof::Error> {
    ProfilerGuardBuilder::default().frequency(FREQUENCY).blocklist(&BLOCKED).build()
}
