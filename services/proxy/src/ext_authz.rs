//! Envoy's external authorization over gRPC (`envoy.service.auth.v3`), which Istio and Envoy Gateway speak too.
//!
//! A response without a status would let the request pass, so each has one. Headers that are set overwrite forged ones.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use proto::envoy::config::core::v3::{
    Address, HeaderValue as EnvoyValue, HeaderValueOption, address, header_value_option::HeaderAppendAction,
};
use proto::envoy::service::auth::v3::{
    AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse, attribute_context::HttpRequest,
    authorization_server::Authorization, check_response::HttpResponse,
};
use proto::envoy::r#type::v3::HttpStatus;
use proto::google::rpc;
use runtime::FromTrustedProxy;
use status::Kind;
use tonic::{Code, Request, Response, Status};

use crate::endpoint::Endpoint;
use crate::entrypoint::Entrypoint;
use crate::forward_auth::is_encrypted;
use crate::identity_headers::IdentityHeaders;
use crate::path::Path;
use crate::refusal::Refusal;
use crate::request_info::{RequestInfo, is_host};
use crate::routing::Routing;
use crate::session::cookie;
use crate::transactions::TransactionHeader;
use crate::verdict::Verdict;

/// The gRPC service.
#[derive(Clone)]
pub struct ExtAuthz {
    /// Decides.
    pub entrypoint: Arc<Entrypoint>,
    /// The headers that are added to a permitted request.
    pub identity_headers: Arc<IdentityHeaders>,
    /// The transaction token that is added to it.
    pub(crate) transaction_header: TransactionHeader,
}

#[tonic::async_trait]
impl Authorization for ExtAuthz {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        // The response holds the internal token of the user (docs/security-requirements.md#e15).
        if request.extensions().get::<FromTrustedProxy>().is_none() {
            let message = "the caller's address is not in PROXY_TRUSTED_PROXIES";
            return Err(status::grpc(Kind::PermissionDenied, message));
        }
        let AttributeContext { source, request, .. } = request.into_inner().attributes.unwrap_or_default();
        let http = request.and_then(|request| request.http).unwrap_or_default();
        let source = source.and_then(|peer| peer.address).and_then(address_of);
        Ok(Response::new(self.authorize(&http, source).await.unwrap_or_else(|refusal| denied(&refusal))))
    }
}

impl ExtAuthz {
    async fn authorize(&self, http: &HttpRequest, source: Option<IpAddr>) -> Result<CheckResponse, Refusal> {
        let target = http.path.as_str();
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let path = Path::parse(path, self.entrypoint.leniency).map_err(Refusal::malformed)?;
        let invalid = |text| Refusal::new(StatusCode::BAD_REQUEST, text);
        let method = Method::from_bytes(http.method.as_bytes()).map_err(|_| invalid("invalid method\n"))?;
        if !is_host(&http.host) {
            return Err(invalid("invalid Host header\n"));
        }
        let headers = headers_of(http);
        let is_https = is_encrypted(&http.scheme).unwrap_or(false);
        let info =
            RequestInfo { method: &method, is_https, host: &http.host, path: &path, query, headers: &headers, source };
        let routing = self.entrypoint.routing.current();
        let verdict = self.entrypoint.authorizer.decide(&routing.rules, &info, false).await;
        if let Some(refusal) = self.entrypoint.refusal(&verdict, &info) {
            return Err(refusal);
        }
        let mut set = Vec::new();
        if let Verdict::Allowed(Some(identity)) = &verdict {
            set.extend_from_slice(self.identity_headers.of(identity)?);
            set.extend(self.transaction_header.of(&info, identity).await?);
        }
        Ok(response(Code::Ok, "", HttpResponse::OkResponse(self.allowed(&routing, &verdict, &info, &set))))
    }

    /// The changes to the headers of a permitted request. The identity headers are set. Forged ones are removed, as are the edge's
    /// cookies and that of guests, and a credential that an access rule has left unverified, unless the route keeps it.
    fn allowed(
        &self,
        routing: &Routing,
        verdict: &Verdict,
        info: &RequestInfo<'_>,
        set: &[(HeaderName, HeaderValue)],
    ) -> OkHttpResponse {
        let mut left = info.headers.clone();
        // A request for an endpoint of the edge needs them.
        if !Endpoint::is_reserved(info.path.decoded()) {
            cookie::strip(&mut left, true);
            if let Some(name) = self.entrypoint.authorizer.links.hidden_cookie(std::iter::once(info.path)) {
                cookie::remove(&mut left, name);
            }
        }
        let is_verified = matches!(verdict, Verdict::Allowed(Some(_)));
        if !is_verified && !routing.route(info).is_some_and(|(route, _)| route.keeps_authorization()) {
            left.remove(AUTHORIZATION);
        }
        let is_set = |name: &HeaderName| set.iter().any(|(other, _)| other == name);
        let is_removed = |name: &&HeaderName| {
            let is_forged = self.entrypoint.filter.is_identity(name.as_str()) && !is_set(name);
            is_forged || !left.contains_key(*name)
        };
        let removed = info.headers.keys().filter(is_removed).map(|name| name.as_str().to_owned());
        let cookies = changed_cookies(info.headers, &left).map(|cookies| overwriting(&(COOKIE, cookies)));
        OkHttpResponse {
            headers_to_remove: removed.collect(),
            headers: set.iter().map(overwriting).chain(cookies).collect(),
        }
    }
}

/// The cookies of a request in one line, if some were removed and others are left: the line replaces all those of the client.
fn changed_cookies(before: &HeaderMap, after: &HeaderMap) -> Option<HeaderValue> {
    let (before, after) = (before.get_all(COOKIE), after.get_all(COOKIE));
    let is_same = before.iter().eq(after.iter());
    let lines: Vec<_> = after.iter().map(HeaderValue::as_bytes).collect();
    if is_same || lines.is_empty() { None } else { HeaderValue::from_bytes(&lines.join(&b"; "[..])).ok() }
}

fn denied(refusal: &Refusal) -> CheckResponse {
    let code = match refusal.status.as_u16() {
        400 | 414 => Code::InvalidArgument,
        302 | 401 => Code::Unauthenticated,
        429 => Code::ResourceExhausted,
        503 => Code::Unavailable,
        _ => Code::PermissionDenied,
    };
    let headers = refusal.headers.iter().enumerate().map(|(at, (name, value))| {
        // A repeated name adds a value, such as a second WWW-Authenticate.
        let again = refusal.headers.iter().take(at).any(|(before, _)| before == name);
        let action =
            if again { HeaderAppendAction::AppendIfExistsOrAdd } else { HeaderAppendAction::OverwriteIfExistsOrAdd };
        option(name, value, action)
    });
    let denied = DeniedHttpResponse {
        status: Some(HttpStatus { code: i32::from(refusal.status.as_u16()) }),
        headers: headers.collect(),
        body: refusal.body.to_string(),
    };
    response(code, refusal.body.trim_end(), HttpResponse::DeniedResponse(denied))
}

fn response(code: Code, message: &str, answer: HttpResponse) -> CheckResponse {
    let status = rpc::Status { code: code.into(), message: message.to_owned() };
    CheckResponse { status: Some(status), http_response: Some(answer) }
}

fn overwriting((name, value): &(HeaderName, HeaderValue)) -> HeaderValueOption {
    option(name, value, HeaderAppendAction::OverwriteIfExistsOrAdd)
}

fn option(name: &HeaderName, value: &HeaderValue, action: HeaderAppendAction) -> HeaderValueOption {
    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
    let header = EnvoyValue { key: name.as_str().to_owned(), value, raw_value: Vec::new() };
    HeaderValueOption { header: Some(header), append_action: action.into() }
}

/// The client's headers, raw ones if Envoy sends these, without pseudo headers.
fn headers_of(http: &HttpRequest) -> HeaderMap {
    let plain = http.headers.iter().map(|(name, value)| (name, value.as_bytes()));
    let raw = http.header_map.iter().flat_map(|map| &map.headers).map(|header| {
        let value = if header.raw_value.is_empty() { header.value.as_bytes() } else { &header.raw_value };
        (&header.key, value)
    });
    let mut headers = HeaderMap::new();
    for (name, value) in plain.chain(raw) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

fn address_of(address: Address) -> Option<IpAddr> {
    match address.address? {
        address::Address::SocketAddress(socket) => socket.address.parse().ok(),
        address::Address::Pipe(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_that_are_left_replace_all_lines() {
        let headers = |lines: &[&'static str]| -> HeaderMap {
            lines.iter().map(|line| (COOKIE, HeaderValue::from_static(line))).collect()
        };
        let sent = headers(&["a=1", "__Host-doorward=x; b=2"]);
        let mut left = sent.clone();
        cookie::strip(&mut left, true);
        assert_eq!(changed_cookies(&sent, &left), Some(HeaderValue::from_static("a=1; b=2")));
        assert_eq!(changed_cookies(&sent, &sent), None);
        assert_eq!(changed_cookies(&sent, &HeaderMap::new()), None, "the header is removed");
    }
}
