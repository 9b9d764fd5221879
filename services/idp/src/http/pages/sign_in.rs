//! Signing in.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use web::date::LocalizedTime;
use web::i18n::waiting;
use web::policy::Policy;
use web::response::with_retry_after;

use super::application::Application;
use super::i18n::link as link_text;
use super::i18n::passkey::{PasskeyWords, words as passkey_words};
use super::passkeys::PasskeyPrompt;
use super::profile::Profile;
use super::{Page, PageContext, REMEMBER};
use crate::endpoints::page::{CANCEL, FORGOTTEN, LOGON, PASSKEY};
use crate::engine::authorize::prompt::Reauthentication;
use crate::engine::clients::Client;

/// The form for username and password. It is posted to [`LOGON`] with the fields `flow`, `csrf`, `username`, `password` and,
/// if the box is ticked, `remember` = [`REMEMBER`].
#[derive(Default)]
pub struct SignIn<'a> {
    /// The flow, sealed.
    pub flow: &'a str,
    /// The token against forgery.
    pub csrf: &'a str,
    /// The token of the form that cancels, which there is if the sign-in is for a client.
    pub cancel: &'a str,
    /// What the field holds at first: `login_hint`, or what was typed before.
    pub username: &'a str,
    /// For whom.
    pub client: Option<&'a Client>,
    /// Where the browser is sent in the end; its policy has to allow that.
    pub redirect_uri: Option<&'a str>,
    /// Why the form is shown again.
    pub error: Option<SignInError>,
    /// Whether the box is ticked.
    pub remember: bool,
    /// Whether users who have lost the password can set another one.
    pub can_reset: bool,
    /// Why a signed-in user has to sign in again. Another user may do so instead: what the form sends decides.
    pub again: Option<&'a Reauthentication>,
    /// By which a passkey signs in alone; its form is posted to [`PASSKEY`].
    pub passkey: Option<PasskeyPrompt<'a>>,
}

/// Why a user is not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignInError {
    /// One text for every reason that lies in what was typed (401).
    WrongCredentials,
    /// Too many attempts (429).
    TooMany {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// Passwords cannot be verified now (503).
    Unavailable,
    /// The form was open for too long; this is a new one (400).
    Expired,
    /// The passkey does not sign in (401): one text for every reason.
    Passkey,
}

impl SignInError {
    /// The status it is answered with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::WrongCredentials | Self::Passkey => StatusCode::UNAUTHORIZED,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Expired => StatusCode::BAD_REQUEST,
        }
    }

    /// Seconds to wait.
    const fn retry_after(self) -> Option<u64> {
        match self {
            Self::TooMany { retry_after } => Some(retry_after),
            _ => None,
        }
    }
}

#[expect(clippy::struct_field_names, reason = "the template calls it that")]
#[derive(Template)]
#[template(path = "sign_in.html")]
struct Form<'a> {
    page: Page<'a>,
    passkey_words: &'static PasskeyWords,
    form: &'a SignIn<'a>,
    /// The text of the link for users who have lost the password.
    forgotten: Option<&'static str>,
    application: Option<Application<'a>>,
    /// The user who has to sign in again.
    user: Option<Profile<'a>>,
    /// When that user signed in, if that is too long ago.
    too_old: Option<LocalizedTime>,
    error: Option<String>,
    /// Whether what was typed is wrong, rather than the time.
    invalid: bool,
}

/// The form. Its status is 200, or that of its error.
pub fn sign_in(context: &PageContext<'_>, form: &SignIn<'_>) -> Response {
    let words = context.words();
    let title = if form.again.is_some() { words.again_title } else { words.sign_in_title };
    let error = form.error.map(|error| match error {
        SignInError::WrongCredentials => words.wrong_credentials.to_owned(),
        SignInError::TooMany { retry_after } => words.too_many.with(&waiting(retry_after)),
        SignInError::Unavailable => words.cannot_now.to_owned(),
        SignInError::Expired => words.form_expired.to_owned(),
        SignInError::Passkey => passkey_words(context.language).refused.to_owned(),
    });
    let page = Form {
        page: context.page(title).with_script(),
        passkey_words: passkey_words(context.language),
        form,
        forgotten: form.can_reset.then_some(link_text::words(context.language).forgotten_link),
        user: form.again.map(|again| Profile::of(&again.user)),
        too_old: form.again.and_then(|again| Some(LocalizedTime::minute(again.too_old?, context.language))),
        application: form.client.map(|client| Application::of(client, form.redirect_uri)),
        error,
        invalid: form.error == Some(SignInError::WrongCredentials),
    };
    let status = form.error.map_or(StatusCode::OK, SignInError::status);
    let response = context.respond(status, &Policy::redirecting(form.redirect_uri).with_own_script(), &page);
    with_retry_after(response, form.error.and_then(SignInError::retry_after))
}
