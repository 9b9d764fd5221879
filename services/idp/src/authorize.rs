//! The authorization endpoint (RFC 6749 3.1, `OpenID` Connect Core 3) and the pages on the way to its answer.
//!
//! A request is `request::resolve`d until everything about it is good, then `decide::step` says what is still asked of
//! the person. What is asked is shown by one page, `page::SIGN_IN`, which begins with that question again each time: so
//! nothing is lost when somebody reloads it, comes back to it, or has meanwhile signed in in another window.

mod answer;
mod consent;
mod decide;
mod interact;
mod object;
mod oob;
pub mod pushed;
mod refuse;
mod request;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use oidc::error::ErrorCode;
use oidc::request::RequestError;

use crate::endpoints::{self, Site};
use crate::flow::{Flow, Next};
use crate::pages::{self, Look};
use crate::provider::Provider;
use crate::session;

pub(crate) use answer::see_other;
pub(crate) use interact::{After, LOGON, go_on, is_shown_here, name, open, over, scope_words, show_sign_in};
pub(crate) use refuse::{fault, notice};
pub(crate) use request::KNOWN;

/// The longest form, in bytes.
const MAX_FORM: usize = 64 * 1024;

/// What a handler of one issuer works with.
#[derive(Clone)]
struct AtSite {
    provider: Provider,
    site: Site,
}

/// The routes of the authorization endpoint of each issuer, and of the pages that they share.
pub fn router(provider: &Provider) -> Router {
    let mut router = Router::new()
        .route(endpoints::page::SIGN_IN, get(interact::show))
        .route(endpoints::page::CONSENT, post(consent::decide))
        .route(endpoints::page::ACCOUNT, post(consent::choose_account))
        .with_state(provider.clone());
    for path in endpoints::page::OUT_OF_BAND {
        router = router.merge(Router::new().route(path, get(oob::show)).with_state(provider.clone()));
    }
    for site in &provider.sites {
        let at = AtSite { provider: provider.clone(), site: site.clone() };
        let endpoint = get(from_query).post(from_form);
        router = router.merge(Router::new().route(site.paths.authorization, endpoint).with_state(at));
    }
    router
}

async fn from_query(State(at): State<AtSite>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    authorize(&at, pairs(query.unwrap_or_default().as_bytes()), &headers).await
}

/// The same by POST (`OpenID` Connect Core 3.1.2.1). The browser sends such a form without our cookies when it comes from
/// a client's page; the page that follows is asked for with them.
async fn from_form(State(at): State<AtSite>, headers: HeaderMap, body: Bytes) -> Response {
    if body.len() > MAX_FORM {
        let look = Look::of(&at.provider, &at.site, &headers, &[]);
        let text =
            RequestError { code: ErrorCode::InvalidRequest, description: "the form is too long".into(), reply: None };
        return pages::error(&look, &text);
    }
    authorize(&at, pairs(&body), &headers).await
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

async fn authorize(at: &AtSite, parameters: Vec<(String, String)>, headers: &HeaderMap) -> Response {
    let AtSite { provider, site } = at;
    let checked = match request::resolve(provider, site, parameters, None).await {
        Ok(checked) => checked,
        Err(stop) => return refuse::stop(provider, site, headers, stop),
    };
    let session = match session::current(provider, site, headers).await {
        Ok(current) => current.map(|current| current.session),
        Err(error) => return refuse::fault(provider, site, headers, &error),
    };
    let flow = Flow::begin(site.layout, Next::Answer(checked.waiting()), provider.clock.now());
    go_on(provider, site, headers, flow, session, After::Request(Box::new(checked))).await
}
