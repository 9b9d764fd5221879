//! `POST page::CANCEL`: a user goes back to the client without signing in. The client gets `access_denied` (RFC 6749 4.1.2.1), only
//! at the redirect URI that was checked when the flow began (`docs/security-requirements.md#w2`). A user who has given the
//! password and not the second factor goes back to the form for login name and password.

#[cfg(test)]
mod tests;

use authn::audit::Event;
use axum::Router;
use axum::body::Bytes;
use axum::response::Response;
use axum::routing::post;
use oidc::error::ErrorCode;
use web::form::Parameters;
use web::response::see_other;

use super::authorization_response::reject;
use super::factor;
use super::interaction::{CANCEL, is_own_form, resumed};
use super::issuer::{Issuer, IssuerState};
use super::pages::Notice;
use crate::endpoints::page;
use crate::engine::authorize::flow::Destination;
use crate::engine::authorize::response;

/// The form, which all issuers share.
pub(crate) fn router(state: IssuerState) -> Router {
    Router::new().route(page::CANCEL, post(cancel)).with_state(state)
}

async fn cancel(issuer: Issuer, body: Bytes) -> Response {
    let form = Parameters::unlimited(&body);
    let Some((issuer, flow)) = issuer.open(form.text("flow")) else { return issuer.expired() };
    if !is_own_form(&issuer, CANCEL, (form.text("flow"), form.text("csrf"))) {
        return issuer.notice(Notice::Forgery);
    }
    if flow.password.is_some() {
        return factor::begin_anew(&issuer, &flow);
    }
    // a page of ours needs the second factor of a signed-in user
    if let Destination::Path(_) = &flow.destination {
        return see_other(&issuer.endpoints.url(page::CONSENTS));
    }
    let Some(request) = resumed(&issuer, &flow).await else { return issuer.expired() };
    Event { client: &request.client.id, ..Event::new("sign_in", "cancelled") }.log();
    let error = (ErrorCode::AccessDenied, "the user has cancelled the sign-in");
    reject(&issuer, &response::refuse(&issuer.provider, &request, error).await)
}
