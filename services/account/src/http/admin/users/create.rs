//! The form for a new user. It gives access, so it needs a recent sign-in.

use askama::Template;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::passwords::v1::{JudgePasswordRequest, JudgePasswordResponse, NewUserNames, SetPasswordRequest};
use proto::doorward::users::v1::CreateUserRequest;
use tonic::Status;
use web::cookie::with_cookies;
use web::form::Parameters;
use web::policy::Policy;
use web::response::see_other;

use super::super::super::page::{Navigation, Page};
use super::super::super::self_service::{password_hint, weaknesses};
use super::super::AdminSection;
use super::super::field::Field;
use super::super::text::AdminText;
use super::roles::{ROLES, role_name};
use super::{USERS, UserAdministrator, field_error};

/// The purpose of the form.
const FORM: &str = "admin-new-user";
/// The value of the parameter `done` after a user was created.
pub(super) const CREATED: &str = "created";
/// The same for a user whose password could not be set.
pub(super) const WITHOUT_PASSWORD: &str = "created-without-password";

/// The same for a user who was sent an invitation.
pub(super) const INVITED: &str = "invited";
/// The same for a user who could not be sent one.
pub(super) const WITHOUT_INVITATION: &str = "created-without-invitation";

/// What is in the fields, but for the password.
#[derive(Default)]
struct Entered {
    username: String,
    display_name: String,
    mail: String,
    role: String,
    /// Whether the user is to be invited by e-mail.
    invite: bool,
    /// The field that is wrong, and why.
    error: Option<(&'static str, &'static str)>,
    password_errors: Vec<String>,
}

impl Entered {
    fn of(form: &Parameters) -> Self {
        let value = |name: &str| form.text(name).trim().to_owned();
        let role = ROLES.into_iter().find(|role| *role == form.text("role")).unwrap_or_default().to_owned();
        Self {
            username: value("username"),
            display_name: value("display_name"),
            mail: value("mail"),
            role,
            invite: !form.text("invite").is_empty(),
            ..Self::default()
        }
    }

    /// Checks that an invitation has an address, and that no password is given which it would replace.
    fn check_invitation(&mut self, texts: &AdminText, password: &str) {
        if self.invite && self.mail.is_empty() {
            self.error = Some(("mail", texts.invite_needs_mail));
        }
        if self.invite && !password.is_empty() {
            self.password_errors.push(texts.invite_without_password.to_owned());
        }
    }

    fn has_errors(&self) -> bool {
        self.error.is_some() || !self.password_errors.is_empty()
    }

    fn names(&self) -> NewUserNames {
        NewUserNames {
            username: self.username.clone(),
            mail: self.mail.clone(),
            display_name: self.display_name.clone(),
        }
    }
}

/// A role that the user may be given.
struct Choice {
    value: &'static str,
    text: &'static str,
    is_selected: bool,
}

#[derive(Template)]
#[template(path = "admin_new_user.html")]
struct NewUserPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AdminText,
    has_errors: bool,
    fields: Vec<Field>,
    roles: Vec<Choice>,
    /// Whether the choice of an invitation is made; `None` if there is none, as idp sends no mail.
    invite: Option<bool>,
    /// `None` if passwords are in another system.
    password: Option<Field>,
    csrf: String,
    path: String,
    cancel_path: String,
}

impl UserAdministrator {
    /// What the policy says of a password of a user with these names; `None` if passwords are in another system.
    async fn judge_new(&self, entered: &Entered, password: &str) -> Option<JudgePasswordResponse> {
        let signed_in = &self.administrator.signed_in;
        let request = JudgePasswordRequest {
            password: password.to_owned(),
            new_user: Some(entered.names()),
            ..JudgePasswordRequest::default()
        };
        signed_in.state.administration.judge_password(&signed_in.on_behalf(), request).await.ok()
    }

    async fn new_user_page(&self, entered: Entered, policy: Option<&JudgePasswordResponse>) -> Response {
        let (administrator, context) = (&self.administrator, self.administrator.context());
        let (words, texts) = (context.words(), administrator.texts());
        let has_errors = entered.has_errors();
        let errors = |name: &str| entered.error.filter(|(field, _)| *field == name).map(|(_, text)| text.to_owned());
        let role = |value: &'static str| Choice {
            value,
            text: role_name(words, value),
            is_selected: if entered.role.is_empty() { value == ROLES[0] } else { value == entered.role },
        };
        let username = Field::text("username", words.username, &entered.username).required();
        let mail = Field { input_type: "email", ..Field::text("mail", words.mail, &entered.mail) };
        let fields = vec![
            Field { hint: Some(texts.username_hint.to_owned()), ..username }.with_errors(errors("username")),
            Field::text("display_name", words.name, &entered.display_name).with_errors(errors("display_name")),
            mail.with_errors(errors("mail")),
        ];
        let roles = ROLES.map(role).into();
        let hint =
            policy.map(|policy| format!("{} {}", texts.password_optional, password_hint(context.language, policy)));
        let password = hint.map(|hint| Field::password("password", texts.new_password, hint));
        let (browser, cookie) = administrator.signed_in.browser();
        let page = NewUserPage {
            page: context.page(texts.new_user).with_script(),
            navigation: administrator.navigation(AdminSection::Users),
            texts,
            has_errors,
            fields,
            roles,
            invite: self.can_invite().await.then_some(entered.invite),
            password: password.map(|field| field.with_errors(entered.password_errors)),
            csrf: administrator.signed_in.csrf(&browser, FORM),
            path: administrator.path(&format!("{USERS}/new")),
            cancel_path: administrator.path(USERS),
        };
        let status = if has_errors { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        with_cookies(context.respond_with(status, &Policy::here().with_own_script(), &page), cookie)
    }

    /// Creates the user; returns the identifier.
    async fn create_user(&self, entered: &Entered) -> Result<String, Status> {
        let message = CreateUserRequest {
            username: entered.username.clone(),
            mail: entered.mail.clone(),
            display_name: entered.display_name.clone(),
            roles: Some(entered.role.clone()).filter(|role| !role.is_empty()).into_iter().collect(),
            ..CreateUserRequest::default()
        };
        let signed_in = &self.administrator.signed_in;
        Ok(signed_in.state.administration.create_user(&signed_in.on_behalf(), message).await?.id)
    }

    /// Sends a new user the invitation, or sets the password, if one of them was chosen; returns what the next page says of it.
    async fn give_access(&self, id: &str, entered: &Entered, password: &str) -> &'static str {
        if entered.invite {
            let signed_in = &self.administrator.signed_in;
            return match signed_in.state.administration.invite_user(&signed_in.on_behalf(), id).await {
                Ok(()) => INVITED,
                Err(status) => {
                    tracing::warn!(%status, "a new user was not invited");
                    WITHOUT_INVITATION
                }
            };
        }
        let Some(mut passwords) = self.passwords().filter(|_| !password.is_empty()) else { return CREATED };
        let message = SetPasswordRequest { user_id: id.to_owned(), password: password.to_owned() };
        match passwords.set_password(self.administrator.signed_in.on_behalf().call(message)).await {
            Ok(_) => CREATED,
            Err(status) => {
                tracing::warn!(%status, "the password of a new user was not set");
                WITHOUT_PASSWORD
            }
        }
    }
}

/// `GET /admin/users/new`.
pub(super) async fn show(user: UserAdministrator) -> Result<Response, Response> {
    user.administrator.recent_sign_in(&user.administrator.path(&format!("{USERS}/new"))).await?;
    let entered = Entered::default();
    let policy = user.judge_new(&entered, "").await;
    Ok(user.new_user_page(entered, policy.as_ref()).await)
}

/// `POST /admin/users/new`. The password is judged before the user is created.
pub(super) async fn create(user: UserAdministrator, body: Bytes) -> Result<Response, Response> {
    let form = user.administrator.signed_in.own_form(FORM, &body);
    let form = form.ok_or_else(|| user.administrator.forgery())?;
    user.administrator.recent_sign_in(&user.administrator.path(&format!("{USERS}/new"))).await?;
    let (mut entered, password) = (Entered::of(&form), form.text("password"));
    let policy = user.judge_new(&entered, password).await;
    if let Some(policy) = policy.as_ref().filter(|_| !password.is_empty()) {
        entered.password_errors = weaknesses(user.administrator.context().language, policy);
    }
    entered.check_invitation(user.administrator.texts(), password);
    if entered.has_errors() {
        return Ok(user.new_user_page(entered, policy.as_ref()).await);
    }
    let id = match user.create_user(&entered).await {
        Ok(id) => id,
        Err(status) => {
            entered.error = field_error(user.administrator.texts(), &status);
            if entered.error.is_none() {
                return Err(user.administrator.failure(&status));
            }
            return Ok(user.new_user_page(entered, policy.as_ref()).await);
        }
    };
    let done = user.give_access(&id, &entered, password).await;
    Ok(see_other(&user.path_of(&id, &format!("?done={done}"))))
}
