//! The administrator who has sent a request, and how far the sign-in behind it goes.

use authn::{DirectoryError, Groups, UserId};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use status::Kind;
use tonic::Status;
use web::page::{Detail, Link as Onward, Message};
use web::response::see_other;

use super::super::error;
use super::super::page::{Link, Navigation, PageContext};
use super::super::signed_in::SignedIn;
use super::text::{AdminText, text};
use super::{AdminSection, available};
use crate::config::ADMIN;
use crate::sign_in::{Insufficient, Missing, Obstacle, RECENT, RECENT_TO_SHOW, require_recent, require_second_factor};
use crate::state::AccountState;

/// An administrator. Others are refused, and learn nothing of what there is (`docs/security-requirements.md#n1`).
pub(super) struct Administrator {
    pub(super) signed_in: SignedIn,
    /// Whether the request only reads, so that it can be repeated after a sign-in.
    is_read: bool,
}

/// A link to a sign-in above a form that was sent too late, so that what was entered is not lost.
pub(super) struct SignInFirst {
    pub(super) text: &'static str,
    /// `None` if the operator has no sign-in.
    pub(super) href: Option<String>,
}

/// The path of the page with the form that is sent to this path, both below that of the administration: some paths only accept forms.
fn page_with_form(path: &str) -> String {
    let segments: Vec<_> = path.split('/').collect();
    let length = match segments[..] {
        ["", "users", _, "groups", ..] | ["", "groups", _, "members", ..] => 3,
        ["", "users", _, "access", _] => 4,
        ["", "tokens", "revoke"] | ["", "sessions", "end"] => 2,
        _ => segments.len(),
    };
    segments.into_iter().take(length).collect::<Vec<_>>().join("/")
}

impl FromRequestParts<AccountState> for Administrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Response> {
        let signed_in = SignedIn::from_request_parts(parts, state).await?;
        if !signed_in.is_administrator() {
            return Err(error::for_administrators(&signed_in.context()));
        }
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        let administrator = Self { signed_in, is_read };
        // the path is that below the root of the account pages
        let below = parts.uri.path().strip_prefix(ADMIN).unwrap_or_default();
        let page = if is_read { below.to_owned() } else { page_with_form(below) };
        let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        administrator.second_factor(&administrator.path(&format!("{page}{query}"))).await?;
        Ok(administrator)
    }
}

impl Administrator {
    /// The URL of a page, for its path below that of the administration.
    pub(super) fn path(&self, below: &str) -> String {
        self.signed_in.state.admin_path(below)
    }

    /// The context of a page for this request.
    pub(super) fn context(&self) -> PageContext<'_> {
        self.signed_in.context()
    }

    /// The texts that the administration pages share.
    pub(super) fn texts(&self) -> &'static AdminText {
        text(self.context().language)
    }

    /// The links of the administration, of which one leads to the page itself.
    pub(super) fn navigation(&self, current: AdminSection) -> Navigation<'_> {
        let context = self.context();
        let pages = available(context.state).map(|page| Link {
            href: self.path(page.path),
            text: (page.label)(context.language),
            is_current: page.section == current,
        });
        let account = Link { href: context.state.path(""), text: context.words().overview, is_current: false };
        Navigation { links: pages.chain([account]).collect(), sign_out: context.sign_out() }
    }

    /// The page that says that there is no such page.
    pub(super) fn not_found(&self) -> Response {
        error::not_found(&self.context())
    }

    /// Whether the directory has a user with this identifier.
    ///
    /// # Errors
    /// The page that says that the directory does not answer.
    pub(super) async fn is_in_directory(&self, id: &str) -> Result<bool, Response> {
        let user = UserId { opaque_id: id.to_owned(), ..UserId::default() };
        match self.signed_in.state.directory.user(&user, Groups::Skip).await {
            Ok(_) => Ok(true),
            Err(DirectoryError::NotFound | DirectoryError::Malformed(_)) => Ok(false),
            Err(error) => Err(self.failure(&status::grpc(error.kind(), error.to_string()))),
        }
    }

    /// The page that says that there is no such user.
    pub(super) fn no_such_user(&self) -> Response {
        let texts = self.texts();
        self.context().message(StatusCode::NOT_FOUND, texts.gone_title, texts.unknown_user)
    }

    /// The page that says that nothing was done, for a form that is not ours.
    pub(super) fn forgery(&self) -> Response {
        error::forgery(&self.context())
    }

    /// The page for what a service has not done, with the service's own words where they help an administrator.
    pub(super) fn failure(&self, status: &Status) -> Response {
        let (context, texts) = (self.context(), self.texts());
        let words = context.words();
        let kind = Kind::from_grpc(status.code());
        if status::is_partly_done(status) {
            tracing::warn!(%status, "a service has done what an administrator asked for, and could not notify another");
            return context.message(kind.http(), texts.partly_done_title, texts.partly_done);
        }
        let (title, text) = match kind {
            Kind::PermissionDenied => return error::denied(&context),
            Kind::Unauthenticated => return error::unauthenticated(&context),
            Kind::NotFound => (texts.gone_title, texts.gone),
            Kind::Unavailable | Kind::DeadlineExceeded | Kind::Aborted | Kind::ResourceExhausted => {
                tracing::warn!(%status, "a service behind the administration pages does not answer");
                (words.unavailable_title, words.unavailable)
            }
            Kind::InvalidArgument | Kind::AlreadyExists | Kind::FailedPrecondition | Kind::Unimplemented => {
                return self.refusal(kind, status);
            }
            Kind::Internal => {
                tracing::error!(%status, "a service has not done what an administrator asked for");
                (words.fault_title, words.fault)
            }
        };
        context.message(kind.http(), title, text)
    }

    /// The page for a request that a service has understood and refused.
    fn refusal(&self, kind: Kind, status: &Status) -> Response {
        let (context, texts) = (self.context(), self.texts());
        let code = format!("{:?}", status.code());
        let detail = Detail { title: context.words().details, error: &code, description: status.message() };
        let page = context.page(texts.refused_title).with_request_id(context.request_id);
        context.respond(kind.http(), &Message { page, text: texts.refused, detail: Some(detail) })
    }

    /// Requires a sign-in of the last ten minutes, with the second factor if the administrator has one: for what cannot be undone, or
    /// gives access (`docs/security-requirements.md#n3`). `return_to` is the URL of the page with the form, as [`path`](Self::path)
    /// makes it.
    ///
    /// # Errors
    /// The redirect to a sign-in that returns there, for a form the page that says so, or the page that says what to do where no sign-in
    /// would help.
    pub(super) async fn recent_sign_in(&self, return_to: &str) -> Result<(), Response> {
        let sufficient = require_recent(&self.signed_in.state, &self.signed_in.on_behalf(), self.within()).await;
        sufficient.map_err(|insufficient| self.insufficient(insufficient, return_to))
    }

    /// How old the sign-in may be for this request, in seconds.
    const fn within(&self) -> i64 {
        if self.is_read { RECENT_TO_SHOW } else { RECENT }
    }

    /// Whether anything can be known of sign-ins, so that what needs a recent one can be offered.
    pub(super) fn has_sign_ins(&self) -> bool {
        self.signed_in.state.own_account.is_some()
    }

    /// Requires the same for a form that is shown again with what was entered, so that it can be sent once more after a sign-in in
    /// another tab. Returns what the page says above the form, or `None` if the sign-in suffices.
    ///
    /// # Errors
    /// The page that says that idp does not answer.
    pub(super) async fn sign_in_first(&self, return_to: &str) -> Result<Option<SignInFirst>, Response> {
        let sufficient = require_recent(&self.signed_in.state, &self.signed_in.on_behalf(), self.within()).await;
        let missing = match sufficient {
            Ok(()) => return Ok(None),
            Err(Insufficient::Missing(missing)) => missing,
            Err(Insufficient::Unknown(status)) => return Err(self.failure(&status)),
        };
        let texts = self.texts();
        Ok(Some(match missing.obstacle {
            None => {
                SignInFirst { text: texts.recent_needed_again, href: self.signed_in.sign_in_url(missing, return_to) }
            }
            Some(Obstacle::NoSession) => {
                SignInFirst { text: texts.no_session, href: self.signed_in.sign_in_url(missing, return_to) }
            }
            Some(Obstacle::NoProvider) => SignInFirst { text: texts.no_provider, href: None },
        }))
    }

    /// Requires the second factor of an administrator who has one (`docs/security-requirements.md#n2`).
    async fn second_factor(&self, return_to: &str) -> Result<(), Response> {
        let sufficient = require_second_factor(&self.signed_in.state, &self.signed_in.on_behalf()).await;
        sufficient.map_err(|insufficient| self.insufficient(insufficient, return_to))
    }

    fn insufficient(&self, insufficient: Insufficient, return_to: &str) -> Response {
        match insufficient {
            Insufficient::Missing(missing) => self.sign_in(missing, return_to),
            Insufficient::Unknown(status) => self.failure(&status),
        }
    }

    /// What leads to a sign-in: a redirect, or for a form, whose fields a redirect would lose, a page with a link. Where a sign-in may not
    /// help, it is a page too: redirects would follow each other without end.
    fn sign_in(&self, missing: Missing, return_to: &str) -> Response {
        let (context, texts) = (self.context(), self.texts());
        let url =
            self.signed_in.sign_in_url(missing, return_to).filter(|_| missing.obstacle != Some(Obstacle::NoProvider));
        match url {
            Some(url) if self.is_read && missing.obstacle.is_none() => see_other(&url),
            url => {
                let onward = url.as_deref().map(|href| Onward { href, text: texts.sign_in_again });
                let page = context.page(texts.sign_in_again_title).with_link(onward);
                let text = match missing.obstacle {
                    Some(Obstacle::NoSession) => texts.no_session,
                    Some(Obstacle::NoProvider) => texts.no_provider,
                    None if missing.recent => texts.recent_needed,
                    None => texts.second_factor_needed,
                };
                context.respond(StatusCode::FORBIDDEN, &Message { page, text, detail: None })
            }
        }
    }
}
