//! The password of the signed-in user.

use axum::http::StatusCode;
use serde::Deserialize;
use status::Kind;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::User;
use super::problem::{Problem, ProblemDetails, Weakness};
use super::request::Members;
use crate::state::AccountState;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new().routes(routes!(change))
}

/// A change of the password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// The password until now.
    #[schema(format = Password)]
    old_password: String,
    /// The new password.
    #[schema(format = Password)]
    new_password: String,
}

/// Changes the password.
///
/// The sessions and tokens from before end with the change, also the credential of the request.
#[utoipa::path(
    post,
    path = "/api/v1/password",
    operation_id = "changePassword",
    tag = "password",
    request_body = PasswordChange,
    responses(
        (status = 204, description = "The password is changed."),
        (
            status = 400,
            description = "The old password is wrong, or the policy refuses the new one: `parameter` says which.",
            body = ProblemDetails,
            content_type = "application/problem+json"
        ),
        (
            status = 429,
            description = "There were too many wrong passwords.",
            body = ProblemDetails,
            content_type = "application/problem+json",
            headers(("Retry-After" = u32, description = "The seconds to wait."))
        ),
    )
)]
async fn change(User(signed_in): User, Members(change): Members<PasswordChange>) -> Result<StatusCode, Problem> {
    let PasswordChange { old_password, new_password } = change;
    let passwords = signed_in.state.self_service.passwords.as_ref().ok_or_else(|| Problem::without("auth-basic"))?;
    let judged = passwords.judge(&signed_in.on_behalf(), &new_password).await?;
    let weaknesses = Weakness::all_of(&judged);
    // an attempt that cannot succeed does not count as a wrong password
    if !weaknesses.is_empty() {
        return Err(Problem::weak_password("new_password", weaknesses));
    }
    if old_password.is_empty() {
        return Err(Problem::parameter("old_password", "it is empty"));
    }
    let Err(status) = passwords.change(&signed_in.on_behalf(), &old_password, &new_password).await else {
        return Ok(StatusCode::NO_CONTENT);
    };
    Err(match Kind::from_grpc(status.code()) {
        Kind::Unauthenticated => Problem::parameter("old_password", "it is wrong"),
        // the policy has accepted it before
        Kind::InvalidArgument => Problem::parameter("new_password", "it is the old one"),
        _ => status.into(),
    })
}
