//! The applications that have access to an account.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use web::date::LocalizedTime;
use web::policy::Policy;

use super::{Page, PageContext, SIGN_OUT};
use crate::endpoints::page::{self, CONSENTS};
use crate::engine::scopes::RequestedScope;

/// An application that has access.
#[derive(Debug, Clone)]
pub struct ConsentRow<'a> {
    /// Its identifier, which the button sends.
    pub client_id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What it may.
    pub scopes: Vec<RequestedScope<'a>>,
    /// The day since when.
    pub since: LocalizedTime,
}

#[derive(Template)]
#[template(path = "consents.html")]
struct List<'a> {
    page: Page<'a>,
    tokens: FormTokens<'a>,
    person: &'a str,
    rows: &'a [ConsentRow<'a>],
}

/// What the forms of the list send back against forgery.
#[derive(Debug, Clone, Copy)]
pub struct FormTokens<'a> {
    /// Of the form that ends what one application may.
    pub remove: &'a str,
    /// Of the form that signs out everywhere.
    pub sign_out: &'a str,
}

/// The list. Each row has a button that is posted to [`CONSENTS`] with the fields `csrf` and `client`. Below them one is posted
/// to [`SIGN_OUT`](crate::endpoints::page::SIGN_OUT) with `csrf`, `decision` and `everywhere`.
pub fn consents(context: &PageContext<'_>, tokens: FormTokens<'_>, person: &str, rows: &[ConsentRow<'_>]) -> Response {
    let page = List { page: context.page(context.words().consents_title), tokens, person, rows };
    context.respond(StatusCode::OK, &Policy::here(), &page)
}
