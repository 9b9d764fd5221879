//! The form for a new service account. An account gives access, so it needs a recent sign-in (`docs/security-requirements.md#n22`).

use askama::Template;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use web::cookie::with_cookies;

use super::super::super::page::{Navigation, Page};
use super::super::AdminSection;
use super::super::clients::problem;
use super::super::field::Field;
use super::super::service_account_text::ServiceAccountText;
use super::super::text::AdminText;
use super::form::AccountFields;
use super::{SERVICE_ACCOUNTS, ServiceAccountAdministrator};

/// The purpose of the form.
const FORM: &str = "admin-new-service-account";

#[derive(Template)]
#[template(path = "admin_new_service_account.html")]
struct NewAccountPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AdminText,
    account_texts: &'static ServiceAccountText,
    /// What auth-service says is wrong.
    problem: Option<&'a str>,
    fields: Vec<Field>,
    csrf: String,
    path: String,
    cancel_path: String,
}

/// What was sent, and what is wrong with it.
#[derive(Default)]
struct Entered<'a> {
    id: &'a str,
    fields: AccountFields,
    problem: Option<String>,
    is_date_invalid: bool,
}

impl ServiceAccountAdministrator {
    fn new_account_page(&self, entered: &Entered<'_>) -> Response {
        let (administrator, context, texts) = (&self.administrator, self.administrator.context(), self.texts());
        let id = Field::text("id", texts.account_id, entered.id).required();
        let id = Field { hint: Some(texts.id_hint.to_owned()), ..id };
        let others = entered.fields.fields(context.words().name, texts, entered.is_date_invalid);
        let (browser, cookie) = administrator.signed_in.browser();
        let page = NewAccountPage {
            page: context.page(texts.new_account),
            navigation: administrator.navigation(AdminSection::ServiceAccounts),
            texts: administrator.texts(),
            account_texts: texts,
            problem: entered.problem.as_deref(),
            fields: [id].into_iter().chain(others).collect(),
            csrf: administrator.signed_in.csrf(&browser, FORM),
            path: administrator.path(&format!("{SERVICE_ACCOUNTS}/new")),
            cancel_path: administrator.path(SERVICE_ACCOUNTS),
        };
        let is_wrong = entered.problem.is_some() || entered.is_date_invalid;
        let status = if is_wrong { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        with_cookies(context.respond(status, &page), cookie)
    }

    async fn recent_for_new(&self) -> Result<(), Response> {
        let path = self.administrator.path(&format!("{SERVICE_ACCOUNTS}/new"));
        self.administrator.recent_sign_in(&path).await
    }
}

/// `GET /admin/service-accounts/new`.
pub(super) async fn show(user: ServiceAccountAdministrator) -> Result<Response, Response> {
    user.recent_for_new().await?;
    Ok(user.new_account_page(&Entered::default()))
}

/// `POST /admin/service-accounts/new`.
pub(super) async fn create(user: ServiceAccountAdministrator, body: Bytes) -> Result<Response, Response> {
    let form = user.administrator.signed_in.own_form(FORM, &body);
    let form = form.ok_or_else(|| user.administrator.forgery())?;
    user.recent_for_new().await?;
    let (id, fields) = (form.text("id").trim(), AccountFields::of_form(&form));
    let Ok(message) = fields.new_account(id) else {
        return Ok(user.new_account_page(&Entered { id, fields, is_date_invalid: true, ..Entered::default() }));
    };
    let (services, by) = user.services();
    match services.create_service_account(&by, message).await {
        Ok(made) => Ok(user.secret_page(&made.account.unwrap_or_default(), &made.secret)),
        Err(status) => match problem(&status) {
            problem @ Some(_) => Ok(user.new_account_page(&Entered { id, fields, problem, ..Entered::default() })),
            None => Err(user.administrator.failure(&status)),
        },
    }
}
