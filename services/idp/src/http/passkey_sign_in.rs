//! `POST page::PASSKEY`: signing in with a passkey alone.

#[cfg(test)]
mod tests;

use authn::{Caller, Groups, UserType};
use axum::Router;
use axum::body::Bytes;
use axum::http::Extensions;
use axum::response::Response;
use axum::routing::post;
use web::form::Parameters;

use super::authorization_response::undecided;
use super::interaction::{LOGON, is_own_form, show_sign_in_again};
use super::issuer::{Issuer, IssuerState};
use super::pages::{Notice, SignIn, SignInError};
use super::{device_cookie, passkey, sign_in};
use crate::endpoints::page;
use crate::engine::accounts::{self, AccountStatus};
use crate::engine::authorize::flow::Flow;
use crate::engine::authorize::prompt::PromptError;
use crate::engine::factors::Method;
use crate::engine::factors::passkey::{PasskeyError, assertion};
use crate::engine::sessions::SignedInUser;

/// The form, which all issuers share.
pub(crate) fn router(state: IssuerState) -> Router {
    Router::new().route(page::PASSKEY, post(enter)).with_state(state)
}

/// Signs a user in, and continues the flow.
async fn enter(issuer: Issuer, extensions: Extensions, body: Bytes) -> Response {
    let form = Parameters::unlimited(&body);
    let Some((issuer, flow)) = issuer.open(form.text("flow")) else { return issuer.expired() };
    if !is_own_form(&issuer, LOGON, (form.text("flow"), form.text("csrf"))) {
        return issuer.notice(Notice::Forgery);
    }
    let caller = Caller { device: device_cookie::known(&issuer), ..issuer.caller(&extensions) };
    let remember = !form.text("remember").is_empty();
    match verify(&issuer, &form, &caller).await {
        Ok((user, method)) => succeed(&issuer, &flow, (&user, method, remember), &caller).await,
        Err(PasskeyError::Store(error)) => issuer.fault(&error),
        Err(error) => {
            let error = match error {
                PasskeyError::Expired => SignInError::Expired,
                PasskeyError::TooMany(wait) => SignInError::TooMany { retry_after: wait.as_secs().max(1) },
                _ => SignInError::Passkey,
            };
            show_sign_in_again(&issuer, &flow, SignIn { error: Some(error), remember, ..SignIn::default() }).await
        }
    }
}

async fn verify(issuer: &Issuer, form: &Parameters, caller: &Caller) -> Result<(String, Method), PasskeyError> {
    let relying_party = passkey::relying_party(issuer).ok_or(PasskeyError::Refused)?;
    assertion::verify_alone(&issuer.provider, &relying_party, passkey::answer(form), caller).await
}

/// Begins the session of a user with the right passkey, if the account may sign in: a disabled one gets the answer that a wrong
/// passkey gets.
async fn succeed(
    issuer: &Issuer,
    flow: &Flow,
    (user, method, remember): (&str, Method, bool),
    caller: &Caller,
) -> Response {
    // no password is involved, so none can have been changed since
    let is_outdated = |_| false;
    match accounts::look_up(&issuer.provider, user, Groups::Skip, is_outdated).await {
        Ok(AccountStatus::Active(found)) if found.id.kind != UserType::Service => {}
        Ok(AccountStatus::Active(_) | AccountStatus::Ineligible(_)) => {
            sign_in::record(issuer, user, caller, "failure");
            let page = SignIn { error: Some(SignInError::Passkey), remember, ..SignIn::default() };
            return show_sign_in_again(issuer, flow, page).await;
        }
        Err(error) => return undecided(issuer, &PromptError::Directory(error)),
    }
    let former = match issuer.session().await {
        Ok(session) => session,
        Err(error) => return issuer.fault(&error),
    };
    let signed_in = SignedInUser { user, amr: &method.alone(), remember };
    sign_in::begin_session(issuer, flow, (former.as_ref(), signed_in), caller).await
}
