//! The second factor: its code, enrolling one, and the recovery codes.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use web::i18n::waiting;
use web::policy::Policy;
use web::response::with_retry_after;

use super::i18n::factor::{FactorWords, words};
use super::{PageContext, REMEMBER};
use crate::endpoints::page::{CANCEL, ENROL, FACTOR};
use crate::engine::factors::enrolment::Enrolment;

/// The shell of these pages.
type Page<'a> = web::page::Page<'a, FactorWords>;

/// The form for a code. It is posted to [`FACTOR`] with the fields `flow`, `csrf`, `code` and, if the box is ticked, `trust` =
/// [`REMEMBER`].
#[derive(Default)]
pub struct FactorCode<'a> {
    /// The flow, sealed.
    pub flow: &'a str,
    /// The token against forgery.
    pub csrf: &'a str,
    /// The token of the form that cancels.
    pub cancel: &'a str,
    /// Where the browser is sent in the end; its policy has to allow that.
    pub redirect_uri: Option<&'a str>,
    /// Why the form is shown again.
    pub error: Option<FactorError>,
}

/// The form that enrols an authenticator app. It is posted to [`ENROL`] with the fields `flow`, `csrf`, `enrolment` and
/// `code`.
pub(crate) struct FactorEnrolment<'a> {
    /// The flow, sealed.
    pub(crate) flow: &'a str,
    /// The token against forgery.
    pub(crate) csrf: &'a str,
    /// The token of the form that cancels.
    pub(crate) cancel: &'a str,
    /// Where the browser is sent in the end; its policy has to allow that.
    pub(crate) redirect_uri: Option<&'a str>,
    /// Why the form is shown again.
    pub(crate) error: Option<FactorError>,
    /// What is enrolled.
    pub(crate) enrolment: &'a Enrolment,
}

/// Why a code is asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FactorError {
    /// It is wrong, or was used before (401).
    Wrong,
    /// Too many wrong codes (429).
    TooMany {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// The form was open for too long; this is a new one (400).
    Expired,
}

impl FactorError {
    /// The status it is answered with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Wrong => StatusCode::UNAUTHORIZED,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Expired => StatusCode::BAD_REQUEST,
        }
    }

    const fn retry_after(self) -> Option<u64> {
        match self {
            Self::TooMany { retry_after } => Some(retry_after),
            Self::Wrong | Self::Expired => None,
        }
    }

    fn text(self, words: &FactorWords) -> String {
        match self {
            Self::Wrong => words.wrong.to_owned(),
            Self::TooMany { retry_after } => words.too_many.with(&waiting(retry_after)),
            Self::Expired => words.expired.to_owned(),
        }
    }
}

#[derive(Template)]
#[template(path = "factor_code.html")]
struct CodeForm<'a> {
    page: Page<'a>,
    form: &'a FactorCode<'a>,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "factor_enrolment.html")]
struct EnrolmentForm<'a> {
    page: Page<'a>,
    form: &'a FactorEnrolment<'a>,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "recovery_codes.html")]
struct RecoveryCodes<'a> {
    page: Page<'a>,
    codes: &'a [String],
    next: &'a str,
}

fn page<'a>(context: &PageContext<'a>, title: &'a str) -> Page<'a> {
    context.installation.page(title, context.language, words(context.language))
}

/// The form for a code. Its status is 200, or that of its error.
pub fn factor_code(context: &PageContext<'_>, form: &FactorCode<'_>) -> Response {
    let words = words(context.language);
    let error = form.error.map(|error| error.text(words));
    let page = CodeForm { page: page(context, words.code_title), form, error };
    let status = form.error.map_or(StatusCode::OK, FactorError::status);
    let response = context.respond(status, &Policy::redirecting(form.redirect_uri), &page);
    with_retry_after(response, form.error.and_then(FactorError::retry_after))
}

/// The form that enrols an authenticator app. Its status is 200, or that of its error.
pub(crate) fn factor_enrolment(context: &PageContext<'_>, form: &FactorEnrolment<'_>) -> Response {
    let words = words(context.language);
    let error = form.error.map(|error| error.text(words));
    let page = EnrolmentForm { page: page(context, words.enrol_title), form, error };
    let status = form.error.map_or(StatusCode::OK, FactorError::status);
    context.respond(status, &Policy::redirecting(form.redirect_uri), &page)
}

/// The recovery codes, and the link that goes on.
pub fn recovery_codes(context: &PageContext<'_>, codes: &[String], next: &str) -> Response {
    let words = words(context.language);
    let page = RecoveryCodes { page: page(context, words.recovery_title), codes, next };
    context.respond(StatusCode::OK, &Policy::here(), &page)
}
