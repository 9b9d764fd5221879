//! The signed-in user: the user of the internal token that the edge sets.

use authn::{Caller, DirectoryError, Groups, User};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use token::METADATA_KEY;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use url::form_urlencoded::Serializer;
use web::cookie::{Lifetime, SameSite, SetCookie, prefixed};
use web::csrf::Browser;
use web::form::Parameters;
use web::header::single;
use web::i18n::Language;
use web::origin::is_not_cross_origin;

use super::error;
use super::page::PageContext;
use crate::sign_in::{Missing, RECENT_TO_SHOW};
use crate::state::AccountState;
use crate::transport::OnBehalfOf;

const ACCESS_TOKEN: HeaderName = HeaderName::from_static(METADATA_KEY);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The name of the cookie that distinguishes browsers, after the prefix that browsers interpret.
const COOKIE: &str = "doorward-account";
/// The name of the field with the token of a form.
pub(super) const CSRF: &str = "csrf";
/// The longest token of a form that is read, in bytes.
const MAX_CSRF: usize = 64;

/// The signed-in user, and the request.
pub(crate) struct SignedIn {
    pub(crate) state: AccountState,
    /// As the internal token describes the user.
    pub(crate) user: User,
    /// Whether it is no program's token, see [`Claims::is_in_person`](token::Claims::is_in_person).
    is_in_person: bool,
    token: MetadataValue<Ascii>,
    caller: Caller,
    headers: HeaderMap,
    language: Language,
}

/// Why a request is not that of a signed-in user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotSignedIn {
    /// It has no valid internal token.
    Unauthenticated,
    /// Its credential has a restricted scope.
    Restricted,
}

impl FromRequestParts<AccountState> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Response> {
        Self::of_request(parts, state).map_err(|reason| {
            let (language, request_id) = (Language::choose(&[], &parts.headers), single(&parts.headers, &REQUEST_ID));
            let context = PageContext { state, language, is_administrator: false, request_id };
            match reason {
                NotSignedIn::Unauthenticated => error::unauthenticated(&context),
                NotSignedIn::Restricted => error::denied(&context),
            }
        })
    }
}

impl SignedIn {
    /// The user of the internal token of a request (`docs/security-requirements.md#a20`).
    pub(crate) fn of_request(parts: &Parts, state: &AccountState) -> Result<Self, NotSignedIn> {
        let headers = parts.headers.clone();
        let language = Language::choose(&[], &headers);
        // The header alone counts, which the edge removes from clients' requests and sets itself.
        let token = single(&headers, &ACCESS_TOKEN).ok_or(NotSignedIn::Unauthenticated)?;
        let claims = state.verifier.verify_caller(state.clock.now(), token);
        let claims = claims.map_err(|_| NotSignedIn::Unauthenticated)?;
        if !claims.scopes.is_full_user() {
            return Err(NotSignedIn::Restricted);
        }
        let mut value = MetadataValue::try_from(token).map_err(|_| NotSignedIn::Unauthenticated)?;
        value.set_sensitive(true);
        let caller = Caller::of(&MetadataMap::from_headers(headers.clone()), &parts.extensions);
        let is_in_person = claims.is_in_person();
        Ok(Self { state: state.clone(), user: claims.user, is_in_person, token: value, caller, headers, language })
    }

    /// The context of a page for this request.
    pub(super) fn context(&self) -> PageContext<'_> {
        let request_id = single(&self.headers, &REQUEST_ID);
        PageContext {
            state: &self.state,
            language: self.language,
            is_administrator: self.is_administrator(),
            request_id,
        }
    }

    /// Whether the internal token is that of an administrator in person: programs do not administer
    /// (`docs/security-requirements.md#n1`).
    pub(crate) fn is_administrator(&self) -> bool {
        self.user.is_admin() && self.user.is_active() && self.is_in_person
    }

    /// The language of the response.
    pub(crate) const fn language(&self) -> Language {
        self.language
    }

    /// The URL of the sign-in at the edge that does what is missing and returns to this URL; `None` if the operator has none.
    pub(super) fn sign_in_url(&self, missing: Missing, return_to: &str) -> Option<String> {
        let base = Some(&*self.state.config.sign_in_url).filter(|url| !url.is_empty())?;
        let mut query = Serializer::new(String::new());
        query.append_pair("rd", return_to);
        if missing.recent {
            query.append_pair("max_age", &RECENT_TO_SHOW.to_string());
        }
        if missing.second_factor {
            query.append_pair("step_up", "1");
        }
        let separator = if base.contains('?') { '&' } else { '?' };
        Some(format!("{base}{separator}{}", query.finish()))
    }

    /// The user, for calls of other services.
    pub(crate) fn on_behalf(&self) -> OnBehalfOf<'_> {
        OnBehalfOf { token: &self.token, caller: &self.caller }
    }

    /// The user as the directory knows them now. Where it does not answer, or has no such user, as for service accounts, the
    /// internal token describes them, which is at most minutes old.
    pub(crate) async fn current_user(&self) -> User {
        match self.state.directory.user(&self.user.id.to_find(), Groups::Include).await {
            // a directory without roles says nothing of them, and the gateway may have added them to the token
            Ok(user) if user.roles.is_empty() => User { roles: self.user.roles.clone(), ..User::clone(&user) },
            Ok(user) => User::clone(&user),
            Err(DirectoryError::NotFound) => self.user.clone(),
            Err(error) => {
                tracing::warn!(%error, "the directory does not answer, and a page shows what the internal token says");
                self.user.clone()
            }
        }
    }

    /// The browser, and the cookie that it has to be given if it has none.
    pub(super) fn browser(&self) -> (Browser, Option<HeaderValue>) {
        let is_https = self.state.config.is_https();
        let name = prefixed(COOKIE, is_https, None);
        if let Some(browser) = Browser::of(&self.headers, &name) {
            return (browser, None);
        }
        let browser = Browser::new(&self.state.random);
        let cookie = SetCookie::new(&name, browser.value(), Lifetime::BrowserSession).secure(is_https);
        let cookie = cookie.http_only().same_site(SameSite::Lax).into_header();
        (browser, Some(cookie))
    }

    /// The token that a form of this purpose sends back.
    pub(super) fn csrf(&self, browser: &Browser, purpose: &str) -> String {
        self.state.form_keys.token(browser, &self.user.id.opaque_id, purpose)
    }

    /// The object that a form names in this field, if a page of ours has shown the form to this user in this browser with a purpose that
    /// names the same object.
    pub(super) fn object_of_form(
        &self,
        field: &'static str,
        max: usize,
        purpose: impl Fn(&str) -> String,
        body: &[u8],
    ) -> Option<String> {
        let form = Parameters::of_form(&self.headers, body).ok()?;
        let object = form.one(field, max).ok().flatten()?;
        self.own_form(&purpose(object), body)?;
        Some(object.to_owned())
    }

    /// The fields of a form of this purpose, if a page of ours has shown it to this user in this browser
    /// (`docs/security-requirements.md#a21`).
    pub(super) fn own_form(&self, purpose: &str, body: &[u8]) -> Option<Parameters> {
        let form = Parameters::of_form(&self.headers, body).ok()?;
        let token = form.one(CSRF, MAX_CSRF).ok().flatten().unwrap_or_default();
        let origin = self.state.config.origin().unwrap_or_default();
        let (browser, new_cookie) = self.browser();
        let is_own = new_cookie.is_none()
            && is_not_cross_origin(&self.headers, &origin)
            && self.state.form_keys.accepts(token, &browser, &self.user.id.opaque_id, purpose);
        is_own.then_some(form)
    }
}
