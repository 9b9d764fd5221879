//! The collection of a user's tokens: the documented calls, and making a token from a JSON body.

use authn::Permission;
use axum::Json;
use axum::extract::State;
use axum::http::header::{LINK, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Api;
use super::answer::{MadeToken, Problem, ShownToken};
use super::body::{Body, NewToken};
use super::document::{BodyRefusals, Refusals, TooManyTokens};
use super::params::Params;
use super::principal::Principal;
use super::query::{CreateQuery, ListQuery, PAGE, RevokeQuery};
use crate::applications::{ActingAs, ApplicationsError, PersonRef, TokenRequest};
use crate::model::Kind;
use crate::store::Page;

/// The label of a token for which none is said, as in the systems whose call it is.
const LABEL: &str = "Generated via API";
/// The same for a token that an administrator makes for another user.
const IMPERSONATION_LABEL: &str = "Generated via Impersonation API";

/// Tokens without their secrets, the oldest first.
#[derive(Serialize, ToSchema)]
#[serde(transparent)]
#[schema(max_items = 100)]
struct TokenList(Vec<ShownToken>);

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

/// Creates a token.
///
/// Either all parameters are in the query, and the status is 200; or all members are in a JSON body, and the status is 201. Not both. No other response has the secret, which is in `token`. The query must have `expiry` or `window`; a body without `expires_in` and `window` creates a token with the default lifetime, 72 hours unless the operator says otherwise.
#[utoipa::path(
    post,
    path = "/auth-app/tokens",
    operation_id = "createToken",
    tag = "tokens",
    params(CreateQuery),
    request_body(content = NewToken, examples(
        ("narrow" = (
            summary = "One folder, read only, for a week without use and a month at most",
            value = json!({
                "label": "Photo frame in the hall",
                "scopes": ["node:4c510ada-c86b-4815-8820-42cdf82c3d51:r"],
                "window": "7d",
                "max_lifetime": "30d"
            })
        )),
        ("seconds" = (
            summary = "Ten minutes, everything that the owner may",
            value = json!({ "label": "A script", "expires_in": 600 })
        )),
    )),
    responses(
        (status = 200, description = "The token, created by the query.", body = MadeToken),
        (
            status = 201,
            description = "The token, created by the body.",
            body = MadeToken,
            headers(("Location" = String, description = "The path of the token."))
        ),
        Refusals,
        BodyRefusals,
        TooManyTokens
    )
)]
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
    params.only(&CreateQuery::PARAMETERS)?;
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

async fn make(api: &Api, acting: &ActingAs<'_>, request: TokenRequest) -> Result<(MadeToken, Uuid), ApplicationsError> {
    let (token, secret) = api.applications.create(acting, request).await?;
    Ok((MadeToken::new(&token, secret.expose_secret()), token.id))
}

/// Lists tokens.
///
/// The live tokens of the caller, the oldest first. `token` is the identifier: the secret is in the response that creates the token, and neither it nor a hash of it can be read again.
#[utoipa::path(
    get,
    path = "/auth-app/tokens",
    operation_id = "listTokens",
    tag = "tokens",
    params(ListQuery),
    responses(
        (
            status = 200,
            description = "The tokens, or a page of them; an empty list if there are none.",
            body = TokenList,
            headers(("Link" = String, description = "The next page."))
        ),
        Refusals
    )
)]
pub(super) async fn list(State(api): State<Api>, principal: Principal, params: Params) -> Result<Response, Problem> {
    params.only(&ListQuery::PARAMETERS)?;
    // a page is as long as the usual limit for a user, so that most lists are one
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
    let tokens = tokens.iter().map(|token| ShownToken::new(token, now)).collect();
    Ok((headers, Json(TokenList(tokens))).into_response())
}

/// Revokes the token that the query names.
///
/// It ends at once here, and within five seconds at other replicas. A secret in a URL ends up in logs of others: use the identifier, or `DELETE /auth-app/tokens/{id}`.
#[utoipa::path(
    delete,
    path = "/auth-app/tokens",
    operation_id = "revokeTokenByValue",
    tag = "tokens",
    params(RevokeQuery),
    responses((status = 200, description = "The token is revoked. The body is empty."), Refusals)
)]
pub(super) async fn revoke(
    State(api): State<Api>,
    principal: Principal,
    params: Params,
) -> Result<StatusCode, Problem> {
    params.only(&RevokeQuery::PARAMETERS)?;
    let which = params.get("token").filter(|token| !token.is_empty());
    let which = which.ok_or_else(|| Problem::parameter("token", "it is missing"))?;
    let reason = params.get("reason").unwrap_or("");
    let acting = acting(&api, &principal, params.person()?.as_ref(), reason, Permission::Write).await?;
    api.applications.revoke(&acting, which).await?;
    Ok(StatusCode::OK)
}
