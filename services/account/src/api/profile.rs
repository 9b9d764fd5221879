//! The profile of the signed-in user, and what the profiles of all users have in common.

use std::collections::BTreeMap;

use authn::User as DirectoryUser;
use axum::Json;
use axum::http::StatusCode;
use proto::doorward::users::v1::{GetProfileResponse, SetProfileRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::User;
use super::problem::{Problem, ProblemDetails};
use super::request::Members;
use super::timestamp::Timestamp;
use crate::http::self_service::profile::{Stored, Unchangeable};
use crate::http::signed_in::SignedIn;
use crate::self_service::Profiles;
use crate::state::AccountState;

/// The name of the property that is no attribute.
const DISPLAY_NAME: &str = "display_name";

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new().routes(routes!(show, change)).routes(routes!(change_mail))
}

/// The profile of a user (OpenID Connect Core 1.0, section 5.1).
#[derive(Serialize, ToSchema)]
pub(super) struct Profile {
    /// The name to show.
    display_name: String,
    /// The values by the names of the claims, and of the members of the address as in `address.country`.
    #[schema(example = json!({"address.country": "France", "given_name": "Marie"}))]
    attributes: BTreeMap<String, String>,
    /// Whether the telephone number is known to be the user's.
    phone_number_verified: bool,
    /// When the account or the profile last changed; `null` if that is not known.
    updated: Option<Timestamp>,
    /// The names of what the caller may change; `address` stands for all its members, and `mail` is changed by a link.
    #[schema(example = json!(["display_name", "nickname"]))]
    writable: Vec<String>,
}

impl Profile {
    pub(super) fn new(display_name: String, response: GetProfileResponse) -> Self {
        let stored = response.profile.unwrap_or_default();
        Self {
            display_name,
            attributes: stored.attributes.into_iter().collect(),
            phone_number_verified: stored.phone_number_verified,
            updated: Timestamp::of(stored.updated),
            writable: response.writable,
        }
    }
}

/// A change of a profile. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileChange {
    /// The name to show.
    #[schema(max_length = 255)]
    display_name: Option<String>,
    /// The new values by their names; `null` removes an attribute.
    #[serde(default)]
    #[schema(example = json!({"nickname": "Manya", "website": null}))]
    attributes: BTreeMap<String, Option<String>>,
}

impl ProfileChange {
    /// The request for the change of a profile, of a user that is still to be named; `None` if nothing changes.
    pub(super) fn request(
        &self,
        display_name: String,
        stored: GetProfileResponse,
    ) -> Result<Option<SetProfileRequest>, Problem> {
        if self.attributes.contains_key(DISPLAY_NAME) {
            return Err(unchangeable(DISPLAY_NAME, Unchangeable::Unknown));
        }
        let stored = Stored::new(DirectoryUser { display_name, ..DirectoryUser::default() }, stored);
        let display_name = self.display_name.as_deref().map(|name| (DISPLAY_NAME, name));
        let attributes =
            self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_deref().unwrap_or_default()));
        let changes = stored.change_to(display_name.into_iter().chain(attributes));
        let changes = changes.map_err(|(name, reason)| unchangeable(name, reason))?;
        Ok((!changes.is_empty()).then(|| changes.request()))
    }
}

fn unchangeable(name: &str, reason: Unchangeable) -> Problem {
    match reason {
        Unchangeable::Unknown => Problem::parameter(name, "there is no such attribute"),
        Unchangeable::Invalid => Problem::parameter(name, "it cannot have this value"),
        Unchangeable::ReadOnly => {
            Problem::new(StatusCode::FORBIDDEN, "it cannot be changed by this user").of_parameter(name)
        }
    }
}

fn profiles(signed_in: &SignedIn) -> Result<&Profiles, Problem> {
    signed_in.state.self_service.profiles.as_ref().ok_or_else(|| Problem::without("users"))
}

async fn current(signed_in: &SignedIn) -> Result<(String, GetProfileResponse), Problem> {
    let profile = profiles(signed_in)?.get(&signed_in.on_behalf(), &signed_in.user.id.opaque_id).await?;
    Ok((signed_in.current_user().await.display_name, profile))
}

/// Returns the profile.
#[utoipa::path(
    get,
    path = "/api/v1/profile",
    operation_id = "getProfile",
    tag = "profile",
    responses((status = 200, description = "The profile.", body = Profile))
)]
async fn show(User(signed_in): User) -> Result<Json<Profile>, Problem> {
    let (display_name, profile) = current(&signed_in).await?;
    Ok(Json(Profile::new(display_name, profile)))
}

/// Changes the profile.
///
/// Either everything in the request is changed, or nothing is.
#[utoipa::path(
    patch,
    path = "/api/v1/profile",
    operation_id = "changeProfile",
    tag = "profile",
    request_body = ProfileChange,
    responses((status = 200, description = "The profile as changed.", body = Profile))
)]
async fn change(User(signed_in): User, Members(change): Members<ProfileChange>) -> Result<Json<Profile>, Problem> {
    let (display_name, stored) = current(&signed_in).await?;
    if let Some(request) = change.request(display_name, stored)? {
        profiles(&signed_in)?.set(&signed_in.on_behalf(), &signed_in.user.id.opaque_id, request).await?;
    }
    let (display_name, profile) = current(&signed_in).await?;
    Ok(Json(Profile::new(display_name, profile)))
}

/// Another mail address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MailChange {
    /// The new address.
    #[schema(max_length = 254, example = "marie@example.org")]
    address: String,
}

/// Sends a link to another mail address.
///
/// Nothing is changed until the user opens the link and confirms. A link that was sent before ends. Needs a recent sign-in.
#[utoipa::path(
    post,
    path = "/api/v1/mail",
    operation_id = "changeMail",
    tag = "profile",
    request_body = MailChange,
    responses(
        (status = 202, description = "A link is sent to the address, whether another user has it or not."),
        (
            status = 400,
            description = "It is no address, or the one until now.",
            body = ProblemDetails,
            content_type = "application/problem+json"
        ),
        (
            status = 429,
            description = "The user has asked too often.",
            body = ProblemDetails,
            content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "The seconds to wait."))
        ),
        (
            status = 501,
            description = "No mail is sent, or the operator does not permit users to change their mail address.",
            body = ProblemDetails,
            content_type = "application/problem+json"
        ),
    )
)]
async fn change_mail(user: User, Members(change): Members<MailChange>) -> Result<StatusCode, Problem> {
    let User(signed_in) = &user;
    let idp = signed_in.state.own_account.as_ref().ok_or_else(|| Problem::without("idp"))?;
    user.recent_sign_in().await?;
    idp.change_mail(&signed_in.on_behalf(), &change.address, signed_in.language()).await?;
    Ok(StatusCode::ACCEPTED)
}
