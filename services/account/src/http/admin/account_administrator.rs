//! An administrator, and idp, which has the sessions and events of all users.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use proto::doorward::idp::v1::account_admin_api_client::AccountAdminApiClient;

use super::administrator::Administrator;
use crate::state::AccountState;
use crate::transport::Transport;

/// An administrator, and idp. Without idp there is no such page.
pub(super) struct AccountAdministrator {
    pub(super) administrator: Administrator,
    pub(super) api: AccountAdminApiClient<Transport>,
}

impl FromRequestParts<AccountState> for AccountAdministrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Response> {
        let administrator = Administrator::from_request_parts(parts, state).await?;
        match &state.administration.accounts {
            Some(api) => Ok(Self { administrator, api: api.clone() }),
            None => Err(administrator.not_found()),
        }
    }
}
