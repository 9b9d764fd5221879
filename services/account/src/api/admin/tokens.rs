//! The app tokens of all users.

use axum::Json;
use axum::http::StatusCode;
use proto::doorward::apptokens::v1::app_tokens_api_client::AppTokensApiClient;
use proto::doorward::apptokens::v1::person_ref::By;
use proto::doorward::apptokens::v1::{
    GetTokenRequest, PersonRef, RevokeTokenRequest, RevokeTokensRequest, SearchTokensRequest,
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::caller::Administrator;
use super::super::given;
use super::super::problem::Problem;
use super::super::request::{Id, Parameters};
use super::super::timestamp::seconds;
use super::super::tokens::{RevokedTokens, Token, TokenList};
use super::{OfUser, user_id};
use crate::administration::tokens::search;
use crate::state::AccountState;
use crate::transport::Transport;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new().routes(routes!(list, revoke_all)).routes(routes!(show, revoke))
}

/// Which tokens are wanted.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TokenSearch {
    /// Only those of the user with this login name or identifier.
    user: Option<String>,
    /// Only those with this text in their label.
    label: Option<String>,
    /// Only those that were not used since this time (RFC 3339).
    #[param(format = DateTime)]
    unused_since: Option<String>,
    /// Only those that expire before this time (RFC 3339).
    #[param(format = DateTime)]
    expires_before: Option<String>,
    /// How many entries to return at most; 100 if it is left out, and never more.
    #[param(minimum = 1, maximum = 100)]
    page_size: Option<u32>,
    /// `next_page_token` of the page before; left out for the first page.
    page_token: Option<String>,
}

fn api(administrator: &Administrator) -> Result<AppTokensApiClient<Transport>, Problem> {
    administrator.0.state.administration.tokens.clone().ok_or_else(|| Problem::without("auth-app"))
}

fn with_id(id: String) -> PersonRef {
    PersonRef { by: Some(By::Id(id)) }
}

/// Searches the app tokens of all users, the newest first.
///
/// A search looks through a limited number of tokens: a page may be empty and have `next_page_token`.
#[utoipa::path(
    get,
    path = "/admin/api/v1/tokens",
    operation_id = "searchTokens",
    tag = "administration: tokens",
    params(TokenSearch),
    responses((status = 200, description = "A page of the tokens that are valid.", body = TokenList))
)]
async fn list(
    administrator: Administrator,
    Parameters(wanted): Parameters<TokenSearch>,
) -> Result<Json<TokenList>, Problem> {
    let api = api(&administrator)?;
    let request = SearchTokensRequest {
        owner: user_id(&administrator, wanted.user.as_deref()).await?.map(with_id),
        label: wanted.label.unwrap_or_default(),
        unused_since: seconds("unused_since", wanted.unused_since.as_deref())?,
        expires_before: seconds("expires_before", wanted.expires_before.as_deref())?,
        page_size: wanted.page_size.unwrap_or_default(),
        page_token: wanted.page_token.unwrap_or_default(),
    };
    let (found, next) = search(&api, &administrator.0.on_behalf(), request).await?;
    Ok(Json(TokenList { tokens: found.into_iter().map(Token::from).collect(), next_page_token: given(next) }))
}

/// Returns an app token, also one that is revoked or has expired.
#[utoipa::path(
    get,
    path = "/admin/api/v1/tokens/{id}",
    operation_id = "getToken",
    tag = "administration: tokens",
    params(("id" = String, Path, description = "The identifier of the token.")),
    responses((status = 200, description = "The token.", body = Token))
)]
async fn show(administrator: Administrator, Id(id): Id) -> Result<Json<Token>, Problem> {
    let call = administrator.0.on_behalf().call(GetTokenRequest { id });
    let found = api(&administrator)?.get_token(call).await?.into_inner().token;
    Ok(Json(found.ok_or_else(Problem::not_found)?.into()))
}

/// Revokes an app token of any user.
#[utoipa::path(
    delete,
    path = "/admin/api/v1/tokens/{id}",
    operation_id = "revokeUserToken",
    tag = "administration: tokens",
    params(("id" = String, Path, description = "The identifier of the token.")),
    responses((status = 204, description = "The token is revoked."))
)]
async fn revoke(administrator: Administrator, Id(id): Id) -> Result<StatusCode, Problem> {
    let call = administrator.0.on_behalf().call(RevokeTokenRequest { token: id });
    api(&administrator)?.revoke_token(call).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes all app tokens of a user.
///
/// Needs a recent sign-in.
#[utoipa::path(
    delete,
    path = "/admin/api/v1/tokens",
    operation_id = "revokeUserTokens",
    tag = "administration: tokens",
    params(OfUser),
    responses((status = 200, description = "The tokens are revoked.", body = RevokedTokens))
)]
async fn revoke_all(
    administrator: Administrator,
    Parameters(user): Parameters<OfUser>,
) -> Result<Json<RevokedTokens>, Problem> {
    let (mut api, id) = (api(&administrator)?, user.id()?);
    administrator.recent_sign_in().await?;
    let call = administrator.0.on_behalf().call(RevokeTokensRequest { owner: Some(with_id(id)) });
    let revoked = api.revoke_tokens(call).await?.into_inner().count;
    Ok(Json(RevokedTokens { revoked }))
}
