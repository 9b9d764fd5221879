//! Asking for a link in a mail, and setting a password by it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::passwords::v1::{JudgePasswordResponse, PasswordWeakness};
use web::i18n::waiting;
use web::page::{Link, Message};
use web::policy::Policy;
use web::response::with_retry_after;

use super::PageContext;
use super::i18n::link::{LinkWords, words};
use crate::endpoints::page::{FORGOTTEN, LINK};

type Page<'a> = web::page::Page<'a, LinkWords>;

/// The form for a login name or mail address. It is posted to [`FORGOTTEN`] with the fields `csrf` and `username`.
pub(crate) struct ForgottenPassword<'a> {
    /// The token against forgery.
    pub(crate) csrf: &'a str,
    /// Seconds to wait after too many requests (429).
    pub(crate) retry_after: Option<u64>,
}

/// The form for a new password. It is posted to [`LINK`] with the fields `link`, `csrf`, `new` and, if it is needed, `username`.
pub(crate) struct NewPassword<'a> {
    /// The secret of the link.
    pub(crate) link: &'a str,
    /// The token against forgery.
    pub(crate) csrf: &'a str,
    /// The login name; empty if the user has to enter it.
    pub(crate) username: &'a str,
    /// Whether the user has to enter the login name.
    pub(crate) needs_login: bool,
    /// The fewest characters that the policy accepts.
    pub(crate) min_characters: u32,
    /// Why the form is shown again.
    pub(crate) error: Option<NewPasswordError<'a>>,
}

/// Why the password is not set.
#[derive(Clone, Copy)]
pub(crate) enum NewPasswordError<'a> {
    /// The login name is not that of the link (400).
    Login,
    /// The policy refuses the password (400).
    Weak(&'a JudgePasswordResponse),
}

#[derive(Template)]
#[template(path = "forgotten_password.html")]
struct ForgottenForm<'a> {
    page: Page<'a>,
    form: &'a ForgottenPassword<'a>,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "new_password.html")]
struct NewPasswordForm<'a> {
    page: Page<'a>,
    form: &'a NewPassword<'a>,
    hint: String,
    /// What is wrong with the login name.
    login: Option<&'static str>,
    /// What is wrong with the password.
    problems: Vec<String>,
}

fn page<'a>(context: &PageContext<'a>, title: &'a str) -> Page<'a> {
    context.installation.page(title, context.language, words(context.language))
}

fn message(
    context: &PageContext<'_>,
    status: StatusCode,
    (title, text): (&str, &str),
    link: Option<Link<'_>>,
) -> Response {
    let page = page(context, title).with_link(link);
    context.respond(status, &Policy::here(), &Message { page, text, detail: None })
}

/// The form for a login name or mail address.
pub(crate) fn forgotten_password(context: &PageContext<'_>, form: &ForgottenPassword<'_>) -> Response {
    let words = words(context.language);
    let error = form.retry_after.map(|seconds| words.too_many.with(&waiting(seconds)));
    let status = if error.is_some() { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::OK };
    let page = ForgottenForm { page: page(context, words.forgotten_title), form, error };
    with_retry_after(context.respond(status, &Policy::here(), &page), form.retry_after)
}

/// What is shown after asking, whether there is such a user or not.
pub(crate) fn link_sent(context: &PageContext<'_>) -> Response {
    let words = words(context.language);
    message(context, StatusCode::OK, (words.sent_title, words.sent), None)
}

/// The page of a link that was used, or has ended (410).
pub(crate) fn link_unusable(context: &PageContext<'_>) -> Response {
    let words = words(context.language);
    let link = Link { href: FORGOTTEN, text: words.ask_again };
    message(context, StatusCode::GONE, (words.unusable_title, words.unusable), Some(link))
}

/// The page of a link that was opened or used too often from one source (429).
pub(crate) fn link_throttled(context: &PageContext<'_>, retry_after: u64) -> Response {
    let words = words(context.language);
    let text = words.too_many.with(&waiting(retry_after));
    let response = message(context, StatusCode::TOO_MANY_REQUESTS, (words.new_title, &text), None);
    with_retry_after(response, Some(retry_after))
}

/// What is shown once the password is set, with the link to the sign-in.
pub(crate) fn password_set(context: &PageContext<'_>, sign_in: &str) -> Response {
    let words = words(context.language);
    let link = Link { href: sign_in, text: words.sign_in };
    message(context, StatusCode::OK, (words.set_title, words.set), Some(link))
}

/// The form for a new password.
pub(crate) fn new_password(context: &PageContext<'_>, form: &NewPassword<'_>) -> Response {
    let words = words(context.language);
    let mut shown = NewPasswordForm {
        page: page(context, words.new_title).with_script(),
        form,
        hint: words.new_hint.with(&form.min_characters.to_string()),
        login: None,
        problems: Vec::new(),
    };
    let status = match form.error {
        None => StatusCode::OK,
        Some(NewPasswordError::Login) => {
            shown.login = Some(words.wrong_login);
            StatusCode::BAD_REQUEST
        }
        Some(NewPasswordError::Weak(judged)) => {
            shown.problems = judged.weaknesses().map(|weakness| sentence(words, judged, weakness)).collect();
            StatusCode::BAD_REQUEST
        }
    };
    // the script shows what was typed
    context.respond(status, &Policy::here().with_own_script(), &shown)
}

/// What is wrong with a password.
fn sentence(words: &LinkWords, judged: &JudgePasswordResponse, weakness: PasswordWeakness) -> String {
    match weakness {
        PasswordWeakness::Short => words.weakness_short.with(&judged.min_characters.to_string()),
        PasswordWeakness::Long => words.weakness_long.to_owned(),
        PasswordWeakness::ControlCharacters => words.weakness_control_characters.to_owned(),
        PasswordWeakness::AppToken => words.weakness_app_token.to_owned(),
        PasswordWeakness::Common => words.weakness_common.to_owned(),
        PasswordWeakness::Pattern => words.weakness_pattern.to_owned(),
        PasswordWeakness::Context => words.weakness_context.to_owned(),
        PasswordWeakness::Guessable => words.weakness_guessable.to_owned(),
        // a reason of a later version
        PasswordWeakness::Unspecified => words.weakness_other.to_owned(),
    }
}
