//! A code that somebody carries to a program by hand.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::Look;
use super::answer::{Page, answer};
use super::notice::explained;
use super::policy::Policy;

#[derive(Template)]
#[template(path = "code.html")]
struct Shown<'a> {
    page: Page<'a>,
    code: &'a str,
}

/// The code; or the error and its description, where there is none.
pub fn out_of_band(look: &Look<'_>, result: Result<&str, (&str, &str)>) -> Response {
    let words = look.words();
    match result {
        Ok(code) => {
            let page = Shown { page: Page::new(look, words.code_title), code };
            answer(look, StatusCode::OK, &Policy::here(), &page)
        }
        Err(detail) => {
            let told = (words.code_failed_title, words.code_failed);
            explained(look, StatusCode::BAD_REQUEST, told, Some(detail))
        }
    }
}
