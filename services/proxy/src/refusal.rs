//! Responses of the edge to requests that it refuses.

mod guest;

use std::borrow::Cow;
use std::time::Duration;

use http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION,
    RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::path::PathError;
use crate::request_info::{RequestInfo, is_host};
use crate::verdict::{CredentialError, Verdict};

const XML: HeaderValue = HeaderValue::from_static("application/xml; charset=utf-8");
const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");
/// Where nginx and `HAProxy` find the address of the sign-in.
const LOGIN: HeaderName = HeaderName::from_static("x-doorward-login");
/// The body that `WebDAV` clients of oCIS and ownCloud expect of a 401 response.
const DAV_ERROR: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\">\
<s:exception>Sabre\\DAV\\Exception\\NotAuthenticated</s:exception><s:message>Authentication error</s:message></d:error>\n";

/// A parameter of a challenge, by its name; without a value it is left out.
type Parameter<'a> = (&'static str, Option<&'a str>);

/// The authentication schemes that a 401 response offers (RFC 9110 11.6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenges {
    /// RFC 7617.
    pub basic: bool,
    /// RFC 6750.
    pub bearer: bool,
}

/// What challenges for bearer tokens say about the resource of a request.
#[derive(Debug, Clone)]
pub struct ResourceChallenge<'a> {
    /// The URL of its metadata (RFC 9728 5.1); `None` if they are not published.
    pub metadata_url: Option<&'a str>,
    /// The scopes that a token needs there, in the form of a quoted string's text (RFC 6750 3); `None` if a challenge does not name them.
    pub scopes: Option<String>,
}

/// A response that no backend has sent, at whichever entrypoint.
#[derive(Debug)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// The headers. They are boxed since a refusal is an error, which is returned by value.
    pub headers: Box<HeaderMap>,
    /// The text.
    pub body: Cow<'static, str>,
}

impl Refusal {
    /// A response with a status and a text.
    pub fn new(status: StatusCode, body: &'static str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self { status, headers: Box::new(headers), body: Cow::Borrowed(body) }
    }

    /// Redirects a browser to the sign-in.
    pub fn redirect(to: &str) -> Self {
        let mut refusal = Self::new(StatusCode::FOUND, "authentication is required\n");
        if let Ok(to) = HeaderValue::from_str(to) {
            refusal.headers.insert(LOCATION, to);
        }
        refusal
    }

    /// The same for a proxy that takes 302 for a failure: the address stands in `X-Doorward-Login`.
    #[must_use]
    pub fn without_redirect(mut self) -> Self {
        if let Some(to) = self.headers.remove(LOCATION) {
            self.status = StatusCode::UNAUTHORIZED;
            self.headers.insert(LOGIN, to);
        }
        self
    }

    /// For a request that its user may not send.
    pub(crate) fn not_permitted() -> Self {
        Self::new(StatusCode::FORBIDDEN, "not permitted\n")
    }

    /// For a path without a route, and for one of the edge's own that has no endpoint.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no route matches\n")
    }

    /// For a method that an endpoint of the edge does not support; `allowed` lists the others.
    pub fn method_not_allowed(allowed: &'static str) -> Self {
        let mut refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, "");
        refusal.headers.insert(ALLOW, HeaderValue::from_static(allowed));
        refusal
    }

    /// For a body that is longer than the route or the endpoint allows.
    pub fn body_too_long() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long\n")
    }

    /// For a body that the client has not sent to its end.
    pub fn incomplete_body() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "the body is incomplete\n")
    }

    /// For a path that is not accepted.
    pub fn malformed(error: PathError) -> Self {
        match error {
            PathError::TooLong => Self::new(StatusCode::URI_TOO_LONG, "the path is too long\n"),
            PathError::Ambiguous => Self::new(StatusCode::BAD_REQUEST, "the path is ambiguous\n"),
        }
    }

    /// For a verdict; `None` if the request may pass.
    pub fn of(
        verdict: &Verdict,
        info: &RequestInfo<'_>,
        challenges: Challenges,
        resource: &ResourceChallenge<'_>,
    ) -> Option<Self> {
        Some(match verdict {
            Verdict::Allowed(_) => return None,
            Verdict::Unauthenticated(error) => Self::unauthenticated(*error, info, challenges, resource),
            Verdict::Forbidden => Self::not_permitted(),
            Verdict::InsufficientScope { scopes } => Self::insufficient_scope(scopes, info, resource),
            Verdict::InsufficientAuthentication { acr_values, max_age, .. } => {
                Self::insufficient(acr_values.as_deref(), *max_age, info, resource)
            }
            Verdict::GuestSession(refusal) => guest::refusal(refusal, is_dav(info)),
            Verdict::CrossSite => Self::new(StatusCode::FORBIDDEN, "cross-site request refused\n"),
            Verdict::Busy { retry_after } => {
                let mut refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "too many requests\n");
                refusal.headers.insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
                refusal
            }
            Verdict::Unavailable => Self::new(StatusCode::SERVICE_UNAVAILABLE, "authentication is not available\n"),
        })
    }

    fn unauthenticated(
        error: CredentialError,
        info: &RequestInfo<'_>,
        challenges: Challenges,
        resource: &ResourceChallenge<'_>,
    ) -> Self {
        let mut refusal = Self::new(StatusCode::UNAUTHORIZED, "authentication is required\n");
        if is_dav(info) {
            refusal.body = Cow::Borrowed(DAV_ERROR);
            refusal.headers.insert(CONTENT_TYPE, XML);
        }
        // With a challenge, browsers show a password dialog for a request of a script.
        if info.header(&REQUESTED_WITH).is_some_and(|value| value.eq_ignore_ascii_case("XMLHttpRequest")) {
            return refusal;
        }
        let error = (error == CredentialError::Invalid).then_some("invalid_token");
        let bearer = challenges.bearer.then(|| bearer(info, &[("error", error)], resource));
        let basic = challenges.basic.then(|| challenge("Basic", info, []));
        refusal.challenged([bearer, basic].into_iter().flatten().flatten())
    }

    /// The same with these challenges.
    fn challenged(mut self, challenges: impl IntoIterator<Item = HeaderValue>) -> Self {
        for challenge in challenges {
            self.headers.append(WWW_AUTHENTICATE, challenge);
        }
        self
    }

    /// The same for scripts of every site, which find the metadata of a resource by its challenge. A browser withholds it from a script
    /// that sends the browser's credentials, so that no site learns by it who has a session here.
    #[must_use]
    pub(crate) fn readable_by_scripts(mut self) -> Self {
        self.headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        let exposed = HeaderValue::from_static("WWW-Authenticate, Retry-After");
        self.headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        self
    }

    /// Whether it is an error with a plain text, which may be shown to a browser in another form.
    pub(crate) fn is_plain_error(&self) -> bool {
        let is_error = self.status.is_client_error() || self.status.is_server_error();
        is_error && self.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"))
    }

    /// For a user who has to sign in with several factors, or anew (RFC 9470 3).
    fn insufficient(
        acr_values: Option<&str>,
        max_age: Option<Duration>,
        info: &RequestInfo<'_>,
        resource: &ResourceChallenge<'_>,
    ) -> Self {
        let (body, description) = if acr_values.is_some() {
            ("a sign-in with several factors is required\n", "a sign-in with several factors is required")
        } else {
            ("a more recent sign-in is required\n", "a more recent sign-in is required")
        };
        let max_age = max_age.map(|age| age.as_secs().to_string());
        let error = [
            ("error", Some("insufficient_user_authentication")),
            ("error_description", Some(description)),
            ("acr_values", acr_values),
            ("max_age", max_age.as_deref()),
        ];
        Self::new(StatusCode::UNAUTHORIZED, body).challenged(bearer(info, &error, resource))
    }

    /// For a user who may do this by an access token with these scopes (RFC 6750 3.1).
    fn insufficient_scope(scopes: &str, info: &RequestInfo<'_>, resource: &ResourceChallenge<'_>) -> Self {
        let resource = ResourceChallenge { scopes: Some(scopes.to_owned()), ..*resource };
        Self::not_permitted().challenged(bearer(info, &[("error", Some("insufficient_scope"))], &resource))
    }

    /// As an HTTP response.
    pub fn into_response(self) -> axum::response::Response {
        let mut response = axum::response::Response::new(axum::body::Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = *self.headers;
        response
    }
}

/// A challenge for bearer tokens with the parameters of its error and the scopes (RFC 6750 3), and the metadata of the resource (RFC 9728 5.1).
fn bearer<'a>(
    info: &RequestInfo<'a>,
    error: &[Parameter<'a>],
    resource: &'a ResourceChallenge<'a>,
) -> Option<HeaderValue> {
    let ResourceChallenge { metadata_url, scopes } = resource;
    let of_resource = [("scope", scopes.as_deref()), ("resource_metadata", *metadata_url)];
    challenge("Bearer", info, error.iter().copied().chain(of_resource))
}

/// A challenge of a scheme, with these parameters after those that all challenges have; `None` if it has bytes that no header may have.
fn challenge<'a>(
    scheme: &str,
    info: &RequestInfo<'a>,
    parameters: impl IntoIterator<Item = Parameter<'a>>,
) -> Option<HeaderValue> {
    let common = [("realm", Some(realm(info))), ("charset", Some("UTF-8"))];
    let present =
        common.into_iter().chain(parameters).filter_map(|(name, value)| Some(format!("{name}=\"{}\"", value?)));
    HeaderValue::try_from(format!("{scheme} {}", present.collect::<Vec<_>>().join(", "))).ok()
}

/// The realm of a challenge. An invalid host could end the quoted string.
fn realm<'a>(info: &RequestInfo<'a>) -> &'a str {
    if is_host(info.host) { info.host } else { "doorward" }
}

/// Whether a browser navigates to a page, as opposed to a script or program that requests data
/// (`docs/security-requirements.md#e14`).
pub fn is_navigation(info: &RequestInfo<'_>) -> bool {
    let accepts_pages = || info.header(&ACCEPT).is_some_and(|accept| accept.contains("text/html"));
    let says_so = match info.header(&HeaderName::from_static("sec-fetch-mode")) {
        Some(mode) => mode == "navigate",
        None => !info.headers.contains_key(REQUESTED_WITH),
    };
    *info.method == Method::GET && accepts_pages() && says_so
}

fn is_dav(info: &RequestInfo<'_>) -> bool {
    const METHODS: [&str; 9] = ["PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH"];
    const PATHS: [&str; 3] = ["/dav/", "/remote.php/", "/webdav"];
    METHODS.contains(&info.method.as_str()) || PATHS.iter().any(|path| info.path.decoded().starts_with(path))
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::path::{Leniency, Path};

    static NOTHING: ResourceChallenge<'static> = ResourceChallenge { metadata_url: None, scopes: None };

    fn with<T>(
        method: &str,
        host: &str,
        headers: &[(&'static str, &'static str)],
        then: impl Fn(&RequestInfo<'_>) -> T,
    ) -> T {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let path = Path::parse("/a", Leniency::default()).expect("a path");
        let method = method.parse().expect("a method");
        then(&RequestInfo {
            method: &method,
            is_https: true,
            host,
            path: &path,
            query: None,
            headers: &headers,
            source: None,
        })
    }

    fn challenges(error: CredentialError, host: &str, headers: &[(&'static str, &'static str)]) -> Vec<String> {
        challenges_with(&NOTHING, error, host, headers)
    }

    fn challenges_with(
        resource: &ResourceChallenge<'_>,
        error: CredentialError,
        host: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Vec<String> {
        with("GET", host, headers, |info| {
            let verdict = Verdict::Unauthenticated(error);
            let challenges = Challenges { basic: true, bearer: true };
            let refusal = Refusal::of(&verdict, info, challenges, resource).expect("a refusal");
            assert_eq!(refusal.status, StatusCode::UNAUTHORIZED);
            let texts = refusal.headers.get_all(WWW_AUTHENTICATE).iter();
            texts.map(|value| value.to_str().expect("text").to_owned()).collect()
        })
    }

    #[test]
    fn e13_one_challenge_for_each_scheme() {
        let basic = "Basic realm=\"cloud.example\", charset=\"UTF-8\"";
        let bearer = "Bearer realm=\"cloud.example\", charset=\"UTF-8\"";
        assert_eq!(challenges(CredentialError::Missing, "cloud.example", &[]), [bearer, basic]);
        let invalid = format!("{bearer}, error=\"invalid_token\"");
        assert_eq!(challenges(CredentialError::Invalid, "cloud.example", &[]), [&*invalid, basic]);
        assert!(challenges(CredentialError::Missing, "a", &[("x-requested-with", "XMLHttpRequest")]).is_empty());
        let odd = challenges(CredentialError::Missing, "a\", x=\"", &[]);
        assert_eq!(odd[1], "Basic realm=\"doorward\", charset=\"UTF-8\"", "the host does not end the quoted string");
    }

    /// RFC 9728 5.1 and RFC 6750 3.
    #[test]
    fn bearer_challenges_refer_to_the_metadata_of_the_resource_and_name_its_scopes() {
        let url = "https://cloud.example/.well-known/oauth-protected-resource/notes";
        let scopes = "openid path:/notes:rw";
        let resource = ResourceChallenge { metadata_url: Some(url), scopes: Some(scopes.to_owned()) };
        let told = challenges_with(&resource, CredentialError::Invalid, "cloud.example", &[]);
        let end = format!(", error=\"invalid_token\", scope=\"{scopes}\", resource_metadata=\"{url}\"");
        assert!(told[0].starts_with("Bearer ") && told[0].ends_with(&end), "{told:?}");
        assert!(told[1].starts_with("Basic ") && !told[1].contains("scope"), "{told:?}");
        let script = [("x-requested-with", "XMLHttpRequest")];
        assert!(challenges_with(&resource, CredentialError::Missing, "cloud.example", &script).is_empty());

        let (acr_values, max_age) = (Some("advanced".into()), Some(Duration::from_mins(5)));
        let verdict = Verdict::InsufficientAuthentication { acr_values, max_age, may_step_up: false };
        let challenges = Challenges { basic: true, bearer: true };
        let refusal = with("GET", "cloud.example", &[], |info| Refusal::of(&verdict, info, challenges, &resource));
        let refusal = refusal.expect("a refusal");
        let told: Vec<_> = refusal.headers.get_all(WWW_AUTHENTICATE).iter().collect();
        let end = format!("acr_values=\"advanced\", max_age=\"300\", scope=\"{scopes}\", resource_metadata=\"{url}\"");
        assert!(told.len() == 1 && told[0].to_str().expect("text").ends_with(&end), "{told:?}");
    }

    /// Row [E62](../../../docs/security-requirements.md#e62).
    #[test]
    fn refusal_that_scripts_may_read_has_its_challenge_and_grants_no_credentials() {
        let verdict = Verdict::Unauthenticated(CredentialError::Missing);
        let challenges = Challenges { basic: false, bearer: true };
        let refusal = with("POST", "cloud.example", &[], |info| Refusal::of(&verdict, info, challenges, &NOTHING));
        let closed = refusal.expect("a refusal");
        assert!(closed.headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{closed:?}");
        let open = closed.readable_by_scripts();
        assert_eq!(open.status, StatusCode::UNAUTHORIZED);
        assert_eq!(open.headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert_eq!(open.headers[ACCESS_CONTROL_EXPOSE_HEADERS], "WWW-Authenticate, Retry-After");
        assert!(open.headers.contains_key(WWW_AUTHENTICATE));
        assert!(!open.headers.contains_key("access-control-allow-credentials"), "{open:?}");
    }

    #[test]
    fn e14_only_a_browser_that_goes_to_a_page_navigates() {
        let html = ("accept", "text/html,*/*;q=0.8");
        assert!(with("GET", "a", &[html], is_navigation));
        assert!(with("GET", "a", &[html, ("sec-fetch-mode", "navigate")], is_navigation));
        assert!(!with("GET", "a", &[html, ("sec-fetch-mode", "cors")], is_navigation));
        assert!(!with("GET", "a", &[html, ("x-requested-with", "XMLHttpRequest")], is_navigation));
        assert!(!with("POST", "a", &[html], is_navigation));
        assert!(!with("GET", "a", &[("accept", "*/*")], is_navigation));
        assert!(!with("PROPFIND", "a", &[html], is_navigation));
    }

    #[test]
    fn f12_missing_factors_are_challenged_as_rfc_9470_says() {
        let acr_values = Some("advanced gold".into());
        let verdict = Verdict::InsufficientAuthentication { acr_values, max_age: None, may_step_up: false };
        let challenges = Challenges { basic: true, bearer: true };
        let refusal = with("GET", "cloud.example", &[], |info| Refusal::of(&verdict, info, challenges, &NOTHING));
        let refusal = refusal.expect("a refusal");
        let told: Vec<_> = refusal.headers.get_all(WWW_AUTHENTICATE).iter().collect();
        assert_eq!((refusal.status, told.len()), (StatusCode::UNAUTHORIZED, 1), "no password helps");
        let expected = "Bearer realm=\"cloud.example\", charset=\"UTF-8\", error=\"insufficient_user_authentication\", \
                        error_description=\"a sign-in with several factors is required\", acr_values=\"advanced gold\"";
        assert_eq!(told[0], expected);
    }

    #[test]
    fn f40_old_sign_in_is_challenged_as_rfc_9470_says() {
        let challenges = Challenges { basic: true, bearer: true };
        for (acr_values, end) in
            [(None, "is required\", max_age=\"300\""), (Some("mfa".into()), "acr_values=\"mfa\", max_age=\"300\"")]
        {
            let max_age = Some(Duration::from_mins(5));
            let verdict = Verdict::InsufficientAuthentication { acr_values, max_age, may_step_up: true };
            let refusal = with("GET", "cloud.example", &[], |info| Refusal::of(&verdict, info, challenges, &NOTHING));
            let challenge = refusal.expect("a refusal").headers[WWW_AUTHENTICATE].clone();
            assert!(challenge.to_str().expect("text").ends_with(end), "{challenge:?}");
        }
    }

    #[test]
    fn token_without_the_scope_is_challenged_as_rfc_6750_says() {
        let url = "https://cloud.example/.well-known/oauth-protected-resource/notes";
        let resource = ResourceChallenge { metadata_url: Some(url), scopes: Some("openid".to_owned()) };
        let verdict = Verdict::InsufficientScope { scopes: "path:/notes:rw".into() };
        let challenges = Challenges { basic: true, bearer: true };
        let refusal = with("GET", "cloud.example", &[], |info| Refusal::of(&verdict, info, challenges, &resource));
        let refusal = refusal.expect("a refusal");
        let told: Vec<_> = refusal.headers.get_all(WWW_AUTHENTICATE).iter().collect();
        let expected = format!(
            "Bearer realm=\"cloud.example\", charset=\"UTF-8\", error=\"insufficient_scope\", scope=\"path:/notes:rw\", \
             resource_metadata=\"{url}\""
        );
        assert_eq!(refusal.status, StatusCode::FORBIDDEN);
        assert_eq!(told, [&*expected], "no password helps");
    }

    #[test]
    fn each_verdict_has_its_status() {
        let status = |verdict: Verdict| {
            let challenges = Challenges { basic: true, bearer: true };
            with("GET", "a", &[], |info| {
                Refusal::of(&verdict, info, challenges, &NOTHING).map(|refusal| refusal.status.as_u16())
            })
        };
        assert_eq!(status(Verdict::Allowed(None)), None);
        assert_eq!(status(Verdict::Forbidden), Some(403));
        assert_eq!(status(Verdict::CrossSite), Some(403));
        assert_eq!(status(Verdict::Busy { retry_after: Duration::ZERO }), Some(429));
        assert_eq!(status(Verdict::Unavailable), Some(503));
    }
}
