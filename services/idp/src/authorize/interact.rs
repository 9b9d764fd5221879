//! The page on the way: whatever is asked next is shown by it.

use authn::User;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use oidc::response::Carrier;
use oidc::scope::{self, Scopes};

use super::answer::{Way, granted, see_other};
use super::decide::{self, Ready, Step};
use super::request::{self, Checked};
use super::{pairs, pushed, refuse};
use crate::endpoints::Site;
use crate::flow::{Flow, Next};
use crate::model::Session;
use crate::pages::{self, Look, Notice, ScopeWord};
use crate::provider::Provider;
use crate::session::{self, Browser};

/// What has just happened.
pub(crate) enum After {
    /// A client's request has come; it is known to be good.
    Request(Box<Checked>),
    /// The page is asked for.
    Page,
    /// A form of ours was sent: what follows is asked for anew, so that no password is posted on (row I16).
    Form,
}

/// `GET page::SIGN_IN`
pub(super) async fn show(State(provider): State<Provider>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let parameters = pairs(query.unwrap_or_default().as_bytes());
    let text = parameters.iter().find(|(name, _)| name == "flow").map_or("", |(_, value)| value.as_str());
    let Some((site, flow)) = open(&provider, text) else { return over(&provider, &headers) };
    match session::current(&provider, &site, &headers).await {
        Ok(current) => {
            let session = current.map(|current| current.session);
            go_on(&provider, &site, &headers, flow, session, After::Page).await
        }
        Err(error) => refuse::fault(&provider, &site, &headers, &error),
    }
}

/// The flow of a text, and its issuer.
pub(crate) fn open(provider: &Provider, text: &str) -> Option<(Site, Flow)> {
    let flow = Flow::open(provider, text).ok()?;
    Some((provider.site(flow.layout)?.clone(), flow))
}

/// What is shown for a flow that is over.
pub(crate) fn over(provider: &Provider, headers: &HeaderMap) -> Response {
    match provider.sites.first() {
        Some(site) => refuse::notice(provider, site, headers, Notice::Expired),
        None => see_other("/"),
    }
}

/// Goes on with a flow as far as it goes without the person.
pub(crate) async fn go_on(
    provider: &Provider,
    site: &Site,
    headers: &HeaderMap,
    flow: Flow,
    session: Option<Session>,
    after: After,
) -> Response {
    let waiting = match &flow.next {
        Next::Answer(waiting) => waiting,
        Next::Path(path) => return to_path(provider, site, headers, &flow, path, session, &after).await,
    };
    let is_page = matches!(after, After::Page);
    let is_form = matches!(after, After::Form);
    let checked = match after {
        After::Request(checked) => *checked,
        After::Page | After::Form => match request::resume(provider, waiting).await {
            Ok(checked) => checked,
            Err(stop) => return refuse::stop(provider, site, headers, stop),
        },
    };
    let step = match decide::step(provider, &flow, &checked, session.clone()).await {
        Ok(step) => step,
        Err(error) => return refuse::undecided(provider, site, headers, &error),
    };
    match step {
        Step::Refuse(code, description) => {
            refuse::checked(provider, site, headers, &checked, (code, description)).await
        }
        Step::Ready(ready) => {
            if is_form && checked.request.delivery.carrier == Carrier::FormPost {
                return see_other(&flow.url(provider, site));
            }
            answer(provider, site, headers, &checked, &ready).await
        }
        step if is_page => Page { provider, site, headers, flow: &flow, checked: &checked }.show(&step),
        _ => see_other(&flow.url(provider, site)),
    }
}

async fn to_path(
    provider: &Provider,
    site: &Site,
    headers: &HeaderMap,
    flow: &Flow,
    path: &str,
    session: Option<Session>,
    after: &After,
) -> Response {
    let person = match &session {
        Some(session) => decide::person(provider, session).await,
        None => Ok(None),
    };
    match person {
        Ok(Some(_)) => see_other(&site.url(path)),
        Ok(None) if matches!(after, After::Page) => {
            sign_in(provider, site, headers, flow, (pages::SignIn::default(), &[]))
        }
        Ok(None) => see_other(&flow.url(provider, site)),
        Err(error) => refuse::undecided(provider, site, headers, &error),
    }
}

async fn answer(provider: &Provider, site: &Site, headers: &HeaderMap, checked: &Checked, ready: &Ready) -> Response {
    if let Err(stop) = pushed::use_up(provider, checked).await {
        return refuse::stop(provider, site, headers, stop);
    }
    let logout = &checked.client.logout;
    if logout.backchannel.is_some() || logout.frontchannel.is_some() {
        let joined = provider.store.join_session(ready.session.id, &checked.client.id, site.layout.name()).await;
        if let Err(error) = joined {
            return refuse::fault(provider, site, headers, &error);
        }
    }
    let parameters = granted(provider, site, checked, ready);
    tracing::info!(
        target: "audit",
        event = "authorize",
        outcome = "success",
        subject = ready.session.person,
        client = checked.client.id,
        scope = %ready.scope,
    );
    let way = Way {
        client: &checked.client,
        redirect: &checked.redirect,
        delivery: checked.request.delivery,
        state: checked.request.state.as_deref(),
        empty_state: checked.empty_state,
    };
    way.send(provider, site, headers, parameters)
}

/// A page of a flow.
struct Page<'a> {
    provider: &'a Provider,
    site: &'a Site,
    headers: &'a HeaderMap,
    flow: &'a Flow,
    checked: &'a Checked,
}

impl Page<'_> {
    fn show(&self, step: &Step) -> Response {
        let Self { provider, site, headers, flow, checked } = *self;
        let redirect_uri = Some(checked.redirect.as_str());
        let client = &*checked.client;
        match step {
            Step::SignIn { suggested } => {
                let page = pages::SignIn {
                    username: suggested.as_deref().unwrap_or_default(),
                    client: Some(client),
                    redirect_uri,
                    ..pages::SignIn::default()
                };
                sign_in(provider, site, headers, flow, (page, &checked.request.ui_locales))
            }
            Step::Account { user } => self.with_browser("account", |look, flow, csrf| {
                let page = pages::Account { flow, csrf, person: name(user), client, redirect_uri };
                pages::account(look, &page)
            }),
            Step::Consent { user, scope } => self.with_browser("consent", |look, flow, csrf| {
                let scopes = scope_words(scope);
                let page = pages::Consent { flow, csrf, client, person: name(user), scopes: &scopes, redirect_uri };
                pages::consent(look, &page)
            }),
            Step::Ready(_) | Step::Refuse(..) => over(provider, headers),
        }
    }

    fn with_browser(&self, what: &str, show: impl FnOnce(&Look<'_>, &str, &str) -> Response) -> Response {
        let Self { provider, site, headers, flow, checked } = *self;
        let look = Look::of(provider, site, headers, &checked.request.ui_locales);
        with_browser(provider, site, headers, flow, what, |flow, csrf| show(&look, flow, csrf))
    }
}

/// The form for login name and password.
pub(crate) fn sign_in(
    provider: &Provider,
    site: &Site,
    headers: &HeaderMap,
    flow: &Flow,
    (page, languages): (pages::SignIn<'_>, &[String]),
) -> Response {
    let look = Look::of(provider, site, headers, languages);
    with_browser(provider, site, headers, flow, LOGON, |flow, csrf| {
        pages::sign_in(&look, &pages::SignIn { flow, csrf, ..page })
    })
}

/// The same for whatever a flow holds.
pub(crate) async fn show_sign_in(
    provider: &Provider,
    site: &Site,
    headers: &HeaderMap,
    flow: &Flow,
    page: pages::SignIn<'_>,
) -> Response {
    let Some(checked) = resumed(provider, flow).await else {
        return sign_in(provider, site, headers, flow, (page, &[]));
    };
    let (client, redirect_uri) = (Some(&*checked.client), Some(checked.redirect.as_str()));
    let page = pages::SignIn { client, redirect_uri, ..page };
    sign_in(provider, site, headers, flow, (page, &checked.request.ui_locales))
}

/// The purpose of the form for login name and password.
pub(crate) const LOGON: &str = "logon";

/// A page with a form that is bound to this browser and this flow.
fn with_browser(
    provider: &Provider,
    site: &Site,
    headers: &HeaderMap,
    flow: &Flow,
    what: &str,
    show: impl FnOnce(&str, &str) -> Response,
) -> Response {
    let (browser, cookie) = session::browser(provider, site, headers);
    let flow = flow.seal(provider);
    let csrf = browser.csrf(provider, &purpose(what, &flow));
    let mut response = show(&flow, &csrf);
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

fn purpose(what: &str, flow: &str) -> String {
    format!("{what} {flow}")
}

/// Whether a form of a flow was shown to this browser.
pub(crate) fn is_shown_here(
    provider: &Provider,
    site: &Site,
    headers: &HeaderMap,
    what: &str,
    (flow, csrf): (&str, &str),
) -> bool {
    let (browser, _): (Browser, _) = session::browser(provider, site, headers);
    browser.check_csrf(provider, site, headers, &purpose(what, flow), csrf)
}

/// What people are called.
pub(crate) fn name(user: &User) -> &str {
    if user.display_name.is_empty() { &user.username } else { &user.display_name }
}

/// Scopes, as people are asked about them. What an application cannot work without is granted or refused as a whole, and
/// comes first; what it is told of the person beyond a name can be left out.
pub(crate) fn scope_words(scopes: &Scopes) -> Vec<ScopeWord<'_>> {
    let needed = [scope::OPENID, scope::PROFILE, scope::OFFLINE_ACCESS, scope::OFFLINE, scope::PYDIO];
    let place = |name| needed.iter().position(|known| *known == name);
    let mut words: Vec<_> = scopes.iter().map(|name| ScopeWord { name, optional: place(name).is_none() }).collect();
    words.sort_by_key(|word| place(word.name).unwrap_or(needed.len()));
    words
}

/// The request that a flow holds.
pub(crate) async fn resumed(provider: &Provider, flow: &Flow) -> Option<Checked> {
    let Next::Answer(waiting) = &flow.next else { return None };
    request::resume(provider, waiting).await.ok()
}
