//! `page::FORGOTTEN`: a user who has lost the password asks for a link.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::num::NonZeroU32;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRef, State};
use axum::http::Extensions;
use axum::response::Response;
use axum::routing::get;
use web::cookie::with_cookies;
use web::form::Parameters;
use web::i18n::Language;

use super::issuer::{Issuer, IssuerState};
use super::pages::{self, ForgottenPassword, Notice};
use super::register::limiter::{LimitError, Limited, Limiter};
use crate::account_links;
use crate::endpoints::page;

/// The purpose of the form.
const PURPOSE: &str = "forgotten password";
/// How many links one source may ask for in an hour.
const PER_SOURCE: NonZeroU32 = NonZeroU32::new(10).expect("is not zero");
/// How many links all sources may ask for in a minute.
const IN_TOTAL: NonZeroU32 = NonZeroU32::new(120).expect("is not zero");
/// The longest login that is looked up, in bytes.
const MAX_LOGIN: usize = 1024;

#[derive(Clone)]
struct ForgottenState {
    issuer: IssuerState,
    by_source: Limiter,
    in_total: Limiter,
}

impl ForgottenState {
    /// The limits of row L4. One source must not use up what all have.
    async fn take(&self, source: Option<IpAddr>) -> Result<(), LimitError> {
        self.by_source.take(source).await?;
        self.in_total.take(None).await
    }
}

impl FromRef<ForgottenState> for IssuerState {
    fn from_ref(state: &ForgottenState) -> Self {
        state.issuer.clone()
    }
}

/// The page, which all issuers share. Without mail there is none.
pub(crate) fn router(issuer: IssuerState) -> Router {
    if !issuer.provider.mail.is_on() {
        return Router::new();
    }
    let by_source = Limiter::per_hour(&issuer.provider, Limited::LinkRequests, PER_SOURCE);
    let in_total = Limiter::per_minute(&issuer.provider, Limited::AllLinkRequests, IN_TOTAL);
    let state = ForgottenState { issuer, by_source, in_total };
    Router::new().route(page::FORGOTTEN, get(show).post(ask)).with_state(state)
}

async fn show(issuer: Issuer) -> Response {
    if !issuer.provider.mail.can_reset_passwords() {
        return issuer.notice(Notice::NotFound);
    }
    form(&issuer, None)
}

fn form(issuer: &Issuer, retry_after: Option<u64>) -> Response {
    let (browser, cookie) = issuer.browser();
    let csrf = issuer.csrf(&browser, PURPOSE);
    let page = pages::forgotten_password(&issuer.page(&[]), &ForgottenPassword { csrf: &csrf, retry_after });
    with_cookies(page, cookie)
}

/// Answers the same for every login, before it is looked up (`docs/security-requirements.md#l3`).
async fn ask(State(state): State<ForgottenState>, issuer: Issuer, extensions: Extensions, body: Bytes) -> Response {
    let provider = &issuer.provider;
    if !provider.mail.can_reset_passwords() {
        return issuer.notice(Notice::NotFound);
    }
    let parameters = Parameters::unlimited(&body);
    if !issuer.is_own_form(PURPOSE, parameters.text("csrf")) {
        return issuer.notice(Notice::Forgery);
    }
    let caller = issuer.caller(&extensions);
    match state.take(caller.source).await {
        Ok(()) => {}
        Err(LimitError::TooOften(wait)) => return form(&issuer, Some(wait)),
        Err(LimitError::Store(error)) => return issuer.fault(&error),
    }
    let login = parameters.text("username").trim();
    if !login.is_empty() && login.len() <= MAX_LOGIN {
        let asked_by = crypto::fingerprint(issuer.browser().0.value().as_bytes());
        let language = Language::choose(&[], &issuer.headers);
        let request = account_links::request_reset(provider.clone(), login.to_owned(), (asked_by, language), caller);
        provider.mail.request(request);
    }
    pages::link_sent(&issuer.page(&[]))
}
