//! Passkeys: the list of a user, and what pages need to ask for one.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use web::date::LocalizedTime;
use web::policy::Policy;

use super::PageContext;
use super::i18n::passkey::{PasskeyWords, words};
use crate::endpoints::page::{PASSKEYS, SECURITY};
use crate::engine::factors::passkey::CeremonyOptions;

/// The shell of the page.
type Page<'a> = web::page::Page<'a, PasskeyWords>;

/// What a page needs to ask for a passkey.
#[derive(Debug, Clone, Copy)]
pub struct PasskeyPrompt<'a> {
    /// The challenge.
    pub options: &'a CeremonyOptions,
    /// The URL of the script.
    pub script: &'a str,
}

/// A passkey of a user.
#[derive(Debug, Clone)]
pub struct PasskeyRow<'a> {
    /// By which the forms name it.
    pub id: String,
    /// How the user calls it.
    pub label: &'a str,
    /// When it was added.
    pub added: LocalizedTime,
    /// When it was last used, if it was.
    pub used: Option<LocalizedTime>,
    /// Whether it was made for another host, so that it cannot be used here.
    pub is_for_another_address: bool,
}

/// The list of passkeys. Its forms are posted to [`PASSKEYS`] with `csrf`, `action` (`add`, `rename` or `remove`), and `id`,
/// `label`, `ceremony` and `credential` where the action needs them.
#[derive(Debug, Clone, Copy)]
pub struct Passkeys<'a> {
    /// The token against forgery.
    pub csrf: &'a str,
    /// The passkeys.
    pub rows: &'a [PasskeyRow<'a>],
    /// By which one is added, if there can be one.
    pub options: Option<&'a CeremonyOptions>,
    /// The URL of the script.
    pub script: &'a str,
    /// Why nothing was changed.
    pub error: Option<PasskeyListError>,
}

/// Why nothing was changed (400).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PasskeyListError {
    /// The authenticator's answer is not accepted.
    Refused,
    /// The page was open for too long.
    Expired,
    /// There are too many passkeys.
    LimitReached,
    /// It is the last second factor of a user who needs one.
    Needed,
}

#[derive(Template)]
#[template(path = "passkeys.html")]
struct Shown<'a> {
    page: Page<'a>,
    list: &'a Passkeys<'a>,
    error: Option<&'a str>,
}

/// The list. Its status is 200, or 400 with an error.
pub fn passkeys(context: &PageContext<'_>, list: &Passkeys<'_>) -> Response {
    let words = words(context.language);
    let error = list.error.map(|error| match error {
        PasskeyListError::Refused => words.not_added,
        PasskeyListError::Expired => words.expired,
        PasskeyListError::LimitReached => words.limit_reached,
        PasskeyListError::Needed => words.needed_factor,
    });
    let page = Shown { page: context.installation.page(words.title, context.language, words), list, error };
    let status = if error.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    context.respond(status, &Policy::here().with_own_script(), &page)
}
