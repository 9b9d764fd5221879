//! Deletes a service account, after a confirmation and a recent sign-in.

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::serviceaccounts::v1::ServiceAccount;
use web::cookie::with_cookies;
use web::response::see_other;

use super::super::AdminSection;
use super::super::confirm::Confirm;
use super::super::field::Field;
use super::{MAX_ID, SERVICE_ACCOUNTS, ServiceAccountAdministrator, list, name_of};

/// The purpose of the form for this account.
fn form(id: &str) -> String {
    format!("admin-delete-service-account {id}")
}

impl ServiceAccountAdministrator {
    fn delete_page(&self, account: &ServiceAccount, error: Option<&'static str>) -> Response {
        let (administrator, context, texts) = (&self.administrator, self.administrator.context(), self.texts());
        let (browser, cookie) = administrator.signed_in.browser();
        let field = Field::text("id", texts.type_id, "").required();
        let field = Field { hint: Some(account.id.clone()), ..field };
        let page = Confirm {
            page: context.page(texts.delete),
            navigation: administrator.navigation(AdminSection::ServiceAccounts),
            texts: administrator.texts(),
            name: name_of(account),
            means: texts.delete_means,
            unfinished: None,
            field: Some(field.with_errors(error.map(str::to_owned))),
            button: texts.delete,
            is_danger: true,
            csrf: administrator.signed_in.csrf(&browser, &form(&account.id)),
            path: self.path_of(&account.id, "/delete"),
            cancel_path: self.path_of(&account.id, ""),
        };
        let status = if error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        with_cookies(context.respond(status, &page), cookie)
    }
}

/// `GET /admin/service-accounts/of/{id}/delete`: asks for confirmation.
pub(super) async fn confirm(user: ServiceAccountAdministrator, Path(id): Path<String>) -> Result<Response, Response> {
    user.administrator.recent_sign_in(&user.path_of(&id, "/delete")).await?;
    let account = user.account(&id).await?;
    Ok(user.delete_page(&account, None))
}

/// `POST /admin/service-accounts/of/{id}/delete`.
pub(super) async fn delete(
    user: ServiceAccountAdministrator,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let fields = user.administrator.signed_in.own_form(&form(&id), &body);
    let fields = fields.ok_or_else(|| user.administrator.forgery())?;
    user.administrator.recent_sign_in(&user.path_of(&id, "/delete")).await?;
    let account = user.account(&id).await?;
    if fields.one("id", MAX_ID).ok().flatten().unwrap_or_default().trim() != account.id {
        return Ok(user.delete_page(&account, Some(user.texts().type_wrong)));
    }
    let (services, by) = user.services();
    let deleted = services.delete_service_account(&by, &id).await;
    deleted.map_err(|status| user.administrator.failure(&status))?;
    Ok(see_other(&user.administrator.path(&format!("{SERVICE_ACCOUNTS}?done={}", list::DELETED))))
}
