//! Callers that call again as soon as they are answered.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use authn::BoxError;
use hdrhistogram::Histogram;
use tonic::transport::{Channel, Endpoint};

use crate::{server::Server, spent::Cost};

/// A call that is made again and again: over this connection, for the n-th time. Whether it was answered as it should be.
pub(crate) type Call = Arc<dyn Fn(Channel, usize) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// What one row measured.
pub(crate) struct Measured {
    /// How long each answered call took, in microseconds.
    pub(crate) latency: Histogram<u64>,
    /// Calls that failed.
    pub(crate) failures: u64,
    /// How long was measured.
    pub(crate) elapsed: Duration,
    /// What the server used up meanwhile.
    pub(crate) cost: Cost,
}

impl Measured {
    /// Answered calls a second.
    #[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
    pub(crate) fn rate(&self) -> f64 {
        self.latency.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Who calls one server.
pub(crate) struct Callers<'a> {
    server: &'a Server,
    count: usize,
    channels: Vec<Channel>,
}

/// What one caller has seen.
struct Seen {
    latency: Histogram<u64>,
    failures: u64,
}

impl Seen {
    fn nothing() -> Result<Self, BoxError> {
        Ok(Self { latency: Histogram::new(3)?, failures: 0 })
    }

    fn note(&mut self, took: Duration, succeeded: bool) -> Result<(), BoxError> {
        if succeeded {
            self.latency.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX))?;
        } else {
            self.failures += 1;
        }
        Ok(())
    }
}

impl<'a> Callers<'a> {
    /// So many callers, who share so many connections.
    pub(crate) async fn connect(server: &'a Server, count: usize, connections: usize) -> Result<Self, BoxError> {
        let endpoint = Endpoint::from_shared(format!("http://{}", server.address))?.tcp_nodelay(true);
        let mut channels = Vec::with_capacity(connections);
        for _ in 0..connections {
            channels.push(endpoint.connect().await?);
        }
        Ok(Self { server, count, channels })
    }

    /// The connection of a caller.
    pub(crate) fn channel(&self, caller: usize) -> Channel {
        self.channels[caller % self.channels.len()].clone()
    }

    /// Lets all call for a while. The first fifth does not count.
    pub(crate) async fn keep_calling(&self, call: &Call, duration: Duration) -> Result<Measured, BoxError> {
        let (measuring, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let mut tasks = Vec::with_capacity(self.count);
        for caller in 0..self.count {
            let (channel, call, callers) = (self.channel(caller), call.clone(), self.count);
            let (measuring, done) = (measuring.clone(), done.clone());
            tasks.push(tokio::spawn(async move {
                let (mut seen, mut number) = (Seen::nothing()?, caller);
                while !done.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    let succeeded = call(channel.clone(), number).await;
                    number += callers;
                    if measuring.load(Ordering::Relaxed) {
                        seen.note(start.elapsed(), succeeded)?;
                    }
                }
                Ok(seen)
            }));
        }
        tokio::time::sleep(duration / 5).await;
        let (before, start) = (self.server.spent()?, Instant::now());
        measuring.store(true, Ordering::Relaxed);
        tokio::time::sleep(duration).await;
        measuring.store(false, Ordering::Relaxed);
        let (elapsed, cost) = (start.elapsed(), self.server.spent()?.since(&before));
        done.store(true, Ordering::Relaxed);
        gather(tasks, elapsed, cost).await
    }

    /// Makes the calls 0 to `calls`, each once, and all of them count.
    pub(crate) async fn call_each_once(&self, call: &Call, calls: usize) -> Result<Measured, BoxError> {
        let (before, start) = (self.server.spent()?, Instant::now());
        let mut tasks = Vec::with_capacity(self.count);
        for caller in 0..self.count {
            let (channel, call, callers) = (self.channel(caller), call.clone(), self.count);
            tasks.push(tokio::spawn(async move {
                let mut seen = Seen::nothing()?;
                for number in (caller..calls).step_by(callers) {
                    let start = Instant::now();
                    let succeeded = call(channel.clone(), number).await;
                    seen.note(start.elapsed(), succeeded)?;
                }
                Ok(seen)
            }));
        }
        let mut measured = gather(tasks, Duration::ZERO, Cost::default()).await?;
        measured.elapsed = start.elapsed();
        measured.cost = self.server.spent()?.since(&before);
        Ok(measured)
    }

    /// Makes the calls 0 to `calls`, each once, only to have made them. None may fail.
    pub(crate) async fn succeed(&self, call: &Call, calls: usize) -> Result<(), BoxError> {
        match self.call_each_once(call, calls).await?.failures {
            0 => Ok(()),
            failures => Err(format!("{failures} of {calls} calls failed").into()),
        }
    }
}

async fn gather(
    tasks: Vec<tokio::task::JoinHandle<Result<Seen, BoxError>>>,
    elapsed: Duration,
    cost: Cost,
) -> Result<Measured, BoxError> {
    let mut measured = Measured { latency: Histogram::new(3)?, failures: 0, elapsed, cost };
    for task in tasks {
        let Seen { latency, failures } = task.await??;
        measured.latency.add(latency)?;
        measured.failures += failures;
    }
    Ok(measured)
}
