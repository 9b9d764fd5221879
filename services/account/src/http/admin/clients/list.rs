//! The list of clients.

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::idp::v1::{Client, ListClientsRequest};
use web::form::Parameters;

use super::super::super::page::{Navigation, Page};
use super::super::AdminSection;
use super::super::client_text::ClientText;
use super::super::link::with_query;
use super::{CLIENTS, ClientAdministrator, MAX_ID, name_of, source_text};

/// How many clients a page has.
const PAGE_SIZE: u32 = 50;
/// The value of the parameter `done` after a client was removed.
pub(super) const REMOVED: &str = "removed";

/// A client, as the list shows it.
struct Row {
    path: String,
    name: String,
    id: String,
    source: &'static str,
}

#[derive(Template)]
#[template(path = "admin_clients.html")]
struct List<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static ClientText,
    done: Option<&'static str>,
    rows: Vec<Row>,
    /// The page with the clients behind these.
    next: Option<String>,
    new_path: String,
}

/// `GET /admin/clients`.
pub(super) async fn show(mut user: ClientAdministrator, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let query = Parameters::of_query(query.as_deref()).map_err(|_| user.administrator.not_found())?;
    let after = query.one("after", MAX_ID).map_err(|_| user.administrator.not_found())?.unwrap_or_default();
    let message = ListClientsRequest { page_size: PAGE_SIZE, page_token: after.to_owned() };
    let listed = user.api.list_clients(user.administrator.signed_in.on_behalf().call(message)).await;
    let listed = listed.map_err(|status| user.administrator.failure(&status))?.into_inner();
    let (administrator, texts) = (&user.administrator, user.texts());
    let row = |client: Client| Row {
        path: user.path_of(&client.id, ""),
        name: name_of(&client).to_owned(),
        source: source_text(texts, client.source()),
        id: client.id,
    };
    let context = administrator.context();
    let page = List {
        page: context.page(texts.clients),
        navigation: administrator.navigation(AdminSection::Clients),
        texts,
        done: (query.text("done") == REMOVED).then_some(texts.removed),
        rows: listed.clients.into_iter().map(row).collect(),
        next: Some(listed.next_page_token)
            .filter(|next| !next.is_empty())
            .map(|next| with_query(&administrator.path(CLIENTS), &[("after", &next)])),
        new_path: administrator.path(&format!("{CLIENTS}/new")),
    };
    Ok(context.respond(StatusCode::OK, &page))
}
