//! The second factor: the forms for its code and for enrolling one, as a part of a flow.
//!
//! After the password there is no session yet; the flow holds who gave it, in which browser (row F1). A session that a client
//! needs to be of a higher level is replaced by one.

mod candidate;
mod completion;
mod verification;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use authn::{Groups, User, UserId};
use axum::Router;
use axum::body::Bytes;
use axum::http::Extensions;
use axum::response::Response;
use axum::routing::post;
use store::StoreError;
use web::cookie::{one, with_cookies};
use web::form::Parameters;
use web::response::see_other;

use super::authorization_response::undecided;
use super::cookie;
use super::interaction::{FlowStage, FormTokens, continue_flow, is_own_form, resumed, show_sign_in, with_form};
use super::issuer::{Issuer, IssuerState};
use super::pages::{self, FactorError, Notice, SignIn};
use super::passkey::{self, Choices};
use crate::endpoints::page;
use crate::engine::authorize::flow::{Flow, VerifiedPassword};
use crate::engine::authorize::prompt::{PromptError, Reauthentication};
use crate::engine::factors::enrolment::{self, EnrolmentError, Proof};
use crate::engine::factors::policy::{self, Demand};
use crate::engine::factors::{FRESH, Method, trusted_device};
use crate::engine::levels::Level;
use crate::engine::sessions::PASSWORD;
use crate::model::{Session, seconds};

use candidate::{Candidate, candidate};
use completion::{Completion, CompletionError, complete};
use verification::{Refusal, verify};

/// The purpose of the form for the code.
const FACTOR: &str = "factor";
/// The purpose of the form that enrols a factor.
const ENROL: &str = "enrol";

/// The forms, which all issuers share.
pub(crate) fn router(state: IssuerState) -> Router {
    Router::new().route(page::FACTOR, post(enter)).route(page::ENROL, post(enrol)).with_state(state)
}

/// What follows a right password.
pub(crate) enum AfterPassword {
    /// The user is signed in by these methods.
    SignedIn { amr: String },
    /// The second factor comes first.
    SecondFactor,
}

/// Decides whether a user with the right password has to give a second factor; `former` is the session of the browser.
///
/// # Errors
/// The page for a directory or database that is unavailable: then no user is signed in.
pub(crate) async fn after_password(
    issuer: &Issuer,
    flow: &Flow,
    former: Option<&Session>,
    user: &str,
) -> Result<AfterPassword, Response> {
    let Issuer { provider, .. } = issuer;
    let same = former.filter(|former| former.person == user && Level::of(former) >= Level::Multi);
    // not where the user signs in again to change factors or the account
    let keeps = provider.config.mfa.keep_on_reauthentication && !flow.fresh;
    if let Some(former) = same.filter(|_| keeps) {
        return Ok(AfterPassword::SignedIn { amr: former.amr.clone() });
    }
    let id = UserId { opaque_id: user.to_owned(), ..UserId::default() };
    let user = provider.directory.user(&id, Groups::Include).await;
    let user = user.map_err(|error| undecided(issuer, &PromptError::Directory(error)))?;
    match demand(issuer, &user).await.map_err(|error| issuer.fault(&error))? {
        Demand::Nothing => Ok(AfterPassword::SignedIn { amr: PASSWORD.to_owned() }),
        Demand::Code | Demand::Enrolment | Demand::Reset => Ok(AfterPassword::SecondFactor),
    }
}

async fn demand(issuer: &Issuer, user: &User) -> Result<Demand, StoreError> {
    let Issuer { provider, endpoints, headers, .. } = issuer;
    let cookie = one(headers, &cookie::trusted_device(endpoints));
    let is_trusted = trusted_device::is_trusted(provider, user, cookie).await?;
    policy::at_sign_in(provider, user, is_trusted).await
}

/// Sends a user with the right password to the page for the second factor.
pub(crate) fn begin(issuer: &Issuer, flow: &Flow, user: &str, remember: bool) -> Response {
    let (browser, cookie) = issuer.browser();
    let password = VerifiedPassword {
        id: issuer.provider.random.uuid(),
        user: user.to_owned(),
        at: seconds(issuer.provider.clock.now()),
        remember,
        browser: issuer.browser_token(&browser),
    };
    let flow = Flow { password: Some(password), ..flow.clone() };
    with_cookies(see_other(&flow.url(&issuer.provider, &issuer.endpoints)), cookie)
}

/// Shows the form for the code, or the one that enrols a factor.
pub(crate) async fn show(issuer: &Issuer, flow: &Flow, session: Option<Session>) -> Response {
    match candidate(issuer, flow, session).await {
        Ok(Some(candidate)) => show_form(issuer, flow, &candidate, None).await,
        Ok(None) => begin_anew(issuer, flow),
        Err(response) => response,
    }
}

/// Why a form is shown again.
#[derive(Clone, Copy)]
struct Again<'a> {
    error: FactorError,
    /// The enrolment that goes on.
    enrolment: Option<&'a str>,
}

impl Again<'_> {
    const fn new(error: FactorError) -> Self {
        Self { error, enrolment: None }
    }
}

/// A form, with the reason why it is shown again.
async fn show_form(issuer: &Issuer, flow: &Flow, candidate: &Candidate, again: Option<Again<'_>>) -> Response {
    let Issuer { provider, .. } = issuer;
    let demand = match &candidate.session {
        Some(_) => policy::at_step_up(provider, &candidate.user).await,
        None => policy::at_sign_in(provider, &candidate.user, false).await,
    };
    match demand {
        Ok(Demand::Code) => show_code_form(issuer, flow, candidate, again.map(|again| again.error)).await,
        // an app would not raise the session to what is needed
        Ok(Demand::Enrolment)
            if candidate.session.is_some()
                && passkey::required_level(issuer, flow).await == Level::PhishingResistant =>
        {
            show_code_form(issuer, flow, candidate, None).await
        }
        Ok(Demand::Enrolment) => match outdated(issuer, candidate, again) {
            Some(session) => show_password_form(issuer, flow, candidate, session).await,
            None => show_enrolment(issuer, flow, candidate, again).await,
        },
        Ok(Demand::Reset) => issuer.notice(Notice::FactorsUnusable),
        // the factor was reset meanwhile
        Ok(Demand::Nothing) => begin_anew(issuer, flow),
        Err(error) => issuer.fault(&error),
    }
}

/// The session of a user who has to give the password before an enrolment begins: who finds a browser signed in, or has its
/// cookie, enrols no factor (row F6).
fn outdated<'a>(issuer: &Issuer, candidate: &'a Candidate, again: Option<Again<'_>>) -> Option<&'a Session> {
    let begins = again.is_none_or(|again| again.enrolment.is_none());
    let now = issuer.provider.clock.now();
    let is_old = |session: &&Session| now.duration_since(session.signed_in).unwrap_or_default() >= FRESH;
    candidate.session.as_ref().filter(|_| begins).filter(is_old)
}

async fn show_password_form(issuer: &Issuer, flow: &Flow, candidate: &Candidate, session: &Session) -> Response {
    let again = Reauthentication { user: Arc::clone(&candidate.user), too_old: Some(session.signed_in) };
    let page = SignIn { username: &candidate.user.username, again: Some(&again), ..SignIn::default() };
    show_sign_in(issuer, flow, page).await
}

async fn show_code_form(issuer: &Issuer, flow: &Flow, candidate: &Candidate, error: Option<FactorError>) -> Response {
    let user = candidate.user.id.opaque_id.as_str();
    let level = passkey::required_level(issuer, flow).await;
    let choices = match Choices::of(&issuer.provider, (user, candidate.session.is_some()), level).await {
        Ok(choices) => choices,
        Err(error) => return issuer.fault(&error),
    };
    let (languages, redirect_uri) = presentation(issuer, flow).await;
    let redirect_uri = redirect_uri.as_deref();
    with_form(issuer, flow, FACTOR, |FormTokens { flow, csrf, cancel }| {
        let challenge = choices.challenge(issuer, user, csrf);
        let (code, passkey) = (choices.code, challenge.as_ref().map(passkey::prompt));
        let page = pages::FactorCode { flow, csrf, cancel, redirect_uri, error, code, passkey };
        pages::factor_code(&issuer.page(&languages), &page)
    })
}

async fn show_enrolment(issuer: &Issuer, flow: &Flow, candidate: &Candidate, again: Option<Again<'_>>) -> Response {
    let handle = again.and_then(|again| again.enrolment);
    let enrolment = match handle {
        Some(handle) => enrolment::resume(&issuer.provider, &candidate.user, handle),
        None => enrolment::begin(&issuer.provider, &candidate.user),
    };
    let enrolment = match enrolment {
        Ok(enrolment) => enrolment,
        Err(error) => {
            tracing::error!(%error, "a second factor cannot be enrolled");
            return issuer.failure(error.kind());
        }
    };
    let (languages, redirect_uri) = presentation(issuer, flow).await;
    let redirect_uri = redirect_uri.as_deref();
    with_form(issuer, flow, ENROL, |FormTokens { flow, csrf, cancel }| {
        let page = pages::FactorEnrolment {
            flow,
            csrf,
            cancel,
            redirect_uri,
            error: again.map(|again| again.error),
            enrolment: &enrolment,
        };
        pages::factor_enrolment(&issuer.page(&languages), &page)
    })
}

/// The languages of the client's request, and where the browser is sent in the end.
async fn presentation(issuer: &Issuer, flow: &Flow) -> (Vec<String>, Option<String>) {
    match resumed(issuer, flow).await {
        Some(request) => (request.request.ui_locales.clone(), Some(request.redirect.as_str().to_owned())),
        None => (Vec::new(), None),
    }
}

/// A form of ours, and who has sent it.
struct Submission {
    issuer: Issuer,
    flow: Flow,
    candidate: Candidate,
    form: Parameters,
}

async fn read(issuer: &Issuer, body: &Bytes, purpose: &str) -> Result<Submission, Response> {
    let form = Parameters::unlimited(body);
    let (issuer, flow) = issuer.open(form.text("flow")).ok_or_else(|| issuer.expired())?;
    if !is_own_form(&issuer, purpose, (form.text("flow"), form.text("csrf"))) {
        return Err(issuer.notice(Notice::Forgery));
    }
    let session = issuer.session().await.map_err(|error| issuer.fault(&error))?;
    match candidate(&issuer, &flow, session).await? {
        Some(candidate) => Ok(Submission { issuer, flow, candidate, form }),
        None => Err(begin_anew(&issuer, &flow)),
    }
}

/// `POST page::FACTOR`
async fn enter(issuer: Issuer, extensions: Extensions, body: Bytes) -> Response {
    let caller = issuer.caller(&extensions);
    let Submission { issuer, flow, candidate, form } = match read(&issuer, &body, FACTOR).await {
        Ok(submission) => submission,
        Err(response) => return response,
    };
    let method = match verify(&issuer, &candidate.user.id.opaque_id, &form, &caller).await {
        Ok(method) => method,
        Err(Refusal::NotEnrolled) => return begin_anew(&issuer, &flow),
        Err(Refusal::Fault(error)) => return issuer.fault(&error),
        Err(Refusal::Again(error)) => return show_form(&issuer, &flow, &candidate, Some(Again::new(error))).await,
    };
    let trust = !form.text("trust").is_empty();
    match complete(&issuer, flow, candidate.of_factor(method, trust), &caller).await {
        Ok(Completion { flow, session, cookies }) => {
            with_cookies(continue_flow(&issuer, flow, Some(session), FlowStage::Form).await, cookies)
        }
        Err(error) => incomplete(&issuer, error),
    }
}

/// `POST page::ENROL`
async fn enrol(issuer: Issuer, extensions: Extensions, body: Bytes) -> Response {
    let caller = issuer.caller(&extensions);
    let Submission { issuer, flow, candidate, form } = match read(&issuer, &body, ENROL).await {
        Ok(submission) => submission,
        Err(response) => return response,
    };
    let (handle, code) = (form.text("enrolment"), form.text("code"));
    let codes =
        match enrolment::confirm(&issuer.provider, (&candidate.user, Proof::Password), handle, code, &caller).await {
            Ok(codes) => codes,
            Err(EnrolmentError::WrongCode) => {
                let again = Again { error: FactorError::Wrong, enrolment: Some(handle) };
                return show_form(&issuer, &flow, &candidate, Some(again)).await;
            }
            Err(EnrolmentError::Expired) => {
                return show_form(&issuer, &flow, &candidate, Some(Again::new(FactorError::Expired))).await;
            }
            Err(EnrolmentError::AlreadyEnrolled) => return see_other(&flow.url(&issuer.provider, &issuer.endpoints)),
            Err(EnrolmentError::Store(error)) => return issuer.fault(&error),
            Err(error @ EnrolmentError::Picture(_)) => return issuer.failure(error.kind()),
        };
    match complete(&issuer, flow, candidate.of_factor(Method::Totp, false), &caller).await {
        Ok(Completion { flow, cookies, .. }) => {
            let (languages, _) = presentation(&issuer, &flow).await;
            let next = flow.url(&issuer.provider, &issuer.endpoints);
            with_cookies(pages::recovery_codes(&issuer.page(&languages), &codes, &next), cookies)
        }
        Err(error) => incomplete(&issuer, error),
    }
}

fn incomplete(issuer: &Issuer, error: CompletionError) -> Response {
    match error {
        CompletionError::PasswordUsed(flow) => begin_anew(issuer, &flow),
        CompletionError::Store(error) => issuer.fault(&error),
    }
}

/// Goes back to the form for login name and password.
pub(crate) fn begin_anew(issuer: &Issuer, flow: &Flow) -> Response {
    let flow = Flow { password: None, ..flow.clone() };
    see_other(&flow.url(&issuer.provider, &issuer.endpoints))
}
