//! `page::SECURITY`: how a user signs in. The authenticator app is added, replaced and removed here, recovery codes are made, and
//! trusted devices forgotten, in a session whose user has signed in a short time ago with the second factor, if there is one
//! (`docs/security-requirements.md#f30`).

mod app;

#[cfg(test)]
mod tests;

use authn::Caller;
use axum::Router;
use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::http::Extensions;
use axum::response::Response;
use axum::routing::{get, post};
use store::StoreError;
use web::cookie::with_cookies;
use web::csrf::Browser;
use web::date::LocalizedTime;
use web::form::Parameters;
use web::response::see_other;

use super::fresh_session::{self, FreshSession};
use super::issuer::{Issuer, IssuerState};
use super::pages::{self, AppStatus, Notice, SecurityChange, SecurityNote, SecurityStatus, SecurityTokens};
use crate::config::MultiFactorPolicy;
use crate::endpoints::page;
use crate::engine::factors::{self, policy, recovery_code, trusted_device};
use crate::store::FactorKind;

/// The pages and forms, which all issuers share. A `GET` on the URL of a form, as of a browser that restores its windows, leads to
/// the page.
pub(crate) fn router(state: IssuerState) -> Router {
    Router::new()
        .route(page::SECURITY, get(show))
        .route(page::SECURITY_CODES, post(make_codes).get(to_page))
        .route(page::SECURITY_DEVICES, post(forget_devices).get(to_page))
        .merge(app::router())
        .with_state(state)
}

/// `GET page::SECURITY`. The query names the change that was made before.
async fn show(issuer: Issuer, RawQuery(query): RawQuery) -> Response {
    let signed_in = match require(&issuer, page::SECURITY).await {
        Ok(signed_in) => signed_in,
        Err(response) => return response,
    };
    let query = Parameters::unlimited(query.unwrap_or_default().as_bytes());
    let note = SecurityChange::named(query.text("done")).map(SecurityNote::Done);
    show_status(&issuer, &signed_in, note).await
}

async fn to_page(issuer: Issuer) -> Response {
    see_other(&issuer.endpoints.url(page::SECURITY))
}

/// `POST page::SECURITY_CODES`
async fn make_codes(issuer: Issuer, extensions: Extensions, body: Bytes) -> Response {
    let submission = match read(&issuer, &extensions, &body, (page::SECURITY_CODES, page::SECURITY)).await {
        Ok(submission) => submission,
        Err(response) => return response,
    };
    let (provider, user) = (&issuer.provider, submission.user_id());
    match factors::is_enrolled(provider, user).await {
        Ok(true) => {}
        // it was removed meanwhile: there is nothing to recover
        Ok(false) => return see_other(&issuer.endpoints.url(page::SECURITY)),
        Err(error) => return issuer.fault(&error),
    }
    match recovery_code::replace(provider, user, &submission.caller).await {
        Ok(codes) => pages::recovery_codes(&issuer.page(&[]), &codes, page::SECURITY),
        Err(error) => issuer.fault(&error),
    }
}

/// `POST page::SECURITY_DEVICES`
async fn forget_devices(issuer: Issuer, extensions: Extensions, body: Bytes) -> Response {
    let submission = match read(&issuer, &extensions, &body, (page::SECURITY_DEVICES, page::SECURITY)).await {
        Ok(submission) => submission,
        Err(response) => return response,
    };
    match trusted_device::forget_all(&issuer.provider, submission.user_id(), &submission.caller).await {
        Ok(()) => changed(&issuer, SecurityChange::DevicesForgotten),
        Err(error) => issuer.fault(&error),
    }
}

/// The user of a request, who has signed in a short time ago; otherwise the sign-in leads to a path of these pages. Without second
/// factors there are no such pages.
async fn require(issuer: &Issuer, path: &str) -> Result<FreshSession, Response> {
    if issuer.provider.config.mfa.policy() == MultiFactorPolicy::Off {
        return Err(issuer.notice(Notice::NotFound));
    }
    fresh_session::require(issuer, path).await
}

/// A form of these pages, and who has sent it.
struct Submission {
    signed_in: FreshSession,
    form: Parameters,
    caller: Caller,
}

impl Submission {
    fn user_id(&self) -> &str {
        &self.signed_in.user.id.opaque_id
    }
}

/// The form that is sent to a path, and shown at another one.
async fn read(
    issuer: &Issuer,
    extensions: &Extensions,
    body: &Bytes,
    (path, shown_at): (&str, &str),
) -> Result<Submission, Response> {
    let signed_in = require(issuer, shown_at).await?;
    let form = Parameters::unlimited(body);
    if !issuer.is_own_form(&purpose_of(path, &signed_in), form.text("csrf")) {
        return Err(issuer.notice(Notice::Forgery));
    }
    Ok(Submission { signed_in, form, caller: issuer.caller(extensions) })
}

/// The purpose of a form: it counts in the session that it was shown in.
fn purpose_of(path: &str, FreshSession { session, .. }: &FreshSession) -> String {
    format!("{path} {}", session.id)
}

/// The token of the form that is sent to a path.
fn token(issuer: &Issuer, browser: &Browser, signed_in: &FreshSession, path: &str) -> String {
    issuer.csrf(browser, &purpose_of(path, signed_in))
}

/// Leads to the page after a change, which it names.
fn changed(issuer: &Issuer, change: SecurityChange) -> Response {
    see_other(&format!("{}?done={}", issuer.endpoints.url(page::SECURITY), change.name()))
}

/// The page, with what has just happened.
async fn show_status(issuer: &Issuer, signed_in: &FreshSession, note: Option<SecurityNote>) -> Response {
    let status = match status(issuer, signed_in).await {
        Ok(status) => status,
        Err(error) => return issuer.fault(&error),
    };
    let (browser, cookie) = issuer.browser();
    let [codes, devices] =
        [page::SECURITY_CODES, page::SECURITY_DEVICES].map(|path| token(issuer, &browser, signed_in, path));
    let tokens = SecurityTokens { codes: &codes, devices: &devices };
    with_cookies(pages::security(&issuer.page(&[]), &status, tokens, note), cookie)
}

async fn status<'a>(issuer: &'a Issuer, signed_in: &FreshSession) -> Result<SecurityStatus<'a>, StoreError> {
    let (provider, user) = (&issuer.provider, &*signed_in.user);
    let language = issuer.page(&[]).language;
    let factors = provider.store.factors(&user.id.opaque_id).await?;
    let app = factors.iter().find(|factor| factor.kind == FactorKind::Totp).map(|factor| AppStatus {
        since: LocalizedTime::day(factor.created, language),
        used: factor.used.map(|used| LocalizedTime::minute(used, language)),
    });
    Ok(SecurityStatus {
        app,
        is_enrolled: !factors.is_empty(),
        may_remove: policy::may_remove_one(provider, user).await?,
        codes_left: provider.store.recovery_codes_left(&user.id.opaque_id).await?,
        devices: trusted_device::count(provider, user).await?,
        account_url: provider.config.account_link(),
    })
}
