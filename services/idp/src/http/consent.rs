//! The forms by which a user consents, refuses, or chooses an account.

use authn::Caller;
use authn::audit::Event;
use axum::Router;
use axum::body::Bytes;
use axum::http::Extensions;
use axum::response::Response;
use axum::routing::post;
use oidc::error::ErrorCode;
use tracing::field::display;
use web::form::Parameters;

use super::authorization_response::{reject, undecided};
use super::interaction::{ACCOUNT, CONSENT, FlowStage, continue_flow, is_own_form, resumed, show_sign_in};
use super::issuer::{Issuer, IssuerState};
use super::pages::{self, Notice, SignIn};
use crate::endpoints::page;
use crate::engine::audit_events::Circumstances;
use crate::engine::authorize::flow::{Flow, GivenConsent};
use crate::engine::authorize::prompt::{self, NextPrompt};
use crate::engine::authorize::response;
use crate::engine::clients::ConsentPolicy;
use crate::engine::scopes;
use crate::model::Session;

/// The forms, which all issuers share.
pub(crate) fn router(state: IssuerState) -> Router {
    Router::new().route(page::CONSENT, post(decide)).route(page::ACCOUNT, post(choose_account)).with_state(state)
}

/// A form that was shown to this browser, and the session in which it was sent.
struct Submission {
    issuer: Issuer,
    flow: Flow,
    session: Option<Session>,
    form: Parameters,
}

async fn read(issuer: &Issuer, body: &Bytes, purpose: &str) -> Result<Submission, Response> {
    let form = Parameters::unlimited(body);
    let (issuer, flow) = issuer.open(form.text("flow")).ok_or_else(|| issuer.expired())?;
    if !is_own_form(&issuer, purpose, (form.text("flow"), form.text("csrf"))) {
        return Err(issuer.notice(Notice::Forgery));
    }
    let session = issuer.session().await.map_err(|error| issuer.fault(&error))?;
    Ok(Submission { issuer, flow, session, form })
}

/// `POST page::CONSENT`
async fn decide(issuer: Issuer, extensions: Extensions, body: Bytes) -> Response {
    let caller = issuer.caller(&extensions);
    match read(&issuer, &body, CONSENT).await {
        Ok(submission) => consent(submission, &caller).await,
        Err(response) => response,
    }
}

async fn consent(Submission { issuer, mut flow, session, form }: Submission, caller: &Caller) -> Response {
    let provider = &issuer.provider;
    let Some(request) = resumed(&issuer, &flow).await else { return issuer.expired() };
    let next = match prompt::next(provider, &flow, &request, session.clone()).await {
        Ok(next) => next,
        Err(error) => return undecided(&issuer, &error),
    };
    // a user who has signed out meanwhile, or has consented in another window, is asked what is next now
    let (NextPrompt::Consent { scope, .. }, Some(session)) = (next, session.clone()) else {
        return continue_flow(&issuer, flow, session, FlowStage::Form).await;
    };
    let client = &request.client.id;
    let record = |event: &Event<'_>| {
        let circumstances = Circumstances::of(&session.person, client, caller);
        provider.audit_events.record(event, circumstances, provider.clock.now());
    };
    if form.text("decision") != pages::ALLOW {
        record(&Event { subject: &session.person, client, ..Event::new("consent", "refused") });
        let error = (ErrorCode::AccessDenied, "the user has refused");
        return reject(&issuer, &response::refuse(provider, &request, error).await);
    }
    let scope = scopes::granted(&scope, &form.all("scope").collect::<Vec<_>>());
    if request.client.consent == ConsentPolicy::Remembered {
        let (user, now) = (&session.person, provider.clock.now());
        if let Err(error) = provider.store.give_consent(user, client, &scope.to_string(), now).await {
            return issuer.fault(&error);
        }
    }
    let granted = display(&scope);
    record(&Event { subject: &session.person, client, scope: &granted, ..Event::new("consent", "success") });
    flow.consent = Some(GivenConsent { session: session.id, scope: scope.to_string() });
    continue_flow(&issuer, flow, Some(session), FlowStage::Form).await
}

/// `POST page::ACCOUNT`
async fn choose_account(issuer: Issuer, body: Bytes) -> Response {
    let Submission { issuer, mut flow, session, form } = match read(&issuer, &body, ACCOUNT).await {
        Ok(submission) => submission,
        Err(response) => return response,
    };
    if form.text("decision") == pages::CONTINUE {
        flow.chosen = session.as_ref().map(|session| session.id);
        return continue_flow(&issuer, flow, session, FlowStage::Form).await;
    }
    // another account: the form for login name and password, as if there were no session
    show_sign_in(&issuer, &flow, SignIn::default()).await
}
