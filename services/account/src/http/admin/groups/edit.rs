//! The page of a group: its name, and its members.

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::users::v1::{ListMembersRequest, Person, RenameGroupRequest};
use web::cookie::with_cookies;
use web::form::Parameters;
use web::response::see_other;

use super::super::super::page::{Navigation, Page};
use super::super::AdminSection;
use super::super::administrator::SignInFirst;
use super::super::field::Field;
use super::super::text::AdminText;
use super::super::users::{UserAdministrator, name_of};
use super::{MAX_PAGE_TOKEN, by_id, members, name_error};

/// How many members a page has.
const PAGE_SIZE: u32 = 50;
/// Values of the parameter `done`: what the form before the page has done.
pub(super) const CREATED: &str = "created";
const RENAMED: &str = "renamed";

/// A member, as the list shows it.
struct Row {
    id: String,
    path: String,
    name: String,
    username: String,
}

#[derive(Template)]
#[template(path = "admin_group.html")]
struct GroupPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AdminText,
    done: Option<&'static str>,
    /// Whether there are forms, which need a recent sign-in.
    has_forms: bool,
    sign_in: Option<SignInFirst>,
    rows: Vec<Row>,
    /// The page with the members behind these.
    next: Option<String>,
    name: Field,
    username: Field,
    csrf: String,
    path: String,
}

/// What the page shows.
#[derive(Default)]
pub(super) struct View<'a> {
    pub(super) after: &'a str,
    pub(super) done: Option<&'static str>,
    /// Another name that was entered, and what is wrong with it.
    pub(super) name: Option<(&'a str, &'static str)>,
    /// The login name of a member to add, and what is wrong with it.
    pub(super) username: Option<(&'a str, &'static str)>,
    /// The sign-in that comes first.
    pub(super) sign_in: Option<SignInFirst>,
    /// What is sent again after it: another name, or the login name of a member to add.
    pub(super) new_name: Option<&'a str>,
    pub(super) new_member: &'a str,
}

/// The purpose of the forms for this group.
pub(super) fn form(id: &str) -> String {
    format!("admin-group {id}")
}

impl UserAdministrator {
    /// The page of a group.
    pub(super) async fn group_page(&mut self, id: &str, view: View<'_>) -> Result<Response, Response> {
        let group = self.group(id).await?;
        let message =
            ListMembersRequest { group: Some(by_id(id)), page_size: PAGE_SIZE, page_token: view.after.to_owned() };
        let listed = self.users.list_members(self.administrator.signed_in.on_behalf().call(message)).await;
        let listed = listed.map_err(|status| self.administrator.failure(&status))?.into_inner();
        let (administrator, context) = (&self.administrator, self.administrator.context());
        let texts = administrator.texts();
        let row = |person: Person| Row {
            path: self.path_of(&person.id, ""),
            name: name_of(&person).to_owned(),
            id: person.id,
            username: person.username,
        };
        let error = |entered: Option<(&str, &'static str)>| entered.map(|(_, error)| error.to_owned());
        let name = view.name.map(|(name, _)| name).or(view.new_name).unwrap_or(&group.name);
        let username = view.username.map_or(view.new_member, |(username, _)| username);
        let status = if view.sign_in.is_some() {
            StatusCode::FORBIDDEN
        } else if view.name.is_some() || view.username.is_some() {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        };
        let next = Some(listed.next_page_token).filter(|next| !next.is_empty());
        let (browser, cookie) = administrator.signed_in.browser();
        let page = GroupPage {
            page: context.page(&group.name),
            navigation: administrator.navigation(AdminSection::Groups),
            texts,
            done: view.done,
            has_forms: administrator.has_sign_ins(),
            sign_in: view.sign_in,
            rows: listed.members.into_iter().map(row).collect(),
            next: next.map(|next| self.path_of_group(id, &format!("?after={next}"))),
            name: Field::text("name", texts.group_name, name).required().with_errors(error(view.name)),
            username: Field::text("username", context.words().username, username)
                .required()
                .with_errors(error(view.username)),
            csrf: administrator.signed_in.csrf(&browser, &form(id)),
            path: self.path_of_group(id, ""),
        };
        Ok(with_cookies(context.respond(status, &page), cookie))
    }
}

/// `GET /admin/groups/{id}`.
pub(super) async fn show(
    mut user: UserAdministrator,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let query = Parameters::of_query(query.as_deref()).map_err(|_| user.administrator.not_found())?;
    let after = query.one("after", MAX_PAGE_TOKEN).map_err(|_| user.administrator.not_found())?;
    let texts = user.administrator.texts();
    let done = match query.text("done") {
        CREATED => Some(texts.group_created),
        RENAMED => Some(texts.group_renamed),
        members::CHANGED => Some(texts.members_changed),
        _ => None,
    };
    user.group_page(&id, View { after: after.unwrap_or_default(), done, ..View::default() }).await
}

/// `POST /admin/groups/{id}`: renames it. Rules name groups, so that another name can give its members access: it needs a recent
/// sign-in (`docs/security-requirements.md#n3`).
pub(super) async fn rename(
    mut user: UserAdministrator,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    let name = fields.text("name").trim();
    if let Some(sign_in) = user.administrator.sign_in_first(&user.path_of_group(&id, "")).await? {
        let view = View { sign_in: Some(sign_in), new_name: Some(name), ..View::default() };
        return user.group_page(&id, view).await;
    }
    let message = RenameGroupRequest { group: Some(by_id(&id)), name: name.to_owned() };
    match user.users.rename_group(user.administrator.signed_in.on_behalf().call(message)).await {
        Ok(_) => Ok(see_other(&user.path_of_group(&id, &format!("?done={RENAMED}")))),
        Err(status) => match name_error(user.administrator.texts(), &status) {
            Some(error) => user.group_page(&id, View { name: Some((name, error)), ..View::default() }).await,
            None => Err(user.administrator.failure(&status)),
        },
    }
}
