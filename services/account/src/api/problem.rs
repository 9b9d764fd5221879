//! Why a request was not fulfilled, as a problem of RFC 9457.

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use proto::doorward::passwords::v1::{JudgePasswordResponse, PasswordWeakness};
use serde::Serialize;
use status::Kind;
use tonic::Status;
use utoipa::ToSchema;
use web::openapi::PROBLEM_JSON;
use web::response::with_retry_after;

use crate::administration::DeletionError;
use crate::http::signed_in::NotSignedIn;
use crate::sign_in::{Insufficient, Missing, RECENT, SEVERAL_FACTORS};

/// The longest name of a parameter that a problem repeats, in characters.
const MAX_NAME: usize = 64;

/// Why a request was not fulfilled (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemDetails {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    problem_type: &'static str,
    /// The name of the status.
    title: &'static str,
    /// The status of the response.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// The parameter, or the member of the body, that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// Why the password policy refuses a password.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    weaknesses: Vec<Weakness>,
}

/// Why the password policy refuses a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Weakness {
    /// It has too few characters.
    Short,
    /// It has too many bytes.
    Long,
    /// It has control characters.
    ControlCharacters,
    /// It looks like an app token.
    AppToken,
    /// It is one of the common passwords.
    Common,
    /// It is a pattern, as in a repeated character.
    Pattern,
    /// It has a name of the user or of the installation.
    Context,
    /// It is too easy to guess.
    Guessable,
    /// A reason of a later version.
    Other,
}

impl Weakness {
    /// Everything that the policy has against a password.
    pub(super) fn all_of(judged: &JudgePasswordResponse) -> Vec<Self> {
        let named = |weakness| match weakness {
            PasswordWeakness::Short => Self::Short,
            PasswordWeakness::Long => Self::Long,
            PasswordWeakness::ControlCharacters => Self::ControlCharacters,
            PasswordWeakness::AppToken => Self::AppToken,
            PasswordWeakness::Common => Self::Common,
            PasswordWeakness::Pattern => Self::Pattern,
            PasswordWeakness::Context => Self::Context,
            PasswordWeakness::Guessable => Self::Guessable,
            PasswordWeakness::Unspecified => Self::Other,
        };
        judged.weaknesses().map(named).collect()
    }
}

/// A response that says why a request was not fulfilled.
#[derive(Debug)]
pub(super) struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    code: StatusCode,
    details: ProblemDetails,
    challenge: Option<String>,
    retry_after: Option<u64>,
}

impl Problem {
    pub(super) fn new(code: StatusCode, detail: impl Into<String>) -> Self {
        let details = ProblemDetails {
            problem_type: "about:blank",
            title: code.canonical_reason().unwrap_or_default(),
            status: code.as_u16(),
            detail: detail.into(),
            parameter: None,
            weaknesses: Vec::new(),
        };
        Self(Box::new(Parts { code, details, challenge: None, retry_after: None }))
    }

    /// There is no such resource.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such resource")
    }

    /// The service that has the resource is not part of this installation.
    pub(super) fn without(service: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("this installation has no {service}, which has this resource"))
    }

    /// A parameter, or a member of the body, is wrong.
    pub(super) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail).of_parameter(name)
    }

    /// The same problem, of this parameter.
    pub(super) fn of_parameter(mut self, name: &str) -> Self {
        self.0.details.parameter = Some(name.chars().take(MAX_NAME).collect());
        self
    }

    /// The policy refuses a new password, which is in this member.
    pub(super) fn weak_password(member: &str, weaknesses: Vec<Weakness>) -> Self {
        let mut problem = Self::parameter(member, "the password policy refuses the password");
        problem.0.details.weaknesses = weaknesses;
        problem
    }

    /// Administrators do not do this to themselves, so that one is left.
    pub(super) fn own_account() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "administrators cannot do this to their own account")
    }

    fn with_challenge(mut self, challenge: String) -> Self {
        self.0.challenge = Some(challenge);
        self
    }

    /// The user has to sign in anew (RFC 9470, section 3). The status is 403, as the credential is valid and does other things.
    fn sign_in_anew(missing: Missing) -> Self {
        let detail = match (missing.recent, missing.second_factor) {
            (true, false) => "a sign-in of the last ten minutes is needed",
            (true, true) => "a sign-in of the last ten minutes with the second factor is needed",
            (false, _) => "a sign-in with the second factor is needed",
        };
        let max_age = if missing.recent { format!(", max_age=\"{RECENT}\"") } else { String::new() };
        let level = if missing.second_factor { format!(", acr_values=\"{SEVERAL_FACTORS}\"") } else { String::new() };
        let challenge = format!(
            "Bearer error=\"insufficient_user_authentication\", error_description=\"{detail}\"{max_age}{level}"
        );
        Self::new(StatusCode::FORBIDDEN, detail).with_challenge(challenge)
    }

    /// What the service behind the API has not done.
    fn of_status(status: &Status) -> Self {
        let kind = Kind::from_grpc(status.code());
        let code = kind.http();
        if status::is_partly_done(status) {
            return Self::new(code, "it is done, but another service could not be notified: repeat the request");
        }
        match kind {
            Kind::Unauthenticated => Self::new(code, "the session of the credential has ended")
                .with_challenge("Bearer error=\"invalid_token\"".to_owned()),
            Kind::PermissionDenied => Self::new(code, "the credential may not be used for this"),
            Kind::NotFound => Self::not_found(),
            Kind::InvalidArgument => {
                let problem = Self::new(code, status.message());
                match member(status.message()) {
                    Some(name) => problem.of_parameter(name),
                    None => problem,
                }
            }
            Kind::AlreadyExists | Kind::Aborted | Kind::FailedPrecondition | Kind::Unimplemented => {
                Self::new(code, status.message())
            }
            Kind::ResourceExhausted => {
                let mut problem = Self::new(code, "too many requests: try again later");
                problem.0.retry_after = Some(retry_after(status));
                problem
            }
            Kind::Unavailable | Kind::DeadlineExceeded => {
                tracing::warn!(%status, "a service behind the API does not answer");
                Self::new(code, "a service that is needed does not answer: try again")
            }
            Kind::Internal => {
                tracing::error!(%status, "a service has not done what a request of the API asked for");
                Self::new(code, "the request could not be fulfilled: the log says why")
            }
        }
    }
}

/// The member that a message is about, as in `redirect_uris: is missing`.
fn member(message: &str) -> Option<&str> {
    let (name, _) = message.split_once(": ")?;
    let is_name = |character: char| character.is_ascii_lowercase() || character == '_';
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

/// The seconds to wait, of which services inform their callers in the metadata.
fn retry_after(status: &Status) -> u64 {
    let seconds = status.metadata().get(RETRY_AFTER.as_str()).and_then(|value| value.to_str().ok());
    seconds.and_then(|text| text.parse().ok()).unwrap_or(1)
}

impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        Self::of_status(&status)
    }
}

impl From<NotSignedIn> for Problem {
    fn from(reason: NotSignedIn) -> Self {
        match reason {
            NotSignedIn::Unauthenticated => Self::new(StatusCode::UNAUTHORIZED, "the request has not passed the edge")
                .with_challenge("Bearer".to_owned()),
            NotSignedIn::Restricted => {
                Self::new(StatusCode::FORBIDDEN, "a credential with a restricted scope may not be used for this")
            }
        }
    }
}

impl From<Insufficient> for Problem {
    fn from(insufficient: Insufficient) -> Self {
        match insufficient {
            Insufficient::Missing(missing) => Self::sign_in_anew(missing),
            Insufficient::Unknown(status) => Self::of_status(&status),
        }
    }
}

impl From<DeletionError> for Problem {
    fn from(error: DeletionError) -> Self {
        match &error {
            DeletionError::Refused(status) => Self::of_status(status),
            DeletionError::Unfinished { status, .. } if status::is_partly_done(status) => Self::of_status(status),
            DeletionError::Unfinished { .. } => {
                tracing::warn!(%error, "a user is not deleted with everything");
                Self::new(error.kind().http(), format!("{error}: repeat the request"))
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Parts { code, details, challenge, retry_after } = *self.0;
        let mut response = (code, Json(details)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(challenge) = challenge.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        with_retry_after(response, retry_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_is_named_only_where_the_message_begins_with_one() {
        assert_eq!(member("redirect_uris: is missing"), Some("redirect_uris"));
        assert_eq!(member("page_token: is invalid"), Some("page_token"));
        for message in ["the username is taken", "", ": x", "a name: x", "label is missing"] {
            assert_eq!(member(message), None, "{message}");
        }
    }

    /// `docs/security-requirements.md#n3`
    #[test]
    fn missing_sign_in_is_challenged_as_rfc_9470_says() {
        let challenge = |recent, second_factor| {
            let response =
                Problem::from(Insufficient::Missing(Missing { recent, second_factor, obstacle: None })).into_response();
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
            response.headers()[WWW_AUTHENTICATE].to_str().expect("ASCII").to_owned()
        };
        let recent = challenge(true, false);
        assert!(recent.contains("error=\"insufficient_user_authentication\""), "{recent}");
        assert!(recent.contains("max_age=\"600\"") && !recent.contains("acr_values"), "{recent}");
        let both = challenge(true, true);
        assert!(both.contains("max_age=\"600\"") && both.contains("acr_values=\"mfa\""), "{both}");
        let factor = challenge(false, true);
        assert!(!factor.contains("max_age") && factor.contains("acr_values=\"mfa\""), "{factor}");
    }

    #[test]
    fn faults_of_services_are_not_repeated() {
        for (status, code) in [
            (Status::internal("a detail"), StatusCode::INTERNAL_SERVER_ERROR),
            (Status::unavailable("a detail"), StatusCode::SERVICE_UNAVAILABLE),
            (Status::permission_denied("a detail"), StatusCode::FORBIDDEN),
            (Status::not_found("a detail"), StatusCode::NOT_FOUND),
        ] {
            let problem = Problem::from(status);
            assert_eq!(problem.0.code, code);
            assert!(!problem.0.details.detail.contains("a detail"), "{problem:?}");
        }
    }
}
