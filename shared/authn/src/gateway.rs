//! The seam to the gateway, for who stands before it: the trait, and its gRPC client.

use std::sync::Arc;

use async_trait::async_trait;
use proto::cs3::gateway::v1beta1::{AuthenticateRequest, gateway_api_client::GatewayApiClient};
use proto::doorward::gateway::v1::transaction_tokens_client::TransactionTokensClient;
use proto::doorward::gateway::v1::{GetKeySetRequest, MintRequest};
use secrecy::ExposeSecret;
use status::Kind;
use tonic::Request;

pub use crate::provider::write_password_change;
use crate::provider::{read_password_change, transport, verdict};
use crate::{AuthError, Caller, Channel, Credentials, Reason, Repeatable, User};

/// Who a credential belongs to, as the gateway answers.
#[derive(Debug, Clone)]
pub struct Identified {
    /// The internal token. An implementation that returns the same token again may return the same allocation, so that callers
    /// recognise it.
    pub token: Arc<str>,
    /// The user, with the groups that a token leaves out where they are many.
    pub user: Arc<User>,
}

/// What a transaction token is wanted for, see `doorward.gateway.v1.MintRequest`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransactionWanted {
    /// The scope tokens, with spaces between them.
    pub scope: String,
    /// The environment of the request, a JSON object.
    pub context: String,
    /// The details of the transaction, a JSON object.
    pub details: String,
}

/// The keys by which transaction tokens are verified.
#[derive(Debug, Clone)]
pub struct TransactionKeySet {
    /// A JSON Web Key Set.
    pub jwks: Vec<u8>,
    /// The issuer and audience of the tokens.
    pub trust_domain: String,
}

/// Hands a credential to the one authenticator of its kind, and answers with the internal token of whom it belongs to.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// The internal token for these credentials of this [`kind`](crate::kind), and its user.
    ///
    /// # Errors
    /// [`AuthError::Refused`] for every bad credential, [`AuthError::UnknownType`] for a kind that is switched off; the
    /// others say that no verdict was reached.
    async fn token(&self, kind: &str, credentials: &Credentials) -> Result<Identified, AuthError>;

    /// A transaction token for the bearer of an internal token, requested by this service.
    ///
    /// # Errors
    /// [`AuthError::NotPermitted`] where the policy, the scope or the token does not allow it, [`AuthError::Malformed`] for a request that is
    /// none, [`AuthError::Unavailable`] also where the gateway issues no transaction tokens.
    async fn transaction(
        &self,
        internal_token: &str,
        wanted: &TransactionWanted,
        caller: &Caller,
    ) -> Result<Arc<str>, AuthError>;

    /// The keys by which its transaction tokens are verified.
    ///
    /// # Errors
    /// [`AuthError::Unavailable`], also where the gateway issues no transaction tokens.
    async fn transaction_keys(&self) -> Result<TransactionKeySet, AuthError>;
}

/// A gateway in another process, called by CS3 `GatewayAPI`: ours, or that of an existing installation. Only ours issues transaction
/// tokens.
#[derive(Debug, Clone)]
pub struct Remote {
    gateway: GatewayApiClient<Channel>,
    transactions: TransactionTokensClient<Channel>,
}

impl Remote {
    /// The gateway behind `channel`.
    pub fn new(channel: impl Into<Channel>) -> Self {
        let channel = channel.into();
        Self { gateway: GatewayApiClient::new(channel.clone()), transactions: TransactionTokensClient::new(channel) }
    }
}

const NAME: &str = "gateway";

#[async_trait]
impl Gateway for Remote {
    async fn token(&self, kind: &str, credentials: &Credentials) -> Result<Identified, AuthError> {
        let mut request = Request::new(AuthenticateRequest {
            opaque: None,
            r#type: kind.to_owned(),
            client_id: credentials.client_id.clone(),
            client_secret: credentials.secret.expose_secret().to_owned(),
        });
        credentials.caller.propagate(request.metadata_mut());
        let answer = self.gateway.clone().authenticate(Repeatable::mark(request)).await;
        let answer = answer.map_err(|status| transport(NAME, status))?;
        let (metadata, answer, _) = answer.into_parts();
        verdict(NAME, answer.status)?;
        // an older gateway answers a share's token that it could not verify with OK and nothing
        if answer.token.is_empty() {
            return Err(AuthError::Internal("the gateway answered OK without a token".into()));
        }
        let password_changed = read_password_change(&metadata);
        let user = User { password_changed, ..answer.user.map(User::from).unwrap_or_default() };
        Ok(Identified { token: answer.token.into(), user: Arc::new(user) })
    }

    async fn transaction(
        &self,
        internal_token: &str,
        wanted: &TransactionWanted,
        caller: &Caller,
    ) -> Result<Arc<str>, AuthError> {
        let TransactionWanted { scope, context, details } = wanted.clone();
        let mut request = Request::new(MintRequest {
            internal_token: internal_token.to_owned(),
            transaction_token: String::new(),
            scope,
            request_context: context,
            request_details: details,
            lifetime_seconds: 0,
        });
        caller.propagate(request.metadata_mut());
        let answer = self.transactions.clone().mint(request).await.map_err(refused_transaction)?;
        let token = answer.into_inner().transaction_token;
        if token.is_empty() {
            return Err(AuthError::Internal("the gateway answered without a transaction token".into()));
        }
        Ok(token.into())
    }

    async fn transaction_keys(&self) -> Result<TransactionKeySet, AuthError> {
        let request = Repeatable::mark(Request::new(GetKeySetRequest {}));
        let answer = self.transactions.clone().get_key_set(request).await.map_err(refused_transaction)?.into_inner();
        Ok(TransactionKeySet { jwks: answer.jwks, trust_domain: answer.trust_domain })
    }
}

/// Why a gateway issues no transaction token. One that cannot issue any counts as not available: what needs a token is not done without.
fn refused_transaction(status: tonic::Status) -> AuthError {
    match Kind::from_grpc(status.code()) {
        Kind::PermissionDenied | Kind::Unauthenticated | Kind::FailedPrecondition => {
            AuthError::NotPermitted(Reason::Policy)
        }
        Kind::InvalidArgument => {
            AuthError::Malformed("the gateway does not accept the request for a transaction token")
        }
        Kind::Unimplemented => AuthError::Unavailable { service: NAME, source: Box::new(status) },
        _ => transport(NAME, status),
    }
}
