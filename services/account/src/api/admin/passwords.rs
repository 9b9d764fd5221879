//! The passwords and second factors of all users. All of it needs a recent sign-in.

use axum::http::StatusCode;
use proto::doorward::passwords::v1::JudgePasswordRequest;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::caller::Administrator;
use super::super::problem::{Problem, ProblemDetails, Weakness};
use super::super::request::{Id, Members};
use crate::state::AccountState;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new().routes(routes!(set, remove)).routes(routes!(reset_factors))
}

/// A password of a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// The password.
    #[schema(format = Password)]
    password: String,
}

fn has_passwords(administrator: &Administrator) -> Result<(), Problem> {
    let has_passwords = administrator.0.state.administration.passwords.is_some();
    if has_passwords { Ok(()) } else { Err(Problem::without("auth-basic")) }
}

/// Sets the password of a user.
///
/// The policy judges it as the user's own. Needs a recent sign-in.
#[utoipa::path(
    put,
    path = "/admin/api/v1/users/{id}/password",
    operation_id = "setUserPassword",
    tag = "administration: users",
    params(("id" = String, Path, description = "The identifier of the user.")),
    request_body = NewPassword,
    responses(
        (status = 204, description = "The password is set."),
        (
            status = 400,
            description = "The policy refuses the password.",
            body = ProblemDetails,
            content_type = "application/problem+json"
        ),
    )
)]
async fn set(
    administrator: Administrator,
    Id(id): Id,
    Members(new): Members<NewPassword>,
) -> Result<StatusCode, Problem> {
    has_passwords(&administrator)?;
    administrator.recent_sign_in().await?;
    let (services, by) = (&administrator.0.state.administration, administrator.0.on_behalf());
    services.user(&by, &id).await?;
    let request =
        JudgePasswordRequest { password: new.password.clone(), user_id: id.clone(), ..JudgePasswordRequest::default() };
    let weaknesses = Weakness::all_of(&services.judge_password(&by, request).await?);
    if !weaknesses.is_empty() {
        return Err(Problem::weak_password("password", weaknesses));
    }
    services.set_password(&by, &id, &new.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes the password of a user.
///
/// Needs a recent sign-in. Administrators cannot remove their own.
#[utoipa::path(
    delete,
    path = "/admin/api/v1/users/{id}/password",
    operation_id = "removeUserPassword",
    tag = "administration: users",
    params(("id" = String, Path, description = "The identifier of the user.")),
    responses((status = 204, description = "The user has no password."))
)]
async fn remove(administrator: Administrator, Id(id): Id) -> Result<StatusCode, Problem> {
    has_passwords(&administrator)?;
    if administrator.is_own(&id) {
        return Err(Problem::own_account());
    }
    administrator.recent_sign_in().await?;
    administrator.0.state.administration.remove_password(&administrator.0.on_behalf(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes the second factors of a user.
///
/// Needs a recent sign-in. Administrators cannot remove their own.
#[utoipa::path(
    delete,
    path = "/admin/api/v1/users/{id}/second-factors",
    operation_id = "resetUserSecondFactors",
    tag = "administration: users",
    params(("id" = String, Path, description = "The identifier of the user.")),
    responses((status = 204, description = "The user has no second factor."))
)]
async fn reset_factors(administrator: Administrator, Id(id): Id) -> Result<StatusCode, Problem> {
    if administrator.0.state.administration.factors.is_none() {
        return Err(Problem::without("idp"));
    }
    if administrator.is_own(&id) {
        return Err(Problem::own_account());
    }
    administrator.recent_sign_in().await?;
    administrator.0.state.administration.reset_factors(&administrator.0.on_behalf(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
