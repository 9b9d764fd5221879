//! One replica of a peer: the connection to it, and whether it serves.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{Request, Response};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;
use tonic::body::Body;
use tonic::transport::{Channel, Error};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tower::{Service, ServiceExt};

use super::{is_lost_connection, is_on_ended_connection};
use crate::Background;

/// How often a replica that answers is asked for its health.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// How often a replica is asked that answers that it does not serve.
const STARTING_INTERVAL: Duration = Duration::from_secs(1);
/// How long its answer may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a replica that does not answer is left alone, at first and at last.
const BACKOFF: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(15)];
/// The least time between two checks.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// Whether a replica serves (gRPC Health Checking Protocol).
#[derive(Debug)]
pub(super) enum Health {
    /// It is being asked.
    Unknown,
    /// It serves. A server without a health service does if it answers.
    Serving,
    /// It answers that it does not serve at the moment: it starts, stops, or lacks something that it needs.
    NotServing,
    /// It does not answer, for this reason.
    Unreachable(String),
}

/// What is known of a replica.
#[derive(Debug)]
pub(super) struct State {
    health: ArcSwap<Health>,
    connections: AtomicUsize,
    in_flight: AtomicUsize,
    /// Has the replica checked soon.
    check_now: Notify,
    /// Counts changes of any replica's health.
    changes: watch::Sender<u64>,
}

impl State {
    pub(super) fn new(changes: &watch::Sender<u64>) -> Arc<Self> {
        Arc::new(Self {
            health: ArcSwap::from_pointee(Health::Unknown),
            connections: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            check_now: Notify::new(),
            changes: changes.clone(),
        })
    }

    fn set(&self, health: Health) {
        self.health.store(Arc::new(health));
        self.changes.send_modify(|count| *count += 1);
    }

    /// To be held as long as a connection that has just been made is open.
    pub(super) fn connected(self: &Arc<Self>) -> OpenConnection {
        self.connections.fetch_add(1, Ordering::AcqRel);
        OpenConnection(Arc::clone(self))
    }

    /// The last connection of a replica that answered is closed.
    fn disconnected(&self) {
        if matches!(**self.health.load(), Health::Serving | Health::NotServing) {
            self.set(Health::Unknown);
            self.check_now.notify_one();
        }
    }
}

/// An open connection to a replica.
#[derive(Debug)]
pub(super) struct OpenConnection(Arc<State>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        if self.0.connections.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.disconnected();
        }
    }
}

/// A request that has no response yet.
struct InFlight<'a>(&'a State);

impl<'a> InFlight<'a> {
    fn new(state: &'a State) -> Self {
        state.in_flight.fetch_add(1, Ordering::AcqRel);
        Self(state)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A replica, which is checked as long as this is there.
pub(super) struct Replica {
    pub(super) address: SocketAddr,
    channel: Channel,
    state: Arc<State>,
    _checking: AbortOnDropHandle<()>,
}

impl Replica {
    /// The replica at this address, behind this channel.
    pub(super) fn new(address: SocketAddr, channel: Channel, state: Arc<State>, background: &Background) -> Self {
        let checking = background.spawn("health of replicas", keep_checking(channel.clone(), Arc::clone(&state)));
        Self { address, channel, state, _checking: AbortOnDropHandle::new(checking) }
    }

    pub(super) fn health(&self) -> Arc<Health> {
        self.state.health.load_full()
    }

    /// How many requests wait for a response.
    pub(super) fn in_flight(&self) -> usize {
        self.state.in_flight.load(Ordering::Acquire)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.state.connections.load(Ordering::Acquire) > 0
    }

    /// Notes that a request could not be sent.
    pub(super) fn failed(&self, problem: &dyn Display) {
        self.state.set(Health::Unreachable(problem.to_string()));
        self.state.check_now.notify_one();
    }

    /// Sends a request.
    pub(super) async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Error> {
        let _in_flight = InFlight::new(&self.state);
        let mut channel = self.channel.clone();
        channel.ready().await?.call(request).await
    }
}

/// Connects and asks for the health again and again.
async fn keep_checking(channel: Channel, state: Arc<State>) {
    let mut backoff = BACKOFF[0];
    loop {
        let begin = Instant::now();
        let health = check(channel.clone()).await;
        let (pause, next) = match health {
            Health::Unreachable(_) => (backoff, (backoff * 2).min(BACKOFF[1])),
            Health::NotServing => (STARTING_INTERVAL, BACKOFF[0]),
            Health::Serving | Health::Unknown => (CHECK_INTERVAL, BACKOFF[0]),
        };
        backoff = next;
        state.set(health);
        let _ = timeout(pause, state.check_now.notified()).await;
        sleep_until(begin + LEAST_PAUSE).await;
    }
}

/// Asks for the health; once more if the connection ended, which says nothing about the replica.
async fn check(channel: Channel) -> Health {
    let health = match ask(channel.clone()).await {
        Err(status) if is_on_ended_connection(&status) || is_lost_connection(&status) => ask(channel).await,
        health => health,
    };
    health.unwrap_or_else(|status| Health::Unreachable(status.message().to_owned()))
}

async fn ask(channel: Channel) -> Result<Health, Status> {
    let asked = timeout(CHECK_TIMEOUT, HealthClient::new(channel).check(HealthCheckRequest::default())).await;
    let status = match asked {
        Ok(Ok(response)) if response.get_ref().status() == ServingStatus::Serving => return Ok(Health::Serving),
        Ok(Ok(_)) => return Ok(Health::NotServing),
        Ok(Err(status)) => status,
        Err(_) => return Ok(Health::Unreachable("it does not answer in time".to_owned())),
    };
    match status.code() {
        // it answers, and has no health service, or none for us
        Code::Unimplemented
        | Code::NotFound
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::ResourceExhausted => Ok(Health::Serving),
        _ => Err(status),
    }
}
