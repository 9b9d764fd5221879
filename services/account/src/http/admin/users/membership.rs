//! Adds a user to a group, and removes the user from one. Groups decide on access and second factors, so both need a recent sign-in
//! (`docs/security-requirements.md#n3`).

use axum::body::Bytes;
use axum::extract::Path;
use axum::response::Response;
use proto::doorward::users::v1::{AddMemberRequest, GroupRef, RemoveMemberRequest, group_ref};
use status::Kind;
use web::response::see_other;

use super::edit::{Entered, groups_form};
use super::{UserAdministrator, by_id};

/// The longest name or identifier of a group that is read, in bytes.
const MAX_GROUP: usize = 1024;
/// The value of the parameter `done` after the groups were changed.
pub(super) const CHANGED: &str = "groups";

/// `POST /admin/users/{id}/groups`: adds the user to the group with the name `group`.
pub(super) async fn add(
    mut user: UserAdministrator,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&groups_form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    let name = fields.one("group", MAX_GROUP).ok().flatten().unwrap_or_default().trim().to_owned();
    if let Some(sign_in) = user.administrator.sign_in_first(&user.path_of(&id, "")).await? {
        let person = user.user(&id).await?;
        return Ok(user.edit_page(&person, &Entered::with_sign_in(&person, name, sign_in), None).await);
    }
    let group = Some(GroupRef { by: Some(group_ref::By::Name(name.clone())) });
    let message = AddMemberRequest { group, user: Some(by_id(&id)) };
    match user.users.add_member(user.administrator.signed_in.on_behalf().call(message)).await {
        Ok(_) => Ok(see_other(&user.path_of(&id, &format!("?done={CHANGED}")))),
        Err(status) if Kind::from_grpc(status.code()) == Kind::NotFound => {
            // the user may be what is gone, which reading it shows
            let person = user.user(&id).await?;
            let entered = Entered::with_group(&person, name, user.administrator.texts().no_such_group);
            Ok(user.edit_page(&person, &entered, None).await)
        }
        Err(status) => Err(user.administrator.failure(&status)),
    }
}

/// `POST /admin/users/{id}/groups/remove`: removes the user from the group with the identifier `group`.
pub(super) async fn remove(
    mut user: UserAdministrator,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&groups_form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    if let Some(sign_in) = user.administrator.sign_in_first(&user.path_of(&id, "")).await? {
        let person = user.user(&id).await?;
        return Ok(user.edit_page(&person, &Entered::with_sign_in(&person, String::new(), sign_in), None).await);
    }
    let group = fields.one("group", MAX_GROUP).ok().flatten().unwrap_or_default().to_owned();
    let group = Some(GroupRef { by: Some(group_ref::By::Id(group)) });
    let message = RemoveMemberRequest { group, user: Some(by_id(&id)) };
    let removed = user.users.remove_member(user.administrator.signed_in.on_behalf().call(message)).await;
    removed.map_err(|status| user.administrator.failure(&status))?;
    Ok(see_other(&user.path_of(&id, &format!("?done={CHANGED}"))))
}
