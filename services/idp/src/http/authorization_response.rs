//! Responses of the authorization endpoint as HTTP.

use axum::response::Response;
use web::response::see_other;

use super::issuer::Issuer;
use super::pages;
use crate::engine::authorize::prompt::PromptError;
use crate::engine::authorize::rejection::Rejection;
use crate::engine::authorize::response::AuthorizationResponse;

/// Has the browser carry a response to the client.
pub(crate) fn respond(issuer: &Issuer, response: &AuthorizationResponse) -> Response {
    match response {
        AuthorizationResponse::Redirect(uri) => see_other(uri),
        AuthorizationResponse::FormPost { action, fields } => {
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            pages::form_post(&issuer.page(&[]), action, &fields)
        }
    }
}

/// Answers a request that is rejected.
pub(crate) fn reject(issuer: &Issuer, rejection: &Rejection) -> Response {
    match rejection {
        Rejection::Page(error) => pages::error(&issuer.page(&[]), error),
        Rejection::Client(client) => respond(issuer, &client.respond(&issuer.provider, &issuer.endpoints)),
        Rejection::Fault(error) => issuer.fault(error),
    }
}

/// Answers a request of which the next prompt is not known.
pub(crate) fn undecided(issuer: &Issuer, error: &PromptError) -> Response {
    let kind = match error {
        PromptError::Store(error) => error.kind(),
        PromptError::Directory(error) => error.kind(),
    };
    tracing::error!(%error, "a sign-in cannot continue");
    issuer.failure(kind)
}
