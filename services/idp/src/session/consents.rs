//! `page::CONSENTS`: which applications somebody has let in, and the way to turn them out.

use authn::{Groups, UserId};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use oidc::scope::Scopes;
use store::StoreError;
use time::OffsetDateTime;

use crate::authorize;
use crate::endpoints::{Site, page};
use crate::model::{Session, seconds};
use crate::pages::{self, ConsentRow, Look, Notice};
use crate::provider::Provider;
use crate::revocations::{self, Of};
use crate::session;
use crate::store::StoredConsent;

/// What the form is for.
const PURPOSE: &str = "consents";

/// `GET page::CONSENTS`
pub(super) async fn show(State(provider): State<Provider>, headers: HeaderMap) -> Response {
    let (site, session) = match signed_in(&provider, &headers).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    let consents = match provider.store.consents(&session.person).await {
        Ok(consents) => consents,
        Err(error) => return authorize::fault(&provider, &site, &headers, &error),
    };
    let look = Look::of(&provider, &site, &headers, &[]);
    let mut shown = Vec::with_capacity(consents.len());
    for consent in &consents {
        shown.push(Shown::of(&provider, consent).await);
    }
    let rows: Vec<_> = shown.iter().map(Shown::row).collect();
    let person = person(&provider, &session).await;
    let (browser, cookie) = session::browser(&provider, &site, &headers);
    let csrf = browser.csrf(&provider, PURPOSE);
    let mut response = pages::consents(&look, &csrf, &person, &rows);
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// `POST page::CONSENTS`: ends what one application may. Its tokens are refused from the next request on.
pub(super) async fn take_back(State(provider): State<Provider>, headers: HeaderMap, body: Bytes) -> Response {
    let (site, session) = match signed_in(&provider, &headers).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    let form: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    let text = |name: &str| form.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value.as_str());
    let (browser, _) = session::browser(&provider, &site, &headers);
    if !browser.check_csrf(&provider, &site, &headers, PURPOSE, text("csrf")) {
        return authorize::notice(&provider, &site, &headers, Notice::Forgery);
    }
    let client = text("client");
    if let Err(error) = end(&provider, &session.person, client).await {
        return authorize::fault(&provider, &site, &headers, &error);
    }
    tracing::info!(target: "audit", event = "consent", outcome = "taken_back", subject = session.person, client);
    authorize::see_other(&site.url(page::CONSENTS))
}

/// Ends what a client may do for a person: consent, refresh tokens, and all access tokens and codes.
async fn end(provider: &Provider, person: &str, client: &str) -> Result<(), StoreError> {
    let now = provider.clock.now();
    // also what was issued in this very second
    let tokens = revocations::before(Of::Consent { person, client }, seconds(now) + 1);
    provider.store.take_back_consent(person, client, tokens, now).await?;
    provider.revocations.add([tokens]);
    Ok(())
}

/// A consent as it is shown.
struct Shown<'a> {
    client: &'a str,
    name: String,
    scopes: Scopes,
    since: String,
}

impl<'a> Shown<'a> {
    async fn of(provider: &Provider, consent: &'a StoredConsent) -> Self {
        let client = provider.clients.find(&consent.client).await.ok().flatten();
        let name = client.map(|client| client.presentation.name.clone()).filter(|name| !name.is_empty());
        Self {
            client: &consent.client,
            name: name.unwrap_or_else(|| consent.client.clone()),
            scopes: consent.scope.parse().unwrap_or_default(),
            since: OffsetDateTime::from(consent.at).date().to_string(),
        }
    }

    fn row(&self) -> ConsentRow<'_> {
        let scopes = authorize::scope_words(&self.scopes);
        ConsentRow { client_id: self.client, name: &self.name, scopes, since: self.since.clone() }
    }
}

/// What the person is called; the identifier where the directory cannot be asked.
async fn person(provider: &Provider, session: &Session) -> String {
    let id = UserId { opaque_id: session.person.clone(), ..UserId::default() };
    match provider.directory.user(&id, Groups::Skip).await {
        Ok(user) => authorize::name(&user).to_owned(),
        Err(_) => session.person.clone(),
    }
}

/// Who asks; whoever is not signed in does that first.
async fn signed_in(provider: &Provider, headers: &HeaderMap) -> Result<(Site, Session), Response> {
    let Some(site) = provider.sites.first() else { return Err(authorize::over(provider, headers)) };
    match session::current(provider, site, headers).await {
        Ok(Some(current)) => Ok((site.clone(), current.session)),
        Ok(None) => Err(authorize::see_other(&session::sign_in_url(provider, site, page::CONSENTS))),
        Err(error) => Err(authorize::fault(provider, site, headers, &error)),
    }
}
