//! The pages. Each of them is for the user of the internal token that the edge sets (`docs/security-requirements.md#a20`).

mod access_words;
mod account_user;
mod activity;
pub(crate) mod admin;
mod connected;
mod device_text;
mod error;
mod event_text;
mod front_page;
mod i18n;
mod new_token;
mod overview;
mod page;
mod scope_text;
pub(crate) mod self_service;
mod sessions;
mod shown_value;
pub(crate) mod signed_in;
pub(crate) mod tokens;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod text_checks;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use web::page::Assets;

use crate::state::AccountState;
use signed_in::SignedIn;

/// The path of the page with the user's applications, below the root. The edge shows it at `/` too.
pub(crate) const APPLICATIONS: &str = "/applications";
/// The path of the app tokens, below the root.
const TOKENS: &str = "/tokens";
/// The path of the form that revokes one.
const REVOKE: &str = "/tokens/revoke";
/// The path of the form that revokes all of them.
const REVOKE_ALL: &str = "/tokens/revoke-all";

/// The path of the sessions, below the root.
const SESSIONS: &str = "/sessions";
/// The path of the connected applications, below the root.
const CONNECTED: &str = "/connected";
/// The path of the activity, below the root.
const ACTIVITY: &str = "/activity";

/// All routes below the root. Pages of other sites may call none of them.
pub(crate) fn router(state: AccountState) -> Router {
    // the runtime adds the root to these paths, which those in the pages have
    let assets = Assets::new("", &state.config.pages);
    Router::new()
        .route("/", get(overview::show))
        .route(APPLICATIONS, get(front_page::show))
        .merge(tokens::router())
        .merge(sessions::router())
        .merge(connected::router())
        .merge(activity::router())
        .merge(self_service::router())
        .merge(admin::router())
        .fallback(not_found)
        .with_state(state)
        .merge(assets.router())
}

async fn not_found(signed_in: SignedIn) -> Response {
    error::not_found(&signed_in.context())
}
