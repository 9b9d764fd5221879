//! `SessionsAPI`, for services that hold state of a session or verify what was issued in one.

#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, unfold};
use proto::doorward::idp::v1::{
    EndedSession, WatchEndedSessionsRequest, WatchEndedSessionsResponse,
    sessions_api_server::{SessionsApi, SessionsApiServer},
};
use status::Kind;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::Provider;
use crate::model::seconds;
use crate::revocations::{Revocation, Revocations};

/// The largest request that is read, in bytes.
const REQUEST_LIMIT: usize = 4 * 1024;
/// How often a message is sent, also an empty one.
const BEAT: Duration = Duration::from_secs(1);
/// After this time a caller shows a token anew.
const AUTHORIZED_FOR: Duration = Duration::from_mins(10);
/// How many sessions a message tells of at most: some 30 KiB.
const MESSAGE: usize = 1000;

/// The gRPC service.
pub struct Api {
    provider: Provider,
    shutdown: CancellationToken,
}

/// Serves it until the shutdown, to services with a token for this purpose and requests of at most so many bytes; 4 KiB by default.
pub fn serve(provider: Provider, shutdown: CancellationToken, limit: Option<usize>) -> SessionsApiServer<Api> {
    SessionsApiServer::new(Api { provider, shutdown }).max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

#[tonic::async_trait]
impl SessionsApi for Api {
    type WatchEndedSessionsStream = BoxStream<'static, Result<WatchEndedSessionsResponse, Status>>;

    async fn watch_ended_sessions(
        &self,
        request: Request<WatchEndedSessionsRequest>,
    ) -> Result<Response<Self::WatchEndedSessionsStream>, Status> {
        let Self { provider, shutdown } = self;
        let claims = ::token::authorize(&provider.verifier, provider.clock.now(), request.metadata())?;
        if !claims.is_session_watcher() {
            return Err(status::grpc(Kind::PermissionDenied, "this is for services that watch sessions"));
        }
        let issuers = provider.issuers.iter().map(|endpoints| endpoints.issuer.clone()).collect();
        let watch = Watch::new(provider.revocations.clone(), issuers, shutdown.clone());
        let messages = unfold(watch, async |mut watch| watch.next().await.map(|message| (Ok(message), watch)));
        Ok(Response::new(messages.boxed()))
    }
}

/// What a caller has been told.
struct Watch {
    revocations: Revocations,
    issuers: Vec<String>,
    /// What has ended since.
    added: Receiver<Revocation>,
    /// What is not told yet.
    untold: Vec<Revocation>,
    beat: Interval,
    end: Instant,
    shutdown: CancellationToken,
}

impl Watch {
    fn new(revocations: Revocations, issuers: Vec<String>, shutdown: CancellationToken) -> Self {
        // before all is read, so that none is missed
        let added = revocations.added();
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (untold, end) = (revocations.all(), Instant::now() + AUTHORIZED_FOR);
        Self { revocations, issuers, added, untold, beat, end, shutdown }
    }

    /// The next message; `None` at the end.
    async fn next(&mut self) -> Option<WatchEndedSessionsResponse> {
        // also of a caller who has not read everything yet
        if self.shutdown.is_cancelled() || self.end <= Instant::now() {
            return None;
        }
        if self.untold.is_empty() {
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return None,
                () = sleep_until(self.end) => return None,
                added = self.added.recv() => match added {
                    Ok(added) => self.untold.push(added),
                    Err(RecvError::Lagged(_)) => self.tell_all(),
                    Err(RecvError::Closed) => return None,
                },
                _ = self.beat.tick() => {}
            }
        }
        while self.untold.len() < MESSAGE {
            match self.added.try_recv() {
                Ok(added) => self.untold.push(added),
                Err(TryRecvError::Lagged(_)) => self.tell_all(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        let ended = self.untold.drain(self.untold.len().saturating_sub(MESSAGE)..);
        let ended = ended.map(|Revocation { id, until }| EndedSession {
            id: id.as_bytes().to_vec(),
            until: i64::try_from(seconds(until)).unwrap_or(i64::MAX),
        });
        Some(WatchEndedSessionsResponse {
            issuers: std::mem::take(&mut self.issuers),
            ended: ended.collect(),
            is_complete: self.untold.is_empty() && self.added.is_empty() && self.revocations.is_current(),
        })
    }

    /// Some were missed.
    fn tell_all(&mut self) {
        self.untold = self.revocations.all();
    }
}
