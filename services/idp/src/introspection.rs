//! The introspection endpoint (RFC 7662): resource servers ask what a token is.

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use oidc::error::ErrorCode;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::answer::Refusal;
use crate::claims;
use crate::clients::Client;
use crate::endpoints::Site;
use crate::model::{Binding, Family, Grant, Seconds, seconds};
use crate::provider::Provider;
use crate::token::asked::Asked;
use crate::token::person::{self, Standing};
use crate::token::presented::Presented;
use crate::token::refresh::RefreshToken;
use crate::token::served::{Served, at_every_site};

/// The media type of a signed answer (RFC 9701 5), without `application/`.
const SIGNED: &str = "token-introspection+jwt";
const SIGNED_TYPE: &str = "application/token-introspection+jwt";

/// The introspection endpoint of every issuer.
pub fn router(provider: Provider) -> Router {
    at_every_site(provider, |paths| paths.introspection, &post(answer))
}

/// What a token is; only `active` for one that does not count, or that does not concern who asks (row I25).
#[derive(Serialize, Default)]
struct Answer<'a> {
    active: bool,
    #[serde(flatten)]
    facts: Option<Facts<'a>>,
}

#[derive(Serialize)]
struct Facts<'a> {
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
    act: Option<&'a Map<String, Value>>,
}

/// A signed answer (RFC 9701 5).
#[derive(Serialize)]
struct SignedAnswer<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: Seconds,
    token_introspection: &'a Answer<'a>,
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

async fn answer(State(served): State<Served>, request: Request) -> Response {
    introspect(&served, request).await.into_response()
}

async fn introspect(Served { provider, site }: &Served, request: Request) -> Result<Response, Refusal> {
    let asked = Asked::read(provider, site, request, site.paths.introspection).await?;
    if !asked.is_authenticated() {
        return Err(Refusal::client());
    }
    if !provider.revocations.is_current() {
        return Err(Refusal::new(ErrorCode::TemporarilyUnavailable, "it is not known what is revoked"));
    }
    let token = find(provider, site, asked.form.need("token")?).await?.filter(|token| concerns(&asked.client, token));
    let Some(token) = token else { return Ok(write(provider, site, &asked, &Answer::default())) };
    let client = provider.clients.find(&token.grant.client).await?;
    let Some(client) = client else { return Ok(write(provider, site, &asked, &Answer::default())) };
    let user = match person::standing(provider, &client, &token.grant).await? {
        Some(Standing::Lost(_)) => return Ok(write(provider, site, &asked, &Answer::default())),
        Some(Standing::Good(user)) => Some(user),
        None => None,
    };
    let username = user.as_deref().map(|user| user.username.as_str());
    let facts = Some(Facts { username, ..token.facts(provider, site, &client) });
    Ok(write(provider, site, &asked, &Answer { active: true, facts }))
}

/// An access token, or the current one of a family of refresh tokens.
async fn find(provider: &Provider, site: &Site, text: &str) -> Result<Option<Token>, Refusal> {
    let Some(RefreshToken { grant, generation }) = RefreshToken::read(&provider.sealer, text) else {
        let presented = Presented::verify(provider, site, text);
        return Ok(presented.map(|Presented { token, grant, binding, issued, expires }| Token {
            id: Some(token),
            grant,
            binding,
            issued,
            expires,
        }));
    };
    let family = provider.store.family(grant, provider.clock.now()).await?;
    let is_cut_off = |family: &Family| provider.revocations.cuts_off_grant(&family.grant, seconds(family.created));
    let current = family.filter(|family| family.generation == generation && family.grant.layout == site.layout);
    let current = current.filter(|family| !is_cut_off(family));
    Ok(current.map(|family| Token {
        id: None,
        binding: family.binding,
        issued: seconds(family.rotated),
        expires: seconds(family.idle_end.min(family.end)),
        grant: family.grant,
    }))
}

/// Whether a token concerns who asks: it is its own, meant for it, or it may see all.
fn concerns(client: &Client, token: &Token) -> bool {
    let is_audience = || token.id.is_some() && token.grant.resources.contains(&client.id);
    client.introspects_all || token.grant.client == client.id || is_audience()
}

impl Token {
    fn facts<'a>(&'a self, provider: &Provider, site: &'a Site, client: &Client) -> Facts<'a> {
        let Self { grant, .. } = self;
        let sign_in = grant.sign_in.as_ref();
        let person = grant.person.as_deref();
        let aud = std::iter::once(&grant.client).chain(&grant.resources).map(String::as_str).collect();
        let token_type = if matches!(self.binding, Some(Binding::Dpop(_))) { "DPoP" } else { "Bearer" };
        Facts {
            iss: &site.issuer,
            sub: person.map_or_else(|| client.id.clone(), |person| claims::subject(&provider.sealer, client, person)),
            aud,
            client_id: &grant.client,
            first_party: grant.is_first_party(client),
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

/// JSON, or a signed JWT for who asks for one.
fn write(provider: &Provider, site: &Site, asked: &Asked, answer: &Answer<'_>) -> Response {
    let unkept = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !wants_signed(&asked.parts.headers) {
        return ([unkept], Json(answer)).into_response();
    }
    let body = SignedAnswer {
        iss: &site.issuer,
        aud: &asked.client.id,
        iat: seconds(provider.clock.now()),
        token_introspection: answer,
    };
    let algorithm = provider.keys.choose(asked.client.signatures.introspection);
    let jwt = provider.keys.signer(algorithm).jwt(SIGNED, &body);
    ([unkept, (CONTENT_TYPE, HeaderValue::from_static(SIGNED_TYPE))], jwt).into_response()
}

fn wants_signed(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|range| {
        let essence = range.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(SIGNED_TYPE)
    })
}
