//! The issuer's token endpoint (RFC 6749 3.2): codes and refresh tokens are redeemed there.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use config::Secret;
use http::HeaderValue;
use outbound::{Answer, Question};
use serde::{Deserialize, Serialize};

use super::issuer::Issuer;
use crate::sign_in::SignIn;

/// How long an access token counts as good of which the issuer does not say it.
const UNSAID: Duration = Duration::from_mins(5);
/// The longest that it is believed.
const LONGEST: Duration = Duration::from_hours(24);

/// Who the edge is to the issuer.
pub(crate) struct Client {
    /// Its identifier.
    pub(crate) id: String,
    /// What it proves that by; empty for a public client.
    pub(crate) secret: Secret,
    /// What it asks for.
    pub(crate) scopes: String,
}

/// What a session holds, and nobody else sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tokens {
    /// For backends, by way of the gateway.
    pub(crate) access: String,
    /// For the next ones.
    pub(crate) refresh: Option<String>,
    /// For signing out.
    pub(crate) id: String,
    /// How the user has signed in.
    #[serde(default)]
    pub(crate) sign_in: SignIn,
    /// The sign-ins that have ended in this session.
    #[serde(default)]
    pub(crate) finished: Vec<Finished>,
}

/// A sign-in that has ended in a session: where it led, should the browser come back to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finished {
    /// The SHA-256 of its `state`, in base64url.
    pub(crate) state: String,
    /// The page.
    pub(crate) target: String,
}

impl Finished {
    /// How many bytes of addresses a session remembers beside the newest: all of them are read with each request.
    const MAX_TARGETS: usize = 4 * 1024;

    /// Adds the newest one, and forgets the oldest beyond the bound.
    pub(crate) fn remember(mut all: Vec<Self>, newest: Self) -> Vec<Self> {
        let mut length: usize = all.iter().map(|one| one.target.len()).sum();
        let surplus = all.iter().take_while(|one| {
            let is_too_long = length > Self::MAX_TARGETS;
            length -= one.target.len();
            is_too_long
        });
        let count = surplus.count();
        all.drain(..count);
        all.push(newest);
        all
    }
}

/// What the issuer answers (RFC 6749 5.1, `OpenID` Connect Core 3.1.3.3).
#[derive(Deserialize)]
pub(crate) struct Granted {
    /// The access token.
    pub(crate) access_token: String,
    token_type: String,
    expires_in: Option<u64>,
    /// The refresh token, if there is one.
    pub(crate) refresh_token: Option<String>,
    /// The ID token.
    pub(crate) id_token: Option<String>,
}

impl Granted {
    /// How long the access token is good.
    pub(crate) fn life(&self) -> Duration {
        self.expires_in.map_or(UNSAID, Duration::from_secs).min(LONGEST)
    }
}

/// Why there are no tokens.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    /// What was to be redeemed is not good, or not any more.
    #[error("the issuer refuses it: invalid_grant")]
    InvalidGrant,
    /// The issuer refuses the edge itself: what is wrong is in the settings, here or there.
    #[error("the issuer refuses the edge: {0}")]
    Refused(String),
    /// It cannot be reached, or does not answer as it should.
    #[error("the issuer {0}")]
    Unavailable(String),
}

#[derive(Deserialize)]
struct Failure {
    error: String,
}

impl Client {
    /// Takes a refresh token back (RFC 7009 2.1), where the issuer can: nobody needs it any more.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`].
    pub(crate) async fn revoke(&self, issuer: &Issuer, refresh: &str) -> Result<(), TokenError> {
        let unavailable = |problem: String| TokenError::Unavailable(problem);
        let known = issuer.known().await.map_err(|_| unavailable("cannot be asked".to_owned()))?;
        let Some(endpoint) = known.metadata.revocation_endpoint.as_deref() else { return Ok(()) };
        let form = [("token", refresh), ("token_type_hint", "refresh_token")];
        let answer = self.post(issuer, endpoint, &form).await?;
        if answer.status == 200 { Ok(()) } else { Err(unavailable(format!("answers {}", answer.status))) }
    }

    /// Redeems what a form says.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) async fn redeem(&self, issuer: &Issuer, form: &[(&str, &str)]) -> Result<Granted, TokenError> {
        let unavailable = |problem: &dyn std::fmt::Display| TokenError::Unavailable(problem.to_string());
        let known = issuer.known().await.map_err(|_| unavailable(&"cannot be asked"))?;
        let endpoint = known.metadata.token_endpoint.as_deref();
        let endpoint = endpoint.ok_or_else(|| unavailable(&"names no token_endpoint"))?;
        let answer = self.post(issuer, endpoint, form).await?;
        match answer.status {
            200 => {
                let granted: Granted = serde_json::from_slice(&answer.body)
                    .map_err(|_| unavailable(&"answers with what are no tokens"))?;
                let is_bearer = granted.token_type.eq_ignore_ascii_case("bearer") && !granted.access_token.is_empty();
                if is_bearer { Ok(granted) } else { Err(unavailable(&"grants no bearer token")) }
            }
            400 | 401 => Err(match serde_json::from_slice::<Failure>(&answer.body) {
                Ok(failure) if failure.error == "invalid_grant" => TokenError::InvalidGrant,
                Ok(failure) => TokenError::Refused(failure.error.chars().take(64).collect()),
                Err(_) => unavailable(&format_args!("answers {}", answer.status)),
            }),
            status => Err(unavailable(&format_args!("answers {status}"))),
        }
    }

    /// Posts a form, with the proof of who asks.
    async fn post(&self, issuer: &Issuer, endpoint: &str, form: &[(&str, &str)]) -> Result<Answer, TokenError> {
        let authorization = self.authorization();
        let public = [("client_id", self.id.as_str())];
        let who = if authorization.is_none() { &public[..] } else { &[] };
        let form = [form, who].concat();
        let question =
            Question { authorization: authorization.as_ref(), accept: "application/json", form: Some(&form) };
        let answer = issuer.call(endpoint, &question).await;
        answer.map_err(|error| TokenError::Unavailable(format!("cannot be asked: {error}")))
    }

    /// `client_secret_basic` (RFC 6749 2.3.1: both parts are form-encoded first).
    fn authorization(&self) -> Option<HeaderValue> {
        if self.secret.is_empty() {
            return None;
        }
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let both = format!("{}:{}", encoded(&self.id), encoded(self.secret.expose()));
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(both))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_of_the_clients_credential_are_encoded() {
        let client = |secret: &str| Client { id: "a:b".into(), secret: Secret::from(secret), scopes: String::new() };
        let value = client("p w%").authorization().expect("a credential");
        assert_eq!(value.to_str().expect("text"), format!("Basic {}", STANDARD.encode("a%3Ab:p+w%25")));
        assert!(value.is_sensitive() && client("").authorization().is_none());
    }

    #[test]
    fn how_long_an_access_token_is_good() {
        let life = |json: &str| serde_json::from_str::<Granted>(json).expect("is granted").life();
        assert_eq!(life(r#"{"access_token":"a","token_type":"Bearer","expires_in":60}"#), Duration::from_mins(1));
        assert_eq!(life(r#"{"access_token":"a","token_type":"Bearer"}"#), UNSAID);
        let endless = r#"{"access_token":"a","token_type":"Bearer","expires_in":18446744073709551615}"#;
        assert_eq!(life(endless), LONGEST);
    }
}
