//! Deletes a group, after a confirmation and a recent sign-in (`docs/security-requirements.md#n3`).

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::users::v1::{DeleteGroupRequest, Group};
use web::cookie::with_cookies;
use web::response::see_other;

use super::super::AdminSection;
use super::super::confirm::Confirm;
use super::super::field::Field;
use super::super::users::UserAdministrator;
use super::{GROUPS, MAX_NAME, by_id, list};

/// The purpose of the form for this group.
fn form(id: &str) -> String {
    format!("admin-delete-group {id}")
}

impl UserAdministrator {
    fn delete_group_page(&self, group: &Group, error: Option<&'static str>) -> Response {
        let (administrator, context) = (&self.administrator, self.administrator.context());
        let texts = administrator.texts();
        let (browser, cookie) = administrator.signed_in.browser();
        let field = Field::text("name", texts.type_group, "").required();
        let field = Field { hint: Some(texts.type_hint.with(&group.name)), ..field };
        let page = Confirm {
            page: context.page(texts.delete_group.title),
            navigation: administrator.navigation(AdminSection::Groups),
            texts,
            name: &group.name,
            means: texts.delete_group.means,
            unfinished: None,
            field: Some(field.with_errors(error.map(str::to_owned))),
            button: texts.delete_group.link,
            is_danger: true,
            csrf: administrator.signed_in.csrf(&browser, &form(&group.id)),
            path: self.path_of_group(&group.id, "/delete"),
            cancel_path: self.path_of_group(&group.id, ""),
        };
        let status = if error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        with_cookies(context.respond(status, &page), cookie)
    }
}

/// `GET /admin/groups/{id}/delete`: asks for confirmation.
pub(super) async fn confirm(mut user: UserAdministrator, Path(id): Path<String>) -> Result<Response, Response> {
    user.administrator.recent_sign_in(&user.path_of_group(&id, "/delete")).await?;
    let group = user.group(&id).await?;
    Ok(user.delete_group_page(&group, None))
}

/// `POST /admin/groups/{id}/delete`.
pub(super) async fn delete(
    mut user: UserAdministrator,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    user.administrator.recent_sign_in(&user.path_of_group(&id, "/delete")).await?;
    let group = user.group(&id).await?;
    if fields.one("name", MAX_NAME).ok().flatten().unwrap_or_default().trim() != group.name {
        return Ok(user.delete_group_page(&group, Some(user.administrator.texts().type_wrong)));
    }
    let message = DeleteGroupRequest { group: Some(by_id(&id)) };
    let deleted = user.users.delete_group(user.administrator.signed_in.on_behalf().call(message)).await;
    deleted.map_err(|status| user.administrator.failure(&status))?;
    Ok(see_other(&user.administrator.path(&format!("{GROUPS}?done={}", list::DELETED))))
}
