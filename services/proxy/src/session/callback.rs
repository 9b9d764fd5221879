//! The end of a sign-in: the issuer has redirected the browser back with a code, which is redeemed. Only a sign-in that this browser
//! has begun is accepted, and only an ID token that the issuer has signed.

use ::store::StoreError;
use authn::audit::Event;
use std::time::Duration;

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use oidc::id_token::{Bindings, IdToken};
use oidc::jose::UnverifiedJwt;
use oidc::relying_party::{Expected, InvalidToken};
use outbound::issuer::cache::{IssuerUnavailable, VerifyError};
use tracing::field::display;
use web::cookie::{self, with_cookies};

use super::login::Login;
use super::redirect::redirect;
use super::seal::Purpose;
use super::tokens::{Finished, Granted, TokenError, Tokens};
use super::{Sessions, digest_of};
use crate::pages::Notice;
use crate::sign_in::SignIn;
use crate::site::CALLBACK;
use crate::store::sessions::Row;

/// The user who has signed in.
struct Subject {
    /// The user's identifier at the issuer.
    sub: String,
    /// The issuer's session.
    sid: Option<String>,
    /// How the user has signed in.
    sign_in: SignIn,
}

/// Why a sign-in has failed.
#[derive(Debug, thiserror::Error)]
enum SignInError {
    #[error("a parameter is missing or repeated: {0}")]
    Parameter(&'static str),
    #[error("this browser has not begun it, or it has expired")]
    NotUnderWay,
    #[error("the response is not of the issuer")]
    OtherIssuer,
    #[error("the issuer answers {0:?}")]
    Answer(String),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("there is no valid ID token")]
    NoIdToken,
    #[error(transparent)]
    InvalidToken(#[from] InvalidToken),
    #[error("the issuer has not asked the user to sign in anew, as max_age demands")]
    TooOld,
    #[error("the signature of the ID token is not the issuer's")]
    Signature,
    #[error(transparent)]
    IssuerUnavailable(#[from] IssuerUnavailable),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SignInError {
    /// Whether the response may have been used before.
    fn is_used_up(&self) -> bool {
        matches!(self, Self::NotUnderWay | Self::Token(TokenError::InvalidGrant))
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Token(TokenError::Unavailable(_)) | Self::IssuerUnavailable(_) | Self::Store(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Token(TokenError::Refused(_)) => StatusCode::BAD_GATEWAY,
            Self::Answer(_) => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Receives the redirect of the issuer.
pub(super) async fn receive(sessions: &Sessions, query: &str, headers: &HeaderMap) -> Response {
    let state = parameter(query, "state").ok().flatten().unwrap_or_default();
    let response = match sessions.take_back(query, &state, headers).await {
        Ok(response) => response,
        Err(failed) if failed.is_used_up() => match sessions.landed(&state, headers).await {
            Some(target) => redirect(&target),
            None => match again(sessions, &failed, query, &state) {
                Some(target) => redirect(&target),
                None => refuse(sessions, &failed, headers),
            },
        },
        Err(failed) => refuse(sessions, &failed, headers),
    };
    // The sign-in has ended, whatever its outcome.
    let name = sessions.login_cookie(&state);
    let over = cookie::one(headers, &name).map(|_| sessions.cookies.set_login(&name, "", 0));
    with_cookies(response, over)
}

/// The URL where a browser without a session repeats a sign-in whose cookie is lost or has expired: the code cannot be redeemed, but the
/// user has just authenticated. `None` for an error of the issuer, such as a refusal of the user.
fn again(sessions: &Sessions, failed: &SignInError, query: &str, state: &str) -> Option<String> {
    let is_error = !matches!(parameter(query, "error"), Ok(None));
    let target = sessions.again(state).filter(|_| matches!(failed, SignInError::NotUnderWay) && !is_error)?;
    Event { reason: &display(failed), again: &true, ..Event::new("session.begin", "failure") }.log();
    Some(target)
}

fn refuse(sessions: &Sessions, failed: &SignInError, headers: &HeaderMap) -> Response {
    Event { reason: &display(failed), ..Event::new("session.begin", "failure") }.log();
    let notice = match failed {
        SignInError::NotUnderWay => Notice::SignInUnknown,
        _ => Notice::SignInFailed(failed.status()),
    };
    sessions.pages.notice(notice, headers)
}

impl Sessions {
    async fn take_back(&self, query: &str, state: &str, headers: &HeaderMap) -> Result<Response, SignInError> {
        let login = self.under_way(headers, state).ok_or(SignInError::NotUnderWay)?;
        self.check_issuer(parameter(query, "iss")?.as_deref()).await?;
        if let Some(error) = parameter(query, "error")? {
            return Err(SignInError::Answer(error.chars().take(64).collect()));
        }
        let code = parameter(query, "code")?.ok_or(SignInError::Parameter("code"))?;
        let callback = self.site.url(CALLBACK);
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &callback),
            ("code_verifier", &login.verifier),
        ];
        let granted = self.client.redeem(&self.issuer, &form).await?;
        let subject = self.subject(&granted, &login).await?;
        let finished = Finished { state: digest_of(state), target: login.target.clone() };
        let finished = Finished::remember(self.end_former(headers, &subject).await?, finished);
        let secret = self.begin_session(granted, &subject, (finished, login.step_up)).await?;
        Event { subject: &subject.sub, ..Event::new("session.begin", "success") }.log();
        let cookie = self.cookies.set_session(&secret, self.life.as_secs());
        Ok(with_cookies(redirect(&login.target), [cookie]))
    }

    /// Ends the former session of the browser: no session survives a sign-in (RFC 9700 4.7). Returns its completed sign-ins if it was the
    /// same user's.
    async fn end_former(&self, headers: &HeaderMap, subject: &Subject) -> Result<Vec<Finished>, StoreError> {
        let Some(key) = self.key(headers) else { return Ok(Vec::new()) };
        let former = self.rows.find(&key).await?;
        self.rows.end(&key).await?;
        let same = former.filter(|row| row.subject == subject.sub);
        Ok(same.and_then(|row| self.open_tokens(&row)).map(|tokens| tokens.finished).unwrap_or_default())
    }

    /// The page for a browser that returns with a used or forgotten code, such as by a reload, or from a tab whose sign-in was removed:
    /// the wanted page, else the first one. `None` without a session.
    async fn landed(&self, state: &str, headers: &HeaderMap) -> Option<String> {
        let row = self.find(&self.key(headers)?).await.ok()??;
        let finished = self.open_tokens(&row)?.finished;
        let state = digest_of(state);
        let page = finished.into_iter().find(|finished| finished.state == state).map(|finished| finished.target);
        Some(page.unwrap_or_else(|| self.site.url("/")))
    }

    /// Checks `iss`, which is required if the issuer announces it (RFC 9207 2.4).
    async fn check_issuer(&self, said: Option<&str>) -> Result<(), SignInError> {
        match said {
            Some(name) if name == self.issuer.source().name() => Ok(()),
            Some(_) => Err(SignInError::OtherIssuer),
            None if self.issuer.get().await?.metadata.authorization_response_iss_parameter_supported => {
                Err(SignInError::OtherIssuer)
            }
            None => Ok(()),
        }
    }

    /// The subject of the ID token.
    async fn subject(&self, granted: &Granted, login: &Login) -> Result<Subject, SignInError> {
        let text = granted.id_token.as_deref().ok_or(SignInError::NoIdToken)?;
        let jwt = UnverifiedJwt::parse(text).map_err(|_| SignInError::NoIdToken)?;
        let bindings = Bindings { client: &self.client.id, nonce: &login.nonce, access_token: &granted.access_token };
        let IdToken { subject, session } = IdToken::read(&jwt, &self.expected(), bindings)?;
        match self.issuer.verify(&jwt).await {
            Ok(()) => {
                let sign_in = SignIn::of(jwt.claims());
                self.check_age(&sign_in, login.max_age)?;
                Ok(Subject { sub: subject, sid: session, sign_in })
            }
            Err(VerifyError::Unavailable(error)) => Err(error.into()),
            Err(VerifyError::NoKey | VerifyError::Jwt(_)) => Err(SignInError::Signature),
        }
    }

    /// Checks that the user has signed in as lately as it was asked for (`OpenID` Connect Core 3.1.3.7): a browser that returned
    /// with an older sign-in would be sent to the issuer again and again.
    fn check_age(&self, sign_in: &SignIn, max_age: Option<u32>) -> Result<(), SignInError> {
        let Some(max_age) = max_age else { return Ok(()) };
        let max_age = Duration::from_secs(max_age.into());
        if sign_in.is_within(max_age, self.leeway, self.clock.now()) { Ok(()) } else { Err(SignInError::TooOld) }
    }

    /// What tokens of the issuer are checked against.
    pub(super) fn expected(&self) -> Expected<'_> {
        Expected { issuer: self.issuer.source().name(), now: self.clock.now(), leeway: self.leeway }
    }

    /// Creates a session, and returns the value of its cookie.
    async fn begin_session(
        &self,
        granted: Granted,
        subject: &Subject,
        (finished, stepped_up): (Vec<Finished>, bool),
    ) -> Result<String, SignInError> {
        let (secret, now) = (self.secret(), self.clock.now());
        let (key, access_end) = (digest_of(&secret), now + granted.life());
        let Granted { access_token, refresh_token, id_token, .. } = granted;
        let id = id_token.unwrap_or_default();
        let sign_in = subject.sign_in.clone();
        let tokens = Tokens { access: access_token, refresh: refresh_token, id, sign_in, stepped_up, finished };
        let row = Row {
            tokens: self.sealer.seal(Purpose::Tokens(&key), &tokens),
            key,
            subject: subject.sub.clone(),
            sid: subject.sid.clone(),
            access_end,
            created: now,
            used: now,
            ends: now + self.life,
            version: 1,
        };
        self.rows.add(&row).await?;
        Ok(secret)
    }
}

/// The value of a parameter that may occur once.
fn parameter(query: &str, wanted: &'static str) -> Result<Option<String>, SignInError> {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == wanted);
    let value = values.next().map(|(_, value)| value.into_owned());
    if values.next().is_some() { Err(SignInError::Parameter(wanted)) } else { Ok(value) }
}
