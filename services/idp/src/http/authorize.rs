//! The authorization endpoint (RFC 6749 3.1, `OpenID` Connect Core 3).

#[cfg(test)]
mod tests;

use axum::Router;
use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::response::Response;
use axum::routing::get;
use oidc::error::ErrorCode;
use oidc::request::RequestError;

use super::authorization_response::reject;
use super::interaction::{FlowStage, continue_flow};
use super::issuer::{Issuer, at_every_issuer};
use super::pages;
use crate::engine::authorize::flow::{Destination, Flow};
use crate::engine::authorize::request;
use crate::engine::provider::Provider;

/// The longest form, in bytes.
const MAX_FORM: usize = 64 * 1024;

/// The authorization endpoint of every issuer.
pub(crate) fn router(provider: &Provider) -> Router {
    at_every_issuer(provider, |paths| paths.authorization, &get(from_query).post(from_form))
}

async fn from_query(issuer: Issuer, RawQuery(query): RawQuery) -> Response {
    authorize(&issuer, query.unwrap_or_default().as_bytes()).await
}

/// The same by POST (`OpenID` Connect Core 3.1.2.1). The browser sends such a form without our cookies when it comes from
/// a client's page, and requests the page that follows with them.
async fn from_form(issuer: Issuer, body: Bytes) -> Response {
    if body.len() > MAX_FORM {
        let error =
            RequestError { code: ErrorCode::InvalidRequest, description: "the form is too long".into(), reply: None };
        return pages::error(&issuer.page(&[]), &error);
    }
    authorize(&issuer, &body).await
}

async fn authorize(issuer: &Issuer, parameters: &[u8]) -> Response {
    let parameters = form_urlencoded::parse(parameters).into_owned().collect();
    let request = match request::validate(&issuer.provider, &issuer.endpoints, parameters, None).await {
        Ok(request) => request,
        Err(rejection) => return reject(issuer, &rejection),
    };
    let session = match issuer.session().await {
        Ok(session) => session,
        Err(error) => return issuer.fault(&error),
    };
    let now = issuer.provider.clock.now();
    let flow = Flow::begin(issuer.endpoints.layout, Destination::Client(request.pending()), now);
    continue_flow(issuer, flow, session, FlowStage::Request(Box::new(request))).await
}
