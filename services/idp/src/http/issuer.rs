//! A request to one issuer, as handlers of pages work with it.

use std::sync::Arc;

use authn::Caller;
use axum::Router;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use axum::routing::MethodRouter;
use status::Kind;
use store::StoreError;
use tonic::metadata::MetadataMap;
use web::cookie::Lifetime;
use web::csrf::{self, Browser};
use web::i18n::Language;
use web::origin;
use web::page::{Assets, Installation};

use super::cookie;
use super::pages::{self, Notice, PageContext};
use crate::endpoints::{IssuerEndpoints, Paths, page};
use crate::engine::authorize::flow::Flow;
use crate::engine::levels::Level;
use crate::engine::provider::Provider;
use crate::engine::sessions;
use crate::model::Session;
use crate::seal::Tag;

/// What the runtime puts the id of a request in.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The purpose of the token of a browser.
const BROWSER: &str = "this browser";

/// The state of a handler: the provider, and the issuer whose endpoint was called. Pages that all issuers share have that of the
/// first.
#[derive(Clone)]
pub(crate) struct IssuerState {
    pub(crate) provider: Provider,
    pub(crate) endpoints: Arc<IssuerEndpoints>,
    pub(crate) installation: Arc<Installation>,
}

/// The provider, the issuer, and the headers of the request.
#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) provider: Provider,
    pub(crate) endpoints: Arc<IssuerEndpoints>,
    pub(crate) installation: Arc<Installation>,
    pub(crate) headers: HeaderMap,
}

impl<S> FromRequestParts<S> for Issuer
where
    IssuerState: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let IssuerState { provider, endpoints, installation } = IssuerState::from_ref(state);
        Ok(Self { provider, endpoints, installation, headers: parts.headers.clone() })
    }
}

impl Issuer {
    /// The flow of a text, and the same request to the issuer at which the flow began.
    pub(crate) fn open(&self, text: &str) -> Option<(Self, Flow)> {
        let flow = Flow::open(&self.provider, text).ok()?;
        let endpoints = self.provider.endpoints(flow.layout)?;
        let endpoints =
            if *endpoints == *self.endpoints { Arc::clone(&self.endpoints) } else { Arc::new(endpoints.clone()) };
        Some((Self { endpoints, ..self.clone() }, flow))
    }

    /// The context of a page; `ui_locales` are the languages that the client asks for.
    pub(crate) fn page(&self, ui_locales: &[String]) -> PageContext<'_> {
        PageContext {
            endpoints: &self.endpoints,
            installation: &self.installation,
            language: Language::choose(ui_locales, &self.headers),
            request_id: self.headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok()),
        }
    }

    /// The page for something that went wrong.
    pub(crate) fn notice(&self, notice: Notice) -> Response {
        pages::notice(&self.page(&[]), notice)
    }

    /// The page for a flow that has expired.
    pub(crate) fn expired(&self) -> Response {
        self.notice(Notice::Expired)
    }

    /// The page for an unavailable database.
    pub(crate) fn fault(&self, error: &StoreError) -> Response {
        tracing::error!(%error, "a sign-in cannot continue");
        self.failure(error.kind())
    }

    /// The page for a failure of this kind.
    pub(crate) fn failure(&self, kind: Kind) -> Response {
        self.notice(if kind == Kind::Unavailable { Notice::Unavailable } else { Notice::Fault })
    }

    /// The session of the browser.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub(crate) async fn session(&self) -> Result<Option<Session>, StoreError> {
        sessions::current(&self.provider, web::cookie::one(&self.headers, &cookie::session(&self.endpoints))).await
    }

    /// From where the request came.
    pub(crate) fn caller(&self, extensions: &Extensions) -> Caller {
        Caller::of(&MetadataMap::from_headers(self.headers.clone()), extensions)
    }

    /// The browser, and the cookie it has to be given if it has none.
    pub(crate) fn browser(&self) -> (Browser, Option<HeaderValue>) {
        let name = cookie::browser(&self.endpoints);
        if let Some(browser) = Browser::of(&self.headers, &name) {
            return (browser, None);
        }
        let browser = Browser::new(&self.provider.random);
        let cookie = cookie::private(&self.endpoints, &name, browser.value(), Lifetime::BrowserSession);
        (browser, Some(cookie))
    }

    /// The token that a form of this purpose sends back.
    pub(crate) fn csrf(&self, browser: &Browser, purpose: &str) -> String {
        csrf::token(&self.provider.sealer.tag(Tag::Csrf, &browser.message(purpose)))
    }

    /// Whether a form of this purpose was shown to this browser, and was sent by a page of ours.
    pub(crate) fn is_own_form(&self, purpose: &str, csrf: &str) -> bool {
        let message = self.browser().0.message(purpose);
        origin::is_not_cross_origin(&self.headers, self.endpoints.origin())
            && csrf::is_token(csrf, self.provider.sealer.tags(Tag::Csrf, &message))
    }

    /// The token by which something is bound to this browser.
    pub(crate) fn browser_token(&self, browser: &Browser) -> String {
        self.csrf(browser, BROWSER)
    }

    /// Whether a token is that of this browser.
    pub(crate) fn is_browser(&self, token: &str) -> bool {
        let message = self.browser().0.message(BROWSER);
        csrf::is_token(token, self.provider.sealer.tags(Tag::Csrf, &message))
    }

    /// The URL at which a user signs in at this level and is sent to a path of ours.
    pub(crate) fn step_up_url(&self, return_to: &str, level: Level) -> String {
        let flow = Flow::to_path(self.endpoints.layout, return_to, self.provider.clock.now());
        Flow { level, ..flow }.url(&self.provider, &self.endpoints)
    }

    /// The same for a path that needs a sign-in of the last minutes.
    pub(crate) fn fresh_sign_in_url(&self, return_to: &str, level: Level) -> String {
        let flow = Flow::to_path(self.endpoints.layout, return_to, self.provider.clock.now());
        Flow { level, fresh: true, ..flow }.url(&self.provider, &self.endpoints)
    }

    /// The URL at which a user signs in and is sent to a path of ours.
    pub(crate) fn sign_in_url(&self, return_to: &str) -> String {
        let flow = Flow::to_path(self.endpoints.layout, return_to, self.provider.clock.now());
        flow.url(&self.provider, &self.endpoints)
    }
}

/// A router that has this endpoint for every issuer.
pub(crate) fn at_every_issuer(
    provider: &Provider,
    path: fn(&Paths) -> &'static str,
    methods: &MethodRouter<IssuerState>,
) -> Router {
    let installation = installation(provider);
    provider.issuers.iter().fold(Router::new(), |router, endpoints| {
        let state = state(provider, endpoints, &installation);
        router.merge(Router::new().route(path(&endpoints.paths), methods.clone()).with_state(state))
    })
}

/// The state of pages that all issuers share, which look like those of the first one.
pub(crate) fn of_first(provider: &Provider) -> Option<IssuerState> {
    let endpoints = provider.issuers.first()?;
    Some(state(provider, endpoints, &installation(provider)))
}

fn state(provider: &Provider, endpoints: &IssuerEndpoints, installation: &Arc<Installation>) -> IssuerState {
    let (provider, endpoints) = (provider.clone(), Arc::new(endpoints.clone()));
    IssuerState { provider, endpoints, installation: Arc::clone(installation) }
}

/// The files that pages load.
pub(crate) fn assets(provider: &Provider) -> Assets {
    Assets::new(page::STATIC, &provider.config.pages)
}

fn installation(provider: &Provider) -> Arc<Installation> {
    Arc::new(Installation::new(&provider.config.pages, &assets(provider)))
}
