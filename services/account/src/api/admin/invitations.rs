//! Invitations by e-mail, with which users set their first password (`docs/security-requirements.md#n60`).

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::caller::Administrator;
use super::super::problem::{Problem, ProblemDetails};
use super::super::request::{Id, Members};
use crate::state::AccountState;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new().routes(routes!(show_policy)).routes(routes!(invite))
}

/// Whether users can be invited.
#[derive(Serialize, ToSchema)]
struct InvitationPolicy {
    /// Whether this installation sends invitations by mail.
    enabled: bool,
}

/// An invitation, which has no members.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Invitation {}

/// Returns whether users can be invited.
#[utoipa::path(
    get,
    path = "/admin/api/v1/invitation-policy",
    operation_id = "getInvitationPolicy",
    tag = "administration: users",
    responses((status = 200, description = "Whether invitations are sent.", body = InvitationPolicy))
)]
async fn show_policy(administrator: Administrator) -> Result<Json<InvitationPolicy>, Problem> {
    let services = &administrator.0.state.administration;
    let enabled = services.sends_invitations(&administrator.0.on_behalf()).await?;
    Ok(Json(InvitationPolicy { enabled }))
}

/// Sends a user an invitation.
///
/// It has a link with which the user sets the first password. Needs a recent sign-in.
#[utoipa::path(
    post,
    path = "/admin/api/v1/users/{id}/invitation",
    operation_id = "inviteUser",
    tag = "administration: users",
    params(("id" = String, Path, description = "The identifier of the user.")),
    request_body = Invitation,
    responses(
        (status = 204, description = "The invitation is on its way."),
        (
            status = 412,
            description = "The user has a password or no mail address, or this installation sends no mail.",
            body = ProblemDetails,
            content_type = "application/problem+json"
        ),
    )
)]
async fn invite(
    administrator: Administrator,
    Id(id): Id,
    Members(Invitation {}): Members<Invitation>,
) -> Result<StatusCode, Problem> {
    let services = &administrator.0.state.administration;
    if services.invitations.is_none() {
        return Err(Problem::without("idp"));
    }
    administrator.recent_sign_in().await?;
    services.invite_user(&administrator.0.on_behalf(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
