//! The form for another mail address. idp sends a link to it; nothing is changed until the user opens that and confirms.

use askama::Template;
use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use status::Kind;
use tonic::Status;
use web::cookie::with_cookies;
use web::i18n::waiting;
use web::page::{Link, Message};
use web::response::with_retry_after;

use super::super::error;
use super::super::page::{Navigation, Page, Section};
use super::super::signed_in::SignedIn;
use super::recent_sign_in::{self, Act};
use super::text::{SelfServiceText, text};
use super::{MAIL, PROFILE, failure, retry_after};
use crate::own_account::OwnAccount;
use crate::sign_in::Missing;
use crate::state::AccountState;

/// The purpose of the form.
const FORM: &str = "mail";
/// The name by which the operator permits users to change the address.
const PERMISSION: &str = "mail";
/// The longest address, in bytes.
const MAX_ADDRESS: usize = 254;

/// Whether the user may change the mail address: users permits it, and idp sends mail. `writable` is what users permits.
pub(super) async fn is_offered(signed_in: &SignedIn, writable: &[String]) -> Result<bool, Status> {
    let Some(idp) = &signed_in.state.own_account else { return Ok(false) };
    if !writable.iter().any(|name| name == PERMISSION) {
        return Ok(false);
    }
    idp.may_change_mail(&signed_in.on_behalf()).await
}

/// The signed-in user, who may change the mail address, and idp, which sends the link.
pub(in super::super) struct MailOwner {
    signed_in: SignedIn,
    idp: OwnAccount,
}

impl FromRequestParts<AccountState> for MailOwner {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Response> {
        let signed_in = SignedIn::from_request_parts(parts, state).await?;
        let (Some(profiles), Some(idp)) = (&state.self_service.profiles, &state.own_account) else {
            return Err(error::not_found(&signed_in.context()));
        };
        let profile = profiles.get(&signed_in.on_behalf(), &signed_in.user.id.opaque_id).await;
        let writable = profile.map_err(|status| failure(&signed_in.context(), "users", &status))?.writable;
        match is_offered(&signed_in, &writable).await {
            Ok(true) => Ok(Self { signed_in, idp: idp.clone() }),
            Ok(false) => Err(error::not_found(&signed_in.context())),
            Err(status) => Err(failure(&signed_in.context(), "idp", &status)),
        }
    }
}

/// Why no link was sent.
#[derive(Default)]
struct Refusal {
    /// What keeps idp from sending it now.
    general: Option<String>,
    /// What is wrong with the address.
    address: Option<&'static str>,
    /// The seconds after which the user may try again.
    retry_after: Option<u64>,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct MailPage<'a> {
    page: Page<'a>,
    navigation: Navigation<'a>,
    text: &'static SelfServiceText,
    refusal: Refusal,
    /// The address until now; empty if there is none.
    current: &'a str,
    /// What was entered.
    entered: &'a str,
    csrf: String,
    path: String,
    profile: String,
}

impl MailOwner {
    async fn page(&self, status: StatusCode, entered: &str, refusal: Refusal) -> Response {
        let (context, state) = (self.signed_in.context(), &self.signed_in.state);
        let words = text(context.language);
        let (browser, cookie) = self.signed_in.browser();
        let (user, retry_after) = (self.signed_in.current_user().await, refusal.retry_after);
        let page = MailPage {
            page: context.page(words.mail_title),
            navigation: context.navigation(Section::Profile),
            text: words,
            refusal,
            current: &user.mail,
            entered,
            csrf: self.signed_in.csrf(&browser, FORM),
            path: state.path(MAIL),
            profile: state.path(PROFILE),
        };
        with_retry_after(with_cookies(context.respond(status, &page), cookie), retry_after)
    }

    /// The page once the link is sent.
    fn sent(&self, address: &str) -> Response {
        let context = self.signed_in.context();
        let (words, profile) = (text(context.language), self.signed_in.state.path(PROFILE));
        let link = Link { href: &profile, text: words.mail_back };
        let page = context.page(words.mail_sent_title).with_link(Some(link));
        context.respond(StatusCode::OK, &Message { page, text: &words.mail_sent.with(address), detail: None })
    }

    /// The page that says why idp has sent no link.
    async fn refused(&self, address: &str, status: &Status) -> Response {
        let context = self.signed_in.context();
        let words = text(context.language);
        match Kind::from_grpc(status.code()) {
            Kind::InvalidArgument => {
                let refusal = Refusal { address: Some(words.mail_error), ..Refusal::default() };
                self.page(StatusCode::BAD_REQUEST, address, refusal).await
            }
            Kind::ResourceExhausted => {
                let seconds = retry_after(status);
                let general = Some(words.throttled.with(&waiting(seconds)));
                let refusal = Refusal { general, retry_after: Some(seconds), ..Refusal::default() };
                self.page(StatusCode::TOO_MANY_REQUESTS, address, refusal).await
            }
            // the session has ended, or become too old, since it was checked here
            Kind::FailedPrecondition => {
                let missing = Missing { recent: true, second_factor: false, obstacle: None };
                recent_sign_in::sign_in(&self.signed_in, missing, Act::Send, MAIL)
            }
            Kind::Unimplemented => error::not_found(&context),
            _ => failure(&context, "idp", status),
        }
    }
}

/// `GET /account/profile/mail`.
pub(super) async fn show(owner: MailOwner) -> Result<Response, Response> {
    recent_sign_in::require(&owner.signed_in, Act::Show, MAIL).await?;
    Ok(owner.page(StatusCode::OK, "", Refusal::default()).await)
}

/// `POST /account/profile/mail`: has idp send a link to the address. What the page says does not depend on whether another user has it
/// (`docs/security-requirements.md#l11`).
pub(super) async fn send(owner: MailOwner, body: Bytes) -> Result<Response, Response> {
    let signed_in = &owner.signed_in;
    let form = signed_in.own_form(FORM, &body).ok_or_else(|| error::forgery(&signed_in.context()))?;
    recent_sign_in::require(signed_in, Act::Send, MAIL).await?;
    let address = form.text("address").trim();
    if address.is_empty() || address.len() > MAX_ADDRESS {
        let refusal = Refusal { address: Some(text(signed_in.language()).mail_error), ..Refusal::default() };
        return Ok(owner.page(StatusCode::BAD_REQUEST, address, refusal).await);
    }
    Ok(match owner.idp.change_mail(&signed_in.on_behalf(), address, signed_in.language()).await {
        Ok(()) => owner.sent(address),
        Err(status) => owner.refused(address, &status).await,
    })
}
