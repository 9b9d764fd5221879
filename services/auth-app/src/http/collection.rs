//! The collection of a user's tokens: the documented calls, and making a token from a JSON body.

use authn::Permission;
use axum::Json;
use axum::extract::State;
use axum::http::header::{LINK, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::Api;
use super::answer::{Problem, Token};
use super::body::{Body, NewToken};
use super::params::Params;
use super::principal::Principal;
use crate::applications::{ActingAs, ApplicationsError, PersonRef, TokenRequest};
use crate::model::Kind;
use crate::store::Page;

/// Entries of a page, at most and when nothing is said.
const PAGE: u64 = 100;
/// The label of a token for which none is said, as in the systems whose call it is.
const LABEL: &str = "Generated via API";
/// The same for a token that an administrator makes for another user.
const IMPERSONATION_LABEL: &str = "Generated via Impersonation API";

/// By what right the caller is concerned with these tokens.
pub(super) async fn acting<'a>(
    api: &Api,
    principal: &'a Principal,
    whose: Option<&PersonRef>,
    reason: &str,
    wanted: Permission,
) -> Result<ActingAs<'a>, ApplicationsError> {
    match whose {
        None => api.applications.own(&principal.claims, &principal.caller, wanted),
        Some(who) => api.applications.impersonate(&principal.claims, &principal.caller, who, reason).await,
    }
}

fn label(acting: &ActingAs<'_>) -> &'static str {
    if acting.is_impersonation() { IMPERSONATION_LABEL } else { LABEL }
}

/// `POST`: by the query, answered with 200 as is documented; or by a JSON body, answered with 201.
pub(super) async fn create(
    State(api): State<Api>,
    principal: Principal,
    params: Params,
    body: Body,
) -> Result<Response, Problem> {
    if body.is_empty() {
        return create_by_query(&api, &principal, &params).await;
    }
    params.only(&[])?;
    create_by_body(&api, &principal, &body).await.map_err(Problem::of_member)
}

async fn create_by_query(api: &Api, principal: &Principal, params: &Params) -> Result<Response, Problem> {
    params.only(&["expiry", "label", "scope", "window", "max_lifetime", "userID", "userName", "reason"])?;
    let (life, grants, person) = (params.life()?, params.grants()?, params.person()?);
    let reason = params.text("reason", "");
    let acting = acting(api, principal, person.as_ref(), &reason, Permission::Write).await?;
    let label = params.text("label", label(&acting));
    let (made, _) = make(api, &acting, TokenRequest { label, grants, life, kind: Kind::App }).await?;
    Ok(Json(made).into_response())
}

async fn create_by_body(api: &Api, principal: &Principal, body: &Body) -> Result<Response, Problem> {
    let new: NewToken = body.json()?;
    let (life, grants, person) = (new.life()?, new.grants()?, new.person()?);
    let reason = new.reason.as_deref().unwrap_or("");
    let acting = acting(api, principal, person.as_ref(), reason, Permission::Write).await?;
    let label = new.label.unwrap_or_else(|| label(&acting).to_owned());
    let (made, id) = make(api, &acting, TokenRequest { label, grants, life, kind: Kind::App }).await?;
    let location = api.link(&format!("/{id}"));
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(made)).into_response())
}

async fn make(api: &Api, acting: &ActingAs<'_>, request: TokenRequest) -> Result<(Token, Uuid), ApplicationsError> {
    let (token, secret) = api.applications.create(acting, request).await?;
    Ok((Token::new(&token, Some(secret.expose_secret()), token.created), token.id))
}

/// `GET`: the live tokens. A page is as long as the usual limit for a user, so that most lists are one.
pub(super) async fn list(State(api): State<Api>, principal: Principal, params: Params) -> Result<Response, Problem> {
    params.only(&["limit", "after", "userID", "userName", "reason"])?;
    let limit = match params.get("limit").map(str::parse) {
        None => PAGE,
        Some(Ok(limit)) if (1..=PAGE).contains(&limit) => limit,
        Some(_) => return Err(Problem::parameter("limit", format!("it is a number from 1 to {PAGE}"))),
    };
    let after = params.get("after").map(Uuid::try_parse).transpose();
    let after = after.map_err(|_| Problem::parameter("after", "it is not the id of a token"))?;
    let acting =
        acting(&api, &principal, params.person()?.as_ref(), params.get("reason").unwrap_or(""), Permission::Read)
            .await?;
    let mut tokens = api.applications.list(&acting, Page { after, limit: limit + 1 }).await?;
    let is_last = u64::try_from(tokens.len()).unwrap_or(u64::MAX) <= limit;
    tokens.truncate(usize::try_from(limit).unwrap_or(usize::MAX));

    let mut headers = HeaderMap::new();
    if let Some(last) = tokens.last().filter(|_| !is_last) {
        let next = format!(r#"<{}>; rel="next""#, api.link(&params.next_page(limit, last.id)));
        if let Ok(next) = HeaderValue::try_from(next) {
            headers.insert(LINK, next);
        }
    }
    let now = api.clock.now();
    let tokens: Vec<Token> = tokens.iter().map(|token| Token::new(token, None, now)).collect();
    Ok((headers, Json(tokens)).into_response())
}

/// `DELETE ?token=`: by the id, the secret, or the hash that a token was taken over by.
pub(super) async fn revoke(
    State(api): State<Api>,
    principal: Principal,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.only(&["token", "userID", "userName", "reason"])?;
    let which = params.get("token").filter(|token| !token.is_empty());
    let which = which.ok_or_else(|| Problem::parameter("token", "it is missing"))?;
    let reason = params.get("reason").unwrap_or("");
    let acting = acting(&api, &principal, params.person()?.as_ref(), reason, Permission::Write).await?;
    api.applications.revoke(&acting, which).await?;
    Ok(StatusCode::OK)
}
