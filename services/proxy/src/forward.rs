//! The reverse proxy: what is allowed goes to its route's backend, as a stream both ways.

mod client;
mod connection;
mod metrics;
mod reading;
mod upgrade;
mod upload;

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{AUTHORIZATION, CONNECTION, COOKIE, EXPECT, HOST, TE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use tokio_util::sync::CancellationToken;

pub use client::Clients;
pub use metrics::{Metrics, OfRoute};

use crate::answer::Refusal;
use crate::asked::{Asked, single};
use crate::door::Door;
use crate::edge::Edge;
use crate::headers::{ACCESS_TOKEN, strip_hop_by_hop};
use crate::identity::Identity;
use crate::multi_factor::{self, MultiFactor};
use crate::path::{Path, PathError, Paths};
use crate::routes::Route;
use crate::session::cookie;
use crate::signed::{Signed, logout, ocs};
use crate::straight::is_own;
use crate::verdict::Verdict;
use upload::Upload;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What the reverse proxy needs. Clones share it.
#[derive(Clone)]
pub struct Forward(pub Arc<Settings>);

/// How requests are passed on.
pub struct Settings {
    /// Who decides.
    pub door: Arc<Door>,
    /// Where requests go, and what is counted of each.
    pub routes: Vec<(Route, OfRoute)>,
    /// What is counted of requests that no route is for.
    pub astray: OfRoute,
    /// Connections to backends.
    pub clients: Clients,
    /// Whether clients reach the edge by https.
    pub is_https: bool,
    /// Tells which users have signed in with several factors.
    pub multi_factor: MultiFactor,
    /// Ends upgraded connections.
    pub shutdown: CancellationToken,
}

/// Passes a request on, or refuses it.
pub async fn forward(State(Forward(settings)): State<Forward>, request: Request) -> Response {
    let begin = Instant::now();
    let (mut parts, body) = request.into_parts();
    let mut entry = Entry { route: &settings.astray, identity: None };
    let answered = settings.answer(&mut parts, body, &mut entry).await;
    let response = answered.unwrap_or_else(|refusal| refuse(refusal, parts.version));
    entry.route.count(response.status(), begin.elapsed());
    tracing::info!(
        target: "access",
        method = %parts.method,
        route = entry.route.name(),
        status = response.status().as_u16(),
        subject = entry.identity.as_ref().map(|identity| identity.claims.user.id.opaque_id.as_str()),
        source = parts.extensions.get::<authn::Peer>().and_then(|peer| peer.source).map(tracing::field::display),
        milliseconds = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
    );
    response
}

/// A request that could not be read whole, or did not come to its end, says nothing of where the next one begins (RFC 9112 11.2),
/// so none is read.
fn refuse(refusal: Refusal, version: Version) -> Response {
    let is_unread = matches!(
        refusal.status,
        StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED | StatusCode::REQUEST_TIMEOUT
    );
    let mut response = refusal.into_response();
    if is_unread && version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What the access log and metrics are told of a request. A path or query may hold a secret, so they are told its route.
struct Entry<'a> {
    route: &'a OfRoute,
    identity: Option<Arc<Identity>>,
}

impl Forward {
    /// The route of a request.
    pub(crate) fn route(&self, asked: &Asked<'_>) -> Option<&(Route, OfRoute)> {
        self.0.route(asked)
    }
}

impl Settings {
    /// The route of a request: the first that fits.
    fn route(&self, asked: &Asked<'_>) -> Option<&(Route, OfRoute)> {
        self.routes.iter().find(|(route, _)| route.pattern.fits(asked))
    }

    async fn answer<'a>(&'a self, parts: &mut Parts, body: Body, entry: &mut Entry<'a>) -> Result<Response, Refusal> {
        let host_value = reading::host(parts)?;
        let host = host_value.to_str().unwrap_or_default();
        let uri = parts.uri.clone();
        let paths = Paths::parse(uri.path(), self.door.leniency).map_err(Refusal::malformed)?;
        if paths.readings().any(|path| is_own(path.decoded())) {
            return Err(Refusal::new(StatusCode::NOT_FOUND, "no route matches\n"));
        }
        reading::check_target(&uri)?;
        reading::check_framing(&parts.headers)?;
        let (route, target, is_multi_factor, is_logout) = {
            let source = parts.extensions.get::<authn::Peer>().and_then(|peer| peer.source);
            let (method, headers) = (&parts.method, &parts.headers);
            let (is_https, query) = (self.is_https, uri.query());
            let asked = Asked { method, is_https, host, path: paths.literal(), query, headers, source };
            let route = self.route_of(&paths, &asked)?.map(|(route, counted)| {
                entry.route = counted;
                route
            });
            let verdict = match self.decide(&paths, &asked, route).await {
                Ok(verdict) => verdict,
                Err(refusal) => {
                    upload::drain(body, parts.version, &parts.headers).await;
                    return Err(refusal);
                }
            };
            if let (Some(signed), Verdict::Allowed(Some(identity))) = (&self.door.edge.signed, &verdict)
                && !paths.is_opaque()
                && ocs::is_asked_for(&asked)
            {
                return self.signing_key(signed, identity, &asked).await;
            }
            let missing = || Refusal::new(StatusCode::NOT_FOUND, "no route leads there\n");
            let route = route.ok_or_else(missing)?;
            let target = uri.path_and_query().and_then(|target| route.uri(target).ok());
            let target = target.ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "no such path\n"))?;
            let is_multi_factor = self.multi_factor.was_done(&asked, &verdict).await;
            entry.identity = if let Verdict::Allowed(identity) = verdict { identity } else { None };
            (route, target, is_multi_factor, logout::is_one(&asked, route))
        };
        let (host, identity) = (&host_value, entry.identity.as_deref());
        let passing = Passing { parts, body, host, identity, is_multi_factor, route, target };
        match &self.door.edge.signed {
            Some(signed) if is_logout => self.pass_logout_on(signed, passing).await,
            _ => self.pass_on(passing).await,
        }
    }

    /// Answers whoever asks for the key to sign URLs with.
    async fn signing_key(&self, signed: &Signed, identity: &Identity, asked: &Asked<'_>) -> Result<Response, Refusal> {
        let Edge { admission, sessions, .. } = &self.door.edge;
        match signed.key_for(identity, asked, admission, sessions.as_ref()).await {
            Ok(Some(key)) => Ok(ocs::answer(&key, asked)),
            Ok(None) => Ok(ocs::refusal(asked)),
            Err(verdict) => {
                let unavailable = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "there is no key at this moment\n");
                Err(self.door.refusal(&verdict, asked).unwrap_or_else(unavailable))
            }
        }
    }

    /// Passes a logout token on, and ends the keys of signed URLs that it is about once the backend has accepted it.
    async fn pass_logout_on(&self, signed: &Signed, passing: Passing<'_>) -> Result<Response, Refusal> {
        let body = logout::read(passing.body, &passing.parts.headers).await?;
        let ended = logout::ended(&body);
        let response = self.pass_on(Passing { body: body.into(), ..passing }).await?;
        if response.status() == StatusCode::OK
            && let Some((issuer, ended)) = ended
        {
            signed.keys().end_by(issuer, ended).await;
        }
        Ok(response)
    }

    /// The route of a request. A path with several readings needs one that passes such paths on, and is the same for all of them.
    fn route_of(&self, paths: &Paths<'_>, asked: &Asked<'_>) -> Result<Option<&(Route, OfRoute)>, Refusal> {
        let find = |path: &Path<'_>| self.route(&Asked { path, ..*asked });
        let found = find(paths.literal());
        let is_passed_on = |path: &Path<'_>| match (found, find(path)) {
            (Some(found), Some(route)) => std::ptr::eq(found, route) && route.0.is_opaque(path),
            _ => false,
        };
        if paths.is_opaque() && !paths.readings().all(is_passed_on) {
            return Err(Refusal::malformed(PathError::Ambiguous));
        }
        Ok(found)
    }

    /// Decides on a request. A path with several readings passes only if each of them does, in the same way.
    async fn decide(&self, paths: &Paths<'_>, asked: &Asked<'_>, route: Option<&Route>) -> Result<Verdict, Refusal> {
        let unprotected = route.is_some_and(|route| route.unprotected);
        let decided = self.door.edge.decide(asked, unprotected).await;
        if let Some(refusal) = self.door.refusal(&decided, asked) {
            return Err(refusal);
        }
        for path in paths.others() {
            let asked = Asked { path, ..*asked };
            let verdict = self.door.edge.decide(&asked, unprotected).await;
            if let Some(refusal) = self.door.refusal(&verdict, &asked) {
                return Err(refusal);
            }
            if matches!(verdict, Verdict::Allowed(None)) != matches!(decided, Verdict::Allowed(None)) {
                return Err(Refusal::malformed(PathError::Ambiguous));
            }
        }
        Ok(decided)
    }

    async fn pass_on(&self, passing: Passing<'_>) -> Result<Response, Refusal> {
        let Passing { parts, body, host, identity, is_multi_factor, route, target } = passing;
        let length = reading::content_length(&parts.headers);
        if route.max_body.is_some_and(|most| length.is_some_and(|length| length > most)) {
            return Err(too_long());
        }
        let upgrade = upgrade::asked_for(parts);
        let (upload, progress) = Upload::new(body, route.max_body, Arc::clone(&self.door.filter));
        let mut request = http::Request::new(upload);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = target;
        *request.version_mut() = if route.http2 { Version::HTTP_2 } else { Version::HTTP_11 };
        *request.headers_mut() = self.request_headers(parts, host, identity, route);
        if is_multi_factor && !route.of_family {
            request.headers_mut().insert(multi_factor::HEADER, multi_factor::DONE);
        }
        if upgrade.is_some() {
            upgrade::ask(request.headers_mut());
        }
        let mut response = match progress.watch(route.timeout, self.clients.send(request, route.http2)).await {
            Ok(response) => response,
            Err(upload::Failed::TooLong) => return Err(too_long()),
            Err(upload::Failed::Broken) => return Err(Refusal::new(StatusCode::BAD_REQUEST, "the body is broken\n")),
            Err(upload::Failed::Stalled) => {
                return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come to its end in time\n"));
            }
            Err(upload::Failed::Silent) => {
                return Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, "the backend is silent\n"));
            }
            Err(upload::Failed::Backend(error)) => {
                tracing::warn!(route = %route.name, %error, "the backend cannot be asked");
                return Err(Refusal::new(StatusCode::BAD_GATEWAY, "the backend is not available\n"));
            }
        };
        let upgraded = upgrade::accepted(upgrade, &mut response, &self.shutdown);
        let mut response = response.map(Body::new);
        strip_hop_by_hop(response.headers_mut());
        cookie::strip_set(response.headers_mut(), route.of_family);
        if upgraded {
            upgrade::ask(response.headers_mut());
        }
        route.response_headers.apply(response.headers_mut());
        Ok(response)
    }

    /// What the backend is sent: the client's headers without what only its connection is about and what only the edge may say,
    /// then what the edge says.
    fn request_headers(
        &self,
        parts: &mut Parts,
        host: &HeaderValue,
        identity: Option<&Identity>,
        route: &Route,
    ) -> HeaderMap {
        let mut headers = std::mem::take(&mut parts.headers);
        let internal_token = if route.keeps_internal_token { self.internal_token(&headers) } else { None };
        let wants_trailers = route.http2 && headers.get(TE).is_some_and(|value| value == "trailers");
        self.door.filter.strip(&mut headers);
        headers.remove(EXPECT);
        headers.remove(multi_factor::HEADER);
        join_cookies(&mut headers);
        // HTTP/2 has the host in its target, and has that be the backend's
        headers.remove(HOST);
        cookie::strip(&mut headers, route.of_family);
        if !route.keeps_authorization() {
            headers.remove(AUTHORIZATION);
        }
        route.request_headers.apply(&mut headers);
        if route.http2 {
            if wants_trailers {
                headers.insert(TE, HeaderValue::from_static("trailers"));
            }
        } else {
            headers.entry(HOST).or_insert_with(|| host.clone());
        }
        headers.insert(FORWARDED_HOST, host.clone());
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(if self.is_https { "https" } else { "http" }));
        let source = parts.extensions.get::<authn::Peer>().and_then(|peer| peer.source);
        if let Some(source) = source.and_then(|source| HeaderValue::try_from(source.to_string()).ok()) {
            headers.insert(FORWARDED_FOR, source);
        }
        if let Some(token) = internal_token {
            headers.insert(ACCESS_TOKEN, token);
        }
        if let Some(identity) = identity {
            headers.insert(ACCESS_TOKEN, identity.token.clone());
        }
        headers
    }

    /// The internal token that a client brings, if it is a valid one.
    fn internal_token(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let token = single(headers, &ACCESS_TOKEN)?;
        self.door.edge.admission.is_internal_token(token).then(|| headers.get(ACCESS_TOKEN).cloned())?
    }
}

/// A request that may pass.
struct Passing<'a> {
    parts: &'a mut Parts,
    body: Body,
    host: &'a HeaderValue,
    identity: Option<&'a Identity>,
    /// Whether its user has signed in with several factors.
    is_multi_factor: bool,
    route: &'a Route,
    target: http::Uri,
}

fn too_long() -> Refusal {
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long\n")
}

/// HTTP/2 clients may send one cookie a header; HTTP/1 has one header (RFC 9113 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}
