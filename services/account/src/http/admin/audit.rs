//! The audit log: what happened with the accounts of all users, and what administrators have done
//! (`docs/security-requirements.md#n43`).

mod description;
mod export;
pub(crate) mod filter;

use askama::Template;
use axum::Router;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use proto::doorward::idp::v1::{AccountEvent, ListUserEventsRequest, ListUserEventsResponse};
use web::date::LocalizedTime;
use web::form::Parameters;

use super::super::access_words::{AccessWords, access_words};
use super::super::device_text;
use super::super::page::{Navigation, Page};
use super::super::tokens::time;
use super::AdminSection;
use super::access_text::{AccessText, access_text};
use super::account_administrator::AccountAdministrator;
use super::administrator::Administrator;
use super::user_names::{UserNames, distinct, identifier};
use crate::config::ADMIN;
use crate::state::AccountState;
use filter::{BadField, Entered};

/// The path of the list, below that of the administration.
pub(super) const AUDIT: &str = "/audit";
/// The path of the file.
const EXPORT: &str = "/audit/export";
/// How many events a page shows.
const PAGE: u32 = 50;
/// The longest token of a page that is read, in bytes.
const MAX_PAGE_TOKEN: usize = 128;
/// The outcomes that the filter offers.
const OUTCOMES: [&str; 11] = [
    "success",
    "failure",
    "no_password",
    "taken",
    "second_factor_required",
    "throttled",
    "done",
    "refused",
    "begun",
    "cancelled",
    "taken_back",
];

/// The pages. Without idp they answer 404.
pub(super) fn router() -> Router<AccountState> {
    Router::new().route(&format!("{ADMIN}{AUDIT}"), get(list)).route(&format!("{ADMIN}{EXPORT}"), get(export::send))
}

/// An event, as the list shows it.
struct Row {
    id: String,
    time: Option<LocalizedTime>,
    what: String,
    /// Its name and outcome in the audit log.
    name: String,
    outcome: String,
    /// Each of these may be empty.
    user: String,
    user_id: String,
    administrator: String,
    client_id: String,
    object: String,
    address: String,
    device: String,
    user_agent: String,
}

impl Row {
    fn new(administrator: &Administrator, event: AccountEvent, names: &UserNames) -> Self {
        let language = administrator.context().language;
        let (texts, words) = (access_text(language), access_words(language));
        let has_device = !event.user_agent.is_empty();
        Self {
            time: time(event.time).map(|time| LocalizedTime::minute(time, language)),
            what: description::describe(texts, words, &event.event, &event.outcome),
            device: if has_device { device_text::summary(&event.user_agent, words) } else { String::new() },
            user: names.of(&event.user_id),
            administrator: names.of(&event.administrator_id),
            id: event.id,
            name: event.event,
            outcome: event.outcome,
            user_id: event.user_id,
            client_id: event.client_id,
            object: event.object,
            address: event.address,
            user_agent: event.user_agent,
        }
    }
}

/// A choice of a field.
struct Choice {
    value: &'static str,
    text: String,
    is_selected: bool,
}

#[derive(Template)]
#[template(path = "admin_audit.html")]
struct List<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AccessText,
    words: &'static AccessWords,
    events: Vec<Choice>,
    outcomes: Vec<Choice>,
    bad_field: Option<BadField>,
    rows: Vec<Row>,
    next: Option<String>,
    audit_path: String,
    csv_path: String,
    json_path: String,
    entered: Entered,
}

impl List<'_> {
    fn is_bad(&self, field: &str) -> bool {
        let name = match self.bad_field {
            None => return false,
            Some(BadField::Address) => "address",
            Some(BadField::From) => "from",
            Some(BadField::Until) => "until",
        };
        name == field
    }
}

/// `GET /admin/audit`.
async fn list(accounts: AccountAdministrator, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let administrator = &accounts.administrator;
    let query = Parameters::of_query(query.as_deref()).map_err(|_| administrator.not_found())?;
    let entered = Entered::read(&query).map_err(|_| administrator.not_found())?;
    let after = query.one("after", MAX_PAGE_TOKEN).map_err(|_| administrator.not_found())?.unwrap_or_default();
    let user_id = identifier(&administrator.signed_in.state, &entered.user).await;
    let user_id = user_id.map_err(|error| administrator.failure(&status::grpc(error.kind(), error.to_string())))?;
    match entered.request(user_id) {
        Ok(request) => {
            let request = ListUserEventsRequest { page_size: PAGE, page_token: after.to_owned(), ..request };
            let call = administrator.signed_in.on_behalf().call(request);
            let listed = accounts.api.clone().list_user_events(call).await;
            let listed = listed.map_err(|status| administrator.failure(&status))?.into_inner();
            Ok(show(administrator, StatusCode::OK, entered, (listed, None)).await)
        }
        Err(field) => {
            let nothing = (ListUserEventsResponse::default(), Some(field));
            Ok(show(administrator, StatusCode::BAD_REQUEST, entered, nothing).await)
        }
    }
}

async fn show(
    administrator: &Administrator,
    status: StatusCode,
    entered: Entered,
    (listed, bad_field): (ListUserEventsResponse, Option<BadField>),
) -> Response {
    let context = administrator.context();
    let (texts, words) = (access_text(context.language), access_words(context.language));
    let ids = listed.events.iter().flat_map(|event| [event.user_id.as_str(), event.administrator_id.as_str()]);
    let names = UserNames::find(&administrator.signed_in, distinct(ids)).await;
    let next = Some(listed.next_page_token).filter(|next| !next.is_empty());
    let (audit_path, export_path) = (administrator.path(AUDIT), administrator.path(EXPORT));
    let page = List {
        page: context.page(texts.audit_title),
        navigation: administrator.navigation(AdminSection::Audit),
        texts,
        words,
        events: description::choices(texts, words).map(|(value, text)| choice(value, text, &entered.event)).collect(),
        outcomes: OUTCOMES
            .map(|value| choice(value, description::outcome(texts, value).to_owned(), &entered.outcome))
            .into(),
        bad_field,
        rows: listed.events.into_iter().map(|event| Row::new(administrator, event, &names)).collect(),
        next: next.map(|next| entered.link(&audit_path, &[("after", &next)])),
        csv_path: entered.link(&export_path, &[("format", "csv")]),
        json_path: entered.link(&export_path, &[("format", "jsonl")]),
        audit_path,
        entered,
    };
    context.respond(status, &page)
}

fn choice(value: &'static str, text: String, selected: &str) -> Choice {
    Choice { value, text, is_selected: value == selected }
}
