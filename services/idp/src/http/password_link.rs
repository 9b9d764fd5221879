//! `page::LINK`: sets a password by a link in a mail. Showing the page uses nothing up, since programs that check mail follow links
//! (`docs/security-requirements.md#l2`).

#[cfg(test)]
mod tests;

use authn::{Caller, Login};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::Extensions;
use axum::response::Response;
use axum::routing::get;
use proto::doorward::passwords::v1::JudgePasswordResponse;
use status::Kind;
use subtle::ConstantTimeEq;
use tonic::Status;
use web::cookie::with_cookies;
use web::form::Parameters;
use web::i18n::Language;

use super::issuer::{Issuer, IssuerState};
use super::links::{self, LinkState};
use super::pages::{self, NewPassword, NewPasswordError, Notice};
use super::register::limiter::{LimitError, Limited};
use crate::account_links::{self, OpenLink, Redemption};
use crate::endpoints::page;

/// The purpose of the form.
const PURPOSE: &str = "password link";

/// The page, which all issuers share. Without mail there is none.
pub(crate) fn router(issuer: IssuerState) -> Router {
    let Some(state) = LinkState::new(issuer, Limited::PasswordLinks) else { return Router::new() };
    Router::new().route(page::LINK, get(show).post(set_password)).with_state(state)
}

/// A link that is open, at a browser.
struct LinkPage<'a> {
    issuer: &'a Issuer,
    /// Its secret.
    secret: &'a str,
    link: OpenLink,
    caller: Caller,
}

impl<'a> LinkPage<'a> {
    /// Opens the link, if the source has not done so too often.
    ///
    /// # Errors
    /// The page that says why it does not open.
    async fn open(
        state: &LinkState,
        issuer: &'a Issuer,
        secret: &'a str,
        extensions: &Extensions,
    ) -> Result<Self, Response> {
        if !issuer.provider.mail.can_reset_passwords() {
            return Err(issuer.notice(Notice::NotFound));
        }
        let caller = issuer.caller(extensions);
        match state.count(&caller).await {
            Ok(()) => {}
            Err(LimitError::TooOften(wait)) => return Err(pages::link_throttled(&issuer.page(&[]), wait)),
            Err(LimitError::Store(error)) => return Err(issuer.fault(&error)),
        }
        match account_links::open(&issuer.provider, secret).await {
            Ok(Some(link)) => Ok(Self { issuer, secret, link, caller }),
            Ok(None) => Err(pages::link_unusable(&issuer.page(&[]))),
            Err(error) => Err(links::failure(issuer, &error)),
        }
    }

    /// Whether the user has to enter the login name: the link was asked for in another browser
    /// (`docs/security-requirements.md#l6`). No browser has asked for an invitation.
    fn needs_login(&self) -> bool {
        let here = crypto::fingerprint(self.issuer.browser().0.value().as_bytes());
        self.link.stored.browser.is_some_and(|browser| !bool::from(browser.ct_eq(&here)))
    }

    fn is_login(&self, login: &str) -> bool {
        let (login, user) = (Login::new(login.trim()), &self.link.user);
        login.names(&user.username) || (!user.mail.is_empty() && login.names(&user.mail))
    }

    /// What the policy says of a password.
    async fn judge(&self, password: &str) -> Result<JudgePasswordResponse, Response> {
        let passwords = &self.issuer.provider.mail.passwords;
        let judged = passwords.judge(&self.link.stored.person, password, &self.caller).await;
        judged.map_err(|status| self.failure(&status))
    }

    fn failure(&self, status: &Status) -> Response {
        tracing::error!(%status, "auth-basic does not set a password");
        self.issuer.failure(Kind::from_grpc(status.code()))
    }

    fn form(&self, policy: &JudgePasswordResponse, error: Option<NewPasswordError<'_>>) -> Response {
        let (browser, cookie) = self.issuer.browser();
        let csrf = self.issuer.csrf(&browser, &purpose(self.secret));
        let needs_login = self.needs_login();
        let form = NewPassword {
            link: self.secret,
            csrf: &csrf,
            // whoever has the link alone does not learn the name
            username: if needs_login { "" } else { &self.link.user.username },
            needs_login,
            min_characters: policy.min_characters,
            error,
        };
        with_cookies(pages::new_password(&self.issuer.page(&[]), &form), cookie)
    }
}

fn purpose(secret: &str) -> String {
    format!("{PURPOSE} {secret}")
}

async fn show(
    State(state): State<LinkState>,
    issuer: Issuer,
    extensions: Extensions,
    RawQuery(query): RawQuery,
) -> Response {
    let query = Parameters::unlimited(query.unwrap_or_default().as_bytes());
    let page = match LinkPage::open(&state, &issuer, query.text("link"), &extensions).await {
        Ok(page) => page,
        Err(response) => return response,
    };
    match page.judge("").await {
        Ok(policy) => page.form(&policy, None),
        Err(response) => response,
    }
}

/// Sets the password, and leads to the sign-in, as a user may need a second factor too.
async fn set_password(State(state): State<LinkState>, issuer: Issuer, extensions: Extensions, body: Bytes) -> Response {
    let form = Parameters::unlimited(&body);
    let secret = form.text("link");
    if !issuer.is_own_form(&purpose(secret), form.text("csrf")) {
        return issuer.notice(Notice::Forgery);
    }
    match redeem(&state, &issuer, (&form, secret), &extensions).await {
        Ok(()) => pages::password_set(&issuer.page(&[]), &issuer.sign_in_url(page::CONSENTS)),
        Err(response) => response,
    }
}

async fn redeem(
    state: &LinkState,
    issuer: &Issuer,
    (form, secret): (&Parameters, &str),
    extensions: &Extensions,
) -> Result<(), Response> {
    let page = LinkPage::open(state, issuer, secret, extensions).await?;
    let password = form.text("new");
    let policy = page.judge(password).await?;
    if page.needs_login() && !page.is_login(form.text("username")) {
        return Err(page.form(&policy, Some(NewPasswordError::Login)));
    }
    if policy.weaknesses().next().is_some() {
        return Err(page.form(&policy, Some(NewPasswordError::Weak(&policy))));
    }
    let language = Language::choose(&[], &issuer.headers);
    let redemption = account_links::redeem(&issuer.provider, &page.link, password, (language, &page.caller));
    match redemption.await {
        Ok(Redemption::Done) => Ok(()),
        Ok(Redemption::Used) => Err(pages::link_unusable(&issuer.page(&[]))),
        Ok(Redemption::Failed(status)) => Err(page.failure(&status)),
        Err(error) => Err(issuer.fault(&error)),
    }
}
