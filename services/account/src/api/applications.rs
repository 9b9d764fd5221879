//! The applications with access to the account of the signed-in user.

use axum::Json;
use axum::http::StatusCode;
use proto::doorward::idp::v1::ConnectedApplication as Connected;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::User;
use super::problem::Problem;
use super::request::Parameters;
use super::sessions::own_account;
use super::timestamp::Timestamp;
use crate::state::AccountState;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new().routes(routes!(list, disconnect))
}

/// An application with access to an account.
#[derive(Serialize, ToSchema)]
pub(super) struct ConnectedApplication {
    client_id: String,
    /// What users are shown.
    name: String,
    /// What it may do.
    scopes: Vec<String>,
    /// Since when it has access.
    since: Timestamp,
    /// When its refresh tokens were last used; `null` if it has none.
    last_used: Option<Timestamp>,
}

impl From<Connected> for ConnectedApplication {
    fn from(application: Connected) -> Self {
        Self {
            client_id: application.client_id,
            name: application.name,
            scopes: application.scopes,
            since: Timestamp::at(application.since),
            last_used: application.last_used.and_then(Timestamp::of),
        }
    }
}

/// The applications with access to an account.
#[derive(Serialize, ToSchema)]
pub(super) struct ConnectedApplications {
    pub(super) applications: Vec<ConnectedApplication>,
}

/// Which application. It is no part of the path, as the identifier of a client may be a URL.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Application {
    /// The identifier of the client.
    pub(super) client_id: String,
}

/// Lists the applications with access to the account.
#[utoipa::path(
    get,
    path = "/api/v1/connected-applications",
    operation_id = "listConnectedApplications",
    tag = "connected applications",
    responses((status = 200, description = "The applications.", body = ConnectedApplications))
)]
async fn list(User(signed_in): User) -> Result<Json<ConnectedApplications>, Problem> {
    let applications = own_account(&signed_in)?.applications(&signed_in.on_behalf()).await?;
    Ok(Json(ConnectedApplications { applications: applications.into_iter().map(Into::into).collect() }))
}

/// Ends the access of an application.
///
/// An application without access has none afterwards, either.
#[utoipa::path(
    delete,
    path = "/api/v1/connected-applications",
    operation_id = "disconnectApplication",
    tag = "connected applications",
    params(Application),
    responses((status = 204, description = "The application has no access any more."))
)]
async fn disconnect(
    User(signed_in): User,
    Parameters(application): Parameters<Application>,
) -> Result<StatusCode, Problem> {
    if application.client_id.is_empty() {
        return Err(Problem::parameter("client_id", "it is empty"));
    }
    own_account(&signed_in)?.disconnect(&signed_in.on_behalf(), &application.client_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
