//! What is answered.

use std::time::SystemTime;

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use axum::Json;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use status::Kind;
use utoipa::ToSchema;
use web::openapi::PROBLEM_JSON;

use super::schemas;
use crate::applications::ApplicationsError;
use crate::model::{AppToken, Life};
use crate::policy::PolicyError;

/// A token without its secret. The first four members are those of oCIS.
#[derive(Serialize, ToSchema)]
#[schema(as = Token, examples(example_of_app, example_of_photo_frame))]
pub(super) struct ShownToken {
    /// Its identifier, the same as `id`; never the secret.
    #[schema(format = "uuid")]
    token: String,
    #[serde(flatten)]
    details: TokenDetails,
}

/// A token in the response that creates it.
#[derive(Serialize, ToSchema)]
#[schema(examples(example_of_created))]
pub(super) struct MadeToken {
    /// The secret, which no other response has.
    #[schema(pattern = "^dwa_[0-9A-Za-z]{36}$")]
    token: String,
    #[serde(flatten)]
    details: TokenDetails,
}

/// What is known of a token, besides what `token` has.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenDetails {
    /// When it expires; `null` if never.
    #[schema(format = DateTime, required)]
    expiration_date: Option<String>,
    /// When it was created, in whole seconds.
    #[schema(format = DateTime)]
    created_date: String,
    /// What its owner calls it. Text as it was sent, not escaped for HTML.
    label: String,
    /// Its identifier, which is no secret.
    #[schema(format = "uuid")]
    id: String,
    #[schema(schema_with = schemas::kind)]
    kind: &'static str,
    #[schema(schema_with = schemas::scopes_of_token)]
    scopes: Vec<String>,
    /// Who created it: the identifier of a user, or the name of a program that acted for that user.
    created_by: String,
    /// Seconds until it expires; `null` if it never does.
    #[schema(minimum = 0, required)]
    expires_in: Option<u64>,
    /// The seconds by which each use of a sliding token postpones its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 2_592_000, nullable = false)]
    window: Option<u64>,
    /// When a sliding token expires however much it is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    max_expiration_date: Option<String>,
    /// When it was last used, roughly to the minute; `null` if never.
    #[schema(format = DateTime, required)]
    last_used: Option<String>,
    /// The address of the last use, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("192.0.2.7", "2001:db8::7"))]
    last_used_from: Option<String>,
    /// The program of the last use, as it called itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_used_by: Option<String>,
}

impl ShownToken {
    pub(super) fn new(token: &AppToken, now: SystemTime) -> Self {
        let details = TokenDetails::new(token, now);
        Self { token: details.id.clone(), details }
    }
}

impl MadeToken {
    pub(super) fn new(token: &AppToken, secret: &str) -> Self {
        Self { token: secret.to_owned(), details: TokenDetails::new(token, token.created) }
    }
}

impl TokenDetails {
    fn new(token: &AppToken, now: SystemTime) -> Self {
        let end = token.end();
        let (window, latest) = match token.life {
            Life::Fixed(_) => (None, None),
            Life::Sliding { window, latest } => (Some(window.as_secs()), Some(rfc3339(latest))),
        };
        let last = token.last_use.as_ref();
        Self {
            expiration_date: end.map(rfc3339),
            created_date: whole_seconds(token.created),
            label: token.label.clone(),
            id: token.id.to_string(),
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

fn example_of_app() -> Value {
    json!({
        "token": "01912cd1-93a0-7c3e-9f0a-5b1d8e2f4c60",
        "expiration_date": "2024-08-08T13:42:42.796888022Z",
        "created_date": "2024-08-07T13:42:42Z",
        "label": "Generated via API",
        "id": "01912cd1-93a0-7c3e-9f0a-5b1d8e2f4c60",
        "kind": "app",
        "scopes": ["user"],
        "created_by": "4c510ada-c86b-4815-8820-42cdf82c3d51",
        "expires_in": 86_400,
        "last_used": null,
    })
}

fn example_of_photo_frame() -> Value {
    json!({
        "token": "01912cd3-4f20-7d18-8a55-0c9b7e6d3a21",
        "expiration_date": "2024-08-14T13:46:41.936052Z",
        "created_date": "2024-08-07T13:46:41Z",
        "label": "Photo frame in the hall",
        "id": "01912cd3-4f20-7d18-8a55-0c9b7e6d3a21",
        "kind": "app",
        "scopes": ["node:4c510ada-c86b-4815-8820-42cdf82c3d51:r"],
        "created_by": "4c510ada-c86b-4815-8820-42cdf82c3d51",
        "expires_in": 604_800,
        "window": 604_800,
        "max_expiration_date": "2024-09-06T13:46:41.936052Z",
        "last_used": "2024-08-07T13:46:41Z",
        "last_used_from": "192.0.2.7",
        "last_used_by": "rclone/1.60",
    })
}

fn example_of_created() -> Value {
    let mut example = example_of_app();
    example["token"] = json!("dwa_3s2K7816M4vuSpd5EyudDGAJ18bBf5000000");
    example
}

fn rfc3339(time: SystemTime) -> String {
    // times that can be stored can be written
    OffsetDateTime::from(time).format(&Rfc3339).unwrap_or_default()
}

fn whole_seconds(time: SystemTime) -> String {
    let time = OffsetDateTime::from(time);
    rfc3339(time.replace_nanosecond(0).unwrap_or(time).into())
}

/// Why the request was not fulfilled (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The status of the response.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The name of the status.
    title: &'static str,
    /// What is wrong with this request.
    detail: String,
    /// The parameter, or the member of the body, that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64, nullable = false)]
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
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
