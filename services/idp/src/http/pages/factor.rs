//! The second factor: its code, enrolling one, and the recovery codes.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use web::i18n::{Language, waiting};
use web::policy::Policy;
use web::response::with_retry_after;

use super::i18n::factor::{FactorWords, words};
use super::i18n::passkey::{PasskeyWords, words as passkey_words};
use super::passkeys::PasskeyPrompt;
use super::{PageContext, REMEMBER};
use crate::endpoints::page::{CANCEL, ENROL, FACTOR, PASSKEYS};
use crate::engine::factors::enrolment::Enrolment;

/// The shell of these pages.
type Page<'a> = web::page::Page<'a, FactorWords>;

/// Which code a user can enter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum CodeField {
    /// That of an authenticator app, or a recovery code.
    #[default]
    App,
    /// A recovery code.
    RecoveryCode,
    /// None.
    Nothing,
}

/// The form for the second factor. A code is posted to [`FACTOR`] with the fields `flow`, `csrf`, `code` and, if the box is
/// ticked, `trust` = [`REMEMBER`]; the answer of a passkey with `ceremony` and `credential` in the place of `code`. Without a
/// code and a passkey the page leads to where a passkey is added.
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
    /// Which code can be entered.
    pub code: CodeField,
    /// By which a passkey of the user answers.
    pub passkey: Option<PasskeyPrompt<'a>>,
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
    /// The passkey does not count (401).
    Passkey,
}

impl FactorError {
    /// The status it is answered with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Wrong | Self::Passkey => StatusCode::UNAUTHORIZED,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Expired => StatusCode::BAD_REQUEST,
        }
    }

    const fn retry_after(self) -> Option<u64> {
        match self {
            Self::TooMany { retry_after } => Some(retry_after),
            Self::Wrong | Self::Expired | Self::Passkey => None,
        }
    }

    fn text(self, language: Language) -> String {
        let words = words(language);
        match self {
            Self::Wrong => words.wrong.to_owned(),
            Self::TooMany { retry_after } => words.too_many.with(&waiting(retry_after)),
            Self::Expired => words.expired.to_owned(),
            Self::Passkey => passkey_words(language).refused.to_owned(),
        }
    }
}

#[derive(Template)]
#[template(path = "factor_code.html")]
struct CodeForm<'a> {
    page: Page<'a>,
    passkey_words: &'static PasskeyWords,
    form: &'a FactorCode<'a>,
    lead: &'a str,
    /// Of the field for a code, if there is one.
    label: Option<&'a str>,
    has_app: bool,
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
    /// The codes as a file, one a line, as an address of its own (`data:`).
    file: String,
    next: &'a str,
}

fn page<'a>(context: &PageContext<'a>, title: &'a str) -> Page<'a> {
    context.installation.page(title, context.language, words(context.language))
}

/// Why a code is asked for again, as users read it.
pub(super) fn error_text(language: Language, error: FactorError) -> String {
    error.text(language)
}

/// The form for the second factor. Its status is 200, or that of its error.
pub fn factor_code(context: &PageContext<'_>, form: &FactorCode<'_>) -> Response {
    let (words, passkey_words) = (words(context.language), passkey_words(context.language));
    let has_passkey = form.passkey.is_some();
    let (title, lead, label) = match form.code {
        CodeField::App => (words.code_title, words.code_lead, Some(words.code)),
        CodeField::RecoveryCode => {
            (passkey_words.factor_title, passkey_words.factor_lead, Some(passkey_words.recovery))
        }
        CodeField::Nothing if has_passkey => (passkey_words.factor_title, passkey_words.factor_lead, None),
        CodeField::Nothing => (passkey_words.needed_title, passkey_words.needed, None),
    };
    let error = form.error.map(|error| error.text(context.language));
    let page = page(context, title);
    let has_app = form.code == CodeField::App;
    let page = CodeForm { page, passkey_words, form, lead, label, has_app, error };
    let status = form.error.map_or(StatusCode::OK, FactorError::status);
    let policy = Policy::redirecting(form.redirect_uri);
    let policy = if has_passkey { policy.with_own_script() } else { policy };
    let response = context.respond(status, &policy, &page);
    with_retry_after(response, form.error.and_then(FactorError::retry_after))
}

/// The form that enrols an authenticator app. Its status is 200, or that of its error.
pub(crate) fn factor_enrolment(context: &PageContext<'_>, form: &FactorEnrolment<'_>) -> Response {
    let error = form.error.map(|error| error.text(context.language));
    let page = EnrolmentForm { page: page(context, words(context.language).enrol_title), form, error };
    let status = form.error.map_or(StatusCode::OK, FactorError::status);
    context.respond(status, &Policy::redirecting(form.redirect_uri), &page)
}

/// The recovery codes, with a link that saves them as a file, and the link that goes on. It needs no script.
pub fn recovery_codes(context: &PageContext<'_>, codes: &[String], next: &str) -> Response {
    let words = words(context.language);
    let lines = format!("{}\r\n", codes.join("\r\n"));
    let file = format!("data:text/plain;base64,{}", STANDARD.encode(lines));
    let page = RecoveryCodes { page: page(context, words.recovery_title), codes, file, next };
    context.respond(StatusCode::OK, &Policy::here(), &page)
}
