//! A sign-in ends: the issuer has sent the browser back with a code, which is redeemed. Only what this browser has begun is taken
//! up, and only what the issuer has signed for it is believed.

use std::sync::Arc;

use ::store::StoreError;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use oidc::jose::UnverifiedJwt;

use super::Sessions;
use super::id_token::{Expected, Subject, Wrong};
use super::issuer::Unknown;
use super::login::Login;
use super::page::{page, redirect, with_cookies};
use super::seal::Purpose;
use super::site::{CALLBACK, LOGIN};
use super::store::Row;
use super::tokens::{Finished, Granted, TokenError, Tokens};
use super::{cookie, digest_of};

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("a parameter is missing or there twice: {0}")]
    Parameter(&'static str),
    #[error("this browser has not begun it, or too long ago")]
    NotUnderWay,
    #[error("the answer is not the issuer's")]
    OtherIssuer,
    #[error("the issuer answers {0:?}")]
    Answer(String),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("there is no ID token that can be read")]
    NoIdToken,
    #[error(transparent)]
    Wrong(#[from] Wrong),
    #[error("the signature of the ID token is not the issuer's")]
    Signature,
    #[error(transparent)]
    Unknown(#[from] Unknown),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failed {
    /// Whether the answer of the issuer may have been taken up already.
    fn is_used_up(&self) -> bool {
        matches!(self, Self::NotUnderWay | Self::Token(TokenError::InvalidGrant))
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Token(TokenError::Unavailable(_)) | Self::Unknown(_) | Self::Store(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Token(TokenError::Refused(_)) => StatusCode::BAD_GATEWAY,
            Self::Answer(_) => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Takes the browser back.
pub(super) async fn receive(
    State(sessions): State<Arc<Sessions>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let state = parameter(&query, "state").ok().flatten().unwrap_or_default();
    let response = match sessions.take_back(&query, &state, &headers).await {
        Ok(response) => response,
        Err(failed) if failed.is_used_up() => match sessions.landed(&state, &headers).await {
            Some(target) => redirect(&target),
            None => match again(&sessions, &failed, &query, &state) {
                Some(target) => redirect(&target),
                None => refuse(&failed),
            },
        },
        Err(failed) => refuse(&failed),
    };
    // whatever came of it, it is over
    let name = sessions.login_cookie(&state);
    let over = cookie::one(&headers, &name).map(|_| sessions.cookies.set_login(&name, "", 0));
    with_cookies(response, over)
}

/// Where a browser without a session signs in again whose cookie of the sign-in is lost, or was kept too long: the answer cannot be taken
/// up, but its user has just proven who it is. Not if the answer is an error, such as that the user has declined.
fn again(sessions: &Sessions, failed: &Failed, query: &str, state: &str) -> Option<String> {
    let is_error = !matches!(parameter(query, "error"), Ok(None));
    let target = sessions.again(state).filter(|_| matches!(failed, Failed::NotUnderWay) && !is_error)?;
    tracing::info!(target: "audit", event = "session.begin", outcome = "failure", reason = %failed, again = true);
    Some(target)
}

fn refuse(failed: &Failed) -> Response {
    tracing::info!(target: "audit", event = "session.begin", outcome = "failure", reason = %failed);
    let reason = match failed {
        Failed::NotUnderWay => {
            "<p>This sign-in was begun in another browser, or too long ago, or your browser does not accept cookies of this site.</p>\n"
        }
        _ => "<p>You are not signed in.</p>\n",
    };
    page(failed.status(), "Signing in has failed", &format!("{reason}<p><a href=\"{LOGIN}\">Sign in again</a></p>"))
}

impl Sessions {
    async fn take_back(&self, query: &str, state: &str, headers: &HeaderMap) -> Result<Response, Failed> {
        let login = self.under_way(headers, state).ok_or(Failed::NotUnderWay)?;
        self.check_issuer(parameter(query, "iss")?.as_deref()).await?;
        if let Some(error) = parameter(query, "error")? {
            return Err(Failed::Answer(error.chars().take(64).collect()));
        }
        let code = parameter(query, "code")?.ok_or(Failed::Parameter("code"))?;
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
        let secret = self.begin_session(granted, &subject, finished).await?;
        tracing::info!(target: "audit", event = "session.begin", outcome = "success", subject = subject.sub);
        let cookie = self.cookies.set_session(&secret, self.life.as_secs());
        Ok(with_cookies(redirect(&login.target), [cookie]))
    }

    /// Ends the session that the browser had before: no session survives a sign-in (RFC 9700 4.7). Answers the sign-ins that have
    /// ended in it if it was the same user's.
    async fn end_former(&self, headers: &HeaderMap, subject: &Subject) -> Result<Vec<Finished>, StoreError> {
        let Some(key) = self.key(headers) else { return Ok(Vec::new()) };
        let former = self.rows.find(&key).await?;
        self.rows.end(&key).await?;
        let same = former.filter(|row| row.subject == subject.sub);
        Ok(same.and_then(|row| self.open_tokens(&row)).map(|tokens| tokens.finished).unwrap_or_default())
    }

    /// Where a browser goes that comes back with an answer that is used up or forgotten, such as by a reload, or from a tab whose
    /// sign-in had to make room: to the page that was wanted, else to the first one. `None` without a session.
    async fn landed(&self, state: &str, headers: &HeaderMap) -> Option<String> {
        let row = self.find(&self.key(headers)?).await.ok()??;
        let finished = self.open_tokens(&row)?.finished;
        let state = digest_of(state);
        let page = finished.into_iter().find(|finished| finished.state == state).map(|finished| finished.target);
        Some(page.unwrap_or_else(|| self.site.url("/")))
    }

    /// The answer says who it is from, at least where the issuer has said that it does (RFC 9207 2.4).
    async fn check_issuer(&self, said: Option<&str>) -> Result<(), Failed> {
        match said {
            Some(name) if name == self.issuer.name() => Ok(()),
            Some(_) => Err(Failed::OtherIssuer),
            None if self.issuer.known().await?.metadata.authorization_response_iss_parameter_supported => {
                Err(Failed::OtherIssuer)
            }
            None => Ok(()),
        }
    }

    /// Who has signed in, by the issuer's word.
    async fn subject(&self, granted: &Granted, login: &Login) -> Result<Subject, Failed> {
        let text = granted.id_token.as_deref().ok_or(Failed::NoIdToken)?;
        let jwt = UnverifiedJwt::parse(text).map_err(|_| Failed::NoIdToken)?;
        let subject = self.expected().id_token(&jwt, &login.nonce, &granted.access_token)?;
        if self.issuer.has_signed(&jwt).await? { Ok(subject) } else { Err(Failed::Signature) }
    }

    /// By whom and for whom tokens are at this moment.
    pub(super) fn expected(&self) -> Expected<'_> {
        Expected { issuer: self.issuer.name(), client: &self.client.id, now: self.clock.now(), leeway: self.leeway }
    }

    /// Keeps a new session; what its cookie holds.
    async fn begin_session(
        &self,
        granted: Granted,
        subject: &Subject,
        finished: Vec<Finished>,
    ) -> Result<String, Failed> {
        let (secret, now) = (self.secret(), self.clock.now());
        let (key, access_end) = (digest_of(&secret), now + granted.life());
        let Granted { access_token, refresh_token, id_token, .. } = granted;
        let id = id_token.unwrap_or_default();
        let sign_in = subject.sign_in.clone();
        let tokens = Tokens { access: access_token, refresh: refresh_token, id, sign_in, finished };
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

/// A parameter that may be there once.
fn parameter(query: &str, wanted: &'static str) -> Result<Option<String>, Failed> {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == wanted);
    let value = values.next().map(|(_, value)| value.into_owned());
    if values.next().is_some() { Err(Failed::Parameter(wanted)) } else { Ok(value) }
}
