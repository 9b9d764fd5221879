//! Sets the password of a user. It is judged by the policy as the user's own would be, and no page contains it.

use askama::Template;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::passwords::v1::passwords_api_client::PasswordsApiClient;
use proto::doorward::passwords::v1::{JudgePasswordRequest, JudgePasswordResponse, SetPasswordRequest};
use proto::doorward::users::v1::Person;
use web::cookie::with_cookies;
use web::policy::Policy;
use web::response::see_other;

use super::super::super::page::{Navigation, Page};
use super::super::super::self_service::{password_hint, weaknesses};
use super::super::AdminSection;
use super::super::field::Field;
use super::super::text::AdminText;
use super::{UserAdministrator, name_of};
use crate::transport::Transport;

/// The value of the parameter `done` after the password was set.
pub(super) const SET: &str = "password";

#[derive(Template)]
#[template(path = "admin_user_password.html")]
struct PasswordPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AdminText,
    name: &'a str,
    field: Field,
    csrf: String,
    path: String,
    cancel_path: String,
}

/// The purpose of the form for this user.
fn form(id: &str) -> String {
    format!("admin-user-password {id}")
}

impl UserAdministrator {
    /// auth-basic, which has the passwords.
    pub(super) fn passwords(&self) -> Option<PasswordsApiClient<Transport>> {
        self.administrator.signed_in.state.administration.passwords.clone()
    }

    /// What the policy says of a password.
    async fn judge(&self, request: JudgePasswordRequest) -> Result<JudgePasswordResponse, Response> {
        let mut passwords = self.passwords().ok_or_else(|| self.administrator.not_found())?;
        let judged = passwords.judge_password(self.administrator.signed_in.on_behalf().call(request)).await;
        Ok(judged.map_err(|status| self.administrator.failure(&status))?.into_inner())
    }

    fn password_page(&self, person: &Person, policy: &JudgePasswordResponse, errors: Vec<String>) -> Response {
        let (administrator, context) = (&self.administrator, self.administrator.context());
        let texts = administrator.texts();
        let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        let (browser, cookie) = administrator.signed_in.browser();
        let hint = password_hint(context.language, policy);
        let page = PasswordPage {
            page: context.page(texts.set_password).with_script(),
            navigation: administrator.navigation(AdminSection::Users),
            texts,
            name: name_of(person),
            field: Field::password("password", texts.new_password, hint).required().with_errors(errors),
            csrf: administrator.signed_in.csrf(&browser, &form(&person.id)),
            path: self.path_of(&person.id, "/password"),
            cancel_path: self.path_of(&person.id, ""),
        };
        // the script shows what was typed
        with_cookies(context.respond_with(status, &Policy::here().with_own_script(), &page), cookie)
    }
}

/// `GET /admin/users/{id}/password`.
pub(super) async fn show(user: UserAdministrator, Path(id): Path<String>) -> Result<Response, Response> {
    user.administrator.recent_sign_in(&user.path_of(&id, "/password")).await?;
    let person = user.user(&id).await?;
    let policy = user.judge(JudgePasswordRequest { user_id: id, ..JudgePasswordRequest::default() }).await?;
    Ok(user.password_page(&person, &policy, Vec::new()))
}

/// `POST /admin/users/{id}/password`.
pub(super) async fn set(user: UserAdministrator, Path(id): Path<String>, body: Bytes) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    user.administrator.recent_sign_in(&user.path_of(&id, "/password")).await?;
    let mut passwords = user.passwords().ok_or_else(|| user.administrator.not_found())?;
    let person = user.user(&id).await?;
    let password = fields.text("password").to_owned();
    let request =
        JudgePasswordRequest { password: password.clone(), user_id: id.clone(), ..JudgePasswordRequest::default() };
    let judged = user.judge(request).await?;
    let problems = weaknesses(user.administrator.context().language, &judged);
    if !problems.is_empty() {
        return Ok(user.password_page(&person, &judged, problems));
    }
    let message = SetPasswordRequest { user_id: id.clone(), password };
    let set = passwords.set_password(user.administrator.signed_in.on_behalf().call(message)).await;
    set.map_err(|status| user.administrator.failure(&status))?;
    Ok(see_other(&user.path_of(&id, &format!("?done={SET}"))))
}
