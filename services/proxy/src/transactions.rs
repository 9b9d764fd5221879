//! Transaction tokens on the way to a backend: issued by the gateway for the user of a request, or brought by its caller and verified.

mod keys;
mod route;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use authn::gateway::TransactionWanted;
use authn::trace::record_delegation;
use authn::{AuthError, Caller, Gateway, UserType, causes};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use oidc::scope::Scopes;
use runtime::Clock;
use serde_json::{Map, Value};
use token::transaction::names::HEADER;
use token::transaction::{SubjectType, TransactionClaims, TransactionDefect, TransactionError};
use tracing::Span;
use web::header::single;

use crate::identity::Identity;
use crate::refusal::Refusal;
use crate::request_info::{RequestInfo, source};
use keys::Keys;
use route::{ContextMember, Mint};
pub(crate) use route::{TransactionEntry, TransactionRoute};

/// The header of a transaction token.
pub(crate) const TRANSACTION_TOKEN: HeaderName = HeaderName::from_static(HEADER);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Requests transaction tokens of the gateway, and verifies those that callers bring.
pub(crate) struct Transactions {
    gateway: Arc<dyn Gateway>,
    keys: Keys,
    clock: Clock,
}

/// The parts of a request that transaction tokens depend on.
#[derive(Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    /// The client's headers.
    pub(crate) headers: &'a HeaderMap,
    pub(crate) source: Option<IpAddr>,
}

impl<'a> Circumstances<'a> {
    /// Those of a request that the edge received for this host.
    pub(crate) fn of(parts: &'a Parts, host: &'a HeaderValue) -> Self {
        let host = host.to_str().unwrap_or_default();
        Self { method: parts.method.as_str(), host, headers: &parts.headers, source: source(parts) }
    }
}

impl Transactions {
    /// Transaction tokens of this gateway.
    pub(crate) fn new(gateway: Arc<dyn Gateway>, clock: Clock) -> Self {
        Self { keys: Keys::new(Arc::clone(&gateway)), gateway, clock }
    }

    /// The transaction token that the backend of a route gets; `None` where a route for tokens of the gateway has a request without a user.
    /// Without its token a request is not forwarded (`docs/security-requirements.md#x8`).
    ///
    /// # Errors
    /// The response to the client.
    pub(crate) async fn header(
        &self,
        route: &TransactionRoute,
        request: Circumstances<'_>,
        identity: Option<&Identity>,
    ) -> Result<Option<HeaderValue>, Refusal> {
        match route {
            TransactionRoute::Mint(mint) => match identity {
                Some(identity) => self.mint(mint, request, identity).await.map(Some),
                None => Ok(None),
            },
            TransactionRoute::Verify(scope) => self.verify(scope, request, identity).await.map(Some),
        }
    }

    async fn mint(&self, mint: &Mint, request: Circumstances<'_>, identity: &Identity) -> Result<HeaderValue, Refusal> {
        let wanted = TransactionWanted {
            scope: mint.scope.clone(),
            details: mint.details.clone(),
            context: context(&mint.context, request),
        };
        let internal_token = identity.token.to_str().map_err(|_| unavailable())?;
        let caller = Caller {
            source: request.source,
            trace_id: single(request.headers, &REQUEST_ID).unwrap_or_default().to_owned(),
            ..Caller::default()
        };
        let issued =
            self.gateway.transaction(internal_token, &wanted, &caller).await.map_err(|error| refused(&error))?;
        let mut token = HeaderValue::from_str(&issued.token).map_err(|_| unavailable())?;
        token.set_sensitive(true);
        let claims = &identity.claims;
        let subject = &claims.user.id.opaque_id;
        record_delegation(&Span::current(), subject, claims.actor.as_ref(), Some(&issued.transaction));
        Ok(token)
    }

    /// The token of the caller, unmodified. It belongs to the user of the request, or a service account that acts in the transaction
    /// brings it; it authenticates neither.
    async fn verify(
        &self,
        scope: &Scopes,
        request: Circumstances<'_>,
        identity: Option<&Identity>,
    ) -> Result<HeaderValue, Refusal> {
        let mut tokens = request.headers.get_all(TRANSACTION_TOKEN).iter();
        let (Some(token), None) = (tokens.next(), tokens.next()) else { return Err(invalid()) };
        let (text, identity) = (token.to_str().map_err(|_| invalid())?, identity.ok_or_else(invalid)?);
        let now = self.clock.now();
        let mut verdict = self.keys.verifier(now).await.ok_or_else(unavailable)?.verify(now, text);
        if matches!(verdict, Err(TransactionDefect::Key)) {
            verdict = self.keys.newest(now).await.ok_or_else(unavailable)?.verify(now, text);
        }
        let claims = verdict.map_err(|defect| {
            tracing::info!(reason = defect.code(), "a transaction token is refused: {defect}");
            if defect == TransactionDefect::KeysUnknown { unavailable() } else { invalid() }
        })?;
        if !scope.is_subset(&claims.scope) || !is_of(&claims, identity) {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "the transaction token does not permit this request\n"));
        }
        record_delegation(&Span::current(), &claims.subject, claims.actor.as_ref(), Some(&claims.transaction));
        Ok(token.clone())
    }
}

/// The transaction tokens of responses to other proxies, if their backends get any.
#[derive(Clone)]
pub(crate) struct TransactionHeader {
    transactions: Arc<Transactions>,
    mint: Option<Mint>,
}

impl TransactionHeader {
    /// Tokens with this scope; none if it is empty.
    ///
    /// # Errors
    /// [`TransactionError`] for a text that is no scope.
    pub(crate) fn new(transactions: &Arc<Transactions>, scope: &str) -> Result<Self, TransactionError> {
        let mint = if scope.is_empty() { None } else { Some(Mint::of_scope(scope)?) };
        Ok(Self { transactions: Arc::clone(transactions), mint })
    }

    /// Checks the scope of a configuration, which may be empty.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn check(scope: &str) -> Result<(), TransactionError> {
        if scope.is_empty() { Ok(()) } else { Mint::of_scope(scope).map(drop) }
    }

    /// The header for the user of a request.
    ///
    /// # Errors
    /// The response to the proxy: without its token a request does not pass.
    pub(crate) async fn of(
        &self,
        info: &RequestInfo<'_>,
        identity: &Identity,
    ) -> Result<Option<(HeaderName, HeaderValue)>, Refusal> {
        let Some(mint) = &self.mint else { return Ok(None) };
        let RequestInfo { method, host, headers, source, .. } = *info;
        let request = Circumstances { method: method.as_str(), host, headers, source };
        let token = self.transactions.mint(mint, request, identity).await?;
        Ok(Some((TRANSACTION_TOKEN, token)))
    }
}

/// Whether a token belongs to the user of a request, or a service account brings it. The user of a link has not sent the request, and a
/// credential that is limited passes on no token that may say more (`docs/security-requirements.md#x13`).
fn is_of(claims: &TransactionClaims, identity: &Identity) -> bool {
    let user = &identity.claims.user;
    let is_whole = identity.link.is_none() && identity.claims.scopes.is_full_user();
    let is_user = claims.subject_type == SubjectType::of(user.id.kind) && claims.subject == user.id.opaque_id;
    is_whole && (is_user || user.id.kind == UserType::Service)
}

/// The environment of the request as a JSON object. The path and the query may hold a secret and are in no token.
fn context(members: &[ContextMember], request: Circumstances<'_>) -> String {
    let value = |member: &ContextMember| match member {
        ContextMember::ReqIp => request.source.map(|source| source.to_canonical().to_string()),
        ContextMember::Method => Some(request.method.to_owned()),
        ContextMember::Host => Some(request.host.to_owned()),
    };
    let known = members.iter().filter_map(|member| Some((member.name().to_owned(), Value::String(value(member)?))));
    let object: Map<String, Value> = known.collect();
    if object.is_empty() { String::new() } else { Value::Object(object).to_string() }
}

fn refused(error: &AuthError) -> Refusal {
    match error {
        AuthError::Unavailable { .. } | AuthError::Internal(_) | AuthError::Busy { .. } => {
            tracing::warn!(%error, cause = causes(error), "the gateway issues no transaction token");
            unavailable()
        }
        _ => {
            tracing::warn!(%error, "the gateway refuses a transaction token; do its policy and the user's credential allow what the route requests?");
            Refusal::new(StatusCode::FORBIDDEN, "no transaction token is issued for this request\n")
        }
    }
}

fn unavailable() -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "transaction tokens are not available\n")
}

fn invalid() -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "a valid transaction token is required\n")
}
