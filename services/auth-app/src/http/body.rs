//! Bodies: JSON, whose members are known.

use std::time::Duration;

use authn::Grants;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::Api;
use super::answer::Problem;
use super::params::{duration, person};
use super::schemas;
use crate::applications::PersonRef;
use crate::policy::LifetimeRequest;

/// The longest text about what is wrong with a body, in characters.
const MAX_DETAIL: usize = 256;

/// A body as it came; empty where there was none.
pub(super) struct Body(Bytes, bool);

impl FromRequest<Api> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let is_json = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
            let essence = value.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/json")
        });
        let read = Bytes::from_request(request, api).await;
        read.map(|bytes| Self(bytes, is_json)).map_err(|rejection| {
            let status = rejection.status();
            let detail =
                if status == StatusCode::PAYLOAD_TOO_LARGE { "the body is too long" } else { "the body ended early" };
            Problem::new(status, detail)
        })
    }
}

impl Body {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads it.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if !self.1 {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a body has to be application/json"));
        }
        // a list would be read too, as the members without their names
        if !self.0.trim_ascii_start().starts_with(b"{") {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "a body has to be a JSON object"));
        }
        serde_json::from_slice(&self.0).map_err(|error| {
            // it repeats what was sent, however long that was
            let detail: String = error.to_string().chars().take(MAX_DETAIL).collect();
            Problem::new(StatusCode::BAD_REQUEST, detail)
        })
    }
}

/// A new token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    #[schema(schema_with = schemas::label)]
    pub(super) label: Option<String>,
    #[schema(schema_with = schemas::scopes_of_new_token)]
    scopes: Option<Vec<String>>,
    #[schema(schema_with = schemas::expires_in)]
    expires_in: Option<Length>,
    #[schema(schema_with = schemas::window)]
    window: Option<Length>,
    #[schema(schema_with = schemas::max_lifetime)]
    max_lifetime: Option<Length>,
    #[schema(schema_with = schemas::user_id)]
    user_id: Option<String>,
    #[schema(schema_with = schemas::user_name)]
    user_name: Option<String>,
    #[schema(schema_with = schemas::reason)]
    pub(super) reason: Option<String>,
}

/// Seconds, or a text like `72h`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a length of time is a number of seconds, or a text like 72h")]
enum Length {
    Seconds(u64),
    Text(String),
}

impl Length {
    fn read(&self, name: &str) -> Result<Duration, Problem> {
        match self {
            Self::Seconds(0) => Err(Problem::parameter(name, "it is at least a second")),
            Self::Seconds(seconds) => Ok(Duration::from_secs(*seconds)),
            Self::Text(text) => duration(name, text),
        }
    }
}

impl NewToken {
    /// The user for whom the caller makes the token; `None` if it makes it for itself.
    pub(super) fn person(&self) -> Result<Option<PersonRef>, Problem> {
        let named = [("user_id", self.user_id.as_deref()), ("user_name", self.user_name.as_deref())];
        person(named, self.reason.as_deref())
    }

    /// What it may do; everything if nothing is said, and nothing is no list of things.
    pub(super) fn grants(&self) -> Result<Grants, Problem> {
        let Some(words) = &self.scopes else { return Ok(Grants::user()) };
        Grants::parse(words.iter().map(String::as_str)).map_err(|error| Problem::parameter("scopes", error.to_string()))
    }

    /// How it ends.
    pub(super) fn life(&self) -> Result<LifetimeRequest, Problem> {
        let length = |name, value: &Option<Length>| value.as_ref().map(|value| value.read(name)).transpose();
        let max_lifetime = length("max_lifetime", &self.max_lifetime)?;
        match (&self.expires_in, length("window", &self.window)?) {
            (Some(_), Some(_)) => Err(Problem::parameter("window", "a token has expires_in or a window, not both")),
            (None, Some(window)) => Ok(LifetimeRequest::Sliding { window, max_lifetime }),
            (_, None) if max_lifetime.is_some() => Err(Problem::parameter("max_lifetime", "it goes with a window")),
            (Some(Length::Text(text)), None) if text == "never" => Ok(LifetimeRequest::Never),
            (Some(length), None) => length.read("expires_in").map(LifetimeRequest::For),
            (None, None) => Ok(LifetimeRequest::Usual),
        }
    }
}

/// A change of a token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    #[schema(schema_with = schemas::label)]
    pub(super) label: String,
}
