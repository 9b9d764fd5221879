//! The list of users, with a search.

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::users::v1::{ListUsersRequest, Person, PersonStatus};
use url::form_urlencoded::Serializer;
use web::form::Parameters;

use super::super::super::page::{Navigation, Page};
use super::super::AdminSection;
use super::super::text::AdminText;
use super::roles::role_name;
use super::{USERS, UserAdministrator, name_of};

/// How many users a page has.
const PAGE_SIZE: u32 = 50;
/// The longest text that is searched for, in bytes.
const MAX_QUERY: usize = 512;
/// The longest token of a page that is read, in bytes.
const MAX_PAGE_TOKEN: usize = 2048;
/// The value of the parameter `done` after a user was deleted.
pub(super) const DELETED: &str = "deleted";

/// A user, as the list shows it.
struct Row {
    path: String,
    name: String,
    username: String,
    mail: String,
    roles: String,
    is_disabled: bool,
}

#[derive(Template)]
#[template(path = "admin_users.html")]
struct List<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AdminText,
    done: Option<&'static str>,
    query: &'a str,
    rows: Vec<Row>,
    /// The first page, if this is another one.
    first: Option<String>,
    /// The page with the users behind these.
    next: Option<String>,
    path: String,
    /// The form for a new user, which needs a recent sign-in.
    new_path: Option<String>,
}

/// `GET /admin/users`.
pub(super) async fn show(mut user: UserAdministrator, RawQuery(query): RawQuery) -> Result<Response, Response> {
    let parameters = Parameters::of_query(query.as_deref()).map_err(|_| user.administrator.not_found())?;
    let one = |name, max| parameters.one(name, max).map(Option::unwrap_or_default);
    let (Ok(query), Ok(after)) = (one("q", MAX_QUERY), one("after", MAX_PAGE_TOKEN)) else {
        return Err(user.administrator.not_found());
    };
    let message =
        ListUsersRequest { page_size: PAGE_SIZE, page_token: after.to_owned(), query: query.trim().to_owned() };
    let listed = user.users.list_users(user.administrator.signed_in.on_behalf().call(message)).await;
    let listed = listed.map_err(|status| user.administrator.failure(&status))?.into_inner();
    let (context, texts) = (user.administrator.context(), user.administrator.texts());
    let row = |person: Person| Row {
        path: user.path_of(&person.id, ""),
        name: name_of(&person).to_owned(),
        roles: person.roles.iter().map(|role| role_name(context.words(), role)).collect::<Vec<_>>().join(", "),
        is_disabled: person.status() == PersonStatus::Disabled,
        username: person.username,
        mail: person.mail,
    };
    let path = user.administrator.path(USERS);
    let link = |parameters: &[(&str, &str)]| {
        let given = parameters.iter().filter(|(_, value)| !value.is_empty());
        let query = Serializer::new(String::new()).extend_pairs(given).finish();
        if query.is_empty() { path.clone() } else { format!("{path}?{query}") }
    };
    let next = Some(listed.next_page_token).filter(|next| !next.is_empty());
    let page = List {
        page: context.page(texts.users),
        navigation: user.administrator.navigation(AdminSection::Users),
        texts,
        done: (parameters.text("done") == DELETED).then_some(texts.user_deleted),
        query,
        rows: listed.users.into_iter().map(row).collect(),
        first: (!after.is_empty()).then(|| link(&[("q", query)])),
        next: next.map(|next| link(&[("q", query), ("after", &next)])),
        new_path: user.administrator.has_sign_ins().then(|| format!("{path}/new")),
        path: path.clone(),
    };
    Ok(context.respond(StatusCode::OK, &page))
}
