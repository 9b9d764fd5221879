//! A steady load of every kind of request.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use authn::{BoxError, causes};
use runtime::Clock;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::failure::Failure;
use super::progress::Progress;
use super::replicas::Replicas;
use super::requests::{self, Kind};
use super::table::Outcome;

/// How many requests of a kind are under way at most.
const LANES: u32 = 2;
/// How many times rarer sign-ins are than other requests.
const RARER: u32 = 10;

/// The load, until it is ended.
pub(super) struct Load {
    is_over: Arc<AtomicBool>,
    lanes: JoinSet<()>,
    outcomes: Vec<Arc<Mutex<Outcome>>>,
}

impl Load {
    /// Gets credentials of every type, and begins.
    pub(super) async fn begin(replicas: &Replicas, rate: u32) -> Result<Self, BoxError> {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut load = Self { is_over, lanes: JoinSet::new(), outcomes: Vec::new() };
        for kind in requests::all(replicas).await? {
            let outcome = Arc::new(Mutex::new(Outcome::new(kind.name)?));
            let rate = if kind.is_sign_in { rate.div_ceil(RARER) } else { rate };
            let (kind, period) = (Arc::new(kind), Duration::from_secs(1) * LANES / rate.max(1));
            for _ in 0..LANES {
                let (kind, outcome, is_over) = (Arc::clone(&kind), Arc::clone(&outcome), Arc::clone(&load.is_over));
                let progress = replicas.progress.clone();
                load.lanes.spawn(async move {
                    let mut ticks = tokio::time::interval(period);
                    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                    while !is_over.load(Ordering::Acquire) {
                        ticks.tick().await;
                        send(&kind, &outcome, &progress).await;
                    }
                });
            }
            load.outcomes.push(outcome);
        }
        Ok(load)
    }

    /// Ends it, and returns what has become of the requests, by kind.
    pub(super) async fn end(self) -> Vec<Outcome> {
        self.is_over.store(true, Ordering::Release);
        self.lanes.join_all().await;
        let outcomes = self.outcomes.into_iter().filter_map(Arc::into_inner);
        outcomes.map(|outcome| outcome.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
    }
}

async fn send(kind: &Kind, outcome: &Mutex<Outcome>, progress: &Progress) {
    let clock = Clock::system();
    let (sent, first) = (clock.now(), progress.step());
    let start = Instant::now();
    let answer = (kind.send)().await;
    let took = start.elapsed();
    let failure = answer.err().map(|error| Failure {
        sent,
        failed: clock.now(),
        steps: [first, progress.step()],
        error: described(&*error),
    });
    outcome.lock().unwrap_or_else(PoisonError::into_inner).add(took, failure);
}

/// An error with all its causes.
fn described(error: &(dyn Error + 'static)) -> String {
    let causes = causes(error);
    if causes.is_empty() { error.to_string() } else { format!("{error}: {causes}") }
}
