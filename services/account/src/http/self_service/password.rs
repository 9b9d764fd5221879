//! The change of the password.

mod strength;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use proto::doorward::passwords::v1::{JudgePasswordResponse, PasswordWeakness};
use status::Kind;
use tonic::Status;
use web::cookie::with_cookies;
use web::i18n::waiting;
use web::page::{Link, Message};
use web::policy::Policy;
use web::response::{see_other, with_retry_after};

use super::super::error;
use super::super::page::{Navigation, Page, PageContext, Section};
use super::super::signed_in::SignedIn;
use super::text::{SelfServiceText, text};
use super::{PASSWORD, STRENGTH, failure, retry_after};
use crate::self_service::Passwords;
use crate::state::AccountState;

/// The purpose of the form.
const FORM: &str = "password";
/// The metadata in which auth-basic gives the reason for which an LDAP server refuses a change.
const PASSWORD_REFUSAL: &str = "password-refusal";

pub(super) use strength::judge as judge_strength;

/// The signed-in user, and auth-basic, which has the password.
pub(in super::super) struct PasswordOwner {
    signed_in: SignedIn,
    passwords: Passwords,
}

impl FromRequestParts<AccountState> for PasswordOwner {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Response> {
        let signed_in = SignedIn::from_request_parts(parts, state).await?;
        match &state.self_service.passwords {
            Some(passwords) => Ok(Self { signed_in, passwords: passwords.clone() }),
            None => Err(error::not_found(&signed_in.context())),
        }
    }
}

/// Why the password was not changed.
#[derive(Default)]
struct Refusal {
    /// What is wrong with the request as a whole, or why it cannot be fulfilled now.
    general: Option<String>,
    /// What is wrong with the old password.
    old: Option<&'static str>,
    /// What is wrong with the new one.
    new: Vec<String>,
    /// How hard the new one is to guess.
    strength: Option<&'static str>,
    /// The seconds after which the user may try again.
    retry_after: Option<u64>,
}

impl Refusal {
    fn is_none(&self) -> bool {
        self.general.is_none() && self.old.is_none() && self.new.is_empty()
    }

    /// The identifiers of what explains the field for the new password.
    fn new_described_by(&self) -> &'static str {
        if self.new.is_empty() { "new-hint" } else { "new-error new-hint" }
    }
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    text: &'static SelfServiceText,
    refusal: Refusal,
    username: &'a str,
    min_characters: u32,
    hint: String,
    csrf: String,
    path: String,
    strength_path: String,
}

impl PasswordOwner {
    /// What the policy says of a password.
    ///
    /// # Errors
    /// The page that says why the user cannot change the password here.
    async fn judge(&self, password: &str) -> Result<JudgePasswordResponse, Response> {
        let judged = self.passwords.judge(&self.signed_in.on_behalf(), password).await;
        judged.map_err(|status| self.failure(&status))
    }

    fn failure(&self, status: &Status) -> Response {
        let context = self.signed_in.context();
        if Kind::from_grpc(status.code()) == Kind::Unimplemented {
            return elsewhere(&context);
        }
        failure(&context, "auth-basic", status)
    }

    fn page(&self, status: StatusCode, policy: &JudgePasswordResponse, refusal: Refusal) -> Response {
        let context = self.signed_in.context();
        let words = text(context.language);
        let (browser, cookie) = self.signed_in.browser();
        let retry_after = refusal.retry_after;
        let page = PasswordPage {
            page: context.page(words.password_title).with_script(),
            navigation: context.navigation(Section::Password),
            text: words,
            refusal,
            username: &self.signed_in.user.username,
            min_characters: policy.min_characters,
            hint: words.new_password_hint.with(&policy.min_characters.to_string()),
            csrf: self.signed_in.csrf(&browser, FORM),
            path: self.signed_in.state.path(PASSWORD),
            strength_path: self.signed_in.state.path(STRENGTH),
        };
        // the script shows what was typed, and has it judged
        let response = context.respond_with(status, &Policy::here().with_own_requests(), &page);
        with_retry_after(with_cookies(response, cookie), retry_after)
    }

    /// The page after the change, which has ended the session of this request too: it has no links that need one.
    fn changed(&self) -> Response {
        let context = self.signed_in.context();
        let words = text(context.language);
        // the edge asks for a sign-in there, in whichever way it does
        let account = self.signed_in.state.path("");
        let link = Link { href: &account, text: words.sign_in_again };
        let page = context.page(words.changed_title).with_link(Some(link));
        context.respond(StatusCode::OK, &Message { page, text: words.changed, detail: None })
    }

    /// The page again, with the reason why auth-basic did not change the password.
    fn refused(&self, policy: &JudgePasswordResponse, status: &Status) -> Response {
        let words = text(self.signed_in.context().language);
        let refusal = match Kind::from_grpc(status.code()) {
            Kind::Unauthenticated => Refusal { old: Some(words.old_password_wrong), ..Refusal::default() },
            // the policy has accepted it before
            Kind::InvalidArgument => Refusal { new: vec![words.unchanged.to_owned()], ..Refusal::default() },
            Kind::FailedPrecondition => refusal_of_directory(words, status),
            Kind::ResourceExhausted => {
                let seconds = retry_after(status);
                let general = Some(words.throttled.with(&waiting(seconds)));
                let refusal = Refusal { general, retry_after: Some(seconds), ..Refusal::default() };
                return self.page(StatusCode::TOO_MANY_REQUESTS, policy, refusal);
            }
            kind @ (Kind::Unavailable | Kind::DeadlineExceeded | Kind::Aborted) => {
                tracing::warn!(%status, "auth-basic does not say that it has changed a password");
                let general = Some(words.uncertain.to_owned());
                return self.page(kind.http(), policy, Refusal { general, ..Refusal::default() });
            }
            _ => return self.failure(status),
        };
        self.page(StatusCode::BAD_REQUEST, policy, refusal)
    }
}

/// The page of users whose password is changed in another system: in LDAP, unless its server lets them change it here.
fn elsewhere(context: &PageContext<'_>) -> Response {
    let words = text(context.language);
    let account = context.state.path("");
    let link = Link { href: &account, text: context.words().to_account };
    let page = context.page(words.password_title).with_link(Some(link));
    context.respond(StatusCode::OK, &Message { page, text: words.elsewhere, detail: None })
}

/// Why the LDAP server with the user's password refuses to change it.
fn refusal_of_directory(words: &SelfServiceText, status: &Status) -> Refusal {
    let reason = status.metadata().get(PASSWORD_REFUSAL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let of_password = |text: &str| Refusal { new: vec![text.to_owned()], ..Refusal::default() };
    let general = |text: &str| Refusal { general: Some(text.to_owned()), ..Refusal::default() };
    match reason {
        "quality" => of_password(words.directory_quality),
        "history" => of_password(words.directory_history),
        "too-soon" => general(words.directory_too_soon),
        // also a reason of a later version
        _ => general(words.directory_not_permitted),
    }
}

/// Everything that is wrong with a new password.
pub(super) fn weaknesses(words: &SelfServiceText, judged: &JudgePasswordResponse) -> Vec<String> {
    let sentence = |weakness: PasswordWeakness| match weakness {
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
    };
    judged.weaknesses().map(sentence).collect()
}

/// How hard a password is to guess.
const fn strength(words: &SelfServiceText, score: u32) -> &'static str {
    match score {
        0 => words.strength_very_weak,
        1 => words.strength_weak,
        2 => words.strength_fair,
        3 => words.strength_good,
        _ => words.strength_very_good,
    }
}

/// `GET /account/password`.
pub(super) async fn show(owner: PasswordOwner) -> Result<Response, Response> {
    let policy = owner.judge("").await?;
    Ok(owner.page(StatusCode::OK, &policy, Refusal::default()))
}

/// `POST /account/password`: changes it, if the old one is right and the policy accepts the new one. No page contains either
/// (`docs/security-requirements.md#a40`).
pub(super) async fn change(owner: PasswordOwner, body: Bytes) -> Result<Response, Response> {
    let signed_in = &owner.signed_in;
    let context = signed_in.context();
    let form = signed_in.own_form(FORM, &body).ok_or_else(|| error::forgery(&context))?;
    let (old, new) = (form.text("old"), form.text("new"));
    let words = text(context.language);
    let judged = owner.judge(new).await?;
    let new_problems = weaknesses(words, &judged);
    let refusal = Refusal {
        old: old.is_empty().then_some(words.old_password_missing),
        strength: (!new.is_empty() && !new_problems.is_empty()).then(|| strength(words, judged.score)),
        new: new_problems,
        ..Refusal::default()
    };
    // an attempt that cannot succeed does not count as a wrong password
    if !refusal.is_none() {
        return Ok(owner.page(StatusCode::BAD_REQUEST, &judged, refusal));
    }
    Ok(match owner.passwords.change(&signed_in.on_behalf(), old, new).await {
        Ok(()) => owner.changed(),
        Err(status) => owner.refused(&judged, &status),
    })
}

/// `/.well-known/change-password` at the edge: leads password managers to the form. It needs no credential, as it says nothing of
/// any user (`docs/security-requirements.md#a42`).
pub(super) async fn redirect(State(state): State<AccountState>) -> Response {
    if state.self_service.passwords.is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    see_other(&state.path(PASSWORD))
}
