//! What all pages have in common: the shell, the navigation, the headers.

use askama::Template;
use axum::http::header::REFERRER_POLICY;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use web::i18n::Language;
use web::page::Message;
use web::policy::Policy;
use web::response::PageHeaders;

use super::access_words::access_words;
use super::i18n::{Words, words};
use super::{ACTIVITY, APPLICATIONS, CONNECTED, SESSIONS, TOKENS, admin, self_service};
use crate::state::AccountState;

/// The shell of a page, with the texts of this service.
pub(super) type Page<'a> = web::page::Page<'a, Words>;

/// What a page depends on apart from its content.
#[derive(Clone, Copy)]
pub(super) struct PageContext<'a> {
    pub(super) state: &'a AccountState,
    pub(super) language: Language,
    /// Whether the navigation has the administration.
    pub(super) is_administrator: bool,
    /// The identifier of the request, by which the operator finds it in the log.
    pub(super) request_id: Option<&'a str>,
}

/// A page that the navigation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// The applications.
    Applications,
    /// The overview of the account.
    Overview,
    /// The app tokens.
    Tokens,
    /// The profile.
    Profile,
    /// The password.
    Password,
    /// The sessions.
    Sessions,
    /// The connected applications.
    Connected,
    /// The activity.
    Activity,
}

/// The links of the navigation.
pub(super) struct Navigation<'a> {
    pub(super) links: Vec<Link>,
    /// `None` if the operator has none.
    pub(super) sign_out: Option<&'a str>,
}

/// A link of the navigation.
pub(super) struct Link {
    pub(super) href: String,
    pub(super) text: &'static str,
    /// Whether it leads to the page itself.
    pub(super) is_current: bool,
}

impl<'a> PageContext<'a> {
    /// The texts.
    pub(super) const fn words(&self) -> &'static Words {
        words(self.language)
    }

    /// The links, of which one leads to the page itself.
    pub(super) fn navigation(&self, current: Section) -> Navigation<'a> {
        let words = self.words();
        let mut links = vec![
            self.link(current, Section::Applications, APPLICATIONS, words.applications),
            self.link(current, Section::Overview, "", words.overview),
        ];
        if self.state.own_tokens.is_some() {
            links.push(self.link(current, Section::Tokens, TOKENS, words.tokens));
        }
        links.extend(self_service::links(self, current));
        links.extend(self.idp_pages(current));
        links.extend(admin::link(self));
        Navigation { links, sign_out: self.sign_out() }
    }

    /// The link that signs out; `None` if the operator has none.
    pub(super) fn sign_out(&self) -> Option<&'a str> {
        Some(&*self.state.config.sign_out_url).filter(|url| !url.is_empty())
    }

    /// A link on the page of `current`.
    pub(super) fn link(&self, current: Section, section: Section, path: &str, text: &'static str) -> Link {
        Link { href: self.state.path(path), text, is_current: section == current }
    }

    fn idp_pages(&self, current: Section) -> Vec<Link> {
        if self.state.own_account.is_none() {
            return Vec::new();
        }
        let texts = access_words(self.language);
        let pages = [
            (Section::Sessions, SESSIONS, texts.sessions),
            (Section::Connected, CONNECTED, texts.connected),
            (Section::Activity, ACTIVITY, texts.activity),
        ];
        let security = Some(&*self.state.config.security_url).filter(|url| !url.is_empty());
        let security =
            security.map(|url| Link { href: url.to_owned(), text: texts.sign_in_methods, is_current: false });
        security.into_iter().chain(pages.map(|(section, path, text)| self.link(current, section, path, text))).collect()
    }

    /// The shell.
    pub(super) fn page<'b>(&self, title: &'b str) -> Page<'b>
    where
        'a: 'b,
    {
        self.state.installation.page(title, self.language, self.words())
    }

    /// A page, with the headers of pages (`docs/security-requirements.md#a22`).
    pub(super) fn respond(&self, status: StatusCode, template: &impl Template) -> Response {
        self.respond_with(status, &Policy::here(), template)
    }

    /// The same with a policy of its own.
    pub(super) fn respond_with(&self, status: StatusCode, policy: &Policy<'_>, template: &impl Template) -> Response {
        let (language, is_https) = (self.language.tag(), self.state.config.is_https());
        let mut response = web::response::page(status, template, &PageHeaders { language, is_https, policy });
        // Without a referrer browsers send `Origin: null` with a form, and the edge accepts a session's cookie with a form only if
        // it knows the origin.
        response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        response
    }

    /// A page with a title and a text.
    pub(super) fn message(&self, status: StatusCode, title: &str, text: &str) -> Response {
        let page = self.page(title).with_request_id(self.request_id);
        self.respond(status, &Message { page, text, detail: None })
    }
}
