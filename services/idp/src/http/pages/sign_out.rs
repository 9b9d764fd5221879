//! Signing out.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use web::policy::{Policy, is_destination};

use super::{Page, PageContext, STAY};
use crate::endpoints::page;

/// The question whether to sign out. It is posted to [`page::SIGN_OUT`] with the fields `csrf`, `decision` =
/// [`SIGN_OUT`](super::SIGN_OUT) or [`STAY`], and those that are hidden.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignOut<'a> {
    /// The token against forgery.
    pub csrf: &'a str,
    /// The application that asks for it, if it is known.
    pub client_name: Option<&'a str>,
    /// Further fields and their values.
    pub hidden: &'a [(&'a str, &'a str)],
    /// Where the browser is sent in the end; its policy has to allow that.
    pub redirect_uri: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "confirm_sign_out.html")]
struct Form<'a> {
    page: Page<'a>,
    form: &'a SignOut<'a>,
}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct Goodbye<'a> {
    page: Page<'a>,
    frames: &'a [String],
    continue_to: Option<&'a str>,
    front_page: &'a str,
}

/// The question.
pub fn confirm_sign_out(context: &PageContext<'_>, form: &SignOut<'_>) -> Response {
    let page = Form { page: context.page(context.words().sign_out_title), form };
    context.respond(StatusCode::OK, &Policy::redirecting(form.redirect_uri), &page)
}

/// What is shown afterwards. The frames tell applications of the end (`OpenID` Connect Front-Channel Logout 1.0); two
/// seconds after they have loaded, the browser goes on to `continue_to`, to which there is also a link. Without it there is one to
/// the front page.
pub fn signed_out(context: &PageContext<'_>, frames: &[String], continue_to: Option<&str>) -> Response {
    let continue_to = continue_to.filter(|address| is_destination(address));
    let front_page = context.endpoints.url("/");
    let page =
        Goodbye { page: context.page(context.words().signed_out_title), frames, continue_to, front_page: &front_page };
    context.respond(StatusCode::OK, &Policy { frames, ..Policy::here() }, &page)
}
