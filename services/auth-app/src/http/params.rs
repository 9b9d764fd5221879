//! The parameters of a query. One that is not known is refused: a mistyped `userID` must not make a token for the caller.

use std::fmt::Write;
use std::time::Duration;

use authn::Grants;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use uuid::Uuid;

use super::Api;
use super::answer::Problem;
use super::query::QueryParameter;
use crate::applications::PersonRef;
use crate::policy::{self, LifetimeRequest, PolicyError};

/// What only a query may say once.
const ONCE: &str = "it may be given once only";

/// The parameters, in their order.
pub(super) struct Params(Vec<(String, String)>);

impl FromRequestParts<Api> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, api).await;
        query.map(|Query(params)| Self(params)).map_err(|_| Problem::parameter("", "the query cannot be read"))
    }
}

impl Params {
    /// Refuses every parameter but these; `scope` alone may be repeated.
    pub(super) fn only(&self, known: &[QueryParameter]) -> Result<(), Problem> {
        for (place, (name, _)) in self.0.iter().enumerate() {
            if !known.iter().any(|parameter| parameter.name() == name) {
                let names: Vec<&str> = known.iter().map(|parameter| parameter.name()).collect();
                let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                return Err(Problem::parameter(name, format!("there is no such parameter; there are: {known}")));
            }
            if name != "scope" && self.0[..place].iter().any(|(other, _)| other == name) {
                return Err(Problem::parameter(name, ONCE));
            }
        }
        Ok(())
    }

    /// The value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The same, in place of a default.
    pub(super) fn text(&self, name: &str, default: &str) -> String {
        self.get(name).unwrap_or(default).to_owned()
    }

    /// The user for whom the caller acts; `None` if it acts for itself.
    pub(super) fn person(&self) -> Result<Option<PersonRef>, Problem> {
        person(["userID", "userName"].map(|name| (name, self.get(name))), self.get("reason"))
    }

    /// The query for the tokens after this one, of the same person.
    pub(super) fn next_page(&self, limit: u64, after: Uuid) -> String {
        let mut query = format!("?limit={limit}&after={after}");
        for (name, value) in self.0.iter().filter(|(name, _)| !matches!(name.as_str(), "limit" | "after")) {
            let _ = write!(query, "&{name}=");
            for byte in value.bytes() {
                let _ = match byte {
                    b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                        query.write_char(char::from(byte))
                    }
                    _ => write!(query, "%{byte:02X}"),
                };
            }
        }
        query
    }

    /// What a token may do; everything if nothing is said.
    pub(super) fn grants(&self) -> Result<Grants, Problem> {
        let words: Vec<&str> =
            self.0.iter().filter(|(key, _)| key == "scope").map(|(_, value)| value.as_str()).collect();
        if words.is_empty() {
            return Ok(Grants::user());
        }
        Grants::parse(words).map_err(|error| Problem::parameter("scope", error.to_string()))
    }

    /// How a token ends: `expiry`, or `window` and `max_lifetime`.
    pub(super) fn life(&self) -> Result<LifetimeRequest, Problem> {
        let length = |name| self.get(name).map(|text| duration(name, text)).transpose();
        let max_lifetime = length("max_lifetime")?;
        match (self.get("expiry"), length("window")?) {
            (Some(_), Some(_)) => Err(Problem::parameter("window", "a token has an expiry or a window, not both")),
            (None, Some(window)) => Ok(LifetimeRequest::Sliding { window, max_lifetime }),
            (_, None) if max_lifetime.is_some() => Err(Problem::parameter("max_lifetime", "it goes with a window")),
            (Some("never"), None) => Ok(LifetimeRequest::Never),
            (Some(text), None) => duration("expiry", text).map(LifetimeRequest::For),
            (None, None) => Err(Problem::parameter("expiry", "it is missing; it is written like 72h or 30m")),
        }
    }
}

/// The person with this identifier and this login name, by what they are called here, if any is given.
pub(super) fn person(named: [(&str, Option<&str>); 2], reason: Option<&str>) -> Result<Option<PersonRef>, Problem> {
    // an empty one must not be taken for none, or it would be about the caller
    if let Some((name, _)) = named.iter().find(|(_, value)| *value == Some("")) {
        return Err(Problem::parameter(name, "it is empty"));
    }
    let [id, username] = named.map(|(_, value)| value.map(str::to_owned));
    match (id.is_some() || username.is_some(), reason) {
        (true, _) => Ok(Some(PersonRef { id, username })),
        // a reason is for impersonation only: the user is missing
        (false, Some(_)) => {
            let [(id, _), (username, _)] = named;
            Err(Problem::parameter("reason", format!("it goes with {id} or {username}")))
        }
        (false, None) => Ok(None),
    }
}

/// Reads a duration.
pub(super) fn duration(name: &str, text: &str) -> Result<Duration, Problem> {
    policy::duration(text).map_err(|error: PolicyError| Problem::parameter(name, error.to_string()))
}
