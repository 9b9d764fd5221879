//! The pages for service accounts: a list with a search, a new account, its settings, its secrets, its removal
//! (`docs/security-requirements.md#n22`). What is wrong with an account is for auth-service to say.

mod create;
mod delete;
mod edit;
mod form;
mod list;
mod secret;

use std::time::SystemTime;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::get;
use proto::doorward::serviceaccounts::v1::service_accounts_api_client::ServiceAccountsApiClient;
use proto::doorward::serviceaccounts::v1::{GetServiceAccountRequest, ServiceAccount};

use super::super::tokens::time;
use super::administrator::Administrator;
use super::service_account_text::{ServiceAccountText, service_account_text};
use super::users::segment;
use super::{AdminPage, AdminSection};
use crate::config::ADMIN;
use crate::state::AccountState;
use crate::transport::Transport;

/// The path of the service accounts, below that of the administration.
const SERVICE_ACCOUNTS: &str = "/service-accounts";
/// The longest identifier that is read, in bytes.
const MAX_ID: usize = 256;

/// The entry in the navigation.
pub(super) const PAGE: AdminPage = AdminPage {
    section: AdminSection::ServiceAccounts,
    path: SERVICE_ACCOUNTS,
    label: |language| service_account_text(language).accounts,
    is_available: |services| services.service_accounts.is_some(),
};

/// The pages.
pub(super) fn router() -> Router<AccountState> {
    let path = |below: &str| format!("{ADMIN}{SERVICE_ACCOUNTS}{below}");
    Router::new()
        .route(&path(""), get(list::show))
        .route(&path("/new"), get(create::show).post(create::create))
        .route(&path("/of/{id}"), get(edit::show).post(edit::save))
        .route(&path("/of/{id}/secret"), get(secret::choose).post(secret::add))
        .route(&path("/of/{id}/secret/{secret}"), get(secret::confirm).post(secret::remove))
        .route(&path("/of/{id}/delete"), get(delete::confirm).post(delete::delete))
}

/// An administrator, and auth-service, which has the accounts.
pub(super) struct ServiceAccountAdministrator {
    administrator: Administrator,
    api: ServiceAccountsApiClient<Transport>,
}

impl FromRequestParts<AccountState> for ServiceAccountAdministrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Response> {
        let administrator = Administrator::from_request_parts(parts, state).await?;
        match &state.administration.service_accounts {
            Some(api) => Ok(Self { administrator, api: api.clone() }),
            None => Err(administrator.not_found()),
        }
    }
}

impl ServiceAccountAdministrator {
    /// The texts of these pages.
    fn texts(&self) -> &'static ServiceAccountText {
        service_account_text(self.administrator.context().language)
    }

    /// The account with this identifier.
    ///
    /// # Errors
    /// The page that says why there is none.
    async fn account(&mut self, id: &str) -> Result<ServiceAccount, Response> {
        let message = GetServiceAccountRequest { id: id.to_owned() };
        match self.api.get_service_account(self.administrator.signed_in.on_behalf().call(message)).await {
            Ok(response) => response.into_inner().account.ok_or_else(|| self.administrator.not_found()),
            Err(status) => Err(self.administrator.failure(&status)),
        }
    }

    /// The URL of a page of this account.
    fn path_of(&self, id: &str, below: &str) -> String {
        self.administrator.path(&format!("{SERVICE_ACCOUNTS}/of/{}{below}", segment(id)))
    }

    fn now(&self) -> SystemTime {
        self.administrator.signed_in.state.clock.now()
    }
}

/// What to call an account.
fn name_of(account: &ServiceAccount) -> &str {
    if account.display_name.is_empty() { &account.id } else { &account.display_name }
}

/// What the pages say of whether an account is accepted.
fn state_text(texts: &ServiceAccountText, account: &ServiceAccount, now: SystemTime) -> &'static str {
    let has_ended = account.expires.and_then(time).is_some_and(|end| end <= now);
    if account.overridden {
        texts.overridden
    } else if account.disabled {
        texts.disabled
    } else if has_ended {
        texts.ended
    } else {
        texts.active
    }
}
