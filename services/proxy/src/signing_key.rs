//! The endpoint where a user's client fetches the key that signs URLs, as OCS (Open Collaboration Services) defines it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::authorizer::Authorizer;
use crate::entrypoint::Entrypoint;
use crate::path::Path;
use crate::refusal::Refusal;
use crate::request_head;
use crate::request_info::RequestInfo;
use crate::signed_url::keys::Key;
use crate::site::SIGNING_KEY;
use crate::verdict::Verdict;

/// The message of a refusal.
const REFUSAL: &str =
    "keys of signed URLs are for browser sessions and access tokens of OpenID Connect with full access";

/// Answers a request for the key.
pub(crate) async fn respond(entrypoint: Arc<Entrypoint>, request: Request) -> Result<Response, Infallible> {
    let (parts, _) = request.into_parts();
    Ok(answer(&entrypoint, &parts).await.unwrap_or_else(Refusal::into_response))
}

async fn answer(entrypoint: &Entrypoint, parts: &Parts) -> Result<Response, Refusal> {
    if parts.method != Method::GET {
        return Err(Refusal::method_not_allowed("GET"));
    }
    let host = request_head::host(parts)?;
    let host = host.to_str().unwrap_or_default();
    let path = Path::parse(parts.uri.path(), entrypoint.leniency).map_err(Refusal::malformed)?;
    request_head::check_target(&parts.uri)?;
    let info = RequestInfo::received(parts, host, &path, entrypoint.is_https);
    let verdict = entrypoint.decide(&info).await;
    if let Some(refusal) = entrypoint.refusal(&verdict, &info) {
        return Err(refusal);
    }
    // A rule that demands no credential authenticates no user.
    let Verdict::Allowed(Some(identity)) = verdict else { return Ok(refusal(&info)) };
    let Authorizer { authentication, signed_urls, sessions, .. } = &entrypoint.authorizer;
    let signed_urls = signed_urls.as_ref().ok_or_else(Refusal::not_found)?;
    match signed_urls.key_for(&identity, &info, authentication, sessions.as_ref()).await {
        Ok(Some(key)) => Ok(success(&key, &info)),
        Ok(None) => Ok(refusal(&info)),
        Err(verdict) => {
            let unavailable = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "signing keys are not available\n");
            Err(entrypoint.refusal(&verdict, &info).unwrap_or_else(unavailable))
        }
    }
}

/// The response with a key, as JSON if the client asks for it, else as XML.
fn success(key: &Key, info: &RequestInfo<'_>) -> Response {
    let code = if info.path.decoded() == SIGNING_KEY[0] { 100 } else { 200 };
    let (login, secret) = (&key.login, key.secret.expose_secret());
    let data = if wants_json(info) {
        json!({ "user": login, "signing-key": secret }).to_string()
    } else {
        format!("<user>{}</user><signing-key>{secret}</signing-key>", escaped(login))
    };
    response(info, StatusCode::OK, ("ok", code, "OK"), &data)
}

/// The response to a request that may not have a key.
fn refusal(info: &RequestInfo<'_>) -> Response {
    let data = if wants_json(info) { "[]" } else { "" };
    response(info, StatusCode::FORBIDDEN, ("failure", StatusCode::FORBIDDEN.as_u16(), REFUSAL), data)
}

fn response(
    info: &RequestInfo<'_>,
    status: StatusCode,
    (word, code, message): (&str, u16, &str),
    data: &str,
) -> Response {
    let (kind, text) = if wants_json(info) {
        let meta = json!({ "status": word, "statuscode": code, "message": message });
        ("application/json", format!("{{\"ocs\":{{\"data\":{data},\"meta\":{meta}}}}}"))
    } else {
        let meta = format!("<status>{word}</status><statuscode>{code}</statuscode><message>{message}</message>");
        let ocs = format!("<ocs><meta>{meta}</meta><data>{data}</data></ocs>");
        ("text/xml; charset=utf-8", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{ocs}\n"))
    };
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let headers: [(HeaderName, &'static str); 2] = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")];
    response.headers_mut().extend(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

fn wants_json(info: &RequestInfo<'_>) -> bool {
    info.query.unwrap_or_default().split('&').any(|pair| pair == "format=json")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
