//! Channels to other services.

mod balancer;
mod connector;
mod endpoint;
mod health;
mod one_connection;
mod readable_to_end;
mod replay;
mod replica;
mod resolver;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use authn::{BoxError, Channel, Repeatable};
use http::request::Parts;
use tonic::transport::Endpoint;
use tonic::{ConnectError, TimeoutExpired};

use crate::tls::TlsError;
pub use crate::tls::{https, https_expiries, https_with_certificate};
use crate::{Context, is_plaintext_allowed};
pub use health::check_health;

use balancer::Balancer;
use config::{ClientTls, GrpcClientTls};
use connector::Connector;
use endpoint::{Place, Target};
use one_connection::OneConnection;
use replay::Replay;
use resolver::SystemResolver;

/// How long a connection may take to be made, name, TLS and all; with what follows a missing peer is known to be missing
/// within two seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long until an answer begins.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// A peer that is asked something and is silent for so long is asked whether it lives. Go's servers close connections
/// that ask oftener, and those that ask while they are idle.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a request is sent again because its connection ended, as long as no peer has processed it.
const MOST_ENDED: u32 = 3;
/// The same where the peer may have processed it. Services that call each other would otherwise multiply the repetitions.
const MOST_LOST: u32 = 1;
const USER_AGENT: &str = concat!("doorward/", env!("CARGO_PKG_VERSION"));

/// Why an endpoint is none.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// A name in the registry of an existing installation, which is not there.
    #[error(
        "{0:?} is a name in a registry, and Doorward has none; write the service's address instead, as in \
         dns:///127.0.0.1:{suggestion}", suggestion = endpoint::usual_port(.0)
    )]
    RegistryName(String),
    /// A form that is not known.
    #[error("{0:?} is not an endpoint; write dns:///host:port, unix:/path, http://host:port or https://host:port")]
    Malformed(String),
    /// Credentials would travel over a network in plain text.
    #[error(
        "{0:?} is on another machine and TLS is off; set OCIS_GRPC_CLIENT_TLS_MODE=on, or set OCIS_INSECURE_PLAINTEXT=true if the \
         network itself is encrypted"
    )]
    Plaintext(String),
    /// The client's certificate or the authorities are of no use.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl EndpointError {
    /// What kind of failure it is.
    pub fn kind(&self) -> status::Kind {
        match self {
            Self::RegistryName(_) | Self::Malformed(_) => status::Kind::InvalidArgument,
            Self::Plaintext(_) => status::Kind::FailedPrecondition,
            Self::Tls(problem) => problem.kind(),
        }
    }
}

/// A channel to an endpoint: `dns:///host:port`, `dns://authority/host:port`, `dns:host:port`, `host:port`,
/// `unix:/path`, `unix:///path`, `http://host:port` or `https://host:port`.
///
/// Nothing is connected before the first request. A peer that cannot be reached makes requests fail as UNAVAILABLE within
/// two seconds, and an answer must begin within two seconds. A request whose connection ends within that time is sent again, and has two
/// seconds from then. Requests to a name are balanced over all its addresses. Certificates that
/// changed are used for new connections. Needs a tokio runtime.
///
/// # Errors
/// When the endpoint is malformed, leads to another machine in plain text without the operator's permission
/// (`docs/security-requirements.md#d1`), or the certificates of the settings cannot be used.
pub fn channel(endpoint: &str, tls: &GrpcClientTls, context: &Context) -> Result<Channel, EndpointError> {
    channel_within(endpoint, tls, Some(REQUEST_TIMEOUT), context)
}

/// Like [`channel`], with another time until an answer must begin; `None` for requests that may take as long as they do.
pub fn channel_within(
    endpoint: &str,
    tls: &GrpcClientTls,
    timeout: Option<Duration>,
    context: &Context,
) -> Result<Channel, EndpointError> {
    let target = endpoint.parse::<Target>()?;
    let mode = if target.is_https && tls.mode() == ClientTls::Off { ClientTls::On } else { tls.mode() };
    if mode == ClientTls::Off && !target.is_local() && !is_plaintext_allowed(&context.environment) {
        return Err(EndpointError::Plaintext(endpoint.into()));
    }
    let malformed = || EndpointError::Malformed(endpoint.into());
    let origin = |scheme: &str| format!("{scheme}://{}", target.authority()).parse::<http::Uri>();
    // tonic must not see https, as TLS is our connector's business
    let plain = Endpoint::from(origin("http").map_err(|_| malformed())?);
    let scheme = if mode == ClientTls::Off { "http" } else { "https" };
    let mut configured = plain
        .origin(origin(scheme).map_err(|_| malformed())?)
        .user_agent(USER_AGENT)
        .map_err(|_| malformed())?
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(false)
        .http2_adaptive_window(false);
    if let Some(timeout) = timeout {
        configured = configured.timeout(timeout);
    }
    let name = match &target.place {
        Place::Tcp(host, port) if host.parse::<IpAddr>().is_err() => Some((host.clone(), *port)),
        Place::Tcp(..) | Place::Unix(_) => None,
    };
    let connector = Connector::new(target, tls.clone(), mode, context)?;
    Ok(match name {
        None => Channel::new(OneConnection::new(configured.connect_with_connector_lazy(connector), timeout)),
        Some(name) => {
            let connect =
                Box::new(move |address, state| configured.connect_with_connector_lazy(connector.to(address, state)));
            let surroundings = (context.random.clone(), context.background.clone());
            Channel::new(Balancer::new(name, Arc::new(SystemResolver), connect, surroundings))
        }
    })
}

/// Whether a request whose attempt failed is sent again at once: its connection ended, and the peer has not processed it, or may process
/// it twice. `ended` is how often it was sent again before.
fn is_sent_again(error: &(dyn Error + 'static), parts: &Parts, body: &Replay, ended: u32) -> bool {
    let is_unsent = !body.is_begun();
    let is_surely_unprocessed = is_unsent || is_on_ended_connection(error);
    let is_harmless = is_unsent || parts.extensions.get::<Repeatable>().is_some();
    let most = if is_surely_unprocessed { MOST_ENDED } else { MOST_LOST };
    ended < most
        && (is_unsent || body.is_repeatable())
        && (is_on_ended_connection(error) || (is_harmless && is_lost_connection(error)))
}

/// Whether the connection of a request was lost, by an error of its socket or by the peer's GOAWAY. What the peer has done is not known.
fn is_lost_connection(error: &(dyn Error + 'static)) -> bool {
    let causes = || std::iter::successors(Some(error), |&error| error.source());
    !causes().any(<dyn Error>::is::<ConnectError>) && causes().any(is_loss)
}

/// Whether this cause of an error is the loss of a connection. hyper drops a request that it has not sent, and calls it an error of its
/// user if it waited for a stream.
fn is_loss(cause: &(dyn Error + 'static)) -> bool {
    let is_dropped = cause.downcast_ref::<hyper::Error>().is_some_and(|error| error.is_canceled() || error.is_user());
    let is_away = cause.downcast_ref::<h2::Error>().is_some_and(h2::Error::is_go_away);
    is_dropped || is_away || cause.is::<io::Error>()
}

/// The error of a request for its caller. tonic has the codes UNKNOWN, INTERNAL and CANCELLED for a lost connection, where gRPC has
/// UNAVAILABLE: they would be taken for a fault of the peer, or for the caller's own doing.
fn for_caller(error: tonic::transport::Error) -> BoxError {
    if !is_lost_connection(&error) {
        return error.into();
    }
    let text = format!("the connection was lost: {}", innermost(&error));
    let mut unavailable = status::grpc(status::Kind::Unavailable, text);
    unavailable.set_source(Arc::new(error));
    unavailable.into()
}

/// The cause of an error: what the library says first is only that it failed.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Whether a request was not processed because its connection ended at this moment, at its age for instance: it was dropped before it
/// was sent, or its stream is above the last one of the peer's GOAWAY.
fn is_on_ended_connection(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    causes.any(|error| {
        let is_dropped = error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
        is_dropped || error.downcast_ref::<h2::Error>().is_some_and(|error| error.is_remote() && error.is_go_away())
    })
}

/// Whether the peer states that it has not processed a request: by refusing the stream, or by GOAWAY with a lower last stream (RFC 9113
/// 8.7). Only streams above the last one fail with the peer's GOAWAY.
pub fn is_unprocessed(error: &(dyn Error + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            let is_refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
            return error.is_remote() && (is_refused || error.is_go_away());
        }
        source = error.source();
    }
    false
}

/// Whether a request was given up because its own time is over: the caller's deadline (`grpc-timeout`) or that of the channel.
fn is_own_deadline(error: &(dyn Error + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(error) = source {
        if error.is::<TimeoutExpired>() {
            return true;
        }
        source = error.source();
    }
    false
}
