//! A transaction token for another token (draft-ietf-oauth-transaction-tokens 11). It is no access token: nothing here issues one, and
//! no endpoint of the provider accepts a transaction token but this exchange.

mod subject;

use oidc::error::ErrorCode;
use token::transaction::names::{REQUEST_CONTEXT, REQUEST_DETAILS, RESPONSE_TOKEN_TYPE, TOKEN_TYPE};
use token::transaction::{Minted, ReplacementRequest, TransactionError, TransactionRequest, WorkloadPolicy};

use self::subject::TransactionSubject;
use crate::engine::dpop;
use crate::engine::error::OAuthError;
use crate::engine::grants::token_request::TokenRequest;
use crate::engine::grants::token_response::{AuditedTransaction, TokenResponse};
use crate::engine::transactions::Transactions;
use crate::model::seconds;

/// The event of the audit log.
const EVENT: &str = "transaction_token";

/// What makes transaction tokens, if the request is for one and they are configured.
pub(super) fn requested<'a>(request: &TokenRequest<'a>) -> Option<&'a Transactions> {
    let wanted = request.client_request.form.get("requested_token_type");
    request.provider.transactions.as_ref().filter(|_| wanted == Some(TOKEN_TYPE))
}

/// Issues a transaction token. Its scope is never wider than what the subject token and the registration of the client allow
/// (`docs/security-requirements.md#x4`). Every refusal is in the audit log.
///
/// # Errors
/// `unauthorized_client` for a client without a policy; `invalid_target` for another audience than the trust domain; `invalid_scope`;
/// `invalid_grant` for a user who may not use the client; `invalid_request` for everything else (RFC 8693 2.2.2).
pub(super) async fn issue(
    request: &TokenRequest<'_>,
    transactions: &Transactions,
) -> Result<TokenResponse, OAuthError> {
    let issued = issued(request, transactions).await;
    let replaces = request.client_request.form.get("subject_token_type") == Some(TOKEN_TYPE);
    transactions.requests.record(replaces, issued.is_ok());
    match issued {
        Ok(minted) => Ok(response(request, if replaces { "replaced" } else { "minted" }, minted)),
        Err(error) => Err(audited(error, &request.client().id)),
    }
}

async fn issued(request: &TokenRequest<'_>, transactions: &Transactions) -> Result<Minted, OAuthError> {
    let TokenRequest { client_request, now, .. } = *request;
    let policy = policy(request)?;
    check_target(request, transactions.minter.trust_domain())?;
    let form = &client_request.form;
    if form.get("actor_token").is_some() || form.get("actor_token_type").is_some() {
        return Err(OAuthError::invalid("actor_token is not taken: the actors are those of the subject token"));
    }
    // it is bound to no key, and still a client whose tokens are bound proves that it holds the key
    dpop::binding(request.provider, request.endpoints, client_request).await?;
    let scope = form.need("scope")?;
    let [details, context] = [REQUEST_DETAILS, REQUEST_CONTEXT].map(|name| form.get(name).unwrap_or_default());
    let (text, kind) = (form.need("subject_token")?, form.need("subject_token_type")?);
    let workload = client_request.client.id.as_str();
    if kind == TOKEN_TYPE {
        let claims = transactions.verifier.verify(now, text).map_err(|defect| {
            OAuthError::invalid("subject_token is no valid transaction token").audited(EVENT, defect.code(), workload)
        })?;
        let wanted = ReplacementRequest::new(scope, details, context).map_err(|error| refused(&error, workload))?;
        let minted = transactions.minter.replace(now, &claims, &wanted, workload, &policy);
        return minted.map_err(|error| refused(&error, workload));
    }
    let wanted = TransactionRequest::new(scope, details, context).map_err(|error| refused(&error, workload))?;
    let subject = TransactionSubject::read(request, text, kind).await?;
    let minted = transactions.minter.mint(now, &subject.as_subject(), &wanted, workload, &policy);
    minted.map_err(|error| refused(&error, workload))
}

/// What the client may request (`docs/security-requirements.md#x7`).
fn policy(request: &TokenRequest<'_>) -> Result<WorkloadPolicy, OAuthError> {
    let own = request.client().transaction_tokens.as_ref().filter(|_| request.client_request.is_authenticated());
    let unauthorized =
        || OAuthError::new(ErrorCode::UnauthorizedClient, "this client may not request transaction tokens");
    let own = own.ok_or_else(unauthorized)?;
    let lifetime = own.lifetime.unwrap_or(request.provider.config.transactions.lifetime);
    Ok(WorkloadPolicy { lifetime, ..own.allowed.clone() })
}

/// The token is for the trust domain, and for nothing else.
fn check_target(request: &TokenRequest<'_>, trust_domain: &str) -> Result<(), OAuthError> {
    let form = &request.client_request.form;
    let mut audiences = form.all("audience");
    let (first, second) = (audiences.next(), audiences.next());
    let audience = first.ok_or_else(|| OAuthError::invalid("audience is missing"))?;
    if audience == trust_domain && second.is_none() && form.all("resource").next().is_none() {
        Ok(())
    } else {
        Err(OAuthError::new(ErrorCode::InvalidTarget, "audience has to be the trust domain, and nothing else"))
    }
}

fn refused(error: &TransactionError, client: &str) -> OAuthError {
    let code = match error {
        TransactionError::Scope => ErrorCode::InvalidScope,
        TransactionError::Malformed(_)
        | TransactionError::Policy
        | TransactionError::Expired
        | TransactionError::TooManyRequesters
        | TransactionError::Oversized => ErrorCode::InvalidRequest,
    };
    OAuthError::new(code, error.to_string()).audited(EVENT, error.reason(), client)
}

/// The refusal as the audit log has it, whatever has refused; failures of ours are none, nor is the demand for a nonce.
fn audited(error: OAuthError, client: &str) -> OAuthError {
    if matches!(error.code, ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable | ErrorCode::UseDpopNonce) {
        return error;
    }
    let reason = error.audit.as_ref().map_or(error.code.code(), |audit| audit.reason);
    error.audited(EVENT, reason, client)
}

/// The response has the five members of section 11.4, and never a refresh token.
fn response(request: &TokenRequest<'_>, outcome: &'static str, Minted { token, claims }: Minted) -> TokenResponse {
    TokenResponse {
        access_token: token,
        token_type: RESPONSE_TOKEN_TYPE,
        expires_in: seconds(claims.expires_at).saturating_sub(seconds(request.now)),
        refresh_token: None,
        id_token: None,
        issued_token_type: Some(TOKEN_TYPE),
        scope: Some(claims.scope.to_string()),
        audit: None,
        transaction: Some(Box::new(AuditedTransaction { event: EVENT, outcome, claims })),
    }
}
