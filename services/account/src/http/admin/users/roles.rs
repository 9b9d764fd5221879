//! The roles of a user.

use std::collections::BTreeSet;

use askama::Template;
use authn::role;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::users::v1::{ExpectedUser, Person, RoleList, UpdateUserRequest};
use status::Kind;
use web::cookie::with_cookies;
use web::response::see_other;

use super::super::super::i18n::Words;
use super::super::super::page::{Navigation, Page};
use super::super::super::shown_value::Difference;
use super::super::AdminSection;
use super::super::text::AdminText;
use super::{UserAdministrator, name_of};
use crate::administration::users::has_admin;

/// The roles that every installation has, by their names.
pub(crate) const ROLES: [&str; 4] = ["user", "guest", "spaceadmin", "admin"];
/// The value of the parameter `done` after the roles were changed.
pub(super) const CHANGED: &str = "roles";

/// The name of a role on pages; its identifier if it is not one of those that every installation has.
pub(super) fn role_name<'a>(words: &'static Words, role: &'a str) -> &'a str {
    match role::id(role) {
        role::ADMIN => words.role_admin,
        role::SPACE_ADMIN => words.role_space_admin,
        role::USER => words.role_user,
        role::GUEST => words.role_guest,
        _ => role,
    }
}

/// A role that may be chosen.
struct Choice {
    value: String,
    text: String,
    is_selected: bool,
}

#[derive(Template)]
#[template(path = "admin_user_roles.html")]
struct RolesPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AdminText,
    name: &'a str,
    error: Option<String>,
    /// The roles that are stored.
    shown: String,
    choices: Vec<Choice>,
    csrf: String,
    path: String,
    user_path: String,
}

/// The purpose of the form for this user.
fn form(id: &str) -> String {
    format!("admin-user-roles {id}")
}

impl UserAdministrator {
    fn roles_page(&self, person: &Person, selected: &[String], refusal: Option<(StatusCode, String)>) -> Response {
        let (administrator, context) = (&self.administrator, self.administrator.context());
        let has = |role: &str| selected.iter().any(|own| role::id(own) == role::id(role));
        let known = |role: &str| ROLES.iter().any(|known| role::id(known) == role::id(role));
        let others = person.roles.iter().map(String::as_str).filter(|role| !known(role));
        let choice = |role: &str| Choice {
            value: role.to_owned(),
            text: role_name(context.words(), role).to_owned(),
            is_selected: has(role),
        };
        let (status, error) = refusal.map_or((StatusCode::OK, None), |(status, error)| (status, Some(error)));
        let (browser, cookie) = administrator.signed_in.browser();
        let texts = administrator.texts();
        let page = RolesPage {
            page: context.page(texts.change_roles),
            navigation: administrator.navigation(AdminSection::Users),
            texts,
            name: name_of(person),
            error,
            shown: role_set(&person.roles),
            choices: ROLES.into_iter().chain(others).map(choice).collect(),
            csrf: administrator.signed_in.csrf(&browser, &form(&person.id)),
            path: self.path_of(&person.id, "/roles"),
            user_path: self.path_of(&person.id, ""),
        };
        with_cookies(context.respond(status, &page), cookie)
    }

    /// The page where someone else has changed the roles since the form showed them.
    fn roles_conflict(&self, person: &Person, selected: &[String]) -> Response {
        let words = self.administrator.context().words();
        let stored: Vec<_> = person.roles.iter().map(|role| role_name(words, role)).collect();
        let stored = if stored.is_empty() { words.none.to_owned() } else { stored.join(", ") };
        let refusal = (StatusCode::CONFLICT, self.administrator.texts().changed_meanwhile.with(&stored));
        self.roles_page(person, selected, Some(refusal))
    }
}

/// `GET /admin/users/{id}/roles`.
pub(super) async fn show(user: UserAdministrator, Path(id): Path<String>) -> Result<Response, Response> {
    user.administrator.recent_sign_in(&user.path_of(&id, "/roles")).await?;
    let person = user.user(&id).await?;
    Ok(user.roles_page(&person, &person.roles, None))
}

/// Roles as one text, whatever their order and whether they are named or identified.
fn role_set(roles: &[String]) -> String {
    let roles: BTreeSet<&str> = roles.iter().map(|role| role::id(role)).collect();
    roles.into_iter().collect::<Vec<_>>().join(" ")
}

/// `POST /admin/users/{id}/roles`. Administrators keep their own role, so that one is left.
pub(super) async fn save(user: UserAdministrator, Path(id): Path<String>, body: Bytes) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    user.administrator.recent_sign_in(&user.path_of(&id, "/roles")).await?;
    let roles: Vec<String> = fields.all("role").map(str::to_owned).collect();
    let (person, texts) = (user.user(&id).await?, user.administrator.texts());
    if user.is_own(&id) && !has_admin(&roles) {
        let refusal = (StatusCode::BAD_REQUEST, texts.own_account.to_owned());
        return Ok(user.roles_page(&person, &roles, Some(refusal)));
    }
    let (entered, stored) = (role_set(&roles), role_set(&person.roles));
    match Difference::of(&fields, "roles", (&entered, &stored), str::to_owned) {
        Difference::Unchanged => return Ok(see_other(&user.path_of(&id, &format!("?done={CHANGED}")))),
        Difference::Changed => {}
        Difference::Conflict => return Ok(user.roles_conflict(&person, &roles)),
    }
    let signed_in = &user.administrator.signed_in;
    let expected = ExpectedUser { roles: Some(RoleList { roles: person.roles }), ..ExpectedUser::default() };
    let change = UpdateUserRequest {
        roles: Some(RoleList { roles: roles.clone() }),
        expected: Some(expected),
        ..UpdateUserRequest::default()
    };
    let changed = signed_in.state.administration.update_user(&signed_in.on_behalf(), &id, change).await;
    if changed.as_ref().is_err_and(|status| Kind::from_grpc(status.code()) == Kind::Aborted) {
        return Ok(user.roles_conflict(&user.user(&id).await?, &roles));
    }
    changed.map_err(|status| user.administrator.failure(&status))?;
    Ok(see_other(&user.path_of(&id, &format!("?done={CHANGED}"))))
}
