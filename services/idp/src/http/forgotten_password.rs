//! `page::FORGOTTEN`: a user who has lost the password asks for a link.

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRef, State};
use axum::http::Extensions;
use axum::response::Response;
use axum::routing::get;
use governor::Quota;
use web::cookie::with_cookies;
use web::form::Parameters;
use web::i18n::Language;

use super::issuer::{Issuer, IssuerState};
use super::pages::{self, ForgottenPassword, Notice};
use super::register::limiter::Limiter;
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
    by_source: Arc<Limiter>,
    in_total: Arc<Limiter>,
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
    let limiter = |quota| Arc::new(Limiter::with_quota(issuer.provider.clock.clone(), quota));
    let (by_source, in_total) = (limiter(Quota::per_hour(PER_SOURCE)), limiter(Quota::per_minute(IN_TOTAL)));
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
    // the limits of row L4; one source must not use up what all have
    if let Err(wait) = state.by_source.take(caller.source).and_then(|()| state.in_total.take(None)) {
        return form(&issuer, Some(wait.max(1)));
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
