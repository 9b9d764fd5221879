//! Introspection (RFC 7662): resource servers ask what a token is.

#[cfg(test)]
mod tests;

use authn::Actor;
use oidc::error::ErrorCode;
use serde::Serialize;
use uuid::Uuid;

use super::accounts::{self, AccountStatus};
use super::claims;
use super::client_request::ClientRequest;
use super::clients::Client;
use super::document::Document;
use super::error::OAuthError;
use super::provider::Provider;
use super::tokens::access_token::PresentedToken;
use super::tokens::refresh_token::RefreshToken;
use crate::endpoints::IssuerEndpoints;
use crate::model::{Binding, Family, Grant, Seconds, seconds};

/// The type of a signed response (RFC 9701 5).
const SIGNED: &str = "token-introspection+jwt";

/// What a token is; only `active` for one that does not count, or that does not concern the client that asks (row I25).
#[derive(Serialize, Default)]
struct IntrospectionResponse<'a> {
    active: bool,
    #[serde(flatten)]
    claims: Option<IntrospectionClaims<'a>>,
}

#[derive(Serialize)]
struct IntrospectionClaims<'a> {
    iss: &'a str,
    sub: String,
    aud: Vec<&'a str>,
    client_id: &'a str,
    /// Whether the client is one of the installation's own ([`oidc::claims::FIRST_PARTY`]).
    first_party: bool,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    exp: Seconds,
    iat: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<&'a Binding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a Actor>,
}

/// A signed response (RFC 9701 5).
#[derive(Serialize)]
struct SignedResponse<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: Seconds,
    token_introspection: &'a IntrospectionResponse<'a>,
}

/// A token that counts, whatever kind it is.
struct Token {
    /// Names it, if it has a name of its own.
    id: Option<Uuid>,
    grant: Grant,
    binding: Option<Binding>,
    issued: Seconds,
    expires: Seconds,
}

/// Answers what a token is, as a signed JWT (RFC 9701) if one is wanted.
///
/// # Errors
/// `invalid_client` for a client that cannot prove who it is, `invalid_request`, and `temporarily_unavailable`.
pub(crate) async fn introspect(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    request: &ClientRequest<'_>,
    wants_signed: bool,
) -> Result<Document, OAuthError> {
    if !request.is_authenticated() {
        return Err(OAuthError::client());
    }
    let write =
        |response: &IntrospectionResponse<'_>| write(provider, endpoints, &request.client, response, wants_signed);
    if !provider.revocations.is_current() {
        return Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, "it is not known what is revoked"));
    }
    let token = find(provider, endpoints, request.form.need("token")?).await?;
    let Some(token) = token.filter(|token| concerns(&request.client, token)) else {
        return write(&IntrospectionResponse::default());
    };
    let client = provider.clients.find(&token.grant.client).await?;
    let Some(client) = client else { return write(&IntrospectionResponse::default()) };
    let user = match accounts::of_grant(provider, &client, &token.grant).await? {
        Some(AccountStatus::Ineligible(_)) => return write(&IntrospectionResponse::default()),
        Some(AccountStatus::Active(user)) => Some(user),
        None => None,
    };
    let username = user.as_deref().map(|user| user.username.as_str());
    let claims = Some(IntrospectionClaims { username, ..token.claims(provider, endpoints, &client) });
    write(&IntrospectionResponse { active: true, claims })
}

/// An access token, or the current one of a family of refresh tokens.
async fn find(provider: &Provider, endpoints: &IssuerEndpoints, text: &str) -> Result<Option<Token>, OAuthError> {
    let Some(RefreshToken { grant, generation }) = RefreshToken::read(&provider.sealer, text) else {
        let presented = PresentedToken::verify(provider, endpoints, text);
        return Ok(presented.map(|PresentedToken { token, grant, binding, issued, expires }| Token {
            id: Some(token),
            grant,
            binding,
            issued,
            expires,
        }));
    };
    let family = provider.store.family(grant, provider.clock.now()).await?;
    let is_cut_off = |family: &Family| provider.revocations.cuts_off_grant(&family.grant, seconds(family.created));
    let current = family.filter(|family| family.generation == generation && family.grant.layout == endpoints.layout);
    let current = current.filter(|family| !is_cut_off(family));
    Ok(current.map(|family| Token {
        id: None,
        binding: family.binding,
        issued: seconds(family.rotated),
        expires: seconds(family.idle_end.min(family.end)),
        grant: family.grant,
    }))
}

/// Whether a token concerns the client that asks: it is its own, meant for it, or the client may see all.
fn concerns(client: &Client, token: &Token) -> bool {
    let is_audience = || token.id.is_some() && token.grant.resources.contains(&client.id);
    client.introspects_all || token.grant.client == client.id || is_audience()
}

impl Token {
    fn claims<'a>(
        &'a self,
        provider: &Provider,
        endpoints: &'a IssuerEndpoints,
        client: &Client,
    ) -> IntrospectionClaims<'a> {
        let Self { grant, .. } = self;
        let sign_in = grant.sign_in.as_ref();
        let person = grant.person.as_deref();
        let aud = std::iter::once(&grant.client).chain(&grant.resources).map(String::as_str).collect();
        let token_type = if matches!(self.binding, Some(Binding::Dpop(_))) { "DPoP" } else { "Bearer" };
        IntrospectionClaims {
            iss: &endpoints.issuer,
            sub: person.map_or_else(|| client.id.clone(), |person| claims::subject(&provider.sealer, client, person)),
            aud,
            client_id: &grant.client,
            first_party: client.is_first_party_for(grant),
            scope: grant.scope.to_string(),
            token_type: self.id.map(|_| token_type),
            exp: self.expires,
            iat: self.issued,
            jti: self.id,
            username: None,
            auth_time: sign_in.map(|sign_in| sign_in.at),
            acr: sign_in.map(|sign_in| sign_in.acr.as_str()),
            amr: sign_in.map(|sign_in| sign_in.amr.as_slice()),
            sid: sign_in.and_then(|sign_in| sign_in.session),
            cnf: self.binding.as_ref(),
            act: grant.actor.as_ref(),
        }
    }
}

/// JSON, or a signed JWT.
fn write(
    provider: &Provider,
    endpoints: &IssuerEndpoints,
    audience: &Client,
    response: &IntrospectionResponse<'_>,
    wants_signed: bool,
) -> Result<Document, OAuthError> {
    if !wants_signed {
        return serde_json::to_vec(response).map(Document::Json).map_err(|error| OAuthError::fault(&error));
    }
    let body = SignedResponse {
        iss: &endpoints.issuer,
        aud: &audience.id,
        iat: seconds(provider.clock.now()),
        token_introspection: response,
    };
    let algorithm = provider.keys.choose(audience.signatures.introspection);
    Ok(Document::Jwt(provider.keys.signer(algorithm).jwt(SIGNED, &body)))
}
