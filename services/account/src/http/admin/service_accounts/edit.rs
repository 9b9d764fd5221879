//! The page of a service account: what it is, its settings, and its secrets.

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::serviceaccounts::v1::{ServiceAccount, ServiceAccountSecret};
use web::cookie::with_cookies;
use web::date::LocalizedTime;
use web::form::Parameters;
use web::response::see_other;

use super::super::super::page::{Navigation, Page};
use super::super::super::tokens::time;
use super::super::AdminSection;
use super::super::clients::problem;
use super::super::field::Field;
use super::super::service_account_text::ServiceAccountText;
use super::super::text::AdminText;
use super::super::user_names::{UserNames, distinct};
use super::form::AccountFields;
use super::{ServiceAccountAdministrator, name_of, state_text};

/// Values of the parameter `done`: what the form before the page has done.
const SAVED: &str = "saved";
pub(super) const SECRET_REMOVED: &str = "secret-removed";
/// How many secrets an account has at most.
const MAX_SECRETS: usize = 2;

/// A secret, as the page shows it.
struct Row {
    id: String,
    created: Option<LocalizedTime>,
    /// Who has made it.
    created_by: String,
    expires: Option<LocalizedTime>,
    last_used: Option<LocalizedTime>,
    path: String,
}

/// What was sent, and what is wrong with it.
#[derive(Default)]
struct Entered {
    fields: Option<AccountFields>,
    problem: Option<String>,
    is_date_invalid: bool,
}

#[derive(Template)]
#[template(path = "admin_service_account.html")]
struct AccountPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    texts: &'static AdminText,
    account_texts: &'static ServiceAccountText,
    done: Option<&'static str>,
    problem: Option<&'a str>,
    account: &'a ServiceAccount,
    state: &'static str,
    scopes: String,
    created: Option<LocalizedTime>,
    /// Who has added it.
    created_by: String,
    last_used: Option<LocalizedTime>,
    /// The address of the last use and the program, as far as they are known.
    last_used_by: String,
    rows: Vec<Row>,
    may_add: bool,
    fields: [Field; 2],
    is_disabled: bool,
    csrf: String,
    path: String,
}

/// The purpose of the form for this account.
fn form(id: &str) -> String {
    format!("admin-service-account {id}")
}

impl ServiceAccountAdministrator {
    async fn account_page(&self, account: &ServiceAccount, entered: &Entered, done: Option<&'static str>) -> Response {
        let makers = account.secrets.iter().map(|secret| secret.created_by.as_str());
        let makers = distinct(makers.chain([account.created_by.as_str()]));
        let names = UserNames::find(&self.administrator.signed_in, makers).await;
        let (administrator, context, texts) = (&self.administrator, self.administrator.context(), self.texts());
        let minute = |at: Option<i64>| at.and_then(time).map(|time| LocalizedTime::minute(time, context.language));
        let row = |secret: &ServiceAccountSecret| Row {
            id: secret.id.clone(),
            created: minute(Some(secret.created)),
            created_by: names.of(&secret.created_by),
            expires: minute(secret.expires),
            last_used: minute(secret.last_used),
            path: self.path_of(&account.id, &format!("/secret/{}", secret.id)),
        };
        let known = AccountFields::of_account(account);
        let fields = entered.fields.as_ref().unwrap_or(&known);
        let used_by = [account.last_used_from.as_str(), account.last_used_by.as_str()];
        let (browser, cookie) = administrator.signed_in.browser();
        let page = AccountPage {
            page: context.page(name_of(account)),
            navigation: administrator.navigation(AdminSection::ServiceAccounts),
            texts: administrator.texts(),
            account_texts: texts,
            done,
            problem: entered.problem.as_deref(),
            account,
            state: state_text(texts, account, self.now()),
            scopes: account.scopes.join(", "),
            created: minute(Some(account.created)),
            created_by: names.of(&account.created_by),
            last_used: minute(account.last_used),
            last_used_by: used_by.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "),
            rows: account.secrets.iter().map(row).collect(),
            may_add: account.secrets.len() < MAX_SECRETS,
            fields: fields.fields(context.words().name, texts, entered.is_date_invalid),
            is_disabled: fields.is_disabled,
            csrf: administrator.signed_in.csrf(&browser, &form(&account.id)),
            path: self.path_of(&account.id, ""),
        };
        let is_wrong = entered.problem.is_some() || entered.is_date_invalid;
        let status = if is_wrong { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        with_cookies(context.respond(status, &page), cookie)
    }
}

/// `GET /admin/service-accounts/of/{id}`.
pub(super) async fn show(
    user: ServiceAccountAdministrator,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let query = Parameters::of_query(query.as_deref()).map_err(|_| user.administrator.not_found())?;
    let account = user.account(&id).await?;
    let done = match query.text("done") {
        SAVED => Some(user.texts().saved),
        SECRET_REMOVED => Some(user.texts().secret_removed),
        _ => None,
    };
    Ok(user.account_page(&account, &Entered::default(), done).await)
}

/// `POST /admin/service-accounts/of/{id}`: changes the settings.
pub(super) async fn save(
    user: ServiceAccountAdministrator,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Response> {
    let sent = user.administrator.signed_in.own_form(&form(&id), &body);
    let sent = sent.ok_or_else(|| user.administrator.forgery())?;
    user.administrator.recent_sign_in(&user.path_of(&id, "")).await?;
    let account = user.account(&id).await?;
    let fields = AccountFields::of_form(&sent);
    let Ok(message) = fields.changes(&account) else {
        let entered = Entered { fields: Some(fields), is_date_invalid: true, ..Entered::default() };
        return Ok(user.account_page(&account, &entered, None).await);
    };
    let (services, by) = user.services();
    match services.update_service_account(&by, message).await {
        Ok(_) => Ok(see_other(&user.path_of(&id, &format!("?done={SAVED}")))),
        Err(status) => match problem(&status) {
            problem @ Some(_) => {
                let entered = Entered { fields: Some(fields), problem, ..Entered::default() };
                Ok(user.account_page(&account, &entered, None).await)
            }
            None => Err(user.administrator.failure(&status)),
        },
    }
}
