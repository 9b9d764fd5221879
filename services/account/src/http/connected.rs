//! The applications that have access to the user's account, and the form that ends it.

use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use proto::doorward::idp::v1::ConnectedApplication;
use web::cookie::with_cookies;
use web::date::LocalizedTime;
use web::form::Parameters;
use web::i18n::Language;
use web::response::see_other;

use super::access_words::AccessWords;
use super::account_user::AccountUser;
use super::page::{Navigation, Page, Section};
use super::tokens::time;
use super::{CONNECTED, error};
use crate::state::AccountState;

/// The path of the form that ends the access of an application.
const DISCONNECT: &str = "/connected/disconnect";
/// The purpose of this form.
const DISCONNECT_FORM: &str = "disconnect-application";
/// The longest `client_id` that is read, in bytes: that of a client may be the URL of its metadata.
const MAX_CLIENT_ID: usize = 2048;
/// The value of the parameter `done` after the form.
const DISCONNECTED: &str = "disconnected";

/// The pages. Without idp they answer 404.
pub(super) fn router() -> Router<AccountState> {
    Router::new().route(CONNECTED, get(list)).route(DISCONNECT, post(disconnect))
}

/// An application, as the list shows it.
struct Row {
    client_id: String,
    name: String,
    scopes: Vec<String>,
    since: Option<LocalizedTime>,
    /// `None` if it has no refresh token.
    last_used: Option<LocalizedTime>,
}

impl Row {
    fn new(texts: &'static AccessWords, language: Language, application: ConnectedApplication) -> Self {
        let minute = |seconds| time(seconds).map(|time| LocalizedTime::minute(time, language));
        Self {
            scopes: application.scopes.iter().map(|scope| scope_text(texts, scope).to_owned()).collect(),
            since: minute(application.since),
            last_used: application.last_used.and_then(minute),
            client_id: application.client_id,
            name: application.name,
        }
    }
}

/// What a scope of OpenID Connect allows; the scope itself if it is not known here.
fn scope_text<'a>(texts: &'static AccessWords, scope: &'a str) -> &'a str {
    match scope {
        "openid" => texts.scope_openid,
        "profile" => texts.scope_profile,
        "email" => texts.scope_email,
        "address" => texts.scope_address,
        "phone" => texts.scope_phone,
        "offline_access" | "offline" => texts.scope_offline,
        other => other,
    }
}

#[derive(Template)]
#[template(path = "connected.html")]
struct List<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AccessWords,
    /// What the form before the page has done.
    done: Option<&'static str>,
    rows: Vec<Row>,
    csrf: String,
    disconnect_path: String,
}

/// `GET /account/connected`.
async fn list(user: AccountUser, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let (signed_in, texts) = (&user.signed_in, user.texts());
    let context = signed_in.context();
    let query = Parameters::of_query(query.as_deref()).map_err(|_| error::not_found(&context))?;
    let applications = user.own_account.applications(&signed_in.on_behalf()).await;
    let applications = applications.map_err(|status| user.failure(&status))?;
    let (browser, cookie) = signed_in.browser();
    let page = List {
        page: context.page(texts.connected_title),
        navigation: context.navigation(Section::Connected),
        texts,
        done: (query.text("done") == DISCONNECTED).then_some(texts.disconnected),
        rows: applications.into_iter().map(|one| Row::new(texts, context.language, one)).collect(),
        csrf: signed_in.csrf(&browser, DISCONNECT_FORM),
        disconnect_path: user.path(DISCONNECT),
    };
    Ok(with_cookies(context.respond(StatusCode::OK, &page), cookie))
}

/// `POST /account/connected/disconnect`: ends the access of an application (`docs/security-requirements.md#a25`).
async fn disconnect(user: AccountUser, body: Bytes) -> Result<Response, Response> {
    let form = user.signed_in.own_form(DISCONNECT_FORM, &body).ok_or_else(|| user.forgery())?;
    let client_id = form.one("client_id", MAX_CLIENT_ID).ok().flatten().filter(|id| !id.is_empty());
    let client_id = client_id.ok_or_else(|| error::not_found(&user.signed_in.context()))?;
    let ended = user.own_account.disconnect(&user.signed_in.on_behalf(), client_id).await;
    ended.map_err(|status| user.failure(&status))?;
    Ok(see_other(&format!("{}?done={DISCONNECTED}", user.path(CONNECTED))))
}
