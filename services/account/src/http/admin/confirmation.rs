//! The page that asks an administrator to confirm what is done to everything of a user.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use web::cookie::with_cookies;

use super::super::page::{Navigation, Page};
use super::AdminSection;
use super::administrator::Administrator;

/// What is confirmed.
pub(super) struct Confirmation<'a> {
    /// The page of the navigation to which it belongs.
    pub(super) section: AdminSection,
    pub(super) title: &'a str,
    /// What it means.
    pub(super) means: &'static str,
    /// The text of the button.
    pub(super) submit: &'static str,
    pub(super) user_id: &'a str,
    /// The purpose of the form.
    pub(super) form: &'static str,
    /// Where the form is sent.
    pub(super) action: String,
    pub(super) cancel_path: String,
}

#[derive(Template)]
#[template(path = "admin_confirm.html")]
struct Confirm<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    confirmation: &'a Confirmation<'a>,
    csrf: String,
}

impl Confirmation<'_> {
    /// The page.
    pub(super) fn respond(&self, administrator: &Administrator) -> Response {
        let context = administrator.context();
        let (browser, cookie) = administrator.signed_in.browser();
        let page = Confirm {
            page: context.page(self.title),
            navigation: administrator.navigation(self.section),
            csrf: administrator.signed_in.csrf(&browser, self.form),
            confirmation: self,
        };
        with_cookies(context.respond(StatusCode::OK, &page), cookie)
    }
}
