//! The seam to the gateway, for who stands before it: the trait, and its gRPC client.

use std::sync::Arc;

use async_trait::async_trait;
use proto::cs3::gateway::v1beta1::{AuthenticateRequest, AuthenticateResponse, gateway_api_client::GatewayApiClient};
use proto::doorward::gateway::v1::transaction_tokens_client::TransactionTokensClient;
use proto::doorward::gateway::v1::{GetKeySetRequest, MintRequest, MintResponse};
use secrecy::ExposeSecret;
use status::Kind;
use tonic::Request;
use tonic::metadata::MetadataMap;

pub use crate::provider::write_password_change;
use crate::provider::{read_password_change, transport, verdict};
use crate::{AuthError, Caller, Channel, Credentials, Explanation, Reason, Repeatable, User, kind};

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

/// A transaction token as the gateway has issued it.
#[derive(Clone)]
pub struct IssuedTransaction {
    /// The token: it is sent to services and never logged.
    pub token: Arc<str>,
    /// The identifier of its transaction (`txn`), for traces.
    pub transaction: String,
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
    /// The internal token for these credentials of this [`kind`], and its user.
    ///
    /// # Errors
    /// [`AuthError::Refused`] for every bad credential, or [`AuthError::Explained`] where an upstream has stated the cause for its
    /// clients; [`AuthError::UnknownType`] for a kind that is switched off; the others say that no verdict was reached.
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
    ) -> Result<IssuedTransaction, AuthError>;

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
        read(kind, &metadata, answer)
    }

    async fn transaction(
        &self,
        internal_token: &str,
        wanted: &TransactionWanted,
        caller: &Caller,
    ) -> Result<IssuedTransaction, AuthError> {
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
        let MintResponse { transaction_token: token, txn: transaction, .. } = answer.into_inner();
        if token.is_empty() {
            return Err(AuthError::Internal("the gateway answered without a transaction token".into()));
        }
        Ok(IssuedTransaction { token: token.into(), transaction })
    }

    async fn transaction_keys(&self) -> Result<TransactionKeySet, AuthError> {
        let request = Repeatable::mark(Request::new(GetKeySetRequest {}));
        let answer = self.transactions.clone().get_key_set(request).await.map_err(refused_transaction)?.into_inner();
        Ok(TransactionKeySet { jwks: answer.jwks, trust_domain: answer.trust_domain })
    }
}

/// The meaning of a gateway's answer about credentials of this kind.
fn read(kind: &str, metadata: &MetadataMap, answer: AuthenticateResponse) -> Result<Identified, AuthError> {
    let is_foreign = !kind::ALL.contains(&kind);
    if let Some(status) = &answer.status {
        if let Some(explanation) = Explanation::of(status) {
            return Err(AuthError::Explained(Box::new(explanation)));
        }
        // a gateway without an authenticator for links, which an old one is
        if is_foreign && matches!(Kind::from_cs3(status.code), Some(Kind::InvalidArgument | Kind::Unimplemented)) {
            return Err(AuthError::UnknownType {
                name: kind.to_owned(),
                enabled: "not stated by the gateway".to_owned(),
            });
        }
    }
    verdict(NAME, answer.status)?;
    // an older gateway answers a share's token that it could not verify with OK and nothing
    if answer.token.is_empty() {
        return Err(AuthError::Internal("the gateway answered OK without a token".into()));
    }
    if is_foreign && answer.user.is_none() {
        return Err(AuthError::Internal("the gateway answered OK without a user".into()));
    }
    let password_changed = read_password_change(metadata);
    let user = User { password_changed, ..answer.user.map(User::from).unwrap_or_default() };
    Ok(Identified { token: answer.token.into(), user: Arc::new(user) })
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

#[cfg(test)]
mod tests {
    use proto::cs3::identity::user::v1beta1 as identity;
    use proto::cs3::rpc::v1beta1::Status as Cs3Status;

    use super::*;
    use crate::UserType;

    fn answer(code: i32) -> AuthenticateResponse {
        let id =
            identity::UserId { opaque_id: "guest@example.org".to_owned(), r#type: 5, ..identity::UserId::default() };
        AuthenticateResponse {
            status: Some(Cs3Status { code, ..Cs3Status::default() }),
            token: "a.b.c".to_owned(),
            user: Some(identity::User { id: Some(id), ..identity::User::default() }),
            ..AuthenticateResponse::default()
        }
    }

    fn read(kind: &str, answer: AuthenticateResponse) -> Result<Identified, AuthError> {
        super::read(kind, &MetadataMap::new(), answer)
    }

    /// `docs/security-requirements.md#g21`.
    #[test]
    fn acceptance_without_a_token_or_a_user_is_refused() {
        let guest = read(kind::GUEST_LINKS, answer(1)).expect("a guest").user;
        assert_eq!((guest.id.opaque_id.as_str(), guest.id.kind), ("guest@example.org", UserType::Guest));
        for kind in [kind::GUEST_LINKS, kind::PUBLIC_SHARES, kind::OCM_SHARES] {
            let without_token = AuthenticateResponse { token: String::new(), ..answer(1) };
            assert!(matches!(read(kind, without_token), Err(AuthError::Internal(_))), "{kind}");
            let without_user = AuthenticateResponse { user: None, ..answer(1) };
            assert!(matches!(read(kind, without_user), Err(AuthError::Internal(_))), "{kind}");
            let without_status = AuthenticateResponse { status: None, ..answer(1) };
            assert!(matches!(read(kind, without_status), Err(AuthError::Internal(_))), "{kind}");
        }
    }

    #[test]
    fn refusal_has_its_explanation_and_an_outage_is_none() {
        let explained = |code| {
            let status = status::explained(Cs3Status { code, ..Cs3Status::default() }, "json", *b"{}");
            read(kind::GUEST_LINKS, AuthenticateResponse { status: Some(status), ..answer(code) })
        };
        let explanation = Explanation { decoder: "json".to_owned(), value: b"{}".to_vec() };
        assert!(matches!(explained(9), Err(AuthError::Explained(stated)) if *stated == explanation));
        assert!(matches!(explained(16), Err(AuthError::Unavailable { .. })));
        assert!(matches!(explained(8), Err(AuthError::NotPermitted(_))));
        assert!(matches!(read(kind::GUEST_LINKS, answer(9)), Err(AuthError::Refused(_))));
        for code in [4, 14] {
            assert!(matches!(read(kind::GUEST_LINKS, answer(code)), Err(AuthError::UnknownType { .. })), "{code}");
        }
        assert!(matches!(read(kind::BASIC, answer(4)), Err(AuthError::Malformed(_))));
    }
}
