//! Requests to a name are balanced over the replicas behind it.
//!
//! The name is resolved again and again. There is a connection to each of its addresses, and each replica is asked for its health. A request
//! goes to one of two random replicas that serve, to that with fewer requests in flight. It is sent to another one if it was not sent, if the
//! replica states that it has not processed it, or once if its connection is lost and it may be processed twice; never if the caller's own
//! deadline is over.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use authn::BoxError;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use status::Kind;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::Service;

use super::replay::Replay;
use super::replica::{Health, Replica, State};
use super::resolver::Resolve;
use super::{for_caller, innermost, is_own_deadline, is_sent_again, is_unprocessed};
use crate::{Background, Random};

/// How often a name is resolved at most.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(10);
/// A random time is added to each interval, up to this.
const RESOLVE_SPREAD: Duration = Duration::from_secs(20);
/// How often a name without a known address is resolved.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// The least time between two resolutions.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
/// How long a resolution may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request waits for a replica that answers, all attempts together.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Makes the channel to an address. It connects when it is first used.
pub(super) type Connect = Box<dyn Fn(SocketAddr, Arc<State>) -> Channel + Send + Sync>;

/// Sends requests to the replicas behind a name. Clones share the connections.
#[derive(Clone)]
pub(super) struct Balancer(Arc<Inner>);

struct Inner {
    host: String,
    port: u16,
    resolver: Arc<dyn Resolve>,
    connect: Connect,
    random: Random,
    background: Background,
    is_started: AtomicBool,
    replicas: ArcSwap<Vec<Arc<Replica>>>,
    /// Why the last resolution failed.
    problem: ArcSwapOption<String>,
    /// How many resolutions have ended.
    resolutions: AtomicU64,
    resolve_now: Arc<Notify>,
    /// Counts the ends of resolutions and the changes of replicas' health.
    changes: watch::Sender<u64>,
}

/// What is found among the replicas.
enum Choice {
    Replica(Arc<Replica>),
    /// Something is not known yet.
    Wait,
    None(String),
}

impl Balancer {
    /// Nothing is resolved before the first request.
    pub(super) fn new(
        (host, port): (String, u16),
        resolver: Arc<dyn Resolve>,
        connect: Connect,
        (random, background): (Random, Background),
    ) -> Self {
        Self(Arc::new(Inner {
            host,
            port,
            resolver,
            connect,
            random,
            background,
            is_started: AtomicBool::new(false),
            replicas: ArcSwap::default(),
            problem: ArcSwapOption::empty(),
            resolutions: AtomicU64::new(0),
            resolve_now: Arc::default(),
            changes: watch::Sender::new(0),
        }))
    }

    fn start(&self) {
        if !self.0.is_started.swap(true, Ordering::AcqRel) {
            let resolving = keep_resolving(Arc::downgrade(&self.0), Arc::clone(&self.0.resolve_now));
            self.0.background.spawn("addresses of replicas", resolving);
        }
    }
}

impl Service<Request<Body>> for Balancer {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.start();
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.send(request).await })
    }
}

/// Resolves the name again and again, as long as the balancer is there.
async fn keep_resolving(inner: Weak<Inner>, resolve_now: Arc<Notify>) {
    while let Some(inner) = inner.upgrade() {
        inner.resolve().await;
        let pause = inner.pause();
        drop(inner);
        sleep(LEAST_PAUSE).await;
        let _ = timeout(pause, resolve_now.notified()).await;
    }
}

impl Inner {
    async fn resolve(&self) {
        let resolved = timeout(RESOLVE_TIMEOUT, self.resolver.resolve(&self.host, self.port)).await;
        let addresses = match resolved {
            Ok(Ok(addresses)) if addresses.is_empty() => Err("the name has no address".to_owned()),
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the name is not resolved in time".to_owned()),
        };
        match addresses {
            Ok(addresses) => {
                self.problem.store(None);
                self.replace(addresses.into_iter().collect());
            }
            Err(problem) => {
                let peer = self.peer();
                if self.problem.swap(Some(Arc::new(problem.clone()))).is_none() {
                    tracing::warn!(peer, problem, "{peer}: {problem}; addresses that are known stay in use");
                }
            }
        }
        self.resolutions.fetch_add(1, Ordering::AcqRel);
        self.changes.send_modify(|count| *count += 1);
    }

    /// Uses these addresses; connections to those that were known stay.
    fn replace(&self, addresses: BTreeSet<SocketAddr>) {
        let before = self.replicas.load_full();
        if before.iter().map(|replica| replica.address).eq(addresses.iter().copied()) {
            return;
        }
        let (peer, listed) = (self.peer(), format!("{addresses:?}"));
        tracing::info!(peer, addresses = listed, "the addresses of {peer} are {listed}");
        let replica = |address: SocketAddr| {
            let known = before.iter().find(|replica| replica.address == address);
            known.cloned().unwrap_or_else(|| {
                let state = State::new(&self.changes);
                let channel = (self.connect)(address, Arc::clone(&state));
                Arc::new(Replica::new(address, channel, state, &self.background))
            })
        };
        self.replicas.store(Arc::new(addresses.into_iter().map(replica).collect()));
    }

    fn pause(&self) -> Duration {
        if self.replicas.load().is_empty() {
            return RETRY_INTERVAL;
        }
        let spread = u64::try_from(RESOLVE_SPREAD.as_millis()).unwrap_or_default();
        RESOLVE_INTERVAL + Duration::from_millis(self.random.below(spread + 1))
    }

    fn peer(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let deadline = Instant::now() + PATIENCE;
        let (parts, body) = request.into_parts();
        let body = Replay::new(body);
        let mut tried: Vec<SocketAddr> = Vec::new();
        let mut ended = 0;
        let mut last: Option<BoxError> = None;
        loop {
            let replica = match self.pick(&tried, deadline).await {
                Ok(replica) => replica,
                Err(problem) => return Err(last.unwrap_or_else(|| self.unavailable(&problem).into())),
            };
            let error = match replica.send(Request::from_parts(parts.clone(), body.attempt())).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            // the caller has not waited long enough: this says nothing about the replica, and another one would have no time at all
            if is_own_deadline(&error) {
                return Err(error.into());
            }
            // that says nothing about the replica, which may be the only one: a new connection is made
            if Instant::now() < deadline && is_sent_again(&error, &parts, &body, ended) {
                ended += 1;
                last = Some(for_caller(error));
                continue;
            }
            let is_unsent = !body.is_begun();
            if is_unsent {
                replica.failed(&innermost(&error));
                self.resolve_now.notify_one();
            }
            let may_be_repeated = is_unsent || (body.is_repeatable() && is_unprocessed(&error));
            if !may_be_repeated || Instant::now() >= deadline {
                return Err(for_caller(error));
            }
            tracing::debug!(peer = self.peer(), %error, "the request is sent to another replica");
            tried.push(replica.address);
            last = Some(for_caller(error));
        }
    }

    fn unavailable(&self, problem: &str) -> Status {
        status::grpc(Kind::Unavailable, format!("{}: {problem}", self.peer()))
    }

    /// A replica for a request that was not sent to those already tried.
    async fn pick(&self, tried: &[SocketAddr], deadline: Instant) -> Result<Arc<Replica>, String> {
        let mut changes = self.changes.subscribe();
        let resolutions = self.resolutions.load(Ordering::Acquire);
        let mut has_waited = false;
        loop {
            changes.mark_unchanged();
            match self.choose(tried, resolutions, has_waited) {
                Choice::Replica(replica) => return Ok(replica),
                Choice::None(problem) => return Err(problem),
                Choice::Wait => {}
            }
            has_waited = true;
            if !matches!(timeout_at(deadline, changes.changed()).await, Ok(Ok(()))) {
                let replicas = self.replicas.load();
                let connected = replicas.iter().filter(|replica| replica.is_connected() && is_new(replica, tried));
                return self.lighter(connected).ok_or_else(|| "no replica answers in time".to_owned());
            }
        }
    }

    /// The best replica at this moment: one that serves, else one that answers. If none is known to answer, and nothing has been waited for
    /// yet, one that did not answer when it was last asked.
    fn choose(&self, tried: &[SocketAddr], resolutions: u64, has_waited: bool) -> Choice {
        let replicas = self.replicas.load();
        if replicas.is_empty() {
            let has_failed = self.resolutions.load(Ordering::Acquire) > resolutions;
            if let Some(problem) = self.problem.load_full().filter(|_| has_failed) {
                return Choice::None(String::clone(&problem));
            }
            self.resolve_now.notify_one();
            return Choice::Wait;
        }
        let (mut serving, mut answering, mut unreachable) = (Vec::new(), Vec::new(), Vec::new());
        let (mut is_unknown, mut last) = (false, "every replica was tried".to_owned());
        for replica in replicas.iter().filter(|replica| is_new(replica, tried)) {
            match &*replica.health() {
                Health::Serving => serving.push(replica),
                Health::NotServing => answering.push(replica),
                Health::Unknown => is_unknown = true,
                Health::Unreachable(problem) => {
                    last.clone_from(problem);
                    unreachable.push(replica);
                }
            }
        }
        let best = self.lighter(serving.into_iter()).or_else(|| self.lighter(answering.into_iter()));
        match best {
            Some(replica) => Choice::Replica(replica),
            None if is_unknown => Choice::Wait,
            None if has_waited => Choice::None(last),
            None => self.lighter(unreachable.into_iter()).map_or(Choice::None(last), Choice::Replica),
        }
    }

    /// Of two random ones, that with fewer requests in flight.
    fn lighter<'a>(&self, candidates: impl Iterator<Item = &'a Arc<Replica>>) -> Option<Arc<Replica>> {
        let candidates: Vec<_> = candidates.collect();
        let count = candidates.len() as u64;
        if count < 2 {
            return candidates.first().copied().cloned();
        }
        let one = self.random.below(count);
        let other = (one + 1 + self.random.below(count - 1)) % count;
        let at = |index: u64| candidates.get(usize::try_from(index).unwrap_or_default());
        [at(one), at(other)].into_iter().flatten().min_by_key(|replica| replica.in_flight()).copied().cloned()
    }
}

fn is_new(replica: &Replica, tried: &[SocketAddr]) -> bool {
    !tried.contains(&replica.address)
}
