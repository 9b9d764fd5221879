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

use crate::{
    server::Server,
    spent::{Cost, Spent},
};

/// A call that is made again and again: over this connection, for the n-th time. Whether it was answered as it should be.
pub(crate) type Call<C = Channel> = Arc<dyn Fn(C, usize) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

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
    /// What the servers behind it used up.
    pub(crate) behind: Cost,
}

impl Measured {
    /// Answered calls a second.
    #[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
    pub(crate) fn rate(&self) -> f64 {
        self.latency.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Who calls one server.
pub(crate) struct Callers<'a, C = Channel> {
    server: &'a Server,
    behind: &'a [Server],
    count: usize,
    channels: Vec<C>,
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
        Self::connect_to(server, &server.address, count, connections).await
    }

    /// The same, to another address of that server.
    pub(crate) async fn connect_to(
        server: &'a Server,
        address: &str,
        count: usize,
        connections: usize,
    ) -> Result<Self, BoxError> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
        let mut channels = Vec::with_capacity(connections);
        for _ in 0..connections {
            channels.push(endpoint.connect().await?);
        }
        Ok(Self { server, behind: &[], count, channels })
    }
}

impl<'a, C: Clone + Send + 'static> Callers<'a, C> {
    /// A caller a connection; what the servers behind the one that is called use up is noted apart.
    pub(crate) fn over(server: &'a Server, behind: &'a [Server], channels: Vec<C>) -> Self {
        Self { server, behind, count: channels.len(), channels }
    }

    /// The connection of a caller.
    pub(crate) fn channel(&self, caller: usize) -> C {
        self.channels[caller % self.channels.len()].clone()
    }

    /// Lets all call for a while. The first fifth does not count.
    pub(crate) async fn keep_calling(&self, call: &Call<C>, duration: Duration) -> Result<Measured, BoxError> {
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
        let (before, start) = (self.spent()?, Instant::now());
        measuring.store(true, Ordering::Relaxed);
        tokio::time::sleep(duration).await;
        measuring.store(false, Ordering::Relaxed);
        let (elapsed, after) = (start.elapsed(), self.spent()?);
        done.store(true, Ordering::Relaxed);
        gather(tasks, elapsed, after.since(&before)).await
    }

    /// Makes the calls 0 to `calls`, each once, and all of them count.
    pub(crate) async fn call_each_once(&self, call: &Call<C>, calls: usize) -> Result<Measured, BoxError> {
        let (before, start) = (self.spent()?, Instant::now());
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
        let mut measured = gather(tasks, Duration::ZERO, Costs::default()).await?;
        measured.elapsed = start.elapsed();
        let Costs { own, behind } = self.spent()?.since(&before);
        (measured.cost, measured.behind) = (own, behind);
        Ok(measured)
    }

    /// Makes the calls 0 to `calls`, each once, only to have made them. None may fail.
    pub(crate) async fn succeed(&self, call: &Call<C>, calls: usize) -> Result<(), BoxError> {
        match self.call_each_once(call, calls).await?.failures {
            0 => Ok(()),
            failures => Err(format!("{failures} of {calls} calls failed").into()),
        }
    }

    fn spent(&self) -> Result<AllSpent, BoxError> {
        let behind = self.behind.iter().map(Server::spent).collect::<Result<_, _>>()?;
        Ok(AllSpent { own: self.server.spent()?, behind })
    }
}

/// What a server and those behind it had used up at some moment.
struct AllSpent {
    own: Spent,
    behind: Vec<Spent>,
}

/// What they used up in between.
#[derive(Default)]
struct Costs {
    own: Cost,
    behind: Cost,
}

impl AllSpent {
    fn since(&self, earlier: &Self) -> Costs {
        let mut behind = Cost::default();
        self.behind.iter().zip(&earlier.behind).for_each(|(now, before)| behind += now.since(before));
        Costs { own: self.own.since(&earlier.own), behind }
    }
}

async fn gather(
    tasks: Vec<tokio::task::JoinHandle<Result<Seen, BoxError>>>,
    elapsed: Duration,
    Costs { own, behind }: Costs,
) -> Result<Measured, BoxError> {
    let mut measured = Measured { latency: Histogram::new(3)?, failures: 0, elapsed, cost: own, behind };
    for task in tasks {
        let Seen { latency, failures } = task.await??;
        measured.latency.add(latency)?;
        measured.failures += failures;
    }
    Ok(measured)
}
