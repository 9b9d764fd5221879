//! Choosing an account.

use askama::Template;
use authn::User;
use axum::http::StatusCode;
use axum::response::Response;
use web::policy::Policy;

use super::application::Application;
use super::profile::Profile;
use super::{CONTINUE, OTHER, Page, PageContext};
use crate::endpoints::page::{ACCOUNT, CANCEL};
use crate::engine::clients::Client;

/// The question whether to go on as who is signed in (`prompt=select_account`). It is posted to [`ACCOUNT`] with the fields
/// `flow`, `csrf` and `decision` = [`CONTINUE`] or [`OTHER`].
pub struct Account<'a> {
    /// The flow, sealed.
    pub flow: &'a str,
    /// The token against forgery.
    pub csrf: &'a str,
    /// The token of the form that cancels.
    pub cancel: &'a str,
    /// Who is signed in.
    pub user: &'a User,
    /// For whom.
    pub client: &'a Client,
    /// Where the browser is sent in the end; its policy has to allow that.
    pub redirect_uri: Option<&'a str>,
}

#[expect(clippy::struct_field_names, reason = "the template calls it that")]
#[derive(Template)]
#[template(path = "account.html")]
struct Form<'a> {
    page: Page<'a>,
    form: &'a Account<'a>,
    application: Application<'a>,
    user: Profile<'a>,
}

/// The question.
pub fn account(context: &PageContext<'_>, form: &Account<'_>) -> Response {
    let page = context.page(context.words().account_title);
    let application = Application::of(form.client, form.redirect_uri);
    let page = Form { page, form, application, user: Profile::of(form.user) };
    context.respond(StatusCode::OK, &Policy::redirecting(form.redirect_uri), &page)
}
