//! `page::CONSENTS`: which applications somebody has let in, and the way to turn them out.

use std::collections::BTreeMap;
use std::time::SystemTime;

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
use crate::logout;
use crate::model::{Family, Session, seconds};
use crate::pages::{self, ConsentRow, FormTokens, Look, Notice};
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
    let let_in = match let_in(&provider, &session.person).await {
        Ok(let_in) => let_in,
        Err(error) => return authorize::fault(&provider, &site, &headers, &error),
    };
    let look = Look::of(&provider, &site, &headers, &[]);
    let mut named = Vec::with_capacity(let_in.len());
    for (id, access) in &let_in {
        named.push((id, name(&provider, id).await, access));
    }
    let rows: Vec<_> = named.iter().map(|(id, name, access)| access.row(id, name)).collect();
    let person = person(&provider, &session).await;
    let (browser, cookie) = session::browser(&provider, &site, &headers);
    let (remove, sign_out) = (browser.csrf(&provider, PURPOSE), browser.csrf(&provider, &logout::form_of(&session)));
    let tokens = FormTokens { remove: &remove, sign_out: &sign_out };
    let mut response = pages::consents(&look, tokens, &person, &rows);
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
    Ok(())
}

/// What an application may.
#[derive(Debug, PartialEq, Eq)]
struct Access {
    scope: Scopes,
    since: SystemTime,
}

impl Access {
    fn widen(&mut self, scope: &Scopes, since: SystemTime) {
        // a union is too long only where somebody has agreed to hundreds of scopes; what is known is shown then
        self.scope = self.scope.union(scope).unwrap_or_else(|_| self.scope.clone());
        self.since = self.since.min(since);
    }

    fn row<'a>(&'a self, client_id: &'a str, name: &'a str) -> ConsentRow<'a> {
        let since = OffsetDateTime::from(self.since).date().to_string();
        ConsentRow { client_id, name, scopes: authorize::scope_words(&self.scope), since }
    }
}

/// The applications that a person has let in, by their identifiers.
async fn let_in(provider: &Provider, person: &str) -> Result<BTreeMap<String, Access>, StoreError> {
    let consents = provider.store.consents(person).await?;
    let families = provider.store.families(person, provider.clock.now()).await?;
    Ok(together(&consents, &families))
}

/// A consent is remembered for some clients only: devices, clients that ask each time and those of the house have access
/// while a refresh token of theirs is good.
fn together(consents: &[StoredConsent], families: &[Family]) -> BTreeMap<String, Access> {
    let consents =
        consents.iter().map(|consent| (&consent.client, consent.scope.parse().unwrap_or_default(), consent.at));
    let grants = families.iter().map(|family| (&family.grant.client, family.grant.scope.clone(), family.created));
    let mut let_in: BTreeMap<String, Access> = BTreeMap::new();
    for (client, scope, since) in consents.chain(grants) {
        match let_in.get_mut(client) {
            Some(access) => access.widen(&scope, since),
            None => drop(let_in.insert(client.clone(), Access { scope, since })),
        }
    }
    let_in
}

/// What a client is called; its identifier where it has no name, or is gone.
async fn name(provider: &Provider, id: &str) -> String {
    let client = provider.clients.find(id).await.ok().flatten();
    let name = client.map(|client| client.presentation.name.clone()).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| id.to_owned())
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use uuid::Uuid;

    use super::*;
    use crate::endpoints::Layout;
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
            layout: Layout::OpenCloud,
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
    fn who_holds_a_refresh_token_is_shown_like_who_has_a_consent() {
        let consents = [consent("desktop", "email openid", 20)];
        let families = [
            family("desktop", "offline_access openid", 10),
            family("tv", "openid", 40),
            family("tv", "openid profile", 30),
        ];
        let shown = together(&consents, &families);
        let access = |scope: &str, second| Access { scope: scope.parse().unwrap(), since: at(second) };
        let expected = [
            ("desktop".to_owned(), access("email offline_access openid", 10)),
            ("tv".to_owned(), access("openid profile", 30)),
        ];
        assert_eq!(shown, BTreeMap::from(expected));
    }
}
