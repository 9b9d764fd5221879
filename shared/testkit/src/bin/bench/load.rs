//! Callers that call again as soon as they are answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use authn::BoxError;
use hdrhistogram::Histogram;
use tonic::transport::{Channel, Endpoint};

/// What one row measured.
pub(crate) struct Measured {
    /// How long each answered call took, in microseconds.
    pub(crate) latency: Histogram<u64>,
    /// Calls that failed.
    pub(crate) failures: u64,
    /// How long was measured.
    pub(crate) elapsed: Duration,
}

impl Measured {
    /// Answered calls a second.
    #[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
    pub(crate) fn rate(&self) -> f64 {
        self.latency.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Connections to one server.
pub(crate) async fn connect(address: &str, connections: usize) -> Result<Vec<Channel>, BoxError> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
    let mut channels = Vec::with_capacity(connections);
    for _ in 0..connections {
        channels.push(endpoint.connect().await?);
    }
    Ok(channels)
}

/// Lets callers call for a while: `call(channel, n)` is a caller's n-th call. The first fifth does not count.
pub(crate) async fn drive<F, C>(
    channels: &[Channel],
    callers: usize,
    duration: Duration,
    started: impl FnOnce(),
    call: C,
) -> Result<Measured, BoxError>
where
    C: Fn(Channel, usize) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = bool> + Send,
{
    let (measuring, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let mut tasks = Vec::with_capacity(callers);
    for caller in 0..callers {
        let (channel, call) = (channels[caller % channels.len()].clone(), call.clone());
        let (measuring, done) = (measuring.clone(), done.clone());
        tasks.push(tokio::spawn(async move {
            let mut latency = Histogram::<u64>::new(3)?;
            let (mut failures, mut number) = (0, caller);
            while !done.load(Ordering::Relaxed) {
                let start = Instant::now();
                let succeeded = call(channel.clone(), number).await;
                number += callers;
                if !measuring.load(Ordering::Relaxed) {
                    continue;
                }
                if succeeded {
                    latency.record(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX))?;
                } else {
                    failures += 1;
                }
            }
            Ok::<_, BoxError>((latency, failures))
        }));
    }
    tokio::time::sleep(duration / 5).await;
    started();
    measuring.store(true, Ordering::Relaxed);
    let start = Instant::now();
    tokio::time::sleep(duration).await;
    measuring.store(false, Ordering::Relaxed);
    let elapsed = start.elapsed();
    done.store(true, Ordering::Relaxed);

    let mut measured = Measured { latency: Histogram::new(3)?, failures: 0, elapsed };
    for task in tasks {
        let (latency, failures) = task.await??;
        measured.latency.add(latency)?;
        measured.failures += failures;
    }
    Ok(measured)
}
