//! The issuer's token endpoint (RFC 6749 3.2): codes and refresh tokens are redeemed there.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use config::Secret;
use http::HeaderValue;
use outbound::issuer::cache::IssuerCache;
use outbound::{IssuerResponse, Question};
use serde::{Deserialize, Serialize};

use crate::sign_in::SignIn;

/// The assumed lifetime of an access token without `expires_in`.
const UNSAID: Duration = Duration::from_mins(5);
/// The longest lifetime that is accepted.
const LONGEST: Duration = Duration::from_hours(24);

/// The edge as a client of the issuer.
pub(crate) struct Client {
    /// The client identifier.
    pub(crate) id: String,
    /// The client secret; empty for a public client.
    pub(crate) secret: Secret,
    /// The requested scopes.
    pub(crate) scopes: String,
}

/// The content of a session, which is stored sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tokens {
    /// The access token, with which the gateway authenticates requests.
    pub(crate) access: String,
    /// The refresh token.
    pub(crate) refresh: Option<String>,
    /// The ID token, which is sent as a hint when the user signs out.
    pub(crate) id: String,
    /// How the user has signed in.
    #[serde(default)]
    pub(crate) sign_in: SignIn,
    /// Whether several factors were asked for: then the issuer is not asked for them again.
    #[serde(default)]
    pub(crate) stepped_up: bool,
    /// The completed sign-ins of this session.
    #[serde(default)]
    pub(crate) finished: Vec<Finished>,
}

/// A completed sign-in: the page to show if the browser returns to its callback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finished {
    /// The SHA-256 of its `state`, in base64url.
    pub(crate) state: String,
    /// The page.
    pub(crate) target: String,
}

impl Finished {
    /// The most bytes of pages that a session stores in addition to the newest: all of them are read with each request.
    const MAX_TARGETS: usize = 4 * 1024;

    /// Adds the newest one, and removes the oldest beyond the bound.
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

/// The token response (RFC 6749 5.1, `OpenID` Connect Core 3.1.3.3).
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
    /// The lifetime of the access token.
    pub(crate) fn life(&self) -> Duration {
        self.expires_in.map_or(UNSAID, Duration::from_secs).min(LONGEST)
    }
}

/// Why there are no tokens.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    /// The code or refresh token is invalid, expired or revoked.
    #[error("the issuer refuses it: invalid_grant")]
    InvalidGrant,
    /// The issuer refuses the edge itself: the settings are wrong, here or there.
    #[error("the issuer refuses the edge: {0}")]
    Refused(String),
    /// The issuer cannot be reached, or its response is invalid.
    #[error("the issuer {0}")]
    Unavailable(String),
}

#[derive(Deserialize)]
struct Failure {
    error: String,
}

impl Client {
    /// Revokes a refresh token that is no longer needed (RFC 7009 2.1), if the issuer has a revocation endpoint.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`].
    pub(crate) async fn revoke(&self, issuer: &IssuerCache, refresh: &str) -> Result<(), TokenError> {
        let unavailable = |problem: String| TokenError::Unavailable(problem);
        let known = issuer.get().await.map_err(|_| unavailable("cannot be asked".to_owned()))?;
        let Some(endpoint) = known.metadata.revocation_endpoint.as_deref() else { return Ok(()) };
        let form = [("token", refresh), ("token_type_hint", "refresh_token")];
        let answer = self.post(issuer, endpoint, &form).await?;
        if answer.status == 200 { Ok(()) } else { Err(unavailable(format!("answers {}", answer.status))) }
    }

    /// Sends a token request.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) async fn redeem(&self, issuer: &IssuerCache, form: &[(&str, &str)]) -> Result<Granted, TokenError> {
        let unavailable = |problem: &dyn std::fmt::Display| TokenError::Unavailable(problem.to_string());
        let known = issuer.get().await.map_err(|_| unavailable(&"cannot be asked"))?;
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

    /// Posts a form with client authentication.
    async fn post(
        &self,
        issuer: &IssuerCache,
        endpoint: &str,
        form: &[(&str, &str)],
    ) -> Result<IssuerResponse, TokenError> {
        let authorization = self.authorization();
        let public = [("client_id", self.id.as_str())];
        let who = if authorization.is_none() { &public[..] } else { &[] };
        let form = [form, who].concat();
        let question =
            Question { authorization: authorization.as_ref(), accept: "application/json", form: Some(&form) };
        let answer = issuer.source().call(endpoint, &question).await;
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
