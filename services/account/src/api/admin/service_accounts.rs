//! The service accounts of the database (`docs/security-requirements.md#n22`). What is wrong with one is for auth-service to say. Changes
//! need a recent sign-in.

use std::time::SystemTime;

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::serviceaccounts::v1::{
    self as messages, CreateServiceAccountRequest, ListServiceAccountsRequest, UpdateServiceAccountRequest,
};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::caller::Administrator;
use super::super::problem::{Problem, ProblemDetails};
use super::super::request::{Id, Ids, Members, Parameters};
use super::super::timestamp::{Timestamp, seconds};
use super::super::{created, given};
use super::Search;
use crate::administration::Administration;
use crate::administration::service_accounts::ServiceAccountState as State;
use crate::http::admin::users::segment;
use crate::state::AccountState;
use crate::transport::OnBehalfOf;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, change, delete))
        .routes(routes!(add_secret))
        .routes(routes!(remove_secret))
}

/// A service account, without its secrets.
#[derive(Serialize, ToSchema)]
struct ServiceAccount {
    /// The identifier, by which the account authenticates.
    id: String,
    /// What administrators call it; empty if it has no name.
    display_name: String,
    state: ServiceAccountState,
    /// Whether an administrator has disabled it.
    disabled: bool,
    /// What it may do.
    #[schema(example = json!(["user"]))]
    scopes: Vec<String>,
    /// When it was created.
    created: Timestamp,
    /// The identifier of the administrator who has created it.
    created_by: String,
    /// When it expires; `null` if never.
    expires: Option<Timestamp>,
    /// When it was last used, roughly; `null` if never.
    last_used: Option<Timestamp>,
    /// The address of the last use.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_from: Option<String>,
    /// The program of the last use, as it called itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_by: Option<String>,
    /// Its valid secrets, the oldest first: two at most.
    secrets: Vec<ServiceAccountSecret>,
}

/// Whether a service account is accepted.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ServiceAccountState {
    /// It is accepted.
    Active,
    /// An administrator has disabled it.
    Disabled,
    /// It has expired.
    Expired,
    /// The configuration has an account with the same identifier, which is accepted in its place.
    Overridden,
}

/// What is known of a secret; the secret itself is in the response that has made it.
#[derive(Serialize, ToSchema)]
struct ServiceAccountSecret {
    /// The identifier by which it is removed.
    id: String,
    /// When it was made.
    created: Timestamp,
    /// The identifier of the administrator who has made it.
    created_by: String,
    /// When it expires; `null` if not before the account does.
    expires: Option<Timestamp>,
    /// When it was last used, roughly; `null` if never.
    last_used: Option<Timestamp>,
}

impl ServiceAccount {
    fn of(account: messages::ServiceAccount, now: SystemTime) -> Self {
        Self {
            state: match State::of(&account, now) {
                State::Active => ServiceAccountState::Active,
                State::Disabled => ServiceAccountState::Disabled,
                State::Expired => ServiceAccountState::Expired,
                State::Overridden => ServiceAccountState::Overridden,
            },
            id: account.id,
            display_name: account.display_name,
            disabled: account.disabled,
            scopes: account.scopes,
            created: Timestamp::at(account.created),
            created_by: account.created_by,
            expires: account.expires.map(Timestamp::at),
            last_used: account.last_used.and_then(Timestamp::of),
            last_used_from: given(account.last_used_from),
            last_used_by: given(account.last_used_by),
            secrets: account.secrets.into_iter().map(ServiceAccountSecret::from).collect(),
        }
    }
}

impl From<messages::ServiceAccountSecret> for ServiceAccountSecret {
    fn from(secret: messages::ServiceAccountSecret) -> Self {
        Self {
            id: secret.id,
            created: Timestamp::at(secret.created),
            created_by: secret.created_by,
            expires: secret.expires.map(Timestamp::at),
            last_used: secret.last_used.and_then(Timestamp::of),
        }
    }
}

/// A page of service accounts.
#[derive(Serialize, ToSchema)]
struct ServiceAccountList {
    service_accounts: Vec<ServiceAccount>,
    /// For the next page; left out if this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A new service account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewServiceAccount {
    /// The identifier: 1 to 64 lower-case letters, digits, dots, underscores and hyphens. It stays.
    #[schema(example = "backup")]
    id: String,
    /// What administrators call it, in at most 128 characters.
    #[serde(default)]
    display_name: String,
    /// What it may do; everything that the account may if it is left out.
    #[serde(default)]
    #[schema(example = json!(["user"]))]
    scopes: Vec<String>,
    /// When it expires (RFC 3339); never if it is left out.
    #[schema(format = DateTime)]
    expires: Option<String>,
}

/// A change of a service account. What is left out stays.
#[expect(clippy::option_option, reason = "a member is left out, null, or a text")]
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ServiceAccountChange {
    /// What administrators call it, in at most 128 characters.
    display_name: Option<String>,
    /// What it may do.
    #[schema(min_items = 1)]
    scopes: Option<Vec<String>>,
    /// Whether it is refused.
    disabled: Option<bool>,
    /// When it expires (RFC 3339); `null` for never.
    #[serde(default, deserialize_with = "null_as_value")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<Option<String>>,
}

/// Distinguishes a member that is `null` from one that is left out.
#[expect(clippy::option_option, reason = "a member is left out, null, or a text")]
fn null_as_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl ServiceAccountChange {
    fn request(self, id: String) -> Result<UpdateServiceAccountRequest, Problem> {
        let Self { display_name, scopes, disabled, expires } = self;
        // an empty list stands for no change in the call
        if scopes.as_ref().is_some_and(Vec::is_empty) {
            return Err(Problem::parameter("scopes", "it is empty: leave it out to keep the scopes"));
        }
        let expires = expires.map(|end| end_of(end.as_deref()).map(Option::unwrap_or_default)).transpose()?;
        Ok(UpdateServiceAccountRequest { id, display_name, scopes: scopes.unwrap_or_default(), disabled, expires })
    }
}

/// The end of an account, in seconds since the epoch. One before the epoch is refused here: in the call, 0 stands for no end.
fn end_of(text: Option<&str>) -> Result<Option<i64>, Problem> {
    match seconds("expires", text)? {
        Some(end) if end <= 0 => Err(Problem::parameter("expires", "it is in the past")),
        end => Ok(end),
    }
}

/// A service account that was created.
#[derive(Serialize, ToSchema)]
struct CreatedServiceAccount {
    service_account: ServiceAccount,
    /// Its secret, which no other response has.
    secret: String,
}

/// A further secret of a service account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewServiceAccountSecret {
    /// After how many seconds the secret that the account has expires; only when it is removed if this is left out.
    #[schema(example = 86_400)]
    expire_old_in: Option<u64>,
}

/// A secret that was added to a service account.
#[derive(Serialize, ToSchema)]
struct AddedServiceAccountSecret {
    service_account: ServiceAccount,
    /// The secret, which no other response has.
    secret: String,
    /// The identifier by which it is removed.
    secret_id: String,
}

/// The services, and on whose behalf they are called.
fn services(administrator: &Administrator) -> Result<(&Administration, OnBehalfOf<'_>), Problem> {
    let services = &administrator.0.state.administration;
    if services.service_accounts.is_none() {
        return Err(Problem::without("auth-service"));
    }
    Ok((services, administrator.0.on_behalf()))
}

fn shown(administrator: &Administrator, account: messages::ServiceAccount) -> ServiceAccount {
    ServiceAccount::of(account, administrator.0.state.clock.now())
}

/// Lists the service accounts in the order of their identifiers, or searches in identifiers and names.
///
/// Those of the environment and the file are not listed.
#[utoipa::path(
    get,
    path = "/admin/api/v1/service-accounts",
    operation_id = "listServiceAccounts",
    tag = "administration: service accounts",
    params(Search),
    responses((status = 200, description = "A page of the service accounts.", body = ServiceAccountList))
)]
async fn list(
    administrator: Administrator,
    Parameters(search): Parameters<Search>,
) -> Result<Json<ServiceAccountList>, Problem> {
    let Search { query, page_size, page_token } = search;
    let request = ListServiceAccountsRequest {
        page_size: page_size.unwrap_or_default(),
        page_token: page_token.unwrap_or_default(),
        query: query.unwrap_or_default(),
    };
    let (services, by) = services(&administrator)?;
    let listed = services.list_service_accounts(&by, request).await?;
    let service_accounts = listed.accounts.into_iter().map(|account| shown(&administrator, account)).collect();
    Ok(Json(ServiceAccountList { service_accounts, next_page_token: given(listed.next_page_token) }))
}

/// Creates a service account.
///
/// The response has its secret. Needs a recent sign-in.
#[utoipa::path(
    post,
    path = "/admin/api/v1/service-accounts",
    operation_id = "createServiceAccount",
    tag = "administration: service accounts",
    request_body = NewServiceAccount,
    responses(
        (
            status = 201,
            description = "The service account.",
            body = CreatedServiceAccount,
            headers(("Location" = String, description = "The path of the service account."))
        ),
        (
            status = 409,
            description = "The identifier is taken, perhaps by an account of the configuration.",
            body = ProblemDetails,
            content_type = "application/problem+json"
        ),
    )
)]
async fn create(administrator: Administrator, Members(new): Members<NewServiceAccount>) -> Result<Response, Problem> {
    let (services, by) = services(&administrator)?;
    administrator.recent_sign_in().await?;
    let NewServiceAccount { id, display_name, scopes, expires } = new;
    let expires = end_of(expires.as_deref())?;
    let request = CreateServiceAccountRequest { id, display_name, scopes, expires };
    let made = services.create_service_account(&by, request).await?;
    let service_account = shown(&administrator, made.account.unwrap_or_default());
    let path = format!("/admin/api/v1/service-accounts/{}", segment(&service_account.id));
    Ok(created(&administrator.0, &path, CreatedServiceAccount { service_account, secret: made.secret }))
}

/// Returns a service account.
#[utoipa::path(
    get,
    path = "/admin/api/v1/service-accounts/{id}",
    operation_id = "getServiceAccount",
    tag = "administration: service accounts",
    params(("id" = String, Path, description = "The identifier of the service account.")),
    responses((status = 200, description = "The service account.", body = ServiceAccount))
)]
async fn show(administrator: Administrator, Id(id): Id) -> Result<Json<ServiceAccount>, Problem> {
    let (services, by) = services(&administrator)?;
    let account = services.service_account(&by, &id).await?;
    Ok(Json(shown(&administrator, account)))
}

/// Changes a service account.
///
/// Needs a recent sign-in.
#[utoipa::path(
    patch,
    path = "/admin/api/v1/service-accounts/{id}",
    operation_id = "changeServiceAccount",
    tag = "administration: service accounts",
    params(("id" = String, Path, description = "The identifier of the service account.")),
    request_body = ServiceAccountChange,
    responses((status = 200, description = "The service account as changed.", body = ServiceAccount))
)]
async fn change(
    administrator: Administrator,
    Id(id): Id,
    Members(change): Members<ServiceAccountChange>,
) -> Result<Json<ServiceAccount>, Problem> {
    let (services, by) = services(&administrator)?;
    administrator.recent_sign_in().await?;
    let changed = services.update_service_account(&by, change.request(id)?).await?;
    Ok(Json(shown(&administrator, changed)))
}

/// Deletes a service account with its secrets.
///
/// Needs a recent sign-in.
#[utoipa::path(
    delete,
    path = "/admin/api/v1/service-accounts/{id}",
    operation_id = "deleteServiceAccount",
    tag = "administration: service accounts",
    params(("id" = String, Path, description = "The identifier of the service account.")),
    responses((status = 204, description = "The service account is deleted."))
)]
async fn delete(administrator: Administrator, Id(id): Id) -> Result<StatusCode, Problem> {
    let (services, by) = services(&administrator)?;
    administrator.recent_sign_in().await?;
    services.delete_service_account(&by, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Adds a secret to a service account.
///
/// The response has it. An account has two at most. Needs a recent sign-in.
#[utoipa::path(
    post,
    path = "/admin/api/v1/service-accounts/{id}/secrets",
    operation_id = "addServiceAccountSecret",
    tag = "administration: service accounts",
    params(("id" = String, Path, description = "The identifier of the service account.")),
    request_body = NewServiceAccountSecret,
    responses(
        (
            status = 201,
            description = "The secret.",
            body = AddedServiceAccountSecret,
            headers(("Location" = String, description = "The path by which the secret is removed."))
        ),
        (
            status = 412,
            description = "The account has two secrets.",
            body = ProblemDetails,
            content_type = "application/problem+json"
        ),
    )
)]
async fn add_secret(
    administrator: Administrator,
    Id(id): Id,
    Members(new): Members<NewServiceAccountSecret>,
) -> Result<Response, Problem> {
    let (services, by) = services(&administrator)?;
    administrator.recent_sign_in().await?;
    let added = services.add_service_account_secret(&by, &id, new.expire_old_in).await?;
    let path = format!("/admin/api/v1/service-accounts/{}/secrets/{}", segment(&id), segment(&added.secret_id));
    let added = AddedServiceAccountSecret {
        service_account: shown(&administrator, added.account.unwrap_or_default()),
        secret: added.secret,
        secret_id: added.secret_id,
    };
    Ok(created(&administrator.0, &path, added))
}

/// Removes a secret of a service account.
///
/// It is refused from the next request on. Needs a recent sign-in.
#[utoipa::path(
    delete,
    path = "/admin/api/v1/service-accounts/{id}/secrets/{secret_id}",
    operation_id = "removeServiceAccountSecret",
    tag = "administration: service accounts",
    params(
        ("id" = String, Path, description = "The identifier of the service account."),
        ("secret_id" = String, Path, description = "The identifier of the secret."),
    ),
    responses((status = 204, description = "The secret is removed."))
)]
async fn remove_secret(administrator: Administrator, Ids(id, secret_id): Ids) -> Result<StatusCode, Problem> {
    let (services, by) = services(&administrator)?;
    administrator.recent_sign_in().await?;
    services.remove_service_account_secret(&by, &id, &secret_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
