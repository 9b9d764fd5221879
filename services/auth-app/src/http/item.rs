//! One token, as a resource.

use std::convert::Infallible;

use authn::Permission;
use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use uuid::Uuid;

use super::Api;
use super::answer::{Problem, Token};
use super::body::{Body, Change};
use super::collection::acting;
use super::params::Params;
use super::principal::Principal;
use crate::applications::{ActingAs, ApplicationsError};

/// Whose token it is may be said as in the other calls.
const KNOWN: [&str; 3] = ["userID", "userName", "reason"];

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
    params.only(&KNOWN)?;
    let reason = params.get("reason").unwrap_or("");
    Ok(acting(api, principal, params.person()?.as_ref(), reason, wanted).await?)
}

/// `GET`
pub(super) async fn show(
    State(api): State<Api>,
    id: Id,
    principal: Principal,
    params: Params,
) -> Result<Json<Token>, Problem> {
    let acting = concerned(&api, &principal, &params, Permission::Read).await?;
    let found = api.applications.get(&acting, id.known()?).await?;
    Ok(Json(Token::new(&found, None, api.clock.now())))
}

/// `DELETE`
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

/// `PATCH`: the label.
pub(super) async fn rename(
    State(api): State<Api>,
    id: Id,
    principal: Principal,
    params: Params,
    body: Body,
) -> Result<Json<Token>, Problem> {
    let acting = concerned(&api, &principal, &params, Permission::Write).await?;
    let change: Change = body.json()?;
    let renamed = api.applications.rename(&acting, id.known()?, &change.label).await?;
    Ok(Json(Token::new(&renamed, None, api.clock.now())))
}
