//! Connecting a device (RFC 8628 3.3).

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use web::i18n::waiting;
use web::policy::Policy;
use web::response::with_retry_after;

use super::application::Application;
use super::{ALLOW, DENY, Page, PageContext, message};
use crate::endpoints::page::DEVICE;
use crate::engine::clients::Client;
use crate::engine::scopes::RequestedScope;

/// Why a device's code is asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodeError {
    /// There is no such code, or no longer (400).
    Wrong,
    /// Too many attempts (429).
    TooMany {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// Codes cannot be looked up now (503).
    Unavailable,
    /// The form was open for too long; this is a new one (400).
    Expired,
}

impl CodeError {
    /// The status it is answered with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Wrong | Self::Expired => StatusCode::BAD_REQUEST,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn retry_after(self) -> Option<u64> {
        match self {
            Self::TooMany { retry_after } => Some(retry_after),
            _ => None,
        }
    }
}

/// The question whether a device may. It is posted to [`DEVICE`] with the fields `csrf`, `user_code`, `decision` = [`ALLOW`]
/// or [`DENY`], and `scope` once for each optional scope that is still ticked.
pub struct DeviceConfirm<'a> {
    /// The token against forgery.
    pub csrf: &'a str,
    /// The code, as the device shows it.
    pub user_code: &'a str,
    /// Whose device.
    pub client: &'a Client,
    /// For what.
    pub scopes: &'a [RequestedScope<'a>],
    /// Who is asked.
    pub person: &'a str,
}

#[expect(clippy::struct_field_names, reason = "the template calls it that")]
#[derive(Template)]
#[template(path = "device_code.html")]
struct Code<'a> {
    page: Page<'a>,
    csrf: &'a str,
    user_code: &'a str,
    error: Option<String>,
    /// Whether what was typed is wrong, rather than the time.
    invalid: bool,
}

#[derive(Template)]
#[template(path = "device_confirm.html")]
struct Confirm<'a> {
    page: Page<'a>,
    form: &'a DeviceConfirm<'a>,
    application: Application<'a>,
}

/// The form for the code. It is posted to [`DEVICE`] with the fields `csrf` and `user_code`, and without `decision`. The
/// code is as it was typed: only the page shows small letters as capitals. Its status is 200, or that of its error.
pub fn device_code(context: &PageContext<'_>, csrf: &str, user_code: &str, error: Option<CodeError>) -> Response {
    let words = context.words();
    let told = error.map(|error| match error {
        CodeError::Wrong => words.device_wrong.to_owned(),
        CodeError::TooMany { retry_after } => words.too_many.with(&waiting(retry_after)),
        CodeError::Unavailable => words.cannot_now.to_owned(),
        CodeError::Expired => words.form_expired.to_owned(),
    });
    let invalid = error == Some(CodeError::Wrong);
    let page = Code { page: context.page(words.device_title), csrf, user_code, error: told, invalid };
    let status = error.map_or(StatusCode::OK, CodeError::status);
    with_retry_after(context.respond(status, &Policy::here(), &page), error.and_then(CodeError::retry_after))
}

/// The question. The code is shown again, so that no user connects a stranger's device (RFC 8628 5.4).
pub fn device_confirm(context: &PageContext<'_>, form: &DeviceConfirm<'_>) -> Response {
    let page = context.page(context.words().device_title);
    let page = Confirm { page, form, application: Application::of(form.client, None) };
    context.respond(StatusCode::OK, &Policy::here(), &page)
}

/// What is shown afterwards.
pub fn device_done(context: &PageContext<'_>, allowed: bool) -> Response {
    let words = context.words();
    let (title, text) = if allowed {
        (words.device_done_title, words.device_done)
    } else {
        (words.device_denied_title, words.device_denied)
    };
    message(context, StatusCode::OK, title, text)
}
