//! Credentials of types that are not ours: links of an OpenCloud or oCIS behind this gateway. A caller in another process gets the
//! upstream's answer byte for byte, also the fields that this gateway does not know (`docs/security-requirements.md#g21`).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use authn::gateway::{Identified, Remote};
use authn::{AuthError, Channel, Credentials, Gateway};
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use prost::Message;
use proto::cs3::gateway::v1beta1::AuthenticateRequest;
use tonic::Status;
use tonic::body::Body;
use tower::{Service, ServiceExt};

use crate::authenticate::{Core, log_refusal};
use crate::forward::{UPSTREAM, forward};
use crate::transactions::{REQUEST_KEY, TOKEN_KEY};

/// The bytes before a message: whether it is compressed, and its length (`Length-Prefixed-Message` of gRPC over HTTP/2).
const PREFIX: usize = 5;
/// The longest name of a type in the log, in characters.
const LONGEST_TYPE: usize = 32;
/// How long the upstream may take for a caller in this process. Others have deadlines of their own.
const DEADLINE: Duration = Duration::from_secs(5);

impl Core {
    /// The upstream, if it is the one that answers credentials of this type; counts and logs that it is called.
    pub(crate) fn foreign_upstream(&self, kind: &str) -> Option<Channel> {
        let upstream = self.peers.upstream_for(kind)?;
        self.forwarded.inc();
        let kind: String = kind.chars().take(LONGEST_TYPE).collect();
        tracing::debug!(kind, "the upstream gateway authenticates");
        Some(upstream)
    }

    /// The upstream's answer about credentials of a type that is not ours, for a caller in this process.
    pub(crate) async fn authenticate_at(
        &self,
        upstream: Channel,
        kind: &str,
        credentials: &Credentials,
    ) -> Result<Identified, AuthError> {
        let (begin, upstream) = (Instant::now(), Remote::new(upstream));
        let answer = tokio::time::timeout(DEADLINE, upstream.token(kind, credentials)).await;
        let verdict = answer
            .unwrap_or_else(|elapsed| Err(AuthError::Unavailable { service: UPSTREAM, source: Box::new(elapsed) }));
        self.authentications.record(kind, &verdict, begin.elapsed());
        if let Err(error) = &verdict {
            log_refusal(kind, &credentials.client_id, &credentials.caller, error);
        }
        verdict
    }
}

/// Answers `Authenticate`: passes a request of a type that is not ours to the upstream as it came, and every other one to the server of
/// this gateway. That refuses a type that is not ours together with a request for a transaction token.
pub(crate) async fn authenticate<S>(
    own: S,
    core: Arc<Core>,
    request: Request<Body>,
) -> Result<Response<Body>, Infallible>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let (kind, request) = match read(request, core.message_limit).await {
        Ok(read) => read,
        Err(status) => return Ok(status.into_http()),
    };
    // no transaction token is issued for credentials of the upstream, and without it there is no internal token
    let wants_transaction = request.headers().contains_key(REQUEST_KEY);
    match kind.filter(|_| !wants_transaction).and_then(|kind| core.foreign_upstream(&kind)) {
        Some(upstream) => {
            let mut response = forward(upstream, UPSTREAM, request).await?;
            // only this gateway answers with one
            response.headers_mut().remove(TOKEN_KEY);
            Ok(response)
        }
        None => own.oneshot(request).await,
    }
}

/// Reads a request, and the type of its credentials. It has none if it is not one message of at most `limit` bytes that can be read:
/// the server of this gateway refuses it.
async fn read(request: Request<Body>, limit: usize) -> Result<(Option<String>, Request<Body>), Status> {
    let (parts, mut body) = request.into_parts();
    let (longest, mut received) = (limit.saturating_add(PREFIX), BytesMut::new());
    while received.len() <= longest {
        let Some(frame) = body.frame().await else { break };
        if let Ok(data) = frame?.into_data() {
            received.extend_from_slice(&data);
        }
    }
    let received = received.freeze();
    let kind = (received.len() <= longest).then(|| kind_of(&received)).flatten();
    Ok((kind, Request::from_parts(parts, Body::new(Full::new(received)))))
}

/// The type in one message that is not compressed.
fn kind_of(received: &Bytes) -> Option<String> {
    let (&[0, length @ ..], message) = received.split_first_chunk::<PREFIX>()? else { return None };
    let is_whole = usize::try_from(u32::from_be_bytes(length)).is_ok_and(|length| length == message.len());
    let request = is_whole.then(|| AuthenticateRequest::decode(message).ok()).flatten()?;
    Some(request.r#type)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(kind: &str) -> Vec<u8> {
        let message = AuthenticateRequest { r#type: kind.to_owned(), ..AuthenticateRequest::default() }.encode_to_vec();
        let length = u32::try_from(message.len()).expect("it is short");
        [&[0][..], &length.to_be_bytes(), &message].concat()
    }

    async fn received(bytes: Vec<u8>, limit: usize) -> (Option<String>, Bytes) {
        let body = Body::new(Full::new(Bytes::from(bytes)));
        let (kind, request) = read(Request::new(body), limit).await.expect("the body can be read");
        (kind, request.into_body().collect().await.expect("the body can be read").to_bytes())
    }

    #[tokio::test]
    async fn type_is_read_and_the_request_stays_as_it_was() {
        for kind in ["guestlinks", "basic", ""] {
            let bytes = framed(kind);
            assert_eq!(received(bytes.clone(), 1024).await, (Some(kind.to_owned()), Bytes::from(bytes)), "{kind}");
        }
    }

    #[tokio::test]
    async fn request_that_is_not_one_message_has_no_type() {
        let whole = framed("guestlinks");
        let compressed = [&[1][..], &whole[1..]].concat();
        let two = [whole.as_slice(), whole.as_slice()].concat();
        let not_a_message = [&[0, 0, 0, 0, 2][..], &[0xff; 2]].concat();
        for bytes in [compressed, two, not_a_message, whole[..whole.len() - 1].to_vec(), vec![0; 4], Vec::new()] {
            assert_eq!(received(bytes.clone(), 1024).await, (None, Bytes::from(bytes)));
        }
    }

    #[tokio::test]
    async fn request_that_is_too_long_has_no_type() {
        let bytes = framed("guestlinks");
        assert_eq!(received(bytes.clone(), bytes.len() - PREFIX).await.0.as_deref(), Some("guestlinks"));
        assert_eq!(received(bytes.clone(), bytes.len() - PREFIX - 1).await.0, None);
    }
}
