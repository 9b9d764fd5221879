//! Where a user's client gets the key that it signs URLs with, as OCS (Open Collaboration Services) has it.

use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::json;

use super::keys::Key;
use crate::asked::Asked;

/// The paths, by which clients ask for it.
pub const PATHS: [&str; 2] = ["/ocs/v1.php/cloud/user/signing-key", "/ocs/v2.php/cloud/user/signing-key"];

/// Why there is none.
const REFUSAL: &str =
    "keys of signed URLs are for browser sessions and access tokens of OpenID Connect with full access";

/// Whether a request asks for the key.
pub fn is_asked_for(asked: &Asked<'_>) -> bool {
    *asked.method == Method::GET && PATHS.contains(&asked.path.decoded())
}

/// The key, as JSON where that is asked for, else as XML.
pub fn answer(key: &Key, asked: &Asked<'_>) -> Response {
    let code = if asked.path.decoded() == PATHS[0] { 100 } else { 200 };
    let (login, secret) = (&key.login, key.secret.expose_secret());
    let data = if wants_json(asked) {
        json!({ "user": login, "signing-key": secret }).to_string()
    } else {
        format!("<user>{}</user><signing-key>{secret}</signing-key>", escaped(login))
    };
    response(asked, StatusCode::OK, ("ok", code, "OK"), &data)
}

/// The answer to whoever may have no key.
pub fn refusal(asked: &Asked<'_>) -> Response {
    let data = if wants_json(asked) { "[]" } else { "" };
    response(asked, StatusCode::FORBIDDEN, ("failure", StatusCode::FORBIDDEN.as_u16(), REFUSAL), data)
}

fn response(asked: &Asked<'_>, status: StatusCode, (word, code, message): (&str, u16, &str), data: &str) -> Response {
    let (kind, text) = if wants_json(asked) {
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

fn wants_json(asked: &Asked<'_>) -> bool {
    asked.query.unwrap_or_default().split('&').any(|pair| pair == "format=json")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
