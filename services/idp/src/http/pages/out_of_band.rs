//! A code that the user carries to a program by hand.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use web::policy::Policy;

use super::notice::explained;
use super::{Page, PageContext};

#[derive(Template)]
#[template(path = "code.html")]
struct Shown<'a> {
    page: Page<'a>,
    code: &'a str,
}

/// The code; or the error and its description, where there is none.
pub fn out_of_band(context: &PageContext<'_>, result: Result<&str, (&str, &str)>) -> Response {
    let words = context.words();
    match result {
        Ok(code) => {
            let page = Shown { page: context.page(words.code_title).with_script(), code };
            context.respond(StatusCode::OK, &Policy::here().with_own_script(), &page)
        }
        Err(detail) => {
            let told = (words.code_failed_title, words.code_failed);
            explained(context, StatusCode::BAD_REQUEST, told, Some(detail))
        }
    }
}
