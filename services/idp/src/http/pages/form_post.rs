//! Answers that the browser posts to the client (OAuth 2.0 Form Post Response Mode).

use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::PageContext;
use super::policy::{Forms, Policy};
use super::response::{Page, answer};

/// The one script there is. Without it there is a button.
const SCRIPT: &str = "document.forms[0].submit()";

/// What the policy knows it by.
static HASH: LazyLock<String> =
    LazyLock::new(|| format!("sha256-{}", STANDARD.encode(digest(&SHA256, SCRIPT.as_bytes()))));

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
    let page = Form { page: Page::new(context, context.words().moment_title), action, fields, script: SCRIPT };
    let policy = Policy { forms: Forms::Anywhere, script: Some(&HASH), framed: true, ..Policy::here() };
    answer(context, StatusCode::OK, &policy, &page)
}
