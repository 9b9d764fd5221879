//! A tower layer that lets through requests with a transaction token, for tonic and axum services.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use authn::trace::record_delegation;
use futures_util::future::{Either, Ready, ready};
use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use http::{Extensions, Request, Response, StatusCode};
use oidc::scope::Scopes;
use tonic::server::NamedService;
use tower::{Layer, Service};
use tracing::Span;

use super::names::HEADER;
use super::{TransactionClaims, TransactionDefect, TransactionVerifier};

#[cfg(test)]
mod tests;

/// The challenge of a refusal by HTTP; the draft names no scheme.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Txn-Token");

/// Lets a request through if it has exactly one transaction token, which is valid and has the required scope. The service finds
/// `Arc<TransactionClaims>` among the extensions of the request.
///
/// A transaction token authenticates no caller: a service that has to know its caller demands a credential as well
/// (`docs/security-requirements.md#x2`).
#[derive(Clone)]
pub struct TransactionLayer(Arc<Settings>);

/// A service behind a [`TransactionLayer`].
#[derive(Clone)]
pub struct TransactionService<S> {
    inner: S,
    settings: Arc<Settings>,
}

struct Settings {
    verifier: TransactionVerifier,
    clock: Box<dyn Fn() -> SystemTime + Send + Sync>,
    scope: Scopes,
    protocol: Protocol,
}

/// How a refusal is answered.
#[derive(Clone, Copy)]
enum Protocol {
    /// By a gRPC status.
    Grpc,
    /// By an HTTP status.
    Http,
}

/// The token of a request that was let through, to be sent on.
#[derive(Clone)]
struct ReceivedToken(HeaderValue);

impl TransactionLayer {
    /// A layer of a gRPC service, whose methods all require this scope; none if it is empty.
    pub fn grpc(
        verifier: TransactionVerifier,
        clock: impl Fn() -> SystemTime + Send + Sync + 'static,
        scope: Scopes,
    ) -> Self {
        Self(Arc::new(Settings { verifier, clock: Box::new(clock), scope, protocol: Protocol::Grpc }))
    }

    /// A layer of an HTTP service, whose routes all require this scope; none if it is empty.
    pub fn http(
        verifier: TransactionVerifier,
        clock: impl Fn() -> SystemTime + Send + Sync + 'static,
        scope: Scopes,
    ) -> Self {
        Self(Arc::new(Settings { verifier, clock: Box::new(clock), scope, protocol: Protocol::Http }))
    }
}

impl<S> Layer<S> for TransactionLayer {
    type Service = TransactionService<S>;

    fn layer(&self, inner: S) -> TransactionService<S> {
        TransactionService { inner, settings: Arc::clone(&self.0) }
    }
}

impl<S, A, B> Service<Request<A>> for TransactionService<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: Default,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response<B>, S::Error>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        match self.settings.verify(request.headers()) {
            Ok((token, claims)) => {
                let transaction = Some(claims.transaction.as_str());
                record_delegation(&Span::current(), &claims.subject, claims.actor.as_ref(), transaction);
                request.extensions_mut().insert(Arc::new(claims));
                request.extensions_mut().insert(token);
                Either::Right(self.inner.call(request))
            }
            Err(defect) => Either::Left(ready(Ok(self.settings.refusal(defect)))),
        }
    }
}

impl<S: NamedService> NamedService for TransactionService<S> {
    const NAME: &'static str = S::NAME;
}

impl Settings {
    fn verify(&self, headers: &HeaderMap) -> Result<(ReceivedToken, TransactionClaims), TransactionDefect> {
        let mut tokens = headers.get_all(HEADER).iter();
        let token = tokens.next().ok_or(TransactionDefect::Missing)?;
        if tokens.next().is_some() {
            return Err(TransactionDefect::Several);
        }
        let text = token.to_str().map_err(|_| TransactionDefect::Malformed)?;
        let claims = self.verifier.verify((self.clock)(), text)?;
        if !self.scope.is_subset(&claims.scope) {
            return Err(TransactionDefect::Scope);
        }
        Ok((ReceivedToken(token.clone()), claims))
    }

    fn refusal<B: Default>(&self, defect: TransactionDefect) -> Response<B> {
        tracing::info!(reason = defect.code(), "a request is refused for its transaction token: {defect}");
        match self.protocol {
            Protocol::Grpc => tonic::Status::from(defect).into_http(),
            Protocol::Http => {
                let mut response = Response::new(B::default());
                *response.status_mut() = defect.http_status();
                if response.status() == StatusCode::UNAUTHORIZED {
                    response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
                }
                response
            }
        }
    }
}

/// Adds the transaction token of a request that was let through, with these extensions, to the headers of a call to another service: a
/// token is passed on unmodified (section 12.2). The metadata of a tonic request is such headers (`AsMut<HeaderMap>`).
pub fn forward(extensions: &Extensions, headers: &mut HeaderMap) {
    if let Some(ReceivedToken(token)) = extensions.get() {
        headers.insert(HEADER, token.clone());
    }
}
