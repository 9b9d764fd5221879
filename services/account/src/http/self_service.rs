//! The pages on which users change what is their own: the profile, the mail address and the password.

mod field;
mod mail;
mod password;
pub(crate) mod profile;
mod property;
mod recent_sign_in;
mod text;

use axum::Router;
use axum::http::header::RETRY_AFTER;
use axum::response::Response;
use axum::routing::{get, post};
use proto::doorward::passwords::v1::JudgePasswordResponse;
use status::Kind;
use tonic::Status;
use web::i18n::Language;

use super::page::{Link, PageContext, Section};
use crate::state::AccountState;
pub(super) use field::Field;
pub(super) use profile::{Changes, Conflicts, Stored};
use text::{SelfServiceText, text};

/// The path of the profile, below the root.
const PROFILE: &str = "/profile";
/// The path of the form for another mail address, below the root.
const MAIL: &str = "/profile/mail";
/// The path of the password, below the root.
const PASSWORD: &str = "/password";
/// The path below the root at which the script of the form has a new password judged.
const STRENGTH: &str = "/password/strength";
/// The path below the root to which the edge forwards `/.well-known/change-password`.
const CHANGE_PASSWORD: &str = "/change-password";

/// The pages. Without the service behind it a page answers 404.
pub(super) fn router() -> Router<AccountState> {
    Router::new()
        .route(PROFILE, get(profile::show).post(profile::save))
        .route(MAIL, get(mail::show).post(mail::send))
        .route(PASSWORD, get(password::show).post(password::change))
        .route(STRENGTH, post(password::judge_strength))
        .route(CHANGE_PASSWORD, get(password::redirect))
}

/// The links to those of the pages that there are.
pub(super) fn links(context: &PageContext<'_>, current: Section) -> Vec<Link> {
    let (words, state) = (text(context.language), context.state);
    let profile = state.self_service.profiles.as_ref().map(|_| (PROFILE, words.profile, Section::Profile));
    let password = state.self_service.passwords.as_ref().map(|_| (PASSWORD, words.password, Section::Password));
    let there = profile.into_iter().chain(password);
    there.map(|(path, text, section)| context.link(current, section, path, text)).collect()
}

/// What the pages on a profile say: the legend of the address, the button that saves, and the note above a form with errors.
pub(super) const fn profile_text(language: Language) -> ProfileText {
    let SelfServiceText { address, save, profile_errors, .. } = text(language);
    ProfileText { address, save, errors: profile_errors }
}

/// Texts of the pages on a profile.
pub(super) struct ProfileText {
    pub(super) address: &'static str,
    pub(super) save: &'static str,
    pub(super) errors: &'static str,
}

/// Everything that the policy has against a new password, in sentences.
pub(super) fn weaknesses(language: Language, judged: &JudgePasswordResponse) -> Vec<String> {
    password::weaknesses(text(language), judged)
}

/// What a new password has to be like.
pub(super) fn password_hint(language: Language, policy: &JudgePasswordResponse) -> String {
    text(language).new_password_hint.with(&policy.min_characters.to_string())
}

/// The seconds to wait, of which services inform their callers in the metadata.
fn retry_after(status: &Status) -> u64 {
    let seconds = status.metadata().get(RETRY_AFTER.as_str()).and_then(|value| value.to_str().ok());
    seconds.and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// A service has not done what it was asked to.
fn failure(context: &PageContext<'_>, service: &str, status: &Status) -> Response {
    let words = context.words();
    let kind = Kind::from_grpc(status.code());
    let (title, text) = match kind {
        Kind::PermissionDenied => (words.denied_title, words.denied),
        Kind::Unauthenticated => (words.unauthenticated_title, words.unauthenticated),
        Kind::NotFound => (words.not_found_title, words.not_found),
        Kind::Unavailable | Kind::DeadlineExceeded | Kind::Aborted | Kind::ResourceExhausted => {
            tracing::warn!(service, %status, "a service does not answer");
            (words.unavailable_title, words.unavailable)
        }
        Kind::InvalidArgument
        | Kind::AlreadyExists
        | Kind::FailedPrecondition
        | Kind::Unimplemented
        | Kind::Internal => {
            tracing::error!(service, %status, "a service has not done what a page asked for");
            (words.fault_title, words.fault)
        }
    };
    context.message(kind.http(), title, text)
}
