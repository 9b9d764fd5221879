//! What happened with the user's account.

use askama::Template;
use axum::Router;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use proto::doorward::idp::v1::AccountEvent;
use web::date::LocalizedTime;
use web::form::Parameters;
use web::i18n::Language;

use super::access_words::AccessWords;
use super::account_user::AccountUser;
use super::page::{Navigation, Page, Section};
use super::tokens::time;
use super::{ACTIVITY, device_text, error, event_text};
use crate::state::AccountState;

/// How many events a page has.
pub(super) const EVENTS_OF_PAGE: u32 = 50;
/// The longest token of a page that is read, in bytes.
pub(super) const MAX_PAGE_TOKEN: usize = 128;

/// The page. Without idp it answers 404.
pub(super) fn router() -> Router<AccountState> {
    Router::new().route(ACTIVITY, get(list))
}

/// An event, as the list shows it.
pub(super) struct Row {
    pub(super) time: Option<LocalizedTime>,
    pub(super) what: String,
    /// The client; may be empty, as the two below.
    pub(super) client_id: String,
    pub(super) device: String,
    pub(super) address: String,
}

impl Row {
    pub(super) fn new(texts: &AccessWords, language: Language, event: AccountEvent) -> Self {
        let has_device = !event.user_agent.is_empty();
        Self {
            time: time(event.time).map(|time| LocalizedTime::minute(time, language)),
            what: event_text::describe(texts, &event.event, &event.outcome),
            client_id: event.client_id,
            device: if has_device { device_text::summary(&event.user_agent, texts) } else { String::new() },
            address: event.address,
        }
    }
}

#[derive(Template)]
#[template(path = "activity.html")]
struct List<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AccessWords,
    rows: Vec<Row>,
    /// The page with the events before these.
    next: Option<String>,
}

/// `GET /account/activity`.
async fn list(user: AccountUser, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let (signed_in, texts) = (&user.signed_in, user.texts());
    let context = signed_in.context();
    let query = Parameters::of_query(query.as_deref()).map_err(|_| error::not_found(&context))?;
    let after = query.one("after", MAX_PAGE_TOKEN).map_err(|_| error::not_found(&context))?.unwrap_or_default();
    let listed = user.own_account.events(&signed_in.on_behalf(), EVENTS_OF_PAGE, after).await;
    let listed = listed.map_err(|status| user.failure(&status))?;
    let next = Some(listed.next_page_token).filter(|next| !next.is_empty());
    let page = List {
        page: context.page(texts.activity_title),
        navigation: context.navigation(Section::Activity),
        texts,
        rows: listed.events.into_iter().map(|event| Row::new(texts, context.language, event)).collect(),
        next: next.map(|next| format!("{}?after={next}", user.path(ACTIVITY))),
    };
    Ok(context.respond(StatusCode::OK, &page))
}
