//! The form that signs all users out, after a confirmation by typing (`docs/security-requirements.md#n45`).

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use proto::doorward::idp::v1::EndEveryUsersSessionsRequest;
use web::cookie::with_cookies;

use super::super::page::{Navigation, Page};
use super::AdminSection;
use super::access_text::{AccessText, access_text};
use super::account_administrator::AccountAdministrator;
use super::sessions::{END_EVERYONE, SESSIONS};
use crate::config::ADMIN;
use crate::state::AccountState;

/// The purpose of the form.
const FORM: &str = "admin-end-everyone";
/// How many calls one form makes at most, each of which signs out some users: so many stay within the timeouts of browsers and proxies.
const CALLS: usize = 20;
/// The longest field that is read, in bytes.
const MAX_TEXT: usize = 512;

/// The page. Without idp it answers 404.
pub(super) fn router() -> Router<AccountState> {
    Router::new().route(&format!("{ADMIN}{END_EVERYONE}"), get(confirm).post(end))
}

#[derive(Template)]
#[template(path = "admin_everyone.html")]
struct Confirm<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AccessText,
    /// Whether something else was typed.
    is_wrong: bool,
    /// What an earlier form has done, if users are left.
    progress: Option<String>,
    /// Where it goes on.
    page_token: &'a str,
    csrf: String,
    action: String,
    cancel_path: String,
}

/// What the page says of a form that was sent before.
#[derive(Default)]
struct Outcome<'a> {
    is_wrong: bool,
    progress: Option<String>,
    page_token: &'a str,
}

fn show(sessions: &AccountAdministrator, status: StatusCode, outcome: Outcome<'_>) -> Response {
    let administrator = &sessions.administrator;
    let context = administrator.context();
    let texts = access_text(context.language);
    let (browser, cookie) = administrator.signed_in.browser();
    let page = Confirm {
        page: context.page(texts.everyone_title),
        navigation: administrator.navigation(AdminSection::Sessions),
        texts,
        is_wrong: outcome.is_wrong,
        progress: outcome.progress,
        page_token: outcome.page_token,
        csrf: administrator.signed_in.csrf(&browser, FORM),
        action: administrator.path(END_EVERYONE),
        cancel_path: administrator.path(SESSIONS),
    };
    with_cookies(context.respond(status, &page), cookie)
}

/// `GET /admin/sessions/end-everyone`: asks for confirmation.
async fn confirm(sessions: AccountAdministrator) -> Result<Response, Response> {
    let path = sessions.administrator.path(END_EVERYONE);
    sessions.administrator.recent_sign_in(&path).await?;
    Ok(show(&sessions, StatusCode::OK, Outcome::default()))
}

/// `POST /admin/sessions/end-everyone`: signs all users out, or so many that the page has to be sent again.
async fn end(sessions: AccountAdministrator, body: Bytes) -> Result<Response, Response> {
    let administrator = &sessions.administrator;
    let form = administrator.signed_in.own_form(FORM, &body).ok_or_else(|| administrator.forgery())?;
    administrator.recent_sign_in(&administrator.path(END_EVERYONE)).await?;
    let context = administrator.context();
    let texts = access_text(context.language);
    let one = |name| form.one(name, MAX_TEXT).ok().flatten().unwrap_or_default();
    let mut page_token = one("page_token").to_owned();
    if one("confirm").trim().to_lowercase() != texts.everyone_phrase {
        let outcome = Outcome { is_wrong: true, page_token: &page_token, ..Outcome::default() };
        return Ok(show(&sessions, StatusCode::BAD_REQUEST, outcome));
    }
    let mut users = 0_u32;
    for _ in 0..CALLS {
        let call = administrator.signed_in.on_behalf().call(EndEveryUsersSessionsRequest { page_token });
        let ended = sessions.api.clone().end_every_users_sessions(call).await;
        let ended = ended.map_err(|status| administrator.failure(&status))?.into_inner();
        users = users.saturating_add(ended.users);
        page_token = ended.next_page_token;
        if page_token.is_empty() {
            // the administrator is signed out by now, too
            return Ok(context.message(StatusCode::OK, texts.everyone_done_title, texts.everyone_done));
        }
    }
    let progress = Some(texts.everyone_left.with(&users.to_string()));
    Ok(show(&sessions, StatusCode::OK, Outcome { progress, page_token: &page_token, ..Outcome::default() }))
}
