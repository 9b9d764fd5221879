//! `KeysAPI`, for administrators.

use std::error::Error;
use std::time::SystemTime;

use authn::Caller;
use oidc::jose::Algorithm;
use proto::doorward::idp::v1::{
    Key, KeyState, ListKeysRequest, ListKeysResponse, RetireKeyRequest, RetireKeyResponse, RotateKeyRequest,
    RotateKeyResponse,
    keys_api_server::{KeysApi, KeysApiServer},
};
use runtime::Clock;
use status::Kind;
use token::{Claims, Verifier, authorize_admin};
use tonic::{Request, Response, Status};

use super::change::{self, Change};
use crate::engine::audit_events::AuditEvents;
use crate::engine::keys::{Begin, Keys, KeysError, Listed, State};
use crate::model::seconds;

/// The largest request that is read, in bytes.
const REQUEST_LIMIT: usize = 4 * 1024;

/// The gRPC face of the keys.
pub struct Api {
    keys: Keys,
    audit_events: AuditEvents,
    verifier: Verifier,
    clock: Clock,
}

/// Serves it to those whose internal token is an administrator's, and to requests of at most so many bytes; 4 KiB by default.
pub fn serve(
    keys: Keys,
    audit_events: AuditEvents,
    verifier: Verifier,
    clock: Clock,
    limit: Option<usize>,
) -> KeysApiServer<Api> {
    KeysApiServer::new(Api { keys, audit_events, verifier, clock })
        .max_decoding_message_size(limit.unwrap_or(REQUEST_LIMIT))
}

impl Api {
    fn administrator<T>(&self, request: &Request<T>) -> Result<(Claims, Caller), Status> {
        let caller = Caller::of(request.metadata(), request.extensions());
        Ok((authorize_admin(&self.verifier, self.clock.now(), request.metadata())?, caller))
    }

    fn record(&self, claims: &Claims, caller: &Caller, event: &str, kid: &str) {
        let change = Change { event, kid, ..Change::default() };
        change::record(&self.audit_events, (claims, caller), &change, self.clock.now());
    }
}

fn refused(error: &KeysError) -> Status {
    if error.kind() == Kind::Internal {
        tracing::error!(%error, cause = error.source().map(tracing::field::display), "keys could not be administered");
    }
    status::grpc(error.kind(), error.to_string())
}

fn epoch(time: SystemTime) -> i64 {
    i64::try_from(seconds(time)).unwrap_or(i64::MAX)
}

fn message(key: Listed) -> Key {
    let state = match key.state {
        State::Next => KeyState::Next,
        State::Current => KeyState::Current,
        State::Retired => KeyState::Retired,
        State::Over => KeyState::Over,
    };
    Key {
        kid: key.kid,
        algorithm: key.algorithm.name().to_owned(),
        state: state.into(),
        created: epoch(key.created),
        active: epoch(key.active),
        retired: key.retired.map(epoch),
    }
}

fn algorithm(name: &str) -> Result<Algorithm, Status> {
    let found = Algorithm::SIGNING.into_iter().find(|algorithm| algorithm.name() == name);
    found.ok_or_else(|| status::grpc(Kind::InvalidArgument, "algorithm is one of RS256, PS256, ES256 and EdDSA"))
}

#[tonic::async_trait]
impl KeysApi for Api {
    async fn list_keys(&self, request: Request<ListKeysRequest>) -> Result<Response<ListKeysResponse>, Status> {
        self.administrator(&request)?;
        let keys = self.keys.list().into_iter().map(message).collect();
        Ok(Response::new(ListKeysResponse { keys }))
    }

    async fn rotate_key(&self, request: Request<RotateKeyRequest>) -> Result<Response<RotateKeyResponse>, Status> {
        let (claims, caller) = self.administrator(&request)?;
        let RotateKeyRequest { algorithm: name, at_once } = request.into_inner();
        let begin = if at_once { Begin::AtOnce } else { Begin::Published };
        let key = self.keys.rotate(algorithm(&name)?, begin).await.map_err(|error| refused(&error))?;
        self.record(&claims, &caller, "signing_key_rotate", &key.kid);
        Ok(Response::new(RotateKeyResponse { key: Some(message(key)) }))
    }

    async fn retire_key(&self, request: Request<RetireKeyRequest>) -> Result<Response<RetireKeyResponse>, Status> {
        let (claims, caller) = self.administrator(&request)?;
        let RetireKeyRequest { kid } = request.into_inner();
        self.keys.retire(&kid).await.map_err(|error| refused(&error))?;
        self.record(&claims, &caller, "signing_key_retire", &kid);
        Ok(Response::new(RetireKeyResponse {}))
    }
}
