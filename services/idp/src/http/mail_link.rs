//! `page::MAIL_LINK`: verifies another mail address by a link that was sent there. Showing the page changes nothing, since programs that
//! check mail follow links (`docs/security-requirements.md#l10`).

#[cfg(test)]
mod tests;

use authn::Caller;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::Extensions;
use axum::response::Response;
use axum::routing::get;
use web::cookie::with_cookies;
use web::form::Parameters;
use web::i18n::Language;
use web::response::see_other;

use super::issuer::{Issuer, IssuerState};
use super::links::{self, LinkState};
use super::pages::{self, MailChangeForm, Notice};
use super::register::limiter::{LimitError, Limited};
use crate::account_links::mail_change::{self, MailRedemption, OpenMailLink};
use crate::endpoints::page;

/// The purpose of the form.
const PURPOSE: &str = "mail link";

/// The page, which all issuers share. Without mail there is none.
pub(crate) fn router(issuer: IssuerState) -> Router {
    let Some(state) = LinkState::new(issuer, Limited::MailLinks) else { return Router::new() };
    Router::new().route(page::MAIL_LINK, get(show).post(confirm)).with_state(state)
}

/// A link that is open, at a browser.
struct LinkPage<'a> {
    issuer: &'a Issuer,
    /// Its secret.
    secret: &'a str,
    link: OpenMailLink,
    caller: Caller,
}

impl<'a> LinkPage<'a> {
    /// Opens the link at a browser in which its user is signed in, if the source has not done so too often: a session that has ended
    /// since, or the mailbox alone, changes nothing (`docs/security-requirements.md#l10`).
    ///
    /// # Errors
    /// The page that says why it does not open, or the redirect to a sign-in that returns to it.
    async fn open(
        state: &LinkState,
        issuer: &'a Issuer,
        secret: &'a str,
        extensions: &Extensions,
    ) -> Result<Self, Response> {
        let caller = issuer.caller(extensions);
        match state.count(&caller).await {
            Ok(()) => {}
            Err(LimitError::TooOften(wait)) => return Err(pages::mail_link_throttled(&issuer.page(&[]), wait)),
            Err(LimitError::Store(error)) => return Err(issuer.fault(&error)),
        }
        let link = match mail_change::open(&issuer.provider, secret).await {
            Ok(Some(link)) => link,
            Ok(None) => {
                return Err(pages::mail_link_unusable(&issuer.page(&[]), issuer.provider.config.account_link()));
            }
            Err(error) => return Err(links::failure(issuer, &error)),
        };
        let session = issuer.session().await.map_err(|error| issuer.fault(&error))?;
        match session {
            None => Err(see_other(&issuer.sign_in_url(&path_of(secret)))),
            Some(session) if session.person != link.link.stored.person => {
                Err(pages::mail_link_of_other(&issuer.page(&[])))
            }
            Some(_) => Ok(Self { issuer, secret, link, caller }),
        }
    }

    fn form(&self) -> Response {
        let (browser, cookie) = self.issuer.browser();
        let csrf = self.issuer.csrf(&browser, &purpose(self.secret));
        let form = MailChangeForm {
            link: self.secret,
            csrf: &csrf,
            username: &self.link.link.user.username,
            address: &self.link.address,
        };
        with_cookies(pages::mail_change(&self.issuer.page(&[]), &form), cookie)
    }
}

fn purpose(secret: &str) -> String {
    format!("{PURPOSE} {secret}")
}

/// The path of the page for this link.
fn path_of(secret: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("link", secret).finish();
    format!("{}?{query}", page::MAIL_LINK)
}

async fn show(
    State(state): State<LinkState>,
    issuer: Issuer,
    extensions: Extensions,
    RawQuery(query): RawQuery,
) -> Response {
    let query = Parameters::unlimited(query.unwrap_or_default().as_bytes());
    match LinkPage::open(&state, &issuer, query.text("link"), &extensions).await {
        Ok(page) => page.form(),
        Err(response) => response,
    }
}

/// Sets the address.
async fn confirm(State(state): State<LinkState>, issuer: Issuer, extensions: Extensions, body: Bytes) -> Response {
    let form = Parameters::unlimited(&body);
    let secret = form.text("link");
    if !issuer.is_own_form(&purpose(secret), form.text("csrf")) {
        return issuer.notice(Notice::Forgery);
    }
    let page = match LinkPage::open(&state, &issuer, secret, &extensions).await {
        Ok(page) => page,
        Err(response) => return response,
    };
    let language = Language::choose(&[], &issuer.headers);
    let (context, account) = (issuer.page(&[]), issuer.provider.config.account_link());
    match mail_change::redeem(&issuer.provider, &page.link, (language, &page.caller)).await {
        Ok(MailRedemption::Done) => pages::mail_changed(&context, &page.link.address, account),
        Ok(MailRedemption::Used) => pages::mail_link_unusable(&context, account),
        Ok(MailRedemption::Taken) => pages::mail_address_taken(&context, account),
        Ok(MailRedemption::Failed(error)) => {
            tracing::error!(%error, "a verified mail address is not set");
            issuer.failure(error.kind())
        }
        Err(error) => issuer.fault(&error),
    }
}
