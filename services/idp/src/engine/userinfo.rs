//! Userinfo (`OpenID` Connect Core 5.3): a client asks for the claims of a user.

#[cfg(test)]
mod tests;

use oidc::error::ErrorCode;
use serde_json::{Map, Value};

use super::accounts::{self, AccountStatus};
use super::claims;
use super::clients::Client;
use super::document::Document;
use super::dpop;
use super::error::OAuthError;
use super::proofs::Proofs;
use super::provider::Provider;
use super::tokens::access_token::PresentedToken;
use crate::endpoints::IssuerEndpoints;
use crate::model::Binding;

/// How an access token was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RFC 6750.
    Bearer,
    /// RFC 9449 7.
    Dpop,
}

/// An access token, and how it was sent.
pub(crate) struct Credential<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) token: String,
    pub(crate) proofs: Proofs<'a>,
}

/// The response.
#[derive(Debug)]
pub(crate) struct UserinfoResponse {
    /// The claims of the user.
    pub(crate) claims: Document,
    /// The nonce for the client's next proof (RFC 9449 8.2).
    pub(crate) dpop_nonce: Option<String>,
}

fn invalid_token() -> OAuthError {
    // one answer for every reason
    OAuthError::new(ErrorCode::InvalidToken, "the access token does not count")
}

/// Answers the claims of the user whose access token it is.
///
/// # Errors
/// `invalid_token`, `insufficient_scope`, `invalid_dpop_proof`, `use_dpop_nonce` and `temporarily_unavailable`.
pub(crate) async fn userinfo(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    credential: &Credential<'_>,
) -> Result<UserinfoResponse, OAuthError> {
    let PresentedToken { grant, binding, .. } = presented(provider, endpoints, credential)?;
    let client = provider.clients.find(&grant.client).await?.ok_or_else(invalid_token)?;
    check_binding(provider, endpoints, &client, credential, binding.as_ref()).await?;
    if !grant.scope.asks_openid() {
        return Err(OAuthError::new(ErrorCode::InsufficientScope, "the access token has no scope openid"));
    }
    let Some(AccountStatus::Active(user)) = accounts::of_grant(provider, &client, &grant).await? else {
        return Err(invalid_token());
    };
    let profile = accounts::profile(provider, &user, claims::needs_profile(&client, &grant, true)).await?;
    let about = claims::Subject { user: &user, profile: &profile };
    let mut members = claims::of_scopes(about, &client, &grant.scope);
    if grant.claims.is_some() {
        let asked = claims::asked_of_userinfo(&grant, &user, provider.config.max_groups_size);
        claims::add_asked(&mut members, about, &client, &asked);
    }
    let subject = claims::subject(&provider.sealer, &client, &user.id.opaque_id);
    members.insert("sub".to_owned(), subject.into());
    let claims = write(provider, &client, &endpoints.issuer, members)?;
    Ok(UserinfoResponse { claims, dpop_nonce: dpop::next_nonce(provider, &client, &credential.proofs) })
}

/// The access token of a request, if it is one of this issuer that is valid.
fn presented(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    credential: &Credential<'_>,
) -> Result<PresentedToken, OAuthError> {
    if !provider.revocations.is_current() {
        return Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, "it is not known what is revoked"));
    }
    PresentedToken::verify(provider, endpoints, &credential.token).ok_or_else(invalid_token)
}

/// A token that is bound to a `DPoP` key counts only with a proof of that key, and never as a bearer token (row I29); one that is
/// bound to a certificate only where that is shown (RFC 8705 3).
async fn check_binding(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    client: &Client,
    Credential { scheme, token, proofs }: &Credential<'_>,
    binding: Option<&Binding>,
) -> Result<(), OAuthError> {
    let wanted = match (binding, *scheme) {
        (None, Scheme::Bearer) => return Ok(()),
        (Some(Binding::Dpop(wanted)), Scheme::Dpop) => wanted,
        (Some(bound @ Binding::Certificate(_)), Scheme::Bearer) => {
            return if proofs.certificate_binding().as_ref() == Some(bound) { Ok(()) } else { Err(invalid_token()) };
        }
        (Some(Binding::Certificate(_)) | None, Scheme::Dpop) | (Some(Binding::Dpop(_)), Scheme::Bearer) => {
            return Err(invalid_token());
        }
    };
    let url = proofs.url(endpoints, endpoints.paths.userinfo);
    let proved = dpop::proof(provider, client, proofs, &url, Some(token)).await?;
    let missing = || OAuthError::new(ErrorCode::InvalidDpopProof, "the DPoP proof is missing");
    if proved.ok_or_else(missing)? == *wanted { Ok(()) } else { Err(invalid_token()) }
}

/// JSON, or a signed JWT for a client that is registered for one.
fn write(
    provider: &Provider,
    client: &Client,
    issuer: &str,
    mut members: Map<String, Value>,
) -> Result<Document, OAuthError> {
    let Some(algorithm) = client.signatures.userinfo else {
        return serde_json::to_vec(&members).map(Document::Json).map_err(|error| OAuthError::fault(&error));
    };
    members.insert("iss".to_owned(), issuer.into());
    members.insert("aud".to_owned(), client.id.as_str().into());
    Ok(Document::Jwt(provider.keys.signer(algorithm).jwt("JWT", &members)))
}
