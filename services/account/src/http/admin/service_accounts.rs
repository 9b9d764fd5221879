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
use proto::doorward::serviceaccounts::v1::ServiceAccount;

use super::administrator::Administrator;
use super::service_account_text::{ServiceAccountText, service_account_text};
use super::users::segment;
use super::{AdminPage, AdminSection};
use crate::administration::Administration;
use crate::administration::service_accounts::ServiceAccountState;
use crate::config::ADMIN;
use crate::state::AccountState;
use crate::transport::OnBehalfOf;

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

/// An administrator. Without auth-service, which has the accounts, there is no such page.
pub(super) struct ServiceAccountAdministrator {
    administrator: Administrator,
}

impl FromRequestParts<AccountState> for ServiceAccountAdministrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Response> {
        let administrator = Administrator::from_request_parts(parts, state).await?;
        if state.administration.service_accounts.is_none() {
            return Err(administrator.not_found());
        }
        Ok(Self { administrator })
    }
}

impl ServiceAccountAdministrator {
    /// The texts of these pages.
    fn texts(&self) -> &'static ServiceAccountText {
        service_account_text(self.administrator.context().language)
    }

    /// The services, and on whose behalf they are called.
    fn services(&self) -> (&Administration, OnBehalfOf<'_>) {
        (&self.administrator.signed_in.state.administration, self.administrator.signed_in.on_behalf())
    }

    /// The account with this identifier.
    ///
    /// # Errors
    /// The page that says why there is none.
    async fn account(&self, id: &str) -> Result<ServiceAccount, Response> {
        let (services, by) = self.services();
        services.service_account(&by, id).await.map_err(|status| self.administrator.failure(&status))
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
    match ServiceAccountState::of(account, now) {
        ServiceAccountState::Active => texts.active,
        ServiceAccountState::Disabled => texts.disabled,
        ServiceAccountState::Expired => texts.ended,
        ServiceAccountState::Overridden => texts.overridden,
    }
}
