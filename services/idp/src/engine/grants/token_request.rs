//! A request to the token endpoint, and what its answer is made of.

use std::sync::Arc;
use std::time::SystemTime;

use authn::{Profile, User};
use oidc::error::ErrorCode;
use oidc::scope::Scopes;

use super::token_response::{AuditedGrant, TokenResponse};
use crate::endpoints::IssuerEndpoints;
use crate::engine::client_request::ClientRequest;
use crate::engine::clients::Client;
use crate::engine::error::OAuthError;
use crate::engine::provider::Provider;
use crate::engine::tokens::{IdTokenBindings, Issue};
use crate::engine::{accounts, claims};
use crate::model::{Binding, Grant, Seconds, loses_api_scopes};
use crate::revocation_sync;

/// Why a grant is refused that was made before its user signed out everywhere, or took back the consent.
pub(super) const CUT_OFF: &str = "the user has signed out everywhere, or taken back the consent";

/// A request to the token endpoint.
pub(crate) struct TokenRequest<'a> {
    pub(crate) provider: &'a Provider,
    pub(crate) endpoints: &'a IssuerEndpoints,
    pub(crate) client_request: &'a ClientRequest<'a>,
    pub(crate) now: SystemTime,
}

/// What is issued with an access token.
#[derive(Default)]
pub(super) struct Extra<'a> {
    /// What binds the access token.
    pub(super) binding: Option<&'a Binding>,
    /// The refresh token.
    pub(super) refresh_token: Option<String>,
    /// Whether an ID token is issued if the scope asks for one.
    pub(super) id_token: bool,
    /// What the ID token repeats.
    pub(super) nonce: Option<&'a str>,
    /// When the access token ends at the latest.
    pub(super) end: Option<Seconds>,
    /// What kind of token it is, where the response says so (RFC 8693 2.2.1).
    pub(super) issued_token_type: Option<&'static str>,
    /// The event of the audit log.
    pub(super) event: Option<&'static str>,
}

impl TokenRequest<'_> {
    pub(super) fn client(&self) -> &Client {
        &self.client_request.client
    }

    /// Makes the tokens of a grant. The response names the scope that was granted.
    pub(super) async fn answer(&self, grant: &Grant, user: Option<&Arc<User>>, extra: Extra<'_>) -> TokenResponse {
        let Self { provider, endpoints, now, .. } = *self;
        let Extra { binding, nonce, .. } = extra;
        let profile = match user {
            Some(user) => {
                let is_needed = claims::needs_profile(self.client(), grant, false);
                accounts::profile_for_token(provider, user, is_needed).await
            }
            None => Profile::default(),
        };
        let issue = Issue { endpoints, client: self.client(), grant, user, profile: &profile, binding, nonce, now };
        let access = issue.access_token_until(provider, extra.end.unwrap_or(Seconds::MAX));
        let wants_id_token = extra.id_token && user.is_some() && grant.scope.asks_openid();
        let id_token = wants_id_token.then(|| {
            let bindings = IdTokenBindings { access_token: Some(&access.text), ..IdTokenBindings::default() };
            issue.id_token(provider, &bindings)
        });
        TokenResponse {
            token_type: if matches!(binding, Some(Binding::Dpop(_))) { "DPoP" } else { "Bearer" },
            expires_in: access.expires_in,
            access_token: access.text,
            refresh_token: extra.refresh_token,
            id_token,
            issued_token_type: extra.issued_token_type,
            scope: self.granted(&grant.scope),
            audit: extra.event.zip(user).map(|(event, user)| AuditedGrant {
                event,
                user: Arc::clone(user),
                act: grant.actor.clone(),
            }),
            transaction: None,
        }
    }

    /// The granted scope for the response: always where the client asked for one, since it may be less (RFC 6749 5.1).
    fn granted(&self, scope: &Scopes) -> Option<String> {
        let is_named = !scope.is_empty() || self.client_request.form.get("scope").is_some();
        is_named.then(|| scope.to_string())
    }

    /// The scope that the request names, if it names one.
    ///
    /// # Errors
    /// `invalid_scope` for a text that is none.
    pub(super) fn scope(&self) -> Result<Option<Scopes>, OAuthError> {
        let parsed = self.client_request.form.get("scope").map(str::parse).transpose();
        parsed.map_err(|error: oidc::scope::ScopeError| OAuthError::new(error.code(), error.to_string()))
    }

    /// Leaves what the client may still ask for: its registration may have changed since.
    pub(super) fn narrow_to_registration(&self, grant: &mut Grant) {
        let (client, clients) = (self.client(), &self.provider.clients);
        grant.resources.retain(|resource| clients.may_target(client, resource));
        // a part of a set that was read is one itself
        let scope = Scopes::of(grant.scope.iter().filter(|token| client.may_be_granted(token))).unwrap_or_default();
        grant.limited |= loses_api_scopes(&grant.scope, &scope);
        grant.scope = scope;
    }

    /// Leaves those resources of the grant that the request names, if it names any (RFC 8707 2.2).
    ///
    /// # Errors
    /// `invalid_target` for one that was not granted.
    pub(super) fn narrow_resources(&self, grant: &mut Grant) -> Result<(), OAuthError> {
        let wanted: Vec<String> = self.client_request.form.all("resource").map(str::to_owned).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        if !wanted.iter().all(|resource| grant.resources.contains(resource)) {
            return Err(OAuthError::new(ErrorCode::InvalidTarget, "this resource was not granted"));
        }
        grant.resources = wanted;
        Ok(())
    }

    /// Refuses a grant that is redeemed for the first time if its user has signed out everywhere, or taken back the consent, since
    /// this was issued. The database is asked, since what is issued now would be dated after what another replica has just ended.
    ///
    /// # Errors
    /// `invalid_grant`, or the database is unavailable.
    pub(super) async fn check_cutoff(
        &self,
        event: &'static str,
        grant: &Grant,
        issued: Seconds,
    ) -> Result<(), OAuthError> {
        let revocations = &self.provider.revocations;
        revocation_sync::read_cutoffs(revocations, &self.provider.store, grant, self.now).await?;
        if revocations.cuts_off_grant(grant, issued) { Err(self.refuse_grant(event, CUT_OFF)) } else { Ok(()) }
    }

    /// `invalid_grant`, with the reason in the audit log only.
    pub(super) fn refuse_grant(&self, event: &'static str, reason: &'static str) -> OAuthError {
        let error = OAuthError::grant("the grant is not valid, used, expired, revoked, or another client's");
        error.audited(event, reason, &self.client().id)
    }
}
