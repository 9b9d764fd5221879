//! The user's sessions: a list, and the forms that end one, all others, or all.

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use proto::doorward::idp::v1::AccountSession;
use web::cookie::with_cookies;
use web::date::LocalizedTime;
use web::form::Parameters;
use web::i18n::Language;
use web::response::see_other;

use super::access_words::AccessWords;
use super::account_user::AccountUser;
use super::page::{Navigation, Page, Section};
use super::tokens::time;
use super::{SESSIONS, device_text, error};
use crate::state::AccountState;

/// The path of the form that ends one session.
const END: &str = "/sessions/end";
/// The path of the form that ends all others.
const END_OTHERS: &str = "/sessions/end-others";
/// The path of the form that ends all, after a confirmation.
const END_ALL: &str = "/sessions/end-all";
/// The purpose of the form that ends one session.
const END_FORM: &str = "end-session";
/// The purpose of the form that ends all others.
const END_OTHERS_FORM: &str = "end-other-sessions";
/// The purpose of the form that ends all.
const END_ALL_FORM: &str = "end-all-sessions";
/// The longest identifier of a session that is read, in bytes.
const MAX_ID: usize = 64;
/// Values of the parameter `done`: what the form before the page has done.
const ENDED: &str = "ended";
const ENDED_OTHERS: &str = "ended-others";

/// The pages. Without idp they answer 404.
pub(super) fn router() -> Router<AccountState> {
    Router::new()
        .route(SESSIONS, get(list))
        .route(END, post(end))
        .route(END_OTHERS, post(end_others))
        .route(END_ALL, get(confirm_end_all).post(end_all))
}

/// A session, as the list shows it.
struct Row {
    id: String,
    device: String,
    address: String,
    since: Option<LocalizedTime>,
    last_used: Option<LocalizedTime>,
    is_current: bool,
}

impl Row {
    fn new(texts: &AccessWords, language: Language, session: AccountSession) -> Self {
        let minute = |seconds| time(seconds).map(|time| LocalizedTime::minute(time, language));
        Self {
            device: device_text::summary(&session.user_agent, texts),
            since: minute(session.created),
            last_used: minute(session.last_used),
            is_current: session.current,
            id: session.id,
            address: session.address,
        }
    }
}

#[derive(Template)]
#[template(path = "sessions.html")]
struct List<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AccessWords,
    /// What the form before the page has done.
    done: Option<&'static str>,
    rows: Vec<Row>,
    /// Whether there are others than the current one, which is among the rows.
    has_others: bool,
    end_csrf: String,
    end_path: String,
    end_others_csrf: String,
    end_others_path: String,
    end_all_path: String,
}

#[derive(Template)]
#[template(path = "end_all_sessions.html")]
struct ConfirmEndAll<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AccessWords,
    csrf: String,
    sessions_path: String,
    end_all_path: String,
}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOut<'a> {
    page: Page<'a>,
    texts: &'static AccessWords,
    overview_path: String,
}

/// `GET /account/sessions`.
async fn list(user: AccountUser, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let (signed_in, texts) = (&user.signed_in, user.texts());
    let context = signed_in.context();
    let query = Parameters::of_query(query.as_deref()).map_err(|_| error::not_found(&context))?;
    let sessions = user.own_account.sessions(&signed_in.on_behalf()).await.map_err(|status| user.failure(&status))?;
    let has_current = sessions.iter().any(|session| session.current);
    let (browser, cookie) = signed_in.browser();
    let page = List {
        page: context.page(texts.sessions_title),
        navigation: context.navigation(Section::Sessions),
        texts,
        done: match query.text("done") {
            ENDED => Some(texts.session_ended),
            ENDED_OTHERS => Some(texts.others_ended),
            _ => None,
        },
        has_others: has_current && sessions.len() > 1,
        rows: sessions.into_iter().map(|session| Row::new(texts, context.language, session)).collect(),
        end_csrf: signed_in.csrf(&browser, END_FORM),
        end_path: user.path(END),
        end_others_csrf: signed_in.csrf(&browser, END_OTHERS_FORM),
        end_others_path: user.path(END_OTHERS),
        end_all_path: user.path(END_ALL),
    };
    Ok(with_cookies(context.respond(StatusCode::OK, &page), cookie))
}

/// `POST /account/sessions/end`: ends one session (`docs/security-requirements.md#a25`). Another user's is not found.
async fn end(user: AccountUser, body: Bytes) -> Result<Response, Response> {
    let form = user.signed_in.own_form(END_FORM, &body).ok_or_else(|| user.forgery())?;
    let id = form.one("id", MAX_ID).ok().flatten().unwrap_or_default();
    let ended = user.own_account.end_session(&user.signed_in.on_behalf(), id).await;
    ended.map_err(|status| user.failure(&status))?;
    Ok(see_other(&format!("{}?done={ENDED}", user.path(SESSIONS))))
}

/// `POST /account/sessions/end-others`: ends all sessions but the current one.
async fn end_others(user: AccountUser, body: Bytes) -> Result<Response, Response> {
    user.signed_in.own_form(END_OTHERS_FORM, &body).ok_or_else(|| user.forgery())?;
    let ended = user.own_account.end_other_sessions(&user.signed_in.on_behalf()).await;
    let count = ended.map_err(|status| user.failure(&status))?;
    tracing::debug!(count, "a user has ended all other sessions");
    Ok(see_other(&format!("{}?done={ENDED_OTHERS}", user.path(SESSIONS))))
}

/// `GET /account/sessions/end-all`: asks for confirmation.
async fn confirm_end_all(user: AccountUser) -> Response {
    let (signed_in, texts) = (&user.signed_in, user.texts());
    let context = signed_in.context();
    let (browser, cookie) = signed_in.browser();
    let page = ConfirmEndAll {
        page: context.page(texts.end_all_title),
        navigation: context.navigation(Section::Sessions),
        texts,
        csrf: signed_in.csrf(&browser, END_ALL_FORM),
        sessions_path: user.path(SESSIONS),
        end_all_path: user.path(END_ALL),
    };
    with_cookies(context.respond(StatusCode::OK, &page), cookie)
}

/// `POST /account/sessions/end-all`: signs out everywhere. The response is a page, as the list would require a new sign-in.
async fn end_all(user: AccountUser, body: Bytes) -> Result<Response, Response> {
    user.signed_in.own_form(END_ALL_FORM, &body).ok_or_else(|| user.forgery())?;
    let ended = user.own_account.end_all_sessions(&user.signed_in.on_behalf()).await;
    ended.map_err(|status| user.failure(&status))?;
    let (context, texts) = (user.signed_in.context(), user.texts());
    let page = SignedOut { page: context.page(texts.signed_out_title), texts, overview_path: user.path("") };
    Ok(context.respond(StatusCode::OK, &page))
}
