//! A second secret for a service account, and the removal of one. Secrets are shown once.

use askama::Template;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::serviceaccounts::v1::ServiceAccount;
use web::cookie::with_cookies;
use web::policy::Policy;
use web::response::see_other;

use super::super::super::page::{Navigation, Page};
use super::super::AdminSection;
use super::super::confirm::Confirm;
use super::super::service_account_text::ServiceAccountText;
use super::{ServiceAccountAdministrator, edit, name_of};

/// After how many seconds the former secret may end.
const ENDS: [Option<u64>; 4] = [None, Some(86_400), Some(7 * 86_400), Some(30 * 86_400)];

/// When the former secret may end.
struct Choice {
    /// Seconds, or empty.
    value: String,
    text: &'static str,
}

fn value(end: Option<u64>) -> String {
    end.map(|seconds| seconds.to_string()).unwrap_or_default()
}

#[derive(Template)]
#[template(path = "admin_service_account_add_secret.html")]
struct AddSecretPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    account_texts: &'static ServiceAccountText,
    name: &'a str,
    /// None if the account has no secret.
    choices: Vec<Choice>,
    csrf: String,
    path: String,
    cancel_path: String,
}

#[derive(Template)]
#[template(path = "admin_service_account_secret.html")]
struct SecretPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    account_texts: &'static ServiceAccountText,
    name: &'a str,
    id: &'a str,
    secret: &'a str,
    account_path: String,
}

/// The purpose of the form that adds a secret to this account.
fn add_form(id: &str) -> String {
    format!("admin-service-account-add-secret {id}")
}

/// The purpose of the form that removes this secret.
fn remove_form(id: &str, secret: &str) -> String {
    format!("admin-service-account-remove-secret {id} {secret}")
}

impl ServiceAccountAdministrator {
    /// The page that shows a new secret.
    pub(super) fn secret_page(&self, account: &ServiceAccount, secret: &str) -> Response {
        let (administrator, context, texts) = (&self.administrator, self.administrator.context(), self.texts());
        let page = SecretPage {
            page: context.page(texts.secret_title).with_script(),
            navigation: administrator.navigation(AdminSection::ServiceAccounts),
            account_texts: texts,
            name: name_of(account),
            id: &account.id,
            secret,
            account_path: self.path_of(&account.id, ""),
        };
        context.respond_with(StatusCode::OK, &Policy::here().with_own_script(), &page)
    }
}

/// `GET /admin/service-accounts/of/{id}/secret`: asks for when the former secret ends.
pub(super) async fn choose(user: ServiceAccountAdministrator, Path(id): Path<String>) -> Result<Response, Response> {
    user.administrator.recent_sign_in(&user.path_of(&id, "/secret")).await?;
    let account = user.account(&id).await?;
    let (administrator, context, texts) = (&user.administrator, user.administrator.context(), user.texts());
    let words = [texts.stays, texts.ends_in_a_day, texts.ends_in_a_week, texts.ends_in_a_month];
    let choices = ENDS.into_iter().zip(words).map(|(end, text)| Choice { value: value(end), text });
    let (browser, cookie) = administrator.signed_in.browser();
    let page = AddSecretPage {
        page: context.page(texts.add_secret),
        navigation: administrator.navigation(AdminSection::ServiceAccounts),
        account_texts: texts,
        name: name_of(&account),
        choices: choices.filter(|_| !account.secrets.is_empty()).collect(),
        csrf: administrator.signed_in.csrf(&browser, &add_form(&id)),
        path: user.path_of(&id, "/secret"),
        cancel_path: user.path_of(&id, ""),
    };
    Ok(with_cookies(context.respond(StatusCode::OK, &page), cookie))
}

/// `POST /admin/service-accounts/of/{id}/secret`.
pub(super) async fn add(
    user: ServiceAccountAdministrator,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&add_form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    user.administrator.recent_sign_in(&user.path_of(&id, "/secret")).await?;
    let expire_old_in = ENDS.into_iter().find(|end| value(*end) == fields.text("end")).flatten();
    let (services, by) = user.services();
    let added = services.add_service_account_secret(&by, &id, expire_old_in).await;
    let added = added.map_err(|status| user.administrator.failure(&status))?;
    Ok(user.secret_page(&added.account.unwrap_or_default(), &added.secret))
}

/// `GET /admin/service-accounts/of/{id}/secret/{secret}`: asks for confirmation.
pub(super) async fn confirm(
    user: ServiceAccountAdministrator,
    Path((id, secret)): Path<(String, String)>,
) -> Result<Response, Response> {
    let path = user.path_of(&id, &format!("/secret/{secret}"));
    user.administrator.recent_sign_in(&path).await?;
    let account = user.account(&id).await?;
    let is_known = account.secrets.iter().any(|known| known.id == secret);
    if !is_known {
        return Err(user.administrator.not_found());
    }
    let (administrator, context, texts) = (&user.administrator, user.administrator.context(), user.texts());
    let name = format!("{}: {secret}", name_of(&account));
    let (browser, cookie) = administrator.signed_in.browser();
    let page = Confirm {
        page: context.page(texts.remove_secret),
        navigation: administrator.navigation(AdminSection::ServiceAccounts),
        texts: administrator.texts(),
        name: &name,
        means: texts.remove_secret_means,
        unfinished: None,
        field: None,
        button: texts.remove_secret,
        is_danger: true,
        csrf: administrator.signed_in.csrf(&browser, &remove_form(&id, &secret)),
        path,
        cancel_path: user.path_of(&id, ""),
    };
    Ok(with_cookies(context.respond(StatusCode::OK, &page), cookie))
}

/// `POST /admin/service-accounts/of/{id}/secret/{secret}`: removes it.
pub(super) async fn remove(
    user: ServiceAccountAdministrator,
    Path((id, secret)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&remove_form(&id, &secret), &body);
    fields.ok_or_else(|| user.administrator.forgery())?;
    user.administrator.recent_sign_in(&user.path_of(&id, &format!("/secret/{secret}"))).await?;
    let (services, by) = user.services();
    let removed = services.remove_service_account_secret(&by, &id, &secret).await;
    removed.map_err(|status| user.administrator.failure(&status))?;
    Ok(see_other(&user.path_of(&id, &format!("?done={}", edit::SECRET_REMOVED))))
}
