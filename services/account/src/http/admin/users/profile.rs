//! The profile of a user: all attributes, as an administrator may change them.

use askama::Template;
use authn::User;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::users::v1::profiles_api_client::ProfilesApiClient;
use proto::doorward::users::v1::{GetProfileRequest, Person, SetProfileRequest};
use status::Kind;
use web::cookie::with_cookies;
use web::response::see_other;

use super::super::super::page::{Navigation, Page};
use super::super::super::self_service::{Changes, Conflicts, Field, ProfileText, Stored, profile_text};
use super::super::AdminSection;
use super::{UserAdministrator, by_id, name_of};
use crate::transport::Transport;

/// The value of the parameter `done` after the profile was changed.
pub(super) const SAVED: &str = "profile";

#[derive(Template)]
#[template(path = "admin_user_profile.html")]
struct ProfilePage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    text: ProfileText,
    name: &'a str,
    has_errors: bool,
    fields: Vec<Field>,
    address: Vec<Field>,
    csrf: String,
    path: String,
    user_path: String,
}

/// The purpose of the form for this user.
fn form(id: &str) -> String {
    format!("admin-user-profile {id}")
}

impl UserAdministrator {
    /// users, which has the profiles.
    fn profiles(&self) -> Option<ProfilesApiClient<Transport>> {
        self.administrator.signed_in.state.administration.profiles.clone()
    }

    /// The user, and the profile as stored.
    async fn stored_profile(&self, id: &str) -> Result<(Person, Stored), Response> {
        let mut profiles = self.profiles().ok_or_else(|| self.administrator.not_found())?;
        let person = self.user(id).await?;
        let message = GetProfileRequest { user: Some(by_id(id)) };
        let profile = profiles.get_profile(self.administrator.signed_in.on_behalf().call(message)).await;
        let profile = profile.map_err(|status| self.administrator.failure(&status))?.into_inner();
        let user = User { display_name: person.display_name.clone(), ..User::default() };
        Ok((person, Stored::new(user, profile)))
    }

    fn profile_page(&self, person: &Person, stored: &Stored, entered: &Changes, conflicts: &Conflicts) -> Response {
        let (administrator, context) = (&self.administrator, self.administrator.context());
        let status = if !entered.are_accepted() {
            StatusCode::BAD_REQUEST
        } else if !conflicts.is_empty() {
            StatusCode::CONFLICT
        } else {
            StatusCode::OK
        };
        let (fields, address) = stored.fields(context.language, entered, conflicts);
        let (browser, cookie) = administrator.signed_in.browser();
        let page = ProfilePage {
            page: context.page(administrator.texts().profile),
            navigation: administrator.navigation(AdminSection::Users),
            text: profile_text(context.language),
            name: name_of(person),
            has_errors: status != StatusCode::OK,
            fields,
            address,
            csrf: administrator.signed_in.csrf(&browser, &form(&person.id)),
            path: self.path_of(&person.id, "/profile"),
            user_path: self.path_of(&person.id, ""),
        };
        with_cookies(context.respond(status, &page), cookie)
    }
}

/// `GET /admin/users/{id}/profile`.
pub(super) async fn show(user: UserAdministrator, Path(id): Path<String>) -> Result<Response, Response> {
    let (person, stored) = user.stored_profile(&id).await?;
    Ok(user.profile_page(&person, &stored, &Changes::default(), &Conflicts::default()))
}

/// `POST /admin/users/{id}/profile`: changes the fields that differ from what the form showed.
pub(super) async fn save(user: UserAdministrator, Path(id): Path<String>, body: Bytes) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    let (person, stored) = user.stored_profile(&id).await?;
    let changes = stored.changes(&fields);
    let conflicts = stored.conflicts(&fields, &changes);
    if !changes.are_accepted() || !conflicts.is_empty() {
        return Ok(user.profile_page(&person, &stored, &changes, &conflicts));
    }
    if !changes.is_empty() {
        let message = SetProfileRequest { user: Some(by_id(&id)), ..stored.request(&changes) };
        let mut profiles = user.profiles().ok_or_else(|| user.administrator.not_found())?;
        let set = profiles.set_profile(user.administrator.signed_in.on_behalf().call(message)).await;
        if set.as_ref().is_err_and(|status| Kind::from_grpc(status.code()) == Kind::Aborted) {
            let (person, now_stored) = user.stored_profile(&id).await?;
            let conflicts = now_stored.changed_since(&stored, &changes);
            return Ok(user.profile_page(&person, &now_stored, &changes, &conflicts));
        }
        set.map_err(|status| user.administrator.failure(&status))?;
    }
    Ok(see_other(&user.path_of(&id, &format!("?done={SAVED}"))))
}
