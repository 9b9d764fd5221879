//! Revocation of tokens by their client (RFC 7009).

#[cfg(test)]
mod tests;

use super::client_request::ClientRequest;
use super::error::OAuthError;
use super::provider::Provider;
use super::termination;
use super::tokens::access_token::PresentedToken;
use super::tokens::refresh_token::RefreshToken;
use crate::endpoints::IssuerEndpoints;

/// Revokes the token that a request names, if it is the client's own; the user of an access token, or an empty text, if
/// something was revoked. A refresh token takes its whole grant with it, an access token only itself (row I24).
/// `token_type_hint` is not needed: a token shows what it is.
///
/// # Errors
/// `invalid_request`, and when the database is unavailable.
pub(crate) async fn revoke(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    ClientRequest { client, form, .. }: &ClientRequest<'_>,
) -> Result<Option<String>, OAuthError> {
    let (text, now) = (form.need("token")?, provider.clock.now());
    if let Some(RefreshToken { grant, .. }) = RefreshToken::read(&provider.sealer, text) {
        let family = provider.store.family(grant, now).await?;
        if family.is_none_or(|family| family.grant.client != client.id) {
            return Ok(None);
        }
        termination::revoke_grant(provider, endpoints, client, grant, now).await?;
        return Ok(Some(String::new()));
    }
    let own = PresentedToken::read(provider, endpoints, text).filter(|token| token.grant.client == client.id);
    let Some(token) = own else { return Ok(None) };
    termination::revoke_token(provider, &token, now).await?;
    Ok(Some(token.grant.person.unwrap_or_default()))
}
