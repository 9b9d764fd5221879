//! The userinfo endpoint (`OpenID` Connect Core 5.3): a client asks who somebody is.

mod credential;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use oidc::error::ErrorCode;
use serde_json::{Map, Value};

use self::credential::{Credential, invalid_token};
use crate::answer::Refusal;
use crate::claims;
use crate::clients::Client;
use crate::model::Grant;
use crate::provider::Provider;
use crate::token::person::{self, Standing};
use crate::token::presented::Presented;
use crate::token::served::{Served, at_every_site};

/// The userinfo endpoint of every issuer.
pub fn router(provider: Provider) -> Router {
    at_every_site(provider, |paths| paths.userinfo, &get(answer).post(answer))
}

async fn answer(State(served): State<Served>, request: Request) -> Response {
    tell(&served, request).await.into_response()
}

async fn tell(served: &Served, request: Request) -> Result<Response, Refusal> {
    let Served { provider, site } = served;
    let grant = grant(served, request).await?;
    if !grant.scope.asks_openid() {
        let challenge = HeaderValue::from_static(r#"Bearer realm="idp", error="insufficient_scope", scope="openid""#);
        let refusal = Refusal::new(ErrorCode::InsufficientScope, "the access token has no scope openid");
        return Err(refusal.with_challenge(challenge));
    }
    let client = provider.clients.find(&grant.client).await?.ok_or_else(invalid_token)?;
    let Some(Standing::Good(user)) = person::standing(provider, &client, &grant).await? else {
        return Err(invalid_token());
    };
    let mut told = claims::of_scopes(&user, &client, &grant.scope);
    if grant.claims.is_some() {
        let asked = claims::asked_of_userinfo(&grant, &user, provider.config.max_groups_size);
        claims::add_asked(&mut told, &user, &client, &asked);
    }
    let subject = claims::subject(&provider.sealer, &client, &user.id.opaque_id);
    told.insert("sub".to_owned(), subject.into());
    Ok(write(provider, &client, &site.issuer, told))
}

/// What the access token of a request is derived from, if the request may be made with it.
async fn grant(served: &Served, request: Request) -> Result<Grant, Refusal> {
    let Served { provider, site } = served;
    let credential = Credential::read(request).await?;
    if !provider.revocations.is_current() {
        return Err(Refusal::new(ErrorCode::TemporarilyUnavailable, "it is not known what is revoked"));
    }
    let presented = Presented::verify(provider, site, credential.token()).ok_or_else(invalid_token)?;
    credential.check_binding(provider, site, presented.binding.as_ref()).await?;
    Ok(presented.grant)
}

/// JSON, or a signed JWT for a client that is registered for one.
fn write(provider: &Provider, client: &Client, issuer: &str, mut told: Map<String, Value>) -> Response {
    let unkept = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let Some(algorithm) = client.signatures.userinfo else {
        return ([unkept], Json(told)).into_response();
    };
    told.insert("iss".to_owned(), issuer.into());
    told.insert("aud".to_owned(), client.id.as_str().into());
    let jwt = provider.keys.signer(algorithm).jwt("JWT", &told);
    ([unkept, (CONTENT_TYPE, HeaderValue::from_static("application/jwt"))], jwt).into_response()
}
