//! Answers that the browser posts to the client (OAuth 2.0 Form Post Response Mode).

use std::sync::LazyLock;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use web::policy::{Forms, Policy, script_hash};

use super::{Page, PageContext};

/// The one script there is. Without it there is a button.
const SCRIPT: &str = "document.forms[0].submit()";

/// What the policy knows it by.
static HASH: LazyLock<String> = LazyLock::new(|| script_hash(SCRIPT));

#[derive(Template)]
#[template(path = "form_post.html")]
struct Form<'a> {
    page: Page<'a>,
    action: &'a str,
    fields: &'a [(&'a str, &'a str)],
    script: &'static str,
}

/// A form that sends itself to `action`, the registered redirect URI. Unlike every other page it may be shown in a frame,
/// since clients renew sign-ins there (`prompt=none`): it holds nothing but what goes to the client.
pub fn form_post(context: &PageContext<'_>, action: &str, fields: &[(&str, &str)]) -> Response {
    let page = Form { page: context.page(context.words().moment_title), action, fields, script: SCRIPT };
    let policy = Policy { forms: Forms::Anywhere, script: Some(&HASH), framed: true, ..Policy::here() };
    context.respond(StatusCode::OK, &policy, &page)
}
