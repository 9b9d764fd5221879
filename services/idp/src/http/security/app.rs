//! The authenticator app of a user: the forms that add, replace and remove it.

use authn::User;
use axum::Router;
use axum::body::Bytes;
use axum::http::{Extensions, HeaderValue};
use axum::response::Response;
use axum::routing::get;
use store::StoreError;
use web::cookie::with_cookies;
use web::response::see_other;

use super::{Submission, changed, read, require, show_status, token};
use crate::endpoints::page;
use crate::engine::factors::enrolment::{self, Enrolment, EnrolmentError, Proof};
use crate::engine::factors::{self, Method, policy};
use crate::engine::levels::Level;
use crate::engine::sessions;
use crate::http::fresh_session::FreshSession;
use crate::http::issuer::{Issuer, IssuerState};
use crate::http::pages::{self, AppForm, FactorError, SecurityChange, SecurityNote};
use crate::http::sign_in;
use crate::model::Session;
use crate::store::{FactorKind, Removal};

pub(super) fn router() -> Router<IssuerState> {
    Router::new()
        .route(page::SECURITY_APP, get(begin).post(confirm))
        .route(page::SECURITY_REMOVE, get(ask_to_remove).post(remove))
}

/// `GET page::SECURITY_APP`
async fn begin(issuer: Issuer) -> Response {
    let signed_in = match require(&issuer, page::SECURITY_APP).await {
        Ok(signed_in) => signed_in,
        Err(response) => return response,
    };
    match has_app(&issuer, &signed_in.user).await {
        Ok(replaces) => show_new(&issuer, &signed_in, replaces, None),
        Err(error) => issuer.fault(&error),
    }
}

/// `POST page::SECURITY_APP`. The form says whether it replaces an app, since it was shown to a user who has one or has none: a
/// form that adds one replaces none that was added meanwhile.
async fn confirm(issuer: Issuer, extensions: Extensions, body: Bytes) -> Response {
    let submission = match read(&issuer, &extensions, &body, (page::SECURITY_APP, page::SECURITY_APP)).await {
        Ok(submission) => submission,
        Err(response) => return response,
    };
    let Submission { signed_in, form, caller } = &submission;
    let (provider, user) = (&issuer.provider, &*signed_in.user);
    let (handle, code, replaces) = (form.text("enrolment"), form.text("code"), !form.text("replaces").is_empty());
    let outcome = if replaces {
        enrolment::replace(provider, user, handle, code, caller).await
    } else {
        enrolment::confirm(provider, (user, Proof::RecentSignIn), handle, code, caller).await
    };
    let codes = match outcome {
        Ok(codes) => codes,
        Err(EnrolmentError::WrongCode) => {
            let again = enrolment::resume(provider, user, handle);
            return show(&issuer, signed_in, replaces, again, Some(FactorError::Wrong));
        }
        Err(EnrolmentError::Expired) => return show_new(&issuer, signed_in, replaces, Some(FactorError::Expired)),
        Err(EnrolmentError::AlreadyEnrolled) => return see_other(&issuer.endpoints.url(page::SECURITY)),
        Err(EnrolmentError::Store(error)) => return issuer.fault(&error),
        Err(error @ EnrolmentError::Picture(_)) => return issuer.failure(error.kind()),
    };
    match stepped_up(&issuer, &signed_in.session).await {
        Ok(cookies) => with_cookies(pages::recovery_codes(&issuer.page(&[]), &codes, page::SECURITY), cookies),
        Err(error) => issuer.fault(&error),
    }
}

/// The cookies of a session of the higher level, which the code of the new app has proved; none if it has that level already.
async fn stepped_up(issuer: &Issuer, session: &Session) -> Result<Vec<HeaderValue>, StoreError> {
    if Level::of(session) >= Level::Multi {
        return Ok(Vec::new());
    }
    let begun = sessions::step_up(&issuer.provider, session, &Method::Totp.after_password()).await?;
    Ok(sign_in::session_cookies(issuer, &begun).into())
}

/// `GET page::SECURITY_REMOVE`
async fn ask_to_remove(issuer: Issuer) -> Response {
    let signed_in = match require(&issuer, page::SECURITY_REMOVE).await {
        Ok(signed_in) => signed_in,
        Err(response) => return response,
    };
    match has_app(&issuer, &signed_in.user).await {
        Ok(true) => {}
        Ok(false) => return see_other(&issuer.endpoints.url(page::SECURITY)),
        Err(error) => return issuer.fault(&error),
    }
    match policy::may_remove_one(&issuer.provider, &signed_in.user).await {
        Ok(true) => {
            let (browser, cookie) = issuer.browser();
            let csrf = token(&issuer, &browser, &signed_in, page::SECURITY_REMOVE);
            with_cookies(pages::remove_app(&issuer.page(&[]), &csrf), cookie)
        }
        Ok(false) => show_status(&issuer, &signed_in, Some(SecurityNote::Required)).await,
        Err(error) => issuer.fault(&error),
    }
}

/// `POST page::SECURITY_REMOVE`
async fn remove(issuer: Issuer, extensions: Extensions, body: Bytes) -> Response {
    let submission = match read(&issuer, &extensions, &body, (page::SECURITY_REMOVE, page::SECURITY_REMOVE)).await {
        Ok(submission) => submission,
        Err(response) => return response,
    };
    let keep_last = !policy::may_remove(&issuer.provider.config.mfa, &submission.signed_in.user);
    match factors::remove_app(&issuer.provider, submission.user_id(), keep_last, &submission.caller).await {
        Ok(Removal::Done | Removal::Absent) => changed(&issuer, SecurityChange::AppRemoved),
        Ok(Removal::IsLast) => show_status(&issuer, &submission.signed_in, Some(SecurityNote::Required)).await,
        Err(error) => issuer.fault(&error),
    }
}

async fn has_app(issuer: &Issuer, user: &User) -> Result<bool, StoreError> {
    let factors = issuer.provider.store.factors(&user.id.opaque_id).await?;
    Ok(factors.iter().any(|factor| factor.kind == FactorKind::Totp))
}

/// The form for a new secret.
fn show_new(issuer: &Issuer, signed_in: &FreshSession, replaces: bool, error: Option<FactorError>) -> Response {
    show(issuer, signed_in, replaces, enrolment::begin(&issuer.provider, &signed_in.user), error)
}

fn show(
    issuer: &Issuer,
    signed_in: &FreshSession,
    replaces: bool,
    enrolment: Result<Enrolment, EnrolmentError>,
    error: Option<FactorError>,
) -> Response {
    let enrolment = match enrolment {
        Ok(enrolment) => enrolment,
        Err(error) => {
            tracing::error!(%error, "an authenticator app cannot be added");
            return issuer.failure(error.kind());
        }
    };
    let (browser, cookie) = issuer.browser();
    let csrf = token(issuer, &browser, signed_in, page::SECURITY_APP);
    let form = AppForm { csrf: &csrf, replaces, enrolment: &enrolment, error };
    with_cookies(pages::security_app(&issuer.page(&[]), &form), cookie)
}
