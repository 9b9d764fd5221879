//! Asking for consent.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use web::policy::Policy;

use super::application::Application;
use super::{ALLOW, DENY, Page, PageContext};
use crate::endpoints::page::{CONSENT, CONSENTS};
use crate::engine::clients::Client;
use crate::engine::scopes::RequestedScope;

/// The question whether an application may. It is posted to [`CONSENT`] with the fields `flow`, `csrf`, `decision` =
/// [`ALLOW`] or [`DENY`], and `scope` once for each optional scope that is still ticked.
pub struct Consent<'a> {
    /// The flow, sealed.
    pub flow: &'a str,
    /// The token against forgery.
    pub csrf: &'a str,
    /// Who asks.
    pub client: &'a Client,
    /// Who is asked.
    pub person: &'a str,
    /// For what.
    pub scopes: &'a [RequestedScope<'a>],
    /// Where the browser is sent in the end; its policy has to allow that, and the page names its host.
    pub redirect_uri: Option<&'a str>,
}

#[expect(clippy::struct_field_names, reason = "the template calls it that")]
#[derive(Template)]
#[template(path = "consent.html")]
struct Form<'a> {
    page: Page<'a>,
    form: &'a Consent<'a>,
    application: Application<'a>,
}

/// The question.
pub fn consent(context: &PageContext<'_>, form: &Consent<'_>) -> Response {
    let page = context.page(context.words().consent_title);
    let page = Form { page, form, application: Application::of(form.client, form.redirect_uri) };
    context.respond(StatusCode::OK, &Policy::redirecting(form.redirect_uri), &page)
}
