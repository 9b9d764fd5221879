//! The sessions of all users: a list, and the forms that end one, or all of a user.

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use proto::doorward::idp::v1::{
    AccountSession, AccountUser, EndAllUserSessionsRequest, EndUserSessionRequest, ListUserSessionsRequest,
    account_user::Name,
};
use web::cookie::with_cookies;
use web::csrf::Browser;
use web::date::LocalizedTime;
use web::form::Parameters;
use web::response::see_other;

use super::super::access_words::{AccessWords, access_words};
use super::super::device_text;
use super::super::page::{Navigation, Page};
use super::super::tokens::time;
use super::AdminSection;
use super::access_text::{AccessText, access_text};
use super::account_administrator::AccountAdministrator;
use super::administrator::Administrator;
use super::confirm::Confirm;
use super::link::with_query;
use super::user_names::{NamedUser, UserNames, distinct};
use crate::config::ADMIN;
use crate::state::AccountState;

/// The path of the list, below that of the administration.
pub(super) const SESSIONS: &str = "/sessions";
/// The path of the form that ends one.
const END: &str = "/sessions/end";
/// The path of the form that ends all of a user.
const END_ALL: &str = "/sessions/end-all";
/// The path of the form that signs all users out.
pub(super) const END_EVERYONE: &str = "/sessions/end-everyone";
/// How many a page shows.
const PAGE: u32 = 50;
/// The longest text of a parameter that is read, in bytes.
const MAX_TEXT: usize = 256;
/// Values of the parameter `done`: what the form before the page has done.
const ENDED: &str = "ended";
const ENDED_ALL: &str = "ended-all";

/// The pages. Without idp they answer 404.
pub(super) fn router() -> Router<AccountState> {
    Router::new()
        .route(&format!("{ADMIN}{SESSIONS}"), get(list))
        .route(&format!("{ADMIN}{END}"), post(end))
        .route(&format!("{ADMIN}{END_ALL}"), get(confirm_end_all).post(end_all))
}

/// A session, as the list shows it.
struct Row {
    id: String,
    /// The token of the form that ends it.
    csrf: String,
    user: String,
    /// The list of this user's sessions.
    user_path: String,
    device: String,
    address: String,
    since: Option<LocalizedTime>,
    last_used: Option<LocalizedTime>,
}

impl Row {
    fn new(administrator: &Administrator, browser: &Browser, session: AccountSession, names: &UserNames) -> Self {
        let language = administrator.context().language;
        let minute = |seconds| time(seconds).map(|time| LocalizedTime::minute(time, language));
        let user = names.of(&session.user_id);
        Self {
            csrf: administrator.signed_in.csrf(browser, &end_form(&session.id)),
            user_path: with_query(&administrator.path(SESSIONS), &[("user", &user)]),
            user,
            device: device_text::summary(&session.user_agent, access_words(language)),
            since: minute(session.created),
            last_used: minute(session.last_used),
            id: session.id,
            address: session.address,
        }
    }
}

#[derive(Template)]
#[template(path = "admin_sessions.html")]
struct List<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AccessText,
    words: &'static AccessWords,
    done: Option<&'static str>,
    user: &'a str,
    /// What the page says if there is no such user.
    no_such_user: Option<&'static str>,
    rows: Vec<Row>,
    next: Option<String>,
    sessions_path: String,
    end_path: String,
    /// The page that ends all of the user whose sessions are listed.
    end_all_path: Option<String>,
    end_everyone_path: String,
}

fn with_id(id: String) -> AccountUser {
    AccountUser { name: Some(Name::Id(id)) }
}

/// `GET /admin/sessions`.
async fn list(sessions: AccountAdministrator, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let administrator = &sessions.administrator;
    let (context, state) = (administrator.context(), &administrator.signed_in.state);
    let texts = access_text(context.language);
    let query = Parameters::of_query(query.as_deref()).map_err(|_| administrator.not_found())?;
    let user = query.one("user", MAX_TEXT).map_err(|_| administrator.not_found())?.unwrap_or_default().trim();
    let after = query.one("after", MAX_TEXT).map_err(|_| administrator.not_found())?.unwrap_or_default();
    let searched = NamedUser::find(state, user).await;
    let searched = searched.map_err(|error| administrator.failure(&status::grpc(error.kind(), error.to_string())))?;
    let user_id = searched.id().map(str::to_owned);
    let message = ListUserSessionsRequest { user: user_id.map(with_id), page_size: PAGE, page_token: after.to_owned() };
    let listed = sessions.api.clone().list_user_sessions(administrator.signed_in.on_behalf().call(message)).await;
    let listed = listed.map_err(|status| administrator.failure(&status))?.into_inner();
    let names = UserNames::find(
        &administrator.signed_in,
        distinct(listed.sessions.iter().map(|session| session.user_id.as_str())),
    )
    .await;
    let sessions_path = administrator.path(SESSIONS);
    // an identifier on a page behind the first one has rows before
    let has_rows = !listed.sessions.is_empty() || !after.is_empty();
    let next = Some(listed.next_page_token).filter(|next| !next.is_empty());
    let (browser, cookie) = administrator.signed_in.browser();
    let page = List {
        page: context.page(texts.sessions_title),
        navigation: administrator.navigation(AdminSection::Sessions),
        texts,
        words: access_words(context.language),
        done: match query.text("done") {
            ENDED => Some(access_words(context.language).session_ended),
            ENDED_ALL => Some(texts.user_signed_out),
            _ => None,
        },
        user,
        no_such_user: searched.is_unknown(has_rows).then_some(administrator.texts().unknown_user),
        rows: listed.sessions.into_iter().map(|session| Row::new(administrator, &browser, session, &names)).collect(),
        next: next.map(|next| with_query(&sessions_path, &[("user", user), ("after", &next)])),
        end_path: administrator.path(END),
        end_all_path: searched.existing(has_rows).map(|id| with_query(&administrator.path(END_ALL), &[("user", id)])),
        end_everyone_path: administrator.path(END_EVERYONE),
        sessions_path,
    };
    Ok(with_cookies(context.respond(StatusCode::OK, &page), cookie))
}

/// The purpose of the form that ends the session with this identifier.
fn end_form(id: &str) -> String {
    format!("admin-end-session {id}")
}

/// `POST /admin/sessions/end`: ends one session.
async fn end(sessions: AccountAdministrator, body: Bytes) -> Result<Response, Response> {
    let administrator = &sessions.administrator;
    let id = administrator.signed_in.object_of_form("id", MAX_TEXT, end_form, &body);
    let id = id.ok_or_else(|| administrator.forgery())?;
    let call = administrator.signed_in.on_behalf().call(EndUserSessionRequest { id, user: None });
    sessions.api.clone().end_user_session(call).await.map_err(|status| administrator.failure(&status))?;
    Ok(see_other(&with_query(&administrator.path(SESSIONS), &[("done", ENDED)])))
}

/// `GET /admin/sessions/end-all?user=`: asks for confirmation.
async fn confirm_end_all(sessions: AccountAdministrator, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let administrator = &sessions.administrator;
    let query = Parameters::of_query(query.as_deref()).map_err(|_| administrator.not_found())?;
    let user_id = query.one("user", MAX_TEXT).ok().flatten().ok_or_else(|| administrator.not_found())?;
    let path = with_query(&administrator.path(END_ALL), &[("user", user_id)]);
    administrator.recent_sign_in(&path).await?;
    let context = administrator.context();
    let texts = access_text(context.language);
    sessions.require_user(user_id).await?;
    let name = UserNames::find(&administrator.signed_in, distinct([user_id])).await.of(user_id);
    let title = texts.end_all_title.with(&name);
    let (browser, cookie) = administrator.signed_in.browser();
    let page = Confirm {
        page: context.page(&title),
        navigation: administrator.navigation(AdminSection::Sessions),
        texts: administrator.texts(),
        name: &name,
        means: texts.end_all_means,
        unfinished: None,
        field: None,
        button: access_words(context.language).end_all,
        is_danger: true,
        csrf: administrator.signed_in.csrf(&browser, &end_all_form(user_id)),
        path,
        cancel_path: with_query(&administrator.path(SESSIONS), &[("user", user_id)]),
    };
    Ok(with_cookies(context.respond(StatusCode::OK, &page), cookie))
}

impl AccountAdministrator {
    /// Requires that the directory has a user with this identifier, or that sessions of one who is gone are left: nothing would be ended
    /// otherwise, and the page would say that it is.
    async fn require_user(&self, id: &str) -> Result<(), Response> {
        let administrator = &self.administrator;
        if administrator.is_in_directory(id).await? {
            return Ok(());
        }
        let message =
            ListUserSessionsRequest { user: Some(with_id(id.to_owned())), page_size: 1, ..Default::default() };
        let listed = self.api.clone().list_user_sessions(administrator.signed_in.on_behalf().call(message)).await;
        let listed = listed.map_err(|status| administrator.failure(&status))?.into_inner();
        if listed.sessions.is_empty() { Err(administrator.no_such_user()) } else { Ok(()) }
    }
}

/// The purpose of the form that signs the user with this identifier out.
fn end_all_form(user_id: &str) -> String {
    format!("admin-end-all-sessions {user_id}")
}

/// `POST /admin/sessions/end-all?user=`: signs a user out everywhere.
async fn end_all(sessions: AccountAdministrator, RawQuery(query): RawQuery, body: Bytes) -> Result<Response, Response> {
    let administrator = &sessions.administrator;
    let query = Parameters::of_query(query.as_deref()).map_err(|_| administrator.not_found())?;
    let user_id = query.one("user", MAX_TEXT).ok().flatten().ok_or_else(|| administrator.not_found())?;
    let form = administrator.signed_in.own_form(&end_all_form(user_id), &body);
    form.ok_or_else(|| administrator.forgery())?;
    administrator.recent_sign_in(&with_query(&administrator.path(END_ALL), &[("user", user_id)])).await?;
    let message = EndAllUserSessionsRequest { user: Some(with_id(user_id.to_owned())) };
    let call = administrator.signed_in.on_behalf().call(message);
    sessions.api.clone().end_all_user_sessions(call).await.map_err(|status| administrator.failure(&status))?;
    Ok(see_other(&with_query(&administrator.path(SESSIONS), &[("done", ENDED_ALL)])))
}
