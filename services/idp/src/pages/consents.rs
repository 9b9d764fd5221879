//! Which applications somebody has let in.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::answer::{Page, answer};
use super::policy::Policy;
use super::{Look, ScopeWord};
use crate::endpoints::page::CONSENTS;

/// An application that was let in.
#[derive(Debug, Clone)]
pub struct ConsentRow<'a> {
    /// Its identifier, which the button sends.
    pub client_id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What it may.
    pub scopes: Vec<ScopeWord<'a>>,
    /// The day since when, as people read it.
    pub since: String,
}

#[derive(Template)]
#[template(path = "consents.html")]
struct List<'a> {
    page: Page<'a>,
    csrf: &'a str,
    person: &'a str,
    rows: &'a [ConsentRow<'a>],
}

/// The list. Each row has a button that is posted to [`CONSENTS`] with the fields `csrf` and `client`.
pub fn consents(look: &Look<'_>, csrf: &str, person: &str, rows: &[ConsentRow<'_>]) -> Response {
    let page = List { page: Page::new(look, look.words().consents_title), csrf, person, rows };
    answer(look, StatusCode::OK, &Policy::here(), &page)
}
