//! The administration pages, for users with the administrator's role. Each page has a module, and an entry in [`PAGES`].

mod access_text;
mod account_administrator;
mod administrator;
pub(crate) mod audit;
mod client_text;
mod clients;
mod confirm;
mod everyone;
mod field;
mod groups;
pub(crate) mod health;
mod health_text;
mod keys;
mod link;
mod service_account_text;
mod service_accounts;
mod sessions;
mod text;
mod tokens;
pub(crate) mod user_names;
pub(crate) mod users;

use axum::Router;
use axum::response::Response;
use axum::routing::{any, get};
use web::i18n::Language;
use web::response::see_other;

use super::page::{Link, PageContext};
use crate::administration::Administration;
use crate::config::ADMIN;
use crate::state::AccountState;
use access_text::access_text;
use administrator::Administrator;
use text::text;

/// A page that the navigation of the administration leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AdminSection {
    /// The users.
    Users,
    /// The groups.
    Groups,
    /// The app tokens of all users.
    Tokens,
    /// The service accounts.
    ServiceAccounts,
    /// The clients of the provider.
    Clients,
    /// The signing keys.
    Keys,
    /// The sessions of all users.
    Sessions,
    /// The audit log.
    Audit,
    /// The health of the services.
    Health,
}

/// A page of the administration, as the navigation shows it.
struct AdminPage {
    section: AdminSection,
    /// The path below that of the administration.
    path: &'static str,
    /// The text of the link.
    label: fn(Language) -> &'static str,
    /// Whether the service behind the page is there.
    is_available: fn(&Administration) -> bool,
}

/// The pages, in the order of the navigation.
const PAGES: [AdminPage; 9] = [
    users::PAGE,
    groups::PAGE,
    AdminPage {
        section: AdminSection::Tokens,
        path: tokens::TOKENS,
        label: |language| access_text(language).tokens,
        is_available: |services| services.tokens.is_some(),
    },
    service_accounts::PAGE,
    clients::PAGE,
    keys::PAGE,
    AdminPage {
        section: AdminSection::Sessions,
        path: sessions::SESSIONS,
        label: |language| access_text(language).sessions,
        is_available: |services| services.accounts.is_some(),
    },
    AdminPage {
        section: AdminSection::Audit,
        path: audit::AUDIT,
        label: |language| access_text(language).audit,
        is_available: |services| services.accounts.is_some(),
    },
    health::PAGE,
];

/// The pages, below the root of the account pages. To users who are no administrators each path answers the same, whether there is a
/// page or not.
pub(super) fn router() -> Router<AccountState> {
    Router::new()
        .route(ADMIN, get(first_page))
        .merge(users::router())
        .merge(groups::router())
        .merge(tokens::router())
        .merge(service_accounts::router())
        .merge(clients::router())
        .merge(keys::router())
        .merge(sessions::router())
        .merge(everyone::router())
        .merge(audit::router())
        .merge(health::router())
        .route(&format!("{ADMIN}/{{*page}}"), any(not_found))
        .method_not_allowed_fallback(not_found)
}

/// The pages whose services are there.
fn available(state: &AccountState) -> impl Iterator<Item = &'static AdminPage> {
    PAGES.iter().filter(|page| (page.is_available)(&state.administration))
}

/// The page of a section, if its service is there.
fn page_of(state: &AccountState, section: AdminSection) -> Option<&'static AdminPage> {
    available(state).find(|page| page.section == section)
}

/// The link to the administration in the navigation of the account pages, for administrators.
pub(super) fn link(context: &PageContext<'_>) -> Option<Link> {
    let is_shown = context.is_administrator && available(context.state).next().is_some();
    let href = context.state.admin_path("");
    is_shown.then(|| Link { href, text: text(context.language).administration, is_current: false })
}

/// `GET /admin`: redirects to the first page.
async fn first_page(administrator: Administrator) -> Response {
    match available(&administrator.signed_in.state).next() {
        Some(page) => see_other(&administrator.path(page.path)),
        None => administrator.not_found(),
    }
}

async fn not_found(administrator: Administrator) -> Response {
    administrator.not_found()
}
