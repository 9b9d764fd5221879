use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use proto::doorward::idp::v1::sessions_api_client::SessionsApiClient;
use proto::doorward::idp::v1::{WatchEndedSessionsRequest, WatchEndedSessionsResponse};
use tonic::metadata::MetadataValue;
use tonic::{Request, Status, Streaming};
use uuid::Uuid;

use super::{EndedSessions, Issuance};
use crate::{Channel, ServiceToken};

/// How long a provider is waited for that has told nothing yet.
const PATIENCE: Duration = Duration::from_secs(5);

/// A provider in another process, which tells of its sessions while it is [followed](Remote::follow). What it has told stays true
/// while it is away: without it no session ends, and what was issued in one expires. A provider that has told nothing is unknown
/// at first; after five seconds it counts as away. While one that answers does not know everything, as its database is away, what it has
/// not told is unknown.
pub struct Remote {
    client: SessionsApiClient<Channel>,
    token: ServiceToken,
    known: RwLock<Known>,
    started: Instant,
}

#[derive(Default)]
struct Known {
    issuers: Vec<String>,
    /// What has ended, and until when it is remembered.
    ended: HashMap<Uuid, SystemTime>,
    /// Whether the provider has told everything once.
    is_complete: bool,
    /// It answers, and does not know everything itself at this moment, or has not told it yet.
    is_in_doubt: bool,
}

impl Remote {
    /// The provider behind this channel, called with the tokens that `token` makes.
    pub fn new(channel: impl Into<Channel>, token: ServiceToken) -> Self {
        Self {
            client: SessionsApiClient::new(channel.into()),
            token,
            known: RwLock::default(),
            started: Instant::now(),
        }
    }

    /// Asks the provider for what has ended, and for what ends from now on.
    ///
    /// # Errors
    /// If the provider does not answer or refuses the token.
    pub async fn follow(&self) -> Result<Following<'_>, Status> {
        let token = (self.token)().map_err(|error| Status::internal(error.to_string()))?;
        let mut token = MetadataValue::try_from(token).map_err(|_| Status::internal("the token is no header"))?;
        token.set_sensitive(true);
        let mut request = Request::new(WatchEndedSessionsRequest {});
        request.metadata_mut().insert("x-access-token", token);
        let messages = self.client.clone().watch_ended_sessions(request).await?.into_inner();
        Ok(Following { remote: self, messages })
    }

    /// Whether this provider has an issuer, and something of it is among what has ended; `None` if that is unknown at this moment.
    fn has(&self, issuer: &str, is_among: impl FnOnce(&HashMap<Uuid, SystemTime>) -> bool) -> Option<bool> {
        let known = self.read();
        if !known.is_complete && self.started.elapsed() < PATIENCE {
            return None;
        }
        if !known.issuers.iter().any(|own| own == issuer) {
            return Some(false);
        }
        let has_ended = is_among(&known.ended);
        (has_ended || !known.is_in_doubt).then_some(has_ended)
    }

    // each change of what is known is one step, so that one who panicked has left it whole

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EndedSessions for Remote {
    fn has_ended(&self, issuer: &str, sid: &str) -> Option<bool> {
        self.has(issuer, |ended| sid.parse::<Uuid>().is_ok_and(|sid| ended.contains_key(&sid)))
    }

    fn cuts_off(&self, issuer: &str, token: &Issuance<'_>) -> Option<bool> {
        self.has(issuer, |ended| !ended.is_empty() && token.is_cut_off(|id| ended.get(&id).copied()))
    }
}

/// What a provider tells of its sessions.
pub struct Following<'a> {
    remote: &'a Remote,
    messages: Streaming<WatchEndedSessionsResponse>,
}

impl Following<'_> {
    /// Waits for the next message, and notes what it tells; `false` if the provider has ended the answer.
    ///
    /// # Errors
    /// If the connection is lost, or the provider fails.
    pub async fn hear(&mut self, now: SystemTime) -> Result<bool, Status> {
        let Some(message) = self.messages.message().await? else { return Ok(false) };
        let mut known = self.remote.write();
        if !message.issuers.is_empty() {
            known.issuers = message.issuers;
        }
        for session in message.ended {
            let id = Uuid::from_slice(&session.id).map_err(|_| Status::internal("a session has no identifier"))?;
            let until = UNIX_EPOCH + Duration::from_secs(session.until.try_into().unwrap_or_default());
            let remembered = known.ended.entry(id).or_insert(until);
            *remembered = until.max(*remembered);
        }
        known.is_in_doubt = !message.is_complete;
        if message.is_complete {
            known.is_complete = true;
            known.ended.retain(|_, until| *until > now);
        }
        Ok(true)
    }
}

impl Drop for Following<'_> {
    fn drop(&mut self) {
        // from now on the provider is away
        self.remote.write().is_in_doubt = false;
    }
}
