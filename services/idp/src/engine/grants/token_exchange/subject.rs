//! The token that is exchanged.

use oidc::jose::UnverifiedJwt;
use oidc::scope::Scopes;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::token_type::{ACCESS_TOKEN, ID_TOKEN, JWT};
use crate::engine::error::OAuthError;
use crate::engine::grants::token_request::TokenRequest;
use crate::engine::tokens::access_token::PresentedToken;
use crate::model::{Grant, Seconds, SignIn, seconds};

/// The event of the audit log.
pub(super) const EVENT: &str = "token-exchange";

/// For whom a new token is wanted, and by what.
pub(super) struct Subject {
    /// What the token tells of its grant.
    pub(super) grant: Grant,
    /// When it ends.
    pub(super) expires: Seconds,
}

/// What is read of an ID token.
#[derive(Deserialize)]
struct IdClaims {
    iss: String,
    sub: String,
    aud: Vec<String>,
    exp: Seconds,
    iat: Seconds,
    auth_time: Seconds,
    #[serde(default)]
    amr: Vec<String>,
    #[serde(default)]
    acr: String,
    sid: Option<Uuid>,
}

impl Subject {
    /// Reads `subject_token`: one of ours that is of a user, that counts, and that was issued to this client or is meant
    /// for it.
    ///
    /// # Errors
    /// `invalid_request` (RFC 8693 2.2.2).
    pub(super) fn read(request: &TokenRequest<'_>) -> Result<Self, OAuthError> {
        let form = &request.client_request.form;
        let text = form.need("subject_token")?;
        let read = match form.need("subject_token_type")? {
            ACCESS_TOKEN | JWT => Self::of_access_token(request, text).filter(|subject| subject.grant.person.is_some()),
            ID_TOKEN => Self::of_id_token(request, text),
            _ => return Err(OAuthError::invalid("subject_token_type is none that is taken")),
        };
        let subject = read.ok_or_else(|| {
            let error = OAuthError::invalid("subject_token is not valid, not of a user, or not for this client");
            error.audited(EVENT, "subject_token", &request.client().id)
        })?;
        Ok(subject)
    }

    /// An access token that is for this client, of a user or of a client that acts for itself.
    pub(super) fn of_access_token(request: &TokenRequest<'_>, text: &str) -> Option<Self> {
        let presented = PresentedToken::verify(request.provider, request.endpoints, text)?;
        let is_for_client = presented.audience().any(|audience| audience == request.client().id);
        // one that is bound may only be used by who has the key, and that is not shown here
        let usable = is_for_client && presented.binding.is_none();
        usable.then_some(Self { grant: presented.grant, expires: presented.expires })
    }

    /// An ID token identifies a user, and allows nothing: the new token has no scope, and does not act as the user. It names
    /// no grant either, so that a new one begins.
    fn of_id_token(request: &TokenRequest<'_>, text: &str) -> Option<Self> {
        let TokenRequest { provider, endpoints, now, .. } = *request;
        let jwt = UnverifiedJwt::parse(text).ok()?;
        if !jwt.is_typ("JWT") || !provider.keys.verifies(&jwt) {
            return None;
        }
        let claims: IdClaims = serde_json::from_value(Value::Object(jwt.into_claims())).ok()?;
        let is_for_client = claims.aud.iter().any(|audience| *audience == request.client().id);
        if claims.iss != endpoints.issuer || !is_for_client || claims.exp <= seconds(now) {
            return None;
        }
        let sign_in = SignIn { session: claims.sid, at: claims.auth_time, amr: claims.amr, acr: claims.acr };
        let grant = Grant {
            id: provider.random.uuid(),
            layout: endpoints.layout,
            client: request.client().id.clone(),
            person: Some(claims.sub),
            sign_in: Some(sign_in),
            scope: Scopes::default(),
            claims: None,
            resources: Vec::new(),
            actor: None,
            limited: true,
        };
        let is_cut_off = provider.revocations.cuts_off_grant(&grant, claims.iat);
        (!is_cut_off).then_some(Self { grant, expires: claims.exp })
    }
}
