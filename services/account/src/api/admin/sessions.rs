//! The sessions of all users, and the applications with access to their accounts.

use axum::Json;
use axum::http::StatusCode;
use proto::doorward::idp::v1::account_admin_api_client::AccountAdminApiClient;
use proto::doorward::idp::v1::{
    DisconnectUserApplicationRequest, EndUserSessionRequest, ListUserApplicationsRequest, ListUserSessionsRequest,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::applications::{Application, ConnectedApplications};
use super::super::caller::Administrator;
use super::super::given;
use super::super::problem::Problem;
use super::super::request::{Id, Parameters};
use super::super::sessions::Session;
use super::{OfUser, user_id};
use crate::administration::users::account;
use crate::state::AccountState;
use crate::transport::Transport;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new()
        .routes(routes!(list, end_all))
        .routes(routes!(end))
        .routes(routes!(list_applications, disconnect))
}

/// Which sessions are wanted.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SessionSearch {
    /// Only those of the user with this login name or identifier.
    user: Option<String>,
    /// How many entries to return at most; 100 if it is left out, and never more.
    #[param(minimum = 1, maximum = 100)]
    page_size: Option<u32>,
    /// `next_page_token` of the page before; left out for the first page.
    page_token: Option<String>,
}

/// A page of sessions.
#[derive(Serialize, ToSchema)]
struct SessionList {
    sessions: Vec<Session>,
    /// For the next page; left out if this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// idp, which has the sessions, applications and events of all users.
pub(super) fn accounts(administrator: &Administrator) -> Result<AccountAdminApiClient<Transport>, Problem> {
    administrator.0.state.administration.accounts.clone().ok_or_else(|| Problem::without("idp"))
}

/// Lists the sessions of all users or of one, the newest first.
#[utoipa::path(
    get,
    path = "/admin/api/v1/sessions",
    operation_id = "listUserSessions",
    tag = "administration: sessions",
    params(SessionSearch),
    responses((status = 200, description = "A page of the sessions that have not ended.", body = SessionList))
)]
async fn list(
    administrator: Administrator,
    Parameters(wanted): Parameters<SessionSearch>,
) -> Result<Json<SessionList>, Problem> {
    let mut accounts = accounts(&administrator)?;
    let user_id = user_id(&administrator, wanted.user.as_deref()).await?;
    let request = ListUserSessionsRequest {
        user: user_id.as_deref().map(account),
        page_size: wanted.page_size.unwrap_or_default(),
        page_token: wanted.page_token.unwrap_or_default(),
    };
    let listed = accounts.list_user_sessions(administrator.0.on_behalf().call(request)).await?.into_inner();
    let sessions = listed.sessions.into_iter().map(Session::from).collect();
    Ok(Json(SessionList { sessions, next_page_token: given(listed.next_page_token) }))
}

/// Ends a session of any user.
#[utoipa::path(
    delete,
    path = "/admin/api/v1/sessions/{id}",
    operation_id = "endUserSession",
    tag = "administration: sessions",
    params(("id" = String, Path, description = "The identifier of the session.")),
    responses((status = 204, description = "The session has ended, and the tokens of clients from it."))
)]
async fn end(administrator: Administrator, Id(id): Id) -> Result<StatusCode, Problem> {
    let call = administrator.0.on_behalf().call(EndUserSessionRequest { id, user: None });
    accounts(&administrator)?.end_user_session(call).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Signs a user out everywhere.
///
/// Needs a recent sign-in.
#[utoipa::path(
    delete,
    path = "/admin/api/v1/sessions",
    operation_id = "endAllUserSessions",
    tag = "administration: sessions",
    params(OfUser),
    responses((status = 204, description = "All sessions of the user have ended."))
)]
async fn end_all(administrator: Administrator, Parameters(user): Parameters<OfUser>) -> Result<StatusCode, Problem> {
    accounts(&administrator)?;
    let id = user.id()?;
    administrator.recent_sign_in().await?;
    administrator.0.state.administration.end_sessions(&administrator.0.on_behalf(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the applications with access to the account of a user.
#[utoipa::path(
    get,
    path = "/admin/api/v1/users/{id}/connected-applications",
    operation_id = "listUserApplications",
    tag = "administration: sessions",
    params(("id" = String, Path, description = "The identifier of the user.")),
    responses((status = 200, description = "The applications.", body = ConnectedApplications))
)]
async fn list_applications(administrator: Administrator, Id(id): Id) -> Result<Json<ConnectedApplications>, Problem> {
    let call = administrator.0.on_behalf().call(ListUserApplicationsRequest { user: Some(account(&id)) });
    let listed = accounts(&administrator)?.list_user_applications(call).await?.into_inner();
    Ok(Json(ConnectedApplications { applications: listed.applications.into_iter().map(Into::into).collect() }))
}

/// Ends the access of an application to the account of a user.
#[utoipa::path(
    delete,
    path = "/admin/api/v1/users/{id}/connected-applications",
    operation_id = "disconnectUserApplication",
    tag = "administration: sessions",
    params(("id" = String, Path, description = "The identifier of the user."), Application),
    responses((status = 204, description = "The application has no access any more."))
)]
async fn disconnect(
    administrator: Administrator,
    Id(id): Id,
    Parameters(application): Parameters<Application>,
) -> Result<StatusCode, Problem> {
    let request = DisconnectUserApplicationRequest { user: Some(account(&id)), client_id: application.client_id };
    accounts(&administrator)?.disconnect_user_application(administrator.0.on_behalf().call(request)).await?;
    Ok(StatusCode::NO_CONTENT)
}
