//! Whose transaction it is, and how far the subject token reaches.

use std::time::SystemTime;

use authn::grant::is_api_scope;
use authn::{Actor, User, UserType};
use oidc::assertion::Grant as Assertion;
use oidc::scope::Scopes;
use token::transaction::names::SELF_SIGNED_TYPE;
use token::transaction::{Authority, Subject as MintSubject, SubjectType};

use super::EVENT;
use crate::engine::accounts::{self, AccountStatus};
use crate::engine::error::OAuthError;
use crate::engine::grants::jwt_bearer;
use crate::engine::grants::token_exchange::is_first_party;
use crate::engine::grants::token_exchange::subject::Subject;
use crate::engine::grants::token_exchange::token_type::{ACCESS_TOKEN, JWT};
use crate::engine::grants::token_request::TokenRequest;
use crate::model::time_of;

/// The subject of a new transaction.
pub(super) struct TransactionSubject {
    id: String,
    kind: SubjectType,
    actor: Option<Actor>,
    /// What the subject token is limited to; `None` for one that acts as the user as a whole.
    scopes: Option<Scopes>,
    not_after: SystemTime,
}

impl TransactionSubject {
    /// Reads `subject_token`. A type without a scope, as an ID token, is refused: nothing would limit the transaction (section 13.14).
    ///
    /// # Errors
    /// `invalid_request`, and `invalid_grant` for a user who may not use the client.
    pub(super) async fn read(request: &TokenRequest<'_>, text: &str, kind: &str) -> Result<Self, OAuthError> {
        match kind {
            ACCESS_TOKEN | JWT => Self::of_access_token(request, text).await,
            SELF_SIGNED_TYPE => Self::of_assertion(request, text).await,
            _ => Err(OAuthError::invalid("subject_token_type is none that is taken for transaction tokens")),
        }
    }

    /// The subject as a minter gets it.
    pub(super) fn as_subject(&self) -> MintSubject<'_> {
        let Self { id, kind, actor, scopes, not_after } = self;
        let authority = scopes.as_ref().map_or(Authority::WholeUser, Authority::Scopes);
        MintSubject { id, kind: *kind, actor: actor.as_ref(), authority, not_after: *not_after }
    }

    /// The user of an access token, or the client that acts for itself. The token acts as the user as a whole if auth-bearer lets it do so
    /// without a scope of the API. One with the scope `user`, which the gateway takes for the whole user, is limited to its scopes here.
    async fn of_access_token(request: &TokenRequest<'_>, text: &str) -> Result<Self, OAuthError> {
        let TokenRequest { provider, client_request, .. } = *request;
        let subject = Subject::of_access_token(request, text).ok_or_else(|| {
            let error = OAuthError::invalid("subject_token is not valid, or not for this client");
            error.audited(EVENT, "subject_token", &client_request.client.id)
        })?;
        let Subject { grant, expires } = subject;
        // tokens of a client for itself are not revoked with it; service accounts are no clients that could be found
        if provider.clients.find(&grant.client).await?.is_none() {
            return Err(request.refuse_grant(EVENT, "client is gone"));
        }
        let (id, kind) = match accounts::of_grant(provider, &client_request.client, &grant).await? {
            Some(AccountStatus::Active(user)) => {
                check_tenant(request, &user)?;
                (user.id.opaque_id.clone(), SubjectType::of(user.id.kind))
            }
            Some(AccountStatus::Ineligible(reason)) => return Err(request.refuse_grant(EVENT, reason.reason())),
            None => (grant.client.clone(), SubjectType::Workload),
        };
        let may_be_whole = kind != SubjectType::Workload && !grant.limited && !grant.scope.iter().any(is_api_scope);
        let is_whole = may_be_whole && is_first_party(request, &grant.client).await?;
        Ok(Self {
            id,
            kind,
            actor: grant.actor,
            scopes: (!is_whole).then_some(grant.scope),
            not_after: time_of(expires),
        })
    }

    /// The user whom the client itself names (section 11.2.1), as for the grant type `jwt-bearer`. The client acts for the user, within
    /// the scopes of its registration: without any, nothing says how far it reaches.
    async fn of_assertion(request: &TokenRequest<'_>, text: &str) -> Result<Self, OAuthError> {
        let (provider, client) = (request.provider, request.client());
        let refuse = |reason| {
            let error = OAuthError::invalid("subject_token is no valid assertion of this client about a user");
            error.audited(EVENT, reason, &client.id)
        };
        let assertion = Assertion::read(text).map_err(|_| refuse("malformed"))?;
        if assertion.issuer() != client.id || !assertion.claims().contains_key("iat") {
            return Err(refuse("of another issuer, or without iat"));
        }
        jwt_bearer::verify(request, &assertion).await?;
        let scopes = client.scopes.clone().ok_or_else(|| refuse("the client has no list of scopes"))?;
        let user = match accounts::find(provider, client, assertion.subject()).await? {
            AccountStatus::Active(user) => user,
            AccountStatus::Ineligible(reason) => return Err(request.refuse_grant(EVENT, reason.reason())),
        };
        check_tenant(request, &user)?;
        jwt_bearer::use_up(request, &assertion).await?;
        Ok(Self {
            id: user.id.opaque_id.clone(),
            kind: SubjectType::of(user.id.kind),
            actor: Some(Actor::from(client.id.as_str())),
            scopes: Some(scopes),
            not_after: assertion.expires(),
        })
    }
}

/// Refuses a user without a tenant where every user belongs to one, as the gateway does whatever the credential
/// (`docs/security-requirements.md#g23`). Services belong to none.
///
/// # Errors
/// `invalid_grant`.
fn check_tenant(request: &TokenRequest<'_>, user: &User) -> Result<(), OAuthError> {
    let needs_tenant = request.provider.config.multi_tenant_enabled && user.id.kind != UserType::Service;
    if needs_tenant && user.id.tenant_id.is_empty() {
        return Err(request.refuse_grant(EVENT, "user has no tenant"));
    }
    Ok(())
}
