//! The pages that the edge shows to browsers: refusals, and those of browser sessions. Programs get a refusal as plain text.

mod texts;
mod viewer;

#[cfg(test)]
mod tests;

use askama::Template;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, REFERRER_POLICY};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use web::i18n::Language;
use web::page::{Assets, Detail, Installation, Link, Message, Page, PageSettings};
use web::policy::{Forms, Policy};
use web::response::PageHeaders;

pub(crate) use viewer::Viewer;

use crate::refusal::Refusal;
use crate::site::{LOGIN, LOGOUT, STATIC};
use texts::{Text, Texts, texts};

/// The pages of the edge, and the files that they load.
pub(crate) struct Pages {
    installation: Installation,
    assets: Assets,
}

/// What the edge has to say about a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The issuer cannot be reached (503).
    SignInUnavailable,
    /// The sign-in has failed, with this status.
    SignInFailed(StatusCode),
    /// This browser has not begun the sign-in, or it has expired (400).
    SignInUnknown,
    /// There is no session (200).
    SignedOut,
    /// Another site's page wants to end the session (403).
    CrossSite,
    /// The session could not be ended (503).
    SignOutFailed,
}

impl Notice {
    const fn status(self) -> StatusCode {
        match self {
            Self::SignInUnavailable | Self::SignOutFailed => StatusCode::SERVICE_UNAVAILABLE,
            Self::SignInFailed(status) => status,
            Self::SignInUnknown => StatusCode::BAD_REQUEST,
            Self::SignedOut => StatusCode::OK,
            Self::CrossSite => StatusCode::FORBIDDEN,
        }
    }

    /// What is said, and where a link leads.
    fn says(self, texts: &'static Texts) -> (&'static Text, Option<Link<'static>>) {
        let again = |href| Some(Link { href, text: texts.sign_in_again });
        match self {
            Self::SignInUnavailable => (&texts.sign_in_unavailable, None),
            Self::SignInFailed(_) => (&texts.sign_in_failed, again(LOGIN)),
            Self::SignInUnknown => (&texts.sign_in_unknown, again(LOGIN)),
            Self::SignedOut => (&texts.signed_out, again("/")),
            Self::CrossSite => (&texts.cross_site, None),
            Self::SignOutFailed => (&texts.sign_out_failed, None),
        }
    }
}

#[derive(Template)]
#[template(path = "sign_out.html")]
struct SignOut<'a> {
    page: Page<'a, Texts>,
}

impl Pages {
    /// With these settings.
    pub(crate) fn new(settings: &PageSettings) -> Self {
        let assets = Assets::new(STATIC, settings);
        Self { installation: Installation::new(settings, &assets), assets }
    }

    /// The response to a request for a file that pages load.
    pub(crate) fn file(&self, path: &str, method: &Method, query: Option<&str>, headers: &HeaderMap) -> Response {
        match self.assets.find(path) {
            None => Refusal::not_found().into_response(),
            Some(_) if ![Method::GET, Method::HEAD].contains(method) => {
                Refusal::method_not_allowed("GET,HEAD").into_response()
            }
            Some(asset) => asset.respond(query, headers),
        }
    }

    /// A refusal: for a browser as a page with the same status and headers.
    pub(crate) fn refuse(&self, refusal: Refusal, viewer: Option<&Viewer>) -> Response {
        let Some(viewer) = viewer.filter(|_| refusal.is_plain_error()) else { return refusal.into_response() };
        let texts = texts(viewer.language);
        let Text { title, text } = *texts.of_status(refusal.status);
        let is_onward = matches!(refusal.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND);
        let onward = is_onward.then_some(Link { href: "/", text: texts.front_page });
        let error = refusal.status.as_str();
        let detail = Detail { title: texts.details, error, description: refusal.body.trim_end() };
        let page = self.installation.page(title, viewer.language, texts);
        let page = page.with_link(onward).with_request_id(viewer.request_id());
        let mut response =
            respond(refusal.status, viewer.language, &Policy::here(), &Message { page, text, detail: Some(detail) });
        let kept = refusal.headers.iter().filter(|(name, _)| ![CONTENT_TYPE, CACHE_CONTROL].contains(name));
        response.headers_mut().extend(kept.map(|(name, value)| (name.clone(), value.clone())));
        response
    }

    /// A page about a session.
    pub(crate) fn notice(&self, notice: Notice, headers: &HeaderMap) -> Response {
        let viewer = Viewer::reading(headers);
        let (status, texts) = (notice.status(), texts(viewer.language));
        let (Text { title, text }, onward) = notice.says(texts);
        let request_id = viewer.request_id().filter(|_| status != StatusCode::OK);
        let page = self.installation.page(title, viewer.language, texts);
        let page = page.with_link(onward).with_request_id(request_id);
        respond(status, viewer.language, &Policy::here(), &Message { page, text, detail: None })
    }

    /// The page that asks whether to sign out. Its form leads to the issuer in the end, whose address is left open.
    pub(crate) fn sign_out(&self, headers: &HeaderMap) -> Response {
        let language = Viewer::reading(headers).language;
        let texts = texts(language);
        let page = self.installation.page(texts.sign_out.title, language, texts);
        let policy = Policy { forms: Forms::Anywhere, ..Policy::here() };
        let mut response = respond(StatusCode::OK, language, &policy, &SignOut { page });
        // without a referrer, browsers would hide where the form comes from
        response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        response
    }
}

fn respond(status: StatusCode, language: Language, policy: &Policy<'_>, template: &impl Template) -> Response {
    // Whether a host is reached by https alone is for the backend that has the host to say (HSTS).
    let headers = PageHeaders { language: language.tag(), is_https: false, policy };
    web::response::page(status, template, &headers)
}
