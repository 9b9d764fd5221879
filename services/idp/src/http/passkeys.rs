//! `page::PASSKEYS`: adds, names and removes the passkeys of a user, who has signed in a short time ago.

#[cfg(test)]
mod tests;

use authn::Caller;
use axum::Router;
use axum::body::Bytes;
use axum::http::{Extensions, HeaderValue};
use axum::response::Response;
use axum::routing::get;
use uuid::Uuid;
use web::cookie::with_cookies;
use web::date::LocalizedTime;
use web::form::Parameters;
use web::i18n::Language;
use web::response::see_other;

use super::fresh_session::{self, FreshSession};
use super::issuer::{Issuer, IssuerState};
use super::pages::{self, Notice, PasskeyListError, PasskeyRow, Passkeys};
use super::{passkey, sign_in};
use crate::endpoints::page;
use crate::engine::factors::Method;
use crate::engine::factors::passkey::{self as passkeys, PasskeyError, UserPasskey, registration};
use crate::engine::factors::policy;
use crate::engine::levels::Level;
use crate::engine::provider::Provider;
use crate::engine::sessions;
use crate::store::Removal;

/// The page, which all issuers share.
pub(crate) fn router(state: IssuerState) -> Router {
    Router::new().route(page::PASSKEYS, get(show).post(change)).with_state(state)
}

/// The purpose of the forms of a session.
fn purpose(FreshSession { session, .. }: &FreshSession) -> String {
    format!("passkeys {}", session.id)
}

async fn show(issuer: Issuer) -> Response {
    match fresh_session::require(&issuer, page::PASSKEYS).await {
        Ok(fresh) => list(&issuer, &fresh, None).await,
        Err(response) => response,
    }
}

async fn list(issuer: &Issuer, fresh: &FreshSession, error: Option<PasskeyListError>) -> Response {
    let known = match passkeys::list(&issuer.provider, &fresh.session.person).await {
        Ok(known) => known,
        Err(error) => return issuer.fault(&error),
    };
    let context = issuer.page(&[]);
    let row = |passkey| row(passkey, context.language, &issuer.provider);
    let rows: Vec<_> = known.iter().map(row).collect();
    let (browser, cookie) = issuer.browser();
    let csrf = issuer.csrf(&browser, &purpose(fresh));
    let options = passkey::relying_party(issuer).and_then(|relying_party| {
        let begun = registration::begin(&issuer.provider, &relying_party, (&fresh.user, &known), &csrf);
        begun.inspect_err(|error| tracing::error!(%error, "a passkey cannot be added")).ok()
    });
    let (options, script) = (options.as_ref(), passkey::script_url());
    let page = Passkeys { csrf: &csrf, rows: &rows, options, script, error };
    with_cookies(pages::passkeys(&context, &page), cookie)
}

fn row<'a>(passkey: &'a UserPasskey, language: Language, provider: &Provider) -> PasskeyRow<'a> {
    let UserPasskey { factor, label, .. } = passkey;
    PasskeyRow {
        is_for_another_address: !passkey.is_usable(provider),
        id: factor.id.to_string(),
        label,
        added: LocalizedTime::day(factor.created, language),
        used: factor.used.map(|used| LocalizedTime::day(used, language)),
    }
}

async fn change(issuer: Issuer, extensions: Extensions, body: Bytes) -> Response {
    let fresh = match fresh_session::require(&issuer, page::PASSKEYS).await {
        Ok(fresh) => fresh,
        Err(response) => return response,
    };
    let form = Parameters::unlimited(&body);
    if !issuer.is_own_form(&purpose(&fresh), form.text("csrf")) {
        return issuer.notice(Notice::Forgery);
    }
    let caller = issuer.caller(&extensions);
    match apply(&issuer, &fresh, &form, &caller).await {
        Ok(cookies) => with_cookies(see_other(&issuer.endpoints.url(page::PASSKEYS)), cookies),
        Err(PasskeyError::Store(error)) => issuer.fault(&error),
        Err(PasskeyError::Expired) => list(&issuer, &fresh, Some(PasskeyListError::Expired)).await,
        Err(PasskeyError::LimitReached) => list(&issuer, &fresh, Some(PasskeyListError::LimitReached)).await,
        Err(PasskeyError::Needed) => list(&issuer, &fresh, Some(PasskeyListError::Needed)).await,
        Err(PasskeyError::Refused | PasskeyError::Cloned | PasskeyError::TooMany(_)) => {
            list(&issuer, &fresh, Some(PasskeyListError::Refused)).await
        }
    }
}

/// Does what a form asks for; returns the cookies that come of it.
async fn apply(
    issuer: &Issuer,
    fresh: &FreshSession,
    form: &Parameters,
    caller: &Caller,
) -> Result<Vec<HeaderValue>, PasskeyError> {
    let (provider, user) = (&issuer.provider, fresh.session.person.as_str());
    let (label, id) = (form.text("label"), form.text("id").parse::<Uuid>());
    match (form.text("action"), id) {
        ("add", _) => {
            let relying_party = passkey::relying_party(issuer).ok_or(PasskeyError::Refused)?;
            let added = (passkey::answer(form), label);
            registration::finish(provider, &relying_party, &fresh.user, added, caller).await?;
            return step_up(issuer, fresh).await;
        }
        // one that is gone meanwhile is not in the list that follows
        ("rename", Ok(id)) => {
            registration::rename(provider, user, id, label).await?;
        }
        ("remove", Ok(id)) => {
            // row F31
            let keep_last = !policy::may_remove(&provider.config.mfa, &fresh.user);
            if registration::remove(provider, (user, id), keep_last, caller).await? == Removal::IsLast {
                return Err(PasskeyError::Needed);
            }
        }
        _ => return Err(PasskeyError::Refused),
    }
    Ok(Vec::new())
}

/// Raises the level of a session whose user had no second factor before: who has just made a passkey need not show it again.
async fn step_up(
    issuer: &Issuer,
    FreshSession { session, .. }: &FreshSession,
) -> Result<Vec<HeaderValue>, PasskeyError> {
    if Level::of(session) > Level::Single {
        return Ok(Vec::new());
    }
    // whether the key is synced is not known before its first answer
    let amr = Method::Passkey { is_synced: true }.after_password();
    let begun = sessions::step_up(&issuer.provider, session, &amr).await?;
    Ok(sign_in::session_cookies(issuer, &begun).to_vec())
}
