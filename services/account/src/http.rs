//! The pages. Each of them is for the user of the internal token that the edge sets (`docs/security-requirements.md#a20`).

mod dates;
mod error;
mod front_page;
mod i18n;
mod new_token;
mod overview;
mod page;
mod scope_text;
mod signed_in;
mod tokens;

#[cfg(test)]
mod tests;

use axum::Router;
use axum::response::Response;
use axum::routing::get;

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
/// The path of the stylesheet, below the root.
const STYLE: &str = "/style.css";

/// All routes below the root. Pages of other sites may call none of them.
pub(crate) fn router(state: AccountState) -> Router {
    let mut router = Router::new().route("/", get(overview::show)).route(APPLICATIONS, get(front_page::show));
    if state.own_tokens.is_some() {
        router = router.merge(tokens::router());
    }
    router.fallback(not_found).with_state(state).merge(web::style::router(STYLE))
}

async fn not_found(signed_in: SignedIn) -> Response {
    error::not_found(&signed_in.context())
}
