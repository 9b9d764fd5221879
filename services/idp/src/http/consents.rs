//! `page::CONSENTS`: the applications that have access to an account, and the form that withdraws it.

use std::collections::BTreeMap;
use std::time::SystemTime;

use authn::audit::Event;
use authn::{Groups, UserId};
use axum::Router;
use axum::body::Bytes;
use axum::response::Response;
use axum::routing::get;
use oidc::scope::Scopes;
use store::StoreError;
use time::OffsetDateTime;
use web::cookie::with_cookies;
use web::form::Parameters;
use web::response::see_other;

use super::end_session;
use super::interaction::display_name;
use super::issuer::{Issuer, IssuerState};
use super::pages::{self, ConsentRow, FormTokens, Notice};
use crate::endpoints::page;
use crate::engine::provider::Provider;
use crate::engine::{scopes, termination};
use crate::model::{Family, Session};
use crate::store::StoredConsent;

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
    let applications = match applications(&issuer.provider, &session.person).await {
        Ok(applications) => applications,
        Err(error) => return issuer.fault(&error),
    };
    let mut named = Vec::with_capacity(applications.len());
    for (id, access) in &applications {
        named.push((id, client_name(&issuer.provider, id).await, access));
    }
    let rows: Vec<_> = named.iter().map(|(id, name, access)| access.row(id, name)).collect();
    let user = user_name(&issuer.provider, &session).await;
    let (browser, cookie) = issuer.browser();
    let remove = issuer.csrf(&browser, PURPOSE);
    let sign_out = issuer.csrf(&browser, &end_session::form_purpose(&session));
    let tokens = FormTokens { remove: &remove, sign_out: &sign_out };
    with_cookies(pages::consents(&issuer.page(&[]), tokens, &user, &rows), cookie)
}

/// Ends the access of one application. Its tokens are refused from the next request on.
async fn withdraw(issuer: Issuer, body: Bytes) -> Response {
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
    Event { subject: &session.person, client: &client, ..Event::new("consent", "taken_back") }.log();
    see_other(&issuer.endpoints.url(page::CONSENTS))
}

/// The access of an application.
#[derive(Debug, PartialEq, Eq)]
struct Access {
    scope: Scopes,
    since: SystemTime,
}

impl Access {
    fn widen(&mut self, scope: &Scopes, since: SystemTime) {
        // a union is too long only for hundreds of scopes; what is known is shown then
        self.scope = self.scope.union(scope).unwrap_or_else(|_| self.scope.clone());
        self.since = self.since.min(since);
    }

    fn row<'a>(&'a self, client_id: &'a str, name: &'a str) -> ConsentRow<'a> {
        let since = OffsetDateTime::from(self.since).date().to_string();
        ConsentRow { client_id, name, scopes: scopes::requested(&self.scope), since }
    }
}

/// The applications that have access to the account of a user, by their identifiers.
async fn applications(provider: &Provider, user: &str) -> Result<BTreeMap<String, Access>, StoreError> {
    let consents = provider.store.consents(user).await?;
    let families = provider.store.families(user, provider.clock.now()).await?;
    Ok(merged(&consents, &families))
}

/// Merges consents and refresh tokens. A consent is remembered for some clients only: devices, clients that ask each time and the
/// installation's own have access while a refresh token of theirs is valid.
fn merged(consents: &[StoredConsent], families: &[Family]) -> BTreeMap<String, Access> {
    let consents =
        consents.iter().map(|consent| (&consent.client, consent.scope.parse().unwrap_or_default(), consent.at));
    let grants = families.iter().map(|family| (&family.grant.client, family.grant.scope.clone(), family.created));
    let mut applications: BTreeMap<String, Access> = BTreeMap::new();
    for (client, scope, since) in consents.chain(grants) {
        match applications.get_mut(client) {
            Some(access) => access.widen(&scope, since),
            None => drop(applications.insert(client.clone(), Access { scope, since })),
        }
    }
    applications
}

/// The name of a client; its identifier where it has no name, or is gone.
async fn client_name(provider: &Provider, id: &str) -> String {
    let client = provider.clients.find(id).await.ok().flatten();
    let name = client.map(|client| client.presentation.name.clone()).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| id.to_owned())
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use uuid::Uuid;

    use super::*;
    use crate::endpoints::EndpointProfile;
    use crate::model::Grant;

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    fn consent(client: &str, scope: &str, second: u64) -> StoredConsent {
        StoredConsent { client: client.to_owned(), scope: scope.to_owned(), at: at(second) }
    }

    fn family(client: &str, scope: &str, second: u64) -> Family {
        let grant = Grant {
            id: Uuid::from_u128(1),
            layout: EndpointProfile::OpenCloud,
            client: client.to_owned(),
            person: Some("einstein".to_owned()),
            sign_in: None,
            scope: scope.parse().unwrap(),
            claims: None,
            resources: Vec::new(),
            actor: None,
            limited: false,
        };
        let created = at(second);
        Family { grant, binding: None, generation: 0, rotated: created, created, idle_end: at(9000), end: at(9000) }
    }

    #[test]
    fn application_with_a_refresh_token_is_shown_like_one_with_a_consent() {
        let consents = [consent("desktop", "email openid", 20)];
        let families = [
            family("desktop", "offline_access openid", 10),
            family("tv", "openid", 40),
            family("tv", "openid profile", 30),
        ];
        let shown = merged(&consents, &families);
        let access = |scope: &str, second| Access { scope: scope.parse().unwrap(), since: at(second) };
        let expected = [
            ("desktop".to_owned(), access("email offline_access openid", 10)),
            ("tv".to_owned(), access("openid profile", 30)),
        ];
        assert_eq!(shown, BTreeMap::from(expected));
    }
}
