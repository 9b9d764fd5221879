//! The forms by which somebody agrees, refuses, or chooses an account.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use oidc::error::ErrorCode;
use oidc::scope::Scopes;

use super::decide::{self, Step};
use super::interact::{After, go_on, is_shown_here, open, over, resumed, scope_words, show_sign_in};
use super::{pairs, refuse};
use crate::clients::ConsentPolicy;
use crate::endpoints::Site;
use crate::flow::{Agreed, Flow};
use crate::model::Session;
use crate::pages::{self, Notice, SignIn};
use crate::provider::Provider;
use crate::session;

/// A form of a flow.
struct Form(Vec<(String, String)>);

impl Form {
    fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value.as_str())
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

/// What a form says, once it is known that this browser was shown it, and by whom it is sent.
struct Sent {
    site: Site,
    flow: Flow,
    session: Option<Session>,
    form: Form,
}

async fn read(provider: &Provider, headers: &HeaderMap, body: &Bytes, what: &str) -> Result<Sent, Response> {
    let form = Form(pairs(body));
    let (site, flow) = open(provider, form.text("flow")).ok_or_else(|| over(provider, headers))?;
    if !is_shown_here(provider, &site, headers, what, (form.text("flow"), form.text("csrf"))) {
        return Err(refuse::notice(provider, &site, headers, Notice::Forgery));
    }
    let current = session::current(provider, &site, headers).await;
    let current = current.map_err(|error| refuse::fault(provider, &site, headers, &error))?;
    Ok(Sent { site, flow, session: current.map(|current| current.session), form })
}

/// `POST page::CONSENT`
pub(super) async fn decide(State(provider): State<Provider>, headers: HeaderMap, body: Bytes) -> Response {
    match read(&provider, &headers, &body, "consent").await {
        Ok(sent) => agree(&provider, &headers, sent).await,
        Err(response) => response,
    }
}

async fn agree(provider: &Provider, headers: &HeaderMap, sent: Sent) -> Response {
    let Sent { site, mut flow, session, form } = sent;
    let Some(checked) = resumed(provider, &flow).await else { return over(provider, headers) };
    let step = match decide::step(provider, &flow, &checked, session.clone()).await {
        Ok(step) => step,
        Err(error) => return refuse::undecided(provider, &site, headers, &error),
    };
    // whoever has signed out meanwhile, or has agreed in another window, is asked what is next now
    let (Step::Consent { scope, .. }, Some(session)) = (step, session.clone()) else {
        return go_on(provider, &site, headers, flow, session, After::Form).await;
    };
    if form.text("decision") != pages::ALLOW {
        tracing::info!(
            target: "audit", event = "consent", outcome = "refused", subject = session.person, client = checked.client.id
        );
        let why = (ErrorCode::AccessDenied, "the user has refused");
        return refuse::checked(provider, &site, headers, &checked, why).await;
    }
    let chosen: Vec<&str> = form.all("scope").collect();
    let agreed = scope_words(&scope).into_iter().filter(|word| !word.optional || chosen.contains(&word.name));
    let scope = Scopes::of(agreed.map(|word| word.name)).unwrap_or_default();
    if checked.client.consent == ConsentPolicy::Remembered {
        let (person, client, now) = (&session.person, &checked.client.id, provider.clock.now());
        if let Err(error) = provider.store.give_consent(person, client, &scope.to_string(), now).await {
            return refuse::fault(provider, &site, headers, &error);
        }
    }
    tracing::info!(
        target: "audit",
        event = "consent",
        outcome = "success",
        subject = session.person,
        client = checked.client.id,
        %scope,
    );
    flow.agreed = Some(Agreed { session: session.id, scope: scope.to_string() });
    go_on(provider, &site, headers, flow, Some(session), After::Form).await
}

/// `POST page::ACCOUNT`
pub(super) async fn choose_account(State(provider): State<Provider>, headers: HeaderMap, body: Bytes) -> Response {
    let Sent { site, mut flow, session, form } = match read(&provider, &headers, &body, "account").await {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    if form.text("decision") == pages::CONTINUE {
        flow.chosen = session.as_ref().map(|session| session.id);
        return go_on(&provider, &site, &headers, flow, session, After::Form).await;
    }
    // another account: the form for login name and password, as if nobody were signed in
    show_sign_in(&provider, &site, &headers, &flow, SignIn::default()).await
}
