//! `page::CONSENTS`: the applications that have access to an account, and the form that withdraws it.

use authn::audit::Event;
use authn::{Groups, UserId};
use axum::Router;
use axum::body::Bytes;
use axum::http::Extensions;
use axum::response::Response;
use axum::routing::get;
use web::cookie::with_cookies;
use web::date::LocalizedTime;
use web::form::Parameters;
use web::i18n::Language;
use web::response::see_other;

use super::end_session;
use super::interaction::display_name;
use super::issuer::{Issuer, IssuerState};
use super::pages::{self, ConsentRow, FormTokens, Notice};
use crate::endpoints::page;
use crate::engine::audit_events::Circumstances;
use crate::engine::connected_applications::{self, ConnectedApplication};
use crate::engine::provider::Provider;
use crate::engine::{scopes, termination};
use crate::model::Session;

/// The purpose of the form.
const PURPOSE: &str = "consents";

/// The page, which all issuers share.
pub(crate) fn router(state: IssuerState) -> Router {
    Router::new().route(page::CONSENTS, get(show).post(withdraw)).with_state(state)
}

async fn show(issuer: Issuer) -> Response {
    let session = match signed_in(&issuer).await {
        Ok(session) => session,
        Err(response) => return response,
    };
    let applications = match connected_applications::list(&issuer.provider, &session.person).await {
        Ok(applications) => applications,
        Err(error) => return issuer.fault(&error),
    };
    let context = issuer.page(&[]);
    let rows: Vec<_> = applications.iter().map(|application| row(application, context.language)).collect();
    let user = user_name(&issuer.provider, &session).await;
    let (browser, cookie) = issuer.browser();
    let remove = issuer.csrf(&browser, PURPOSE);
    let sign_out = issuer.csrf(&browser, &end_session::form_purpose(&session));
    let tokens = FormTokens { remove: &remove, sign_out: &sign_out };
    with_cookies(pages::consents(&context, tokens, &user, &rows), cookie)
}

/// Ends the access of one application. Its tokens are refused from the next request on.
async fn withdraw(issuer: Issuer, extensions: Extensions, body: Bytes) -> Response {
    let session = match signed_in(&issuer).await {
        Ok(session) => session,
        Err(response) => return response,
    };
    let form = Parameters::unlimited(&body);
    if !issuer.is_own_form(PURPOSE, form.text("csrf")) {
        return issuer.notice(Notice::Forgery);
    }
    let client = form.text("client");
    if let Err(error) = termination::withdraw_consent(&issuer.provider, &session.person, client).await {
        return issuer.fault(&error);
    }
    let event = Event { subject: &session.person, client: &client, ..Event::new("consent", "taken_back") };
    let caller = issuer.caller(&extensions);
    let circumstances = Circumstances::of(&session.person, client, &caller);
    issuer.provider.audit_events.record(&event, circumstances, issuer.provider.clock.now());
    see_other(&issuer.endpoints.url(page::CONSENTS))
}

fn row(application: &ConnectedApplication, language: Language) -> ConsentRow<'_> {
    ConsentRow {
        client_id: &application.client,
        name: &application.name,
        scopes: scopes::requested(&application.scope),
        since: LocalizedTime::day(application.since, language),
    }
}

/// The name of the user; the identifier where the directory is unavailable.
async fn user_name(provider: &Provider, session: &Session) -> String {
    let id = UserId { opaque_id: session.person.clone(), ..UserId::default() };
    match provider.directory.user(&id, Groups::Skip).await {
        Ok(user) => display_name(&user).to_owned(),
        Err(_) => session.person.clone(),
    }
}

/// The session of the browser; without one the response leads to the sign-in.
async fn signed_in(issuer: &Issuer) -> Result<Session, Response> {
    let session = issuer.session().await.map_err(|error| issuer.fault(&error))?;
    session.ok_or_else(|| see_other(&issuer.sign_in_url(page::CONSENTS)))
}
