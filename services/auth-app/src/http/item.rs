//! One token, as a resource.

use std::convert::Infallible;

use authn::Permission;
use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use uuid::Uuid;

use super::Api;
use super::answer::{Problem, ShownToken};
use super::body::{Body, Change};
use super::collection::acting;
use super::document::{BodyRefusals, Refusals};
use super::params::Params;
use super::principal::Principal;
use super::query::OwnerQuery;
use crate::applications::{ActingAs, ApplicationsError};

/// The identifier in the path, if it is one.
pub(super) struct Id(Option<Uuid>);

impl Id {
    /// A malformed identifier is treated like that of an unknown token.
    fn known(&self) -> Result<Uuid, ApplicationsError> {
        self.0.ok_or(ApplicationsError::NotFound)
    }
}

impl FromRequestParts<Api> for Id {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Infallible> {
        let text = Path::<String>::from_request_parts(parts, api).await;
        Ok(Self(text.ok().and_then(|Path(text)| Uuid::try_parse(&text).ok())))
    }
}

async fn concerned<'a>(
    api: &Api,
    principal: &'a Principal,
    params: &Params,
    wanted: Permission,
) -> Result<ActingAs<'a>, Problem> {
    params.only(&OwnerQuery::PARAMETERS)?;
    let reason = params.get("reason").unwrap_or("");
    Ok(acting(api, principal, params.person()?.as_ref(), reason, wanted).await?)
}

/// Returns a token.
#[utoipa::path(
    get,
    path = "/auth-app/tokens/{id}",
    operation_id = "getToken",
    tag = "tokens",
    params(
        ("id" = String, Path, description = "The identifier of the token.", format = "uuid"),
        OwnerQuery
    ),
    responses((status = 200, description = "The token, without its secret.", body = ShownToken), Refusals)
)]
pub(super) async fn show(
    State(api): State<Api>,
    id: Id,
    principal: Principal,
    params: Params,
) -> Result<Json<ShownToken>, Problem> {
    let acting = concerned(&api, &principal, &params, Permission::Read).await?;
    let found = api.applications.get(&acting, id.known()?).await?;
    Ok(Json(ShownToken::new(&found, api.clock.now())))
}

/// Revokes a token.
///
/// It ends at once here, and within five seconds at other replicas.
#[utoipa::path(
    delete,
    path = "/auth-app/tokens/{id}",
    operation_id = "revokeToken",
    tag = "tokens",
    params(
        ("id" = String, Path, description = "The identifier of the token.", format = "uuid"),
        OwnerQuery
    ),
    responses((status = 204, description = "The token is revoked."), Refusals)
)]
pub(super) async fn revoke(
    State(api): State<Api>,
    id: Id,
    principal: Principal,
    params: Params,
) -> Result<StatusCode, Problem> {
    let acting = concerned(&api, &principal, &params, Permission::Write).await?;
    api.applications.revoke(&acting, &id.known()?.to_string()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the label of a token.
#[utoipa::path(
    patch,
    path = "/auth-app/tokens/{id}",
    operation_id = "renameToken",
    tag = "tokens",
    params(
        ("id" = String, Path, description = "The identifier of the token.", format = "uuid"),
        OwnerQuery
    ),
    request_body(content = Change, example = json!({ "label": "Phone" })),
    responses(
        (status = 200, description = "The token with its new label.", body = ShownToken),
        Refusals,
        BodyRefusals
    )
)]
pub(super) async fn rename(
    State(api): State<Api>,
    id: Id,
    principal: Principal,
    params: Params,
    body: Body,
) -> Result<Json<ShownToken>, Problem> {
    let acting = concerned(&api, &principal, &params, Permission::Write).await?;
    let change: Change = body.json()?;
    let renamed = api.applications.rename(&acting, id.known()?, &change.label).await?;
    Ok(Json(ShownToken::new(&renamed, api.clock.now())))
}
