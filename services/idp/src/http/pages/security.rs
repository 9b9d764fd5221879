//! How a user signs in: the status, and the forms that add, replace and remove the authenticator app.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use web::date::LocalizedTime;
use web::policy::Policy;

use super::i18n::security::{SecurityWords, words};
use super::{FactorError, PageContext, factor};
use crate::endpoints::page::{PASSKEYS, SECURITY, SECURITY_APP, SECURITY_CODES, SECURITY_DEVICES, SECURITY_REMOVE};
use crate::engine::factors::enrolment::Enrolment;

/// The shell of these pages.
type Page<'a> = web::page::Page<'a, SecurityWords>;

/// The authenticator app of a user.
#[derive(Debug, Clone)]
pub struct AppStatus {
    /// The day of its enrolment.
    pub since: LocalizedTime,
    /// When a code of it was last accepted.
    pub used: Option<LocalizedTime>,
}

/// How a user signs in.
#[derive(Debug, Clone)]
pub struct SecurityStatus<'a> {
    /// The authenticator app; `None` if there is none.
    pub app: Option<AppStatus>,
    /// Whether there is a second factor.
    pub is_enrolled: bool,
    /// Whether the user may be without one.
    pub may_remove: bool,
    /// How many recovery codes are left.
    pub codes_left: u64,
    /// How many devices are trusted.
    pub devices: u64,
    /// The account pages; `None` without a link to them.
    pub account_url: Option<&'a str>,
}

/// What the forms of the page send back against forgery.
#[derive(Debug, Clone, Copy)]
pub struct SecurityTokens<'a> {
    /// Of the form that makes recovery codes.
    pub codes: &'a str,
    /// Of the form that ends trust in devices.
    pub devices: &'a str,
}

/// A change that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityChange {
    /// The authenticator app is removed.
    AppRemoved,
    /// No device is trusted any more.
    DevicesForgotten,
}

impl SecurityChange {
    /// How the query of the page names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AppRemoved => "removed",
            Self::DevicesForgotten => "forgotten",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::AppRemoved, Self::DevicesForgotten].into_iter().find(|change| change.name() == name)
    }
}

/// What the page says first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityNote {
    /// A change was made (200).
    Done(SecurityChange),
    /// The app is not removed, as the user needs a second factor (403).
    Required,
}

/// The form that adds or replaces the authenticator app. It is posted to [`SECURITY_APP`] with the fields `csrf`, `enrolment`, `code`
/// and `replaces`.
pub(crate) struct AppForm<'a> {
    /// The token against forgery.
    pub(crate) csrf: &'a str,
    /// Whether the user has an app already.
    pub(crate) replaces: bool,
    /// What is enrolled.
    pub(crate) enrolment: &'a Enrolment,
    /// Why the form is shown again.
    pub(crate) error: Option<FactorError>,
}

#[derive(Template)]
#[template(path = "security.html")]
struct Overview<'a> {
    page: Page<'a>,
    status: &'a SecurityStatus<'a>,
    tokens: SecurityTokens<'a>,
    codes_left: String,
    devices: String,
    done: Option<&'a str>,
    refused: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "security_app.html")]
struct App<'a> {
    page: Page<'a>,
    form: &'a AppForm<'a>,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "security_remove.html")]
struct Remove<'a> {
    page: Page<'a>,
    csrf: &'a str,
}

fn page<'a>(context: &PageContext<'a>, title: &'a str) -> Page<'a> {
    context.installation.page(title, context.language, words(context.language))
}

/// The status, with what has just happened.
pub fn security(
    context: &PageContext<'_>,
    status: &SecurityStatus<'_>,
    tokens: SecurityTokens<'_>,
    note: Option<SecurityNote>,
) -> Response {
    let words = words(context.language);
    let (code, done, refused) = match note {
        None => (StatusCode::OK, None, None),
        Some(SecurityNote::Done(SecurityChange::AppRemoved)) => (StatusCode::OK, Some(words.app_removed), None),
        Some(SecurityNote::Done(SecurityChange::DevicesForgotten)) => {
            (StatusCode::OK, Some(words.devices_forgotten), None)
        }
        Some(SecurityNote::Required) => (StatusCode::FORBIDDEN, None, Some(words.required)),
    };
    let page = Overview {
        page: page(context, words.title),
        status,
        tokens,
        codes_left: status.codes_left.to_string(),
        devices: status.devices.to_string(),
        done,
        refused,
    };
    context.respond(code, &Policy::here(), &page)
}

/// The form that adds or replaces the authenticator app. Its status is 200, or that of its error.
pub(crate) fn security_app(context: &PageContext<'_>, form: &AppForm<'_>) -> Response {
    let words = words(context.language);
    let title = if form.replaces { words.replace_title } else { words.add_title };
    let error = form.error.map(|error| factor::error_text(context.language, error));
    let page = App { page: page(context, title), form, error };
    context.respond(form.error.map_or(StatusCode::OK, FactorError::status), &Policy::here(), &page)
}

/// Asks whether the authenticator app is removed. The form is posted to [`SECURITY_REMOVE`] with the field `csrf`.
pub fn remove_app(context: &PageContext<'_>, csrf: &str) -> Response {
    let page = Remove { page: page(context, words(context.language).remove_title), csrf };
    context.respond(StatusCode::OK, &Policy::here(), &page)
}
