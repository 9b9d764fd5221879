//! What is answered.

use std::time::SystemTime;

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use axum::Json;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use status::Kind;

use crate::applications::ApplicationsError;
use crate::model::{AppToken, Life};
use crate::policy::PolicyError;

/// A token as it is shown. The first four members are the documented ones.
#[derive(Serialize)]
pub(super) struct Token {
    /// When the token is made; its identifier ever after.
    #[serde(rename = "token")]
    secret: String,
    expiration_date: Option<String>,
    created_date: String,
    label: String,
    id: String,
    kind: &'static str,
    scopes: Vec<String>,
    created_by: String,
    /// Seconds until it ends as things are.
    expires_in: Option<u64>,
    /// Seconds that each use of a sliding token moves its end ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<u64>,
    /// When a sliding token ends however much it is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_expiration_date: Option<String>,
    last_used: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_by: Option<String>,
}

impl Token {
    pub(super) fn new(token: &AppToken, secret: Option<&str>, now: SystemTime) -> Self {
        let end = token.end();
        let (window, latest) = match token.life {
            Life::Fixed(_) => (None, None),
            Life::Sliding { window, latest } => (Some(window.as_secs()), Some(rfc3339(latest))),
        };
        let last = token.last_use.as_ref();
        let id = token.id.to_string();
        Self {
            secret: secret.map_or_else(|| id.clone(), str::to_owned),
            expiration_date: end.map(rfc3339),
            created_date: whole_seconds(token.created),
            label: token.label.clone(),
            id,
            kind: token.kind.name(),
            scopes: token.grants.words(),
            created_by: token.created_by.clone(),
            expires_in: end.map(|end| end.duration_since(now).unwrap_or_default().as_secs()),
            window,
            max_expiration_date: latest,
            last_used: last.map(|last| whole_seconds(last.at)),
            last_used_from: last.and_then(|last| last.source).map(|source| source.to_string()),
            last_used_by: last.map(|last| last.user_agent.clone()).filter(|agent| !agent.is_empty()),
        }
    }
}

fn rfc3339(time: SystemTime) -> String {
    // times that can be stored can be written
    OffsetDateTime::from(time).format(&Rfc3339).unwrap_or_default()
}

fn whole_seconds(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    rfc3339(time.replace_nanosecond(0).unwrap_or(time).into())
}

/// Why it is not done, as RFC 9457 has it.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    status: u16,
    title: &'static str,
    detail: String,
    /// The parameter that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    #[serde(skip)]
    code: StatusCode,
    #[serde(skip)]
    challenge: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(code: StatusCode, detail: impl Into<String>) -> Self {
        let (status, title) = (code.as_u16(), code.canonical_reason().unwrap_or_default());
        Self { status, title, detail: detail.into(), parameter: None, code, challenge: None }
    }

    /// A parameter, or a member of a body, that is wrong.
    pub(super) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let parameter = Some(name.chars().take(64).collect());
        Self { parameter, ..Self::new(StatusCode::BAD_REQUEST, detail) }
    }

    /// The same of an existing problem.
    pub(super) fn of_parameter(self, name: &str) -> Self {
        Self { parameter: Some(name.to_owned()), ..self }
    }

    /// The same where it was not a parameter that said it, but a member of a body.
    pub(super) fn of_member(self) -> Self {
        let member = |name: String| match name.as_str() {
            "expiry" => "expires_in".to_owned(),
            "scope" => "scopes".to_owned(),
            "userName" => "user_name".to_owned(),
            _ => name,
        };
        Self { parameter: self.parameter.map(member), ..self }
    }

    /// The request has no credentials (RFC 6750 section 3).
    pub(super) fn unauthenticated() -> Self {
        let challenge = Some(r#"Bearer realm="auth-app""#);
        Self { challenge, ..Self::new(StatusCode::UNAUTHORIZED, "a bearer token is needed") }
    }

    /// The credentials are not valid.
    pub(super) fn invalid_token() -> Self {
        let challenge = Some(r#"Bearer realm="auth-app", error="invalid_token""#);
        Self { challenge, ..Self::new(StatusCode::UNAUTHORIZED, "the bearer token is not accepted") }
    }
}

impl From<ApplicationsError> for Problem {
    fn from(error: ApplicationsError) -> Self {
        if let Some(cause) = error.cause() {
            tracing::error!(%error, cause, "app tokens are not available");
        }
        let problem = Self::new(error.kind().http(), error.to_string());
        match error.kind() {
            Kind::InvalidArgument => match parameter_of(&error) {
                Some(name) => problem.of_parameter(name),
                None => problem,
            },
            _ => problem,
        }
    }
}

/// Which parameter an error is about.
fn parameter_of(error: &ApplicationsError) -> Option<&'static str> {
    match error {
        ApplicationsError::TwoPeople => Some("userName"),
        ApplicationsError::Grant(_) | ApplicationsError::Policy(PolicyError::Scope(_)) => Some("scope"),
        ApplicationsError::Policy(PolicyError::Label) => Some("label"),
        ApplicationsError::Policy(PolicyError::Reason) => Some("reason"),
        ApplicationsError::Policy(PolicyError::Window) => Some("window"),
        ApplicationsError::Policy(PolicyError::Lifetime(_)) => Some("max_lifetime"),
        ApplicationsError::Policy(PolicyError::Past | PolicyError::TooLong(_) | PolicyError::Never) => Some("expiry"),
        _ => None,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, challenge) = (self.code, self.challenge);
        let mut response = (code, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
