//! One token, as a resource.

use authn::Permission;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use uuid::Uuid;

use super::Api;
use super::answer::{Problem, Token};
use super::asker::Asker;
use super::body::{Body, Change};
use super::collection::acting;
use super::params::Params;
use crate::applications::{Acting, ApplicationsError};

/// Whose token it is may be said as in the other calls.
const KNOWN: [&str; 3] = ["userID", "userName", "reason"];

/// What is no identifier is nobody's.
fn id(text: &str) -> Result<Uuid, ApplicationsError> {
    Uuid::try_parse(text).map_err(|_| ApplicationsError::NotFound)
}

async fn concerned<'a>(
    api: &Api,
    asker: &'a Asker,
    params: &Params,
    wanted: Permission,
) -> Result<Acting<'a>, Problem> {
    params.only(&KNOWN)?;
    let reason = params.get("reason").unwrap_or("");
    Ok(acting(api, asker, params.person()?.as_ref(), reason, wanted).await?)
}

/// `GET`
pub(super) async fn show(
    State(api): State<Api>,
    Path(text): Path<String>,
    asker: Asker,
    params: Params,
) -> Result<Json<Token>, Problem> {
    let acting = concerned(&api, &asker, &params, Permission::Read).await?;
    let found = api.applications.get(&acting, id(&text)?).await?;
    Ok(Json(Token::new(&found, None, api.clock.now())))
}

/// `DELETE`
pub(super) async fn revoke(
    State(api): State<Api>,
    Path(text): Path<String>,
    asker: Asker,
    params: Params,
) -> Result<StatusCode, Problem> {
    let acting = concerned(&api, &asker, &params, Permission::Write).await?;
    api.applications.revoke(&acting, &id(&text)?.to_string()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PATCH`: the label.
pub(super) async fn rename(
    State(api): State<Api>,
    Path(text): Path<String>,
    asker: Asker,
    params: Params,
    body: Body,
) -> Result<Json<Token>, Problem> {
    let acting = concerned(&api, &asker, &params, Permission::Write).await?;
    let change: Change = body.json()?;
    let renamed = api.applications.rename(&acting, id(&text)?, &change.label).await?;
    Ok(Json(Token::new(&renamed, None, api.clock.now())))
}
