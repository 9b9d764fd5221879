//! The list of groups, with a search and the form for a new group.

use askama::Template;
use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::users::v1::{CreateGroupRequest, Group, ListGroupsRequest};
use url::form_urlencoded::Serializer;
use web::cookie::with_cookies;
use web::form::Parameters;
use web::response::see_other;

use super::super::super::page::{Navigation, Page};
use super::super::AdminSection;
use super::super::field::Field;
use super::super::text::AdminText;
use super::super::users::UserAdministrator;
use super::{GROUPS, MAX_NAME, MAX_PAGE_TOKEN, edit, name_error};

/// How many groups a page has.
const PAGE_SIZE: u32 = 50;
/// The purpose of the form for a new group.
const FORM: &str = "admin-new-group";
/// The value of the parameter `done` after a group was deleted.
pub(super) const DELETED: &str = "deleted";

/// A group, as the list shows it.
struct Row {
    path: String,
    name: String,
    members: u64,
}

#[derive(Template)]
#[template(path = "admin_groups.html")]
struct List<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AdminText,
    done: Option<&'static str>,
    query: &'a str,
    rows: Vec<Row>,
    /// The first page, if this is another one.
    first: Option<String>,
    /// The page with the groups behind these.
    next: Option<String>,
    field: Field,
    csrf: String,
    path: String,
}

/// What the page shows.
#[derive(Default)]
struct View<'a> {
    query: &'a str,
    after: &'a str,
    done: Option<&'static str>,
    /// The name in the form for a new group, and what is wrong with it.
    name: &'a str,
    error: Option<&'static str>,
}

impl UserAdministrator {
    async fn groups_page(&mut self, view: View<'_>) -> Result<Response, Response> {
        let View { query, after, done, name, error } = view;
        let message =
            ListGroupsRequest { page_size: PAGE_SIZE, page_token: after.to_owned(), query: query.trim().to_owned() };
        let listed = self.users.list_groups(self.administrator.signed_in.on_behalf().call(message)).await;
        let listed = listed.map_err(|status| self.administrator.failure(&status))?.into_inner();
        let (administrator, context) = (&self.administrator, self.administrator.context());
        let texts = administrator.texts();
        let row = |group: Group| Row {
            path: self.path_of_group(&group.id, ""),
            name: group.name,
            members: group.member_count,
        };
        let path = administrator.path(GROUPS);
        let link = |parameters: &[(&str, &str)]| {
            let given = parameters.iter().filter(|(_, value)| !value.is_empty());
            let query = Serializer::new(String::new()).extend_pairs(given).finish();
            if query.is_empty() { path.clone() } else { format!("{path}?{query}") }
        };
        let next = Some(listed.next_page_token).filter(|next| !next.is_empty());
        let (browser, cookie) = administrator.signed_in.browser();
        let page = List {
            page: context.page(texts.groups),
            navigation: administrator.navigation(AdminSection::Groups),
            texts,
            done,
            query,
            rows: listed.groups.into_iter().map(row).collect(),
            first: (!after.is_empty()).then(|| link(&[("q", query)])),
            next: next.map(|next| link(&[("q", query), ("after", &next)])),
            field: Field::text("name", texts.group_name, name).required().with_errors(error.map(str::to_owned)),
            csrf: administrator.signed_in.csrf(&browser, FORM),
            path: path.clone(),
        };
        let status = if error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        Ok(with_cookies(context.respond(status, &page), cookie))
    }
}

/// `GET /admin/groups`.
pub(super) async fn show(mut user: UserAdministrator, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let parameters = Parameters::of_query(query.as_deref()).map_err(|_| user.administrator.not_found())?;
    let one = |name, max| parameters.one(name, max).map(Option::unwrap_or_default);
    let (Ok(query), Ok(after)) = (one("q", MAX_NAME), one("after", MAX_PAGE_TOKEN)) else {
        return Err(user.administrator.not_found());
    };
    let done = (parameters.text("done") == DELETED).then_some(user.administrator.texts().group_deleted);
    user.groups_page(View { query, after, done, ..View::default() }).await
}

/// `POST /admin/groups`: creates a group.
pub(super) async fn create(mut user: UserAdministrator, body: Bytes) -> Result<Response, Response> {
    let form = user.administrator.signed_in.own_form(FORM, &body);
    let form = form.ok_or_else(|| user.administrator.forgery())?;
    let name = form.text("name").trim();
    let message = CreateGroupRequest { name: name.to_owned(), ..CreateGroupRequest::default() };
    match user.users.create_group(user.administrator.signed_in.on_behalf().call(message)).await {
        Ok(created) => {
            let id = created.into_inner().group.unwrap_or_default().id;
            Ok(see_other(&user.path_of_group(&id, &format!("?done={}", edit::CREATED))))
        }
        Err(status) => match name_error(user.administrator.texts(), &status) {
            Some(error) => user.groups_page(View { name, error: Some(error), ..View::default() }).await,
            None => Err(user.administrator.failure(&status)),
        },
    }
}
