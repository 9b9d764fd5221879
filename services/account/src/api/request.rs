//! What requests consist of: the identifier in the path, the parameters of the query, and a body of JSON. Names that are not known are
//! refused, so that a mistyped one does not do something else.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use serde::de::DeserializeOwned;
use web::header::single;
use web::origin::is_not_cross_origin;

use super::problem::Problem;
use crate::state::AccountState;

/// The longest text about what is wrong with a query or body, in characters.
const MAX_DETAIL: usize = 256;
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The identifier in the path.
pub(super) struct Id(pub(super) String);

impl FromRequestParts<AccountState> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Problem> {
        let id = Path::<String>::from_request_parts(parts, state).await;
        id.map(|Path(id)| Self(id)).map_err(|_| Problem::not_found())
    }
}

/// Two identifiers in the path.
pub(super) struct Ids(pub(super) String, pub(super) String);

impl FromRequestParts<AccountState> for Ids {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AccountState) -> Result<Self, Problem> {
        let ids = Path::<(String, String)>::from_request_parts(parts, state).await;
        ids.map(|Path((one, other))| Self(one, other)).map_err(|_| Problem::not_found())
    }
}

/// The parameters of the query.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<AccountState> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AccountState) -> Result<Self, Problem> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query.map(|Query(parameters)| Self(parameters)).map_err(|rejection| {
            let detail: String = rejection.body_text().chars().take(MAX_DETAIL).collect();
            Problem::new(StatusCode::BAD_REQUEST, detail)
        })
    }
}

/// The members of a JSON object. Its media type is [checked](check_change) before.
pub(super) struct Members<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<AccountState> for Members<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AccountState) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            let is_long = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
            Problem::new(rejection.status(), if is_long { "the body is too long" } else { "the body ended early" })
        })?;
        members(&body).map(Self)
    }
}

fn members<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // a list would be read too, as the members without their names
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "the body must be a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, explanation(&error)))
}

/// What is wrong with a body. Values are not repeated: they may be secrets.
fn explanation(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let is_about_name = ["unknown field", "missing field", "duplicate field"].iter().any(|what| text.starts_with(what));
    if is_about_name {
        return text.chars().take(MAX_DETAIL).collect();
    }
    let what = if error.is_data() { "a value has another type" } else { "it is not valid JSON" };
    format!("the body cannot be read: {what} at line {} column {}", error.line(), error.column())
}

/// Refuses a request that changes something if a page of another site may have sent it (`docs/security-requirements.md#a50`): browsers
/// send bodies of JSON to other sites only after asking them, and say in headers which site's page has sent a request.
pub(super) fn check_change(method: &Method, headers: &HeaderMap, origin: &str) -> Result<(), Problem> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    if !is_own(headers, origin) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "a page of another site has sent the request"));
    }
    // a DELETE without a body has no media type
    let is_bodyless = *method == Method::DELETE && !headers.contains_key(CONTENT_TYPE);
    if is_bodyless || is_json(headers) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json"))
}

/// Whether no header says that a page of another site has sent the request: as for forms, or by the user without a page.
fn is_own(headers: &HeaderMap, origin: &str) -> bool {
    let is_without_page = single(headers, &FETCH_SITE) == Some("none") && !headers.contains_key(ORIGIN);
    is_without_page || is_not_cross_origin(headers, origin)
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = single(headers, &CONTENT_TYPE).and_then(|value| value.split(';').next());
    media_type.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::response::IntoResponse;
    use serde::Deserialize;

    use super::*;

    const OWN: &str = "https://cloud.example";

    fn checked(method: &Method, pairs: &[(&'static str, &'static str)]) -> Option<StatusCode> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        check_change(method, &headers, OWN).err().map(|problem| problem.into_response().status())
    }

    /// Row [A50](../../../../docs/security-requirements.md#a50).
    #[test]
    fn changes_are_json_of_no_other_site() {
        let json = ("content-type", "application/json");
        for headers in [
            &[json][..],
            &[("content-type", "Application/JSON; charset=utf-8")],
            &[json, ("sec-fetch-site", "same-origin"), ("origin", OWN)],
            &[json, ("sec-fetch-site", "none")],
            &[json, ("origin", OWN)],
        ] {
            assert_eq!(checked(&Method::POST, headers), None, "{headers:?}");
        }
        for headers in [
            &[json, ("sec-fetch-site", "cross-site")][..],
            &[json, ("sec-fetch-site", "same-site")],
            &[json, ("sec-fetch-site", "none"), ("origin", "https://evil.example")],
            &[json, ("sec-fetch-site", "none"), ("sec-fetch-site", "none")],
            &[json, ("origin", "https://evil.example")],
            &[json, ("origin", "null")],
            &[("content-type", "text/plain"), ("origin", "https://evil.example")],
        ] {
            assert_eq!(checked(&Method::PATCH, headers), Some(StatusCode::FORBIDDEN), "{headers:?}");
        }
        for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            let headers = [("content-type", media_type)];
            for method in [Method::POST, Method::PUT, Method::DELETE] {
                assert_eq!(checked(&method, &headers), Some(StatusCode::UNSUPPORTED_MEDIA_TYPE), "{media_type}");
            }
        }
        assert_eq!(checked(&Method::POST, &[]), Some(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        assert_eq!(checked(&Method::POST, &[json, json]), Some(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        assert_eq!(checked(&Method::DELETE, &[]), None);
        assert_eq!(checked(&Method::DELETE, &[("origin", "https://evil.example")]), Some(StatusCode::FORBIDDEN));
        assert_eq!(checked(&Method::GET, &[("sec-fetch-site", "cross-site")]), None);
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        #[expect(dead_code, reason = "only read")]
        secret: String,
    }

    #[test]
    fn bodies_are_objects_with_known_members_and_no_value_is_repeated() {
        let detail = |body: &str| match members::<Example>(body.as_bytes()) {
            Ok(read) => panic!("{body} is read as {read:?}"),
            Err(problem) => format!("{problem:?}"),
        };
        assert!(members::<Example>(b" {\"secret\": \"x\"}").is_ok());
        assert!(detail("{\"secret\": \"x\", \"sceret\": 1}").contains("unknown field `sceret`"));
        assert!(detail("{}").contains("missing field `secret`"));
        for body in ["{\"secret\": 4711}", "{\"secret\": [\"4711\"]}", "{\"secret\": \"4711"] {
            let detail = detail(body);
            assert!(detail.contains("cannot be read") && !detail.contains("4711"), "{detail}");
        }
        for body in ["[\"4711\"]", "\"4711\"", ""] {
            assert!(detail(body).contains("must be a JSON object"), "{body}");
        }
    }
}
