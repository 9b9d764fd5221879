//! The profiles of all users.

use axum::Json;
use proto::doorward::users::v1::profiles_api_client::ProfilesApiClient;
use proto::doorward::users::v1::{GetProfileRequest, GetProfileResponse, SetProfileRequest};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::caller::Administrator;
use super::super::problem::Problem;
use super::super::profile::{Profile, ProfileChange};
use super::super::request::{Id, Members};
use crate::administration::users::by_id;
use crate::state::AccountState;
use crate::transport::Transport;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new().routes(routes!(show, change))
}

fn profiles(administrator: &Administrator) -> Result<ProfilesApiClient<Transport>, Problem> {
    administrator.0.state.administration.profiles.clone().ok_or_else(|| Problem::without("users"))
}

async fn current(administrator: &Administrator, id: &str) -> Result<(String, GetProfileResponse), Problem> {
    let by = administrator.0.on_behalf();
    let person = administrator.0.state.administration.user(&by, id).await?;
    let request = GetProfileRequest { user: Some(by_id(id)) };
    let profile = profiles(administrator)?.get_profile(by.call(request)).await?.into_inner();
    Ok((person.display_name, profile))
}

/// Returns the profile of a user.
#[utoipa::path(
    get,
    path = "/admin/api/v1/users/{id}/profile",
    operation_id = "getUserProfile",
    tag = "administration: users",
    params(("id" = String, Path, description = "The identifier of the user.")),
    responses((status = 200, description = "The profile.", body = Profile))
)]
async fn show(administrator: Administrator, Id(id): Id) -> Result<Json<Profile>, Problem> {
    let (display_name, profile) = current(&administrator, &id).await?;
    Ok(Json(Profile::new(display_name, profile)))
}

/// Changes the profile of a user.
///
/// Either everything in the request is changed, or nothing is.
#[utoipa::path(
    patch,
    path = "/admin/api/v1/users/{id}/profile",
    operation_id = "changeUserProfile",
    tag = "administration: users",
    params(("id" = String, Path, description = "The identifier of the user.")),
    request_body = ProfileChange,
    responses((status = 200, description = "The profile as changed.", body = Profile))
)]
async fn change(
    administrator: Administrator,
    Id(id): Id,
    Members(change): Members<ProfileChange>,
) -> Result<Json<Profile>, Problem> {
    let (display_name, stored) = current(&administrator, &id).await?;
    if let Some(request) = change.request(display_name, stored)? {
        let request = SetProfileRequest { user: Some(by_id(&id)), ..request };
        profiles(&administrator)?.set_profile(administrator.0.on_behalf().call(request)).await?;
    }
    let (display_name, profile) = current(&administrator, &id).await?;
    Ok(Json(Profile::new(display_name, profile)))
}
