//! The reverse proxy: forwards permitted requests to the backend of their route, as streams in both directions.

mod client;
mod connection;
mod policy;
mod upgrade;
mod upload;
mod user_header;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use authn::trace::record_delegation;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{AUTHORIZATION, CONNECTION, COOKIE, EXPECT, HOST, SET_COOKIE, TE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use runtime::{AccessDetails, FileValue};
use tokio_util::sync::CancellationToken;
use tracing::Span;
use web::header::single;

pub use client::Clients;

use crate::csp::SecurityHeaders;
use crate::endpoint::Endpoint;
use crate::entrypoint::Entrypoint;
use crate::headers::{ACCESS_TOKEN, strip_hop_by_hop};
use crate::identity::Identity;
use crate::multi_factor;
use crate::pages::{Pages, Viewer};
use crate::path::{Path, PathError, Paths};
use crate::refusal::Refusal;
use crate::request_body::read_body;
use crate::request_head;
use crate::request_info::{RequestInfo, source};
use crate::route_metrics::RouteMetrics;
use crate::routes::Route;
use crate::routing::{self, Routes, Routing};
use crate::session::backchannel::MAX_BODY as MAX_LOGOUT_BODY;
use crate::session::cookie;
use crate::signed_url::{SignedUrls, logout};
use crate::transactions::{Circumstances, TRANSACTION_TOKEN, Transactions};
use crate::verdict::Verdict;
use upload::{Failure, Upload};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The reverse proxy.
pub struct Forwarder {
    /// Decides.
    pub entrypoint: Arc<Entrypoint>,
    /// The metrics of requests without a route.
    pub unmatched: RouteMetrics,
    /// Connections to backends.
    pub clients: Arc<FileValue<Clients>>,
    /// Headers for browsers that responses of backends may lack; `None` if none are configured.
    pub(crate) security_headers: Option<Arc<FileValue<SecurityHeaders>>>,
    /// Words refusals for browsers.
    pub(crate) pages: Arc<Pages>,
    /// Requests and verifies transaction tokens.
    pub(crate) transactions: Arc<Transactions>,
    /// Ends upgraded connections.
    pub shutdown: CancellationToken,
}

/// What the access log and metrics record of a request: its route instead of path and query, which may hold a secret.
struct AccessRecord<'a> {
    route: &'a RouteMetrics,
    identity: Option<Arc<Identity>>,
}

impl<'a> AccessRecord<'a> {
    fn take(&mut self, found: Option<&'a (Route, RouteMetrics)>) {
        if let Some((_, metrics)) = found {
            self.route = metrics;
        }
    }
}

/// The response to a refused request. The connection is closed after a request that was not read to its end, since the start of
/// the next one is unknown (RFC 9112 11.2).
fn refuse(pages: &Pages, refusal: Refusal, version: Version, viewer: Option<&Viewer>) -> Response {
    let is_unread = matches!(
        refusal.status,
        StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED | StatusCode::REQUEST_TIMEOUT
    );
    let mut response = pages.refuse(refusal, viewer);
    if is_unread && version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

impl Forwarder {
    /// Forwards a request, or refuses it.
    pub(crate) async fn forward(self: Arc<Self>, request: Request) -> Result<Response, Infallible> {
        let begin = Instant::now();
        let (mut parts, body) = request.into_parts();
        // the headers go to the backend
        let viewer = Viewer::of(&parts.method, &parts.headers);
        let routing = self.entrypoint.routing.current();
        let mut record = AccessRecord { route: &self.unmatched, identity: None };
        let response = self.respond(&routing, &mut parts, body, &mut record).await;
        let response = response.unwrap_or_else(|refusal| refuse(&self.pages, refusal, parts.version, viewer.as_ref()));
        record.route.count(response.status(), begin.elapsed());
        let claims = record.identity.as_ref().map(|identity| &identity.claims);
        let subject = claims.map(|claims| claims.user.id.opaque_id.as_str());
        let actor = claims.and_then(|claims| claims.actor.as_ref());
        record_delegation(&Span::current(), subject.unwrap_or_default(), actor, None);
        AccessDetails::record(&parts.extensions, record.route.name(), subject, actor);
        Ok(response)
    }

    async fn respond<'a>(
        &'a self,
        routing: &'a Routing,
        parts: &mut Parts,
        body: Body,
        record: &mut AccessRecord<'a>,
    ) -> Result<Response, Refusal> {
        let host_value = request_head::host(parts)?;
        let host = host_value.to_str().unwrap_or_default();
        let uri = parts.uri.clone();
        let paths = Paths::parse(uri.path(), self.entrypoint.leniency).map_err(Refusal::malformed)?;
        // A backend that decodes such a path could answer in place of an endpoint of the edge.
        if paths.readings().any(|path| Endpoint::of(path.decoded()).is_some()) {
            return Err(Refusal::not_found());
        }
        request_head::check_target(&uri)?;
        request_head::check_framing(&parts.headers)?;
        let (route, target, is_multi_factor, is_logout, policy_cookie) = {
            let info = RequestInfo::received(parts, host, paths.literal(), self.entrypoint.is_https);
            let (found, ambiguity) = match route_of(routing.routes_for(info.headers), &paths, &info) {
                Ok(found) => (found, None),
                // the policy of the user may forward it; without a route, each reading needs a credential
                Err(refusal) if routing.policies.is_some() => (None, Some(refusal)),
                Err(refusal) => return Err(refusal),
            };
            record.take(found);
            let verdict = match self.decide(routing, &paths, &info, found.map(|(route, _)| route)).await {
                Ok(verdict) => verdict,
                Err(refusal) => {
                    upload::drain(body, parts.version, &parts.headers).await;
                    return Err(refusal);
                }
            };
            let of_user = self.route_of_user(routing, &paths, &info, &verdict, ambiguity).await?;
            let (found, cookie) = of_user.map_or((found, None), |of_user| (of_user.route, of_user.cookie));
            record.take(found);
            let (route, _) = found.ok_or_else(Refusal::not_found)?;
            let verdict = if route.unprotected { Verdict::Allowed(None) } else { verdict };
            let target = uri.path_and_query().and_then(|target| route.uri(target).ok());
            let target = target.ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "invalid path\n"))?;
            let is_multi_factor = self.entrypoint.authorizer.multi_factor.was_done(&info, &verdict).await;
            record.identity = if let Verdict::Allowed(identity) = verdict { identity } else { None };
            (route, target, is_multi_factor, logout::is_one(&info, route), cookie)
        };
        if let Some(policies) = &routing.policies {
            cookie::remove(&mut parts.headers, &policies.selector.cookie);
        }
        let hidden_cookie = self.entrypoint.authorizer.links.hidden_cookie(paths.readings());
        if let Some(name) = hidden_cookie {
            cookie::remove(&mut parts.headers, name);
        }
        let (host, identity) = (&host_value, record.identity.as_deref());
        let permitted = PermittedRequest { parts, body, host, identity, is_multi_factor, hidden_cookie, route, target };
        let mut response = match &self.entrypoint.authorizer.signed_urls {
            Some(signed_urls) if is_logout => self.send_logout(signed_urls, permitted).await,
            _ => self.send(permitted).await,
        }?;
        if let Some(cookie) = policy_cookie {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        Ok(response)
    }

    /// Forwards a logout token to auth-bearer, and ends the keys of signed URLs that it concerns if auth-bearer accepts it.
    async fn send_logout(&self, signed_urls: &SignedUrls, request: PermittedRequest<'_>) -> Result<Response, Refusal> {
        let body = read_body(request.body, MAX_LOGOUT_BODY).await?;
        let ended = logout::ended(&body);
        let response = self.send(PermittedRequest { body: body.into(), ..request }).await?;
        if response.status() == StatusCode::OK
            && let Some((issuer, ended)) = ended
        {
            signed_urls.keys().end_by(issuer, ended).await;
        }
        Ok(response)
    }

    /// Decides on a request. An ambiguous path passes only if every reading does, in the same way.
    async fn decide(
        &self,
        routing: &Routing,
        paths: &Paths<'_>,
        info: &RequestInfo<'_>,
        route: Option<&Route>,
    ) -> Result<Verdict, Refusal> {
        let unprotected = route.is_some_and(|route| route.unprotected);
        let decided = self.entrypoint.authorizer.decide(&routing.rules, info, unprotected).await;
        if let Some(refusal) = self.entrypoint.refusal(&decided, info) {
            return Err(refusal);
        }
        for path in paths.others() {
            let info = RequestInfo { path, ..*info };
            let verdict = self.entrypoint.authorizer.decide(&routing.rules, &info, unprotected).await;
            if let Some(refusal) = self.entrypoint.refusal(&verdict, &info) {
                return Err(refusal);
            }
            if matches!(verdict, Verdict::Allowed(None)) != matches!(decided, Verdict::Allowed(None)) {
                return Err(Refusal::malformed(PathError::Ambiguous));
            }
        }
        Ok(decided)
    }

    async fn send(&self, request: PermittedRequest<'_>) -> Result<Response, Refusal> {
        let PermittedRequest { parts, body, host, identity, is_multi_factor, hidden_cookie, route, target } = request;
        let length = request_head::content_length(&parts.headers);
        if route.max_body.is_some_and(|most| length.is_some_and(|length| length > most)) {
            return Err(Refusal::body_too_long());
        }
        let transaction_token = match self.transaction_token(route, parts, host, identity).await {
            Ok(token) => token,
            Err(refusal) => {
                upload::drain(body, parts.version, &parts.headers).await;
                return Err(refusal);
            }
        };
        let upgrade = upgrade::requested(parts);
        let (upload, progress) = Upload::new(body, route, Arc::clone(&self.entrypoint.filter));
        let mut request = http::Request::new(upload);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = target;
        *request.version_mut() = if route.http2 { Version::HTTP_2 } else { Version::HTTP_11 };
        *request.headers_mut() = self.request_headers(parts, host, identity, route)?;
        if is_multi_factor && !route.is_builtin {
            request.headers_mut().insert(multi_factor::HEADER, multi_factor::DONE);
        }
        if let Some(token) = transaction_token {
            request.headers_mut().insert(TRANSACTION_TOKEN, token);
        }
        if upgrade.is_some() {
            upgrade::set(request.headers_mut());
        }
        let clients = self.clients.current();
        let mut response = match progress.watch(route.timeout, clients.send(request, route.http2)).await {
            Ok(response) => response,
            Err(Failure::TooLong) => return Err(Refusal::body_too_long()),
            Err(Failure::Incomplete) => return Err(Refusal::incomplete_body()),
            Err(Failure::Stalled) => {
                return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body was not received in time\n"));
            }
            Err(Failure::Timeout) => {
                return Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, "the backend has not responded in time\n"));
            }
            Err(Failure::Backend(error)) => {
                tracing::warn!(route = %route.name, %error, "the backend cannot be reached");
                return Err(Refusal::new(StatusCode::BAD_GATEWAY, "the backend is not available\n"));
            }
        };
        let upgraded = upgrade::accepted(upgrade, &mut response, &self.shutdown);
        let mut response = response.map(Body::new);
        strip_hop_by_hop(response.headers_mut());
        cookie::strip_set(response.headers_mut(), route.is_builtin);
        if let Some(name) = hidden_cookie {
            cookie::remove_set(response.headers_mut(), name);
        }
        if upgraded {
            upgrade::set(response.headers_mut());
        }
        if let Some(security_headers) = self.security_headers.as_ref().filter(|_| !route.is_builtin) {
            security_headers.current().apply(response.headers_mut());
        }
        route.response_headers.apply(response.headers_mut());
        Ok(response)
    }

    /// The transaction token that the backend of a route gets, if it gets one.
    async fn transaction_token(
        &self,
        route: &Route,
        parts: &Parts,
        host: &HeaderValue,
        identity: Option<&Identity>,
    ) -> Result<Option<HeaderValue>, Refusal> {
        match &route.transaction_token {
            Some(wanted) => self.transactions.header(wanted, Circumstances::of(parts, host), identity).await,
            None => Ok(None),
        }
    }

    /// The headers of the request to the backend: the client's without those of its connection and those that only the edge may set,
    /// then those that the edge sets.
    fn request_headers(
        &self,
        parts: &mut Parts,
        host: &HeaderValue,
        identity: Option<&Identity>,
        route: &Route,
    ) -> Result<HeaderMap, Refusal> {
        let mut headers = std::mem::take(&mut parts.headers);
        let internal_token = if route.keeps_internal_token { self.internal_token(&headers) } else { None };
        let wants_trailers = route.http2 && headers.get(TE).is_some_and(|value| value == "trailers");
        self.entrypoint.filter.strip(&mut headers);
        headers.remove(EXPECT);
        headers.remove(multi_factor::HEADER);
        join_cookies(&mut headers);
        // HTTP/2 has the host in its target, which is the backend's.
        headers.remove(HOST);
        cookie::strip(&mut headers, route.is_builtin);
        if !route.keeps_authorization() {
            headers.remove(AUTHORIZATION);
        }
        user_header::remove(&mut headers, route);
        route.request_headers.apply(&mut headers);
        if route.http2 {
            if wants_trailers {
                headers.insert(TE, HeaderValue::from_static("trailers"));
            }
        } else {
            headers.entry(HOST).or_insert_with(|| host.clone());
        }
        headers.insert(FORWARDED_HOST, host.clone());
        let scheme = if self.entrypoint.is_https { "https" } else { "http" };
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
        if let Some(source) = source(parts).and_then(|source| HeaderValue::try_from(source.to_string()).ok()) {
            headers.insert(FORWARDED_FOR, source);
        }
        if let Some(token) = internal_token {
            headers.insert(ACCESS_TOKEN, token);
        }
        if let Some(identity) = identity.filter(|_| !route.skips_access_token) {
            headers.insert(ACCESS_TOKEN, identity.token.clone());
        }
        user_header::set(&mut headers, route, identity)?;
        Ok(headers)
    }

    /// The internal token of the client, if it is valid.
    fn internal_token(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let token = single(headers, &ACCESS_TOKEN)?;
        let is_valid = self.entrypoint.authorizer.authentication.is_internal_token(token);
        if is_valid { headers.get(ACCESS_TOKEN).cloned() } else { None }
    }
}

/// The route of a request. An ambiguous path needs one that forwards such paths, and the same for every reading.
fn route_of<'a>(
    routes: &'a Routes,
    paths: &Paths<'_>,
    info: &RequestInfo<'_>,
) -> Result<Option<&'a (Route, RouteMetrics)>, Refusal> {
    let find = |path: &Path<'_>| routing::route(routes, &RequestInfo { path, ..*info });
    let found = find(paths.literal());
    let is_same = |path: &Path<'_>| match (found, find(path)) {
        (Some(found), Some(route)) => std::ptr::eq(found, route) && route.0.is_opaque(path),
        _ => false,
    };
    if paths.is_opaque() && !paths.readings().all(is_same) {
        return Err(Refusal::malformed(PathError::Ambiguous));
    }
    Ok(found)
}

/// A request that may pass.
struct PermittedRequest<'a> {
    parts: &'a mut Parts,
    body: Body,
    host: &'a HeaderValue,
    identity: Option<&'a Identity>,
    /// Whether its user has signed in with several factors.
    is_multi_factor: bool,
    /// A cookie that its backend must neither see nor set.
    hidden_cookie: Option<&'a str>,
    route: &'a Route,
    target: http::Uri,
}

/// Joins the cookie headers: HTTP/2 clients may send one for each cookie, HTTP/1 has only one (RFC 9113 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}
