//! Adds members to a group, and removes them. Groups decide on access and second factors, so both need a recent sign-in
//! (`docs/security-requirements.md#n3`).

use axum::body::Bytes;
use axum::extract::Path;
use axum::response::Response;
use proto::doorward::users::v1::{AddMemberRequest, PersonRef, RemoveMemberRequest, person_ref};
use status::Kind;
use web::response::see_other;

use super::super::users::{self, UserAdministrator};
use super::edit::{View, form};
use super::{MAX_NAME, by_id};

/// The value of the parameter `done` after the members were changed.
pub(super) const CHANGED: &str = "members";

/// `POST /admin/groups/{id}/members`: adds the user with the login name `username`.
pub(super) async fn add(
    mut user: UserAdministrator,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    let name = fields.one("username", MAX_NAME).ok().flatten().unwrap_or_default().trim();
    if let Some(sign_in) = user.administrator.sign_in_first(&user.path_of_group(&id, "")).await? {
        return user.group_page(&id, View { sign_in: Some(sign_in), new_member: name, ..View::default() }).await;
    }
    let member = PersonRef { by: Some(person_ref::By::Username(name.to_owned())) };
    let message = AddMemberRequest { group: Some(by_id(&id)), user: Some(member) };
    match user.users.add_member(user.administrator.signed_in.on_behalf().call(message)).await {
        Ok(_) => Ok(see_other(&user.path_of_group(&id, &format!("?done={CHANGED}")))),
        // the group may be what is gone, which the page shows
        Err(status) if Kind::from_grpc(status.code()) == Kind::NotFound => {
            let error = user.administrator.texts().no_such_user;
            user.group_page(&id, View { username: Some((name, error)), ..View::default() }).await
        }
        Err(status) => Err(user.administrator.failure(&status)),
    }
}

/// `POST /admin/groups/{id}/members/remove`: removes the user with the identifier `user`.
pub(super) async fn remove(
    mut user: UserAdministrator,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    if let Some(sign_in) = user.administrator.sign_in_first(&user.path_of_group(&id, "")).await? {
        return user.group_page(&id, View { sign_in: Some(sign_in), ..View::default() }).await;
    }
    let member = fields.one("user", MAX_NAME).ok().flatten().unwrap_or_default();
    let message = RemoveMemberRequest { group: Some(by_id(&id)), user: Some(users::by_id(member)) };
    let removed = user.users.remove_member(user.administrator.signed_in.on_behalf().call(message)).await;
    removed.map_err(|status| user.administrator.failure(&status))?;
    Ok(see_other(&user.path_of_group(&id, &format!("?done={CHANGED}"))))
}
