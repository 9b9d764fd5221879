//! The list of service accounts, with a search.

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::serviceaccounts::v1::{ListServiceAccountsRequest, ServiceAccount};
use web::date::LocalizedTime;
use web::form::Parameters;

use super::super::super::page::{Navigation, Page};
use super::super::super::tokens::time;
use super::super::AdminSection;
use super::super::link::with_query;
use super::super::service_account_text::ServiceAccountText;
use super::super::text::AdminText;
use super::{MAX_ID, SERVICE_ACCOUNTS, ServiceAccountAdministrator, name_of, state_text};

/// How many accounts a page has.
const PAGE_SIZE: u32 = 50;
/// The longest text that is searched for, in bytes.
const MAX_QUERY: usize = 256;
/// The value of the parameter `done` after an account was deleted.
pub(super) const DELETED: &str = "deleted";

/// An account, as the list shows it.
struct Row {
    path: String,
    name: String,
    id: String,
    state: &'static str,
    last_used: Option<LocalizedTime>,
}

#[derive(Template)]
#[template(path = "admin_service_accounts.html")]
struct List<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AdminText,
    account_texts: &'static ServiceAccountText,
    done: Option<&'static str>,
    query: &'a str,
    rows: Vec<Row>,
    /// The first page, if this is another one.
    first: Option<String>,
    /// The page with the accounts behind these.
    next: Option<String>,
    path: String,
    new_path: String,
}

/// `GET /admin/service-accounts`.
pub(super) async fn show(user: ServiceAccountAdministrator, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let parameters = Parameters::of_query(query.as_deref()).map_err(|_| user.administrator.not_found())?;
    let one = |name, max| parameters.one(name, max).map(Option::unwrap_or_default);
    let (Ok(query), Ok(after)) = (one("q", MAX_QUERY), one("after", MAX_ID)) else {
        return Err(user.administrator.not_found());
    };
    let query = query.trim();
    let message =
        ListServiceAccountsRequest { page_size: PAGE_SIZE, page_token: after.to_owned(), query: query.to_owned() };
    let (services, by) = user.services();
    let listed = services.list_service_accounts(&by, message).await;
    let listed = listed.map_err(|status| user.administrator.failure(&status))?;
    let (administrator, context, texts, now) =
        (&user.administrator, user.administrator.context(), user.texts(), user.now());
    let row = |account: ServiceAccount| Row {
        path: user.path_of(&account.id, ""),
        name: name_of(&account).to_owned(),
        state: state_text(texts, &account, now),
        last_used: account.last_used.and_then(time).map(|used| LocalizedTime::minute(used, context.language)),
        id: account.id,
    };
    let path = administrator.path(SERVICE_ACCOUNTS);
    let next = Some(listed.next_page_token).filter(|next| !next.is_empty());
    let page = List {
        page: context.page(texts.accounts),
        navigation: administrator.navigation(AdminSection::ServiceAccounts),
        texts: administrator.texts(),
        account_texts: texts,
        done: (parameters.text("done") == DELETED).then_some(texts.deleted),
        query,
        rows: listed.accounts.into_iter().map(row).collect(),
        first: (!after.is_empty()).then(|| with_query(&path, &[("q", query)])),
        next: next.map(|next| with_query(&path, &[("q", query), ("after", &next)])),
        new_path: administrator.path(&format!("{SERVICE_ACCOUNTS}/new")),
        path,
    };
    Ok(context.respond(StatusCode::OK, &page))
}
