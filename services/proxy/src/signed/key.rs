//! Where a person's client gets the key that it signs URLs with.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::asked::Asked;
use crate::identity::Identity;

/// The paths of OCS, by which clients ask for it.
pub const PATHS: [&str; 2] = ["/ocs/v1.php/cloud/user/signing-key", "/ocs/v2.php/cloud/user/signing-key"];

/// Makes each person's key.
pub struct Keys(hmac::Key);

impl Keys {
    /// Keys that follow from this secret: nothing has to be kept, and all replicas have the same.
    pub(super) fn new(secret: &SecretString) -> Self {
        // a key of its own, so that nobody who learns one learns anything of the secret's other uses
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        let own = hmac::sign(&secret, b"doorward proxy: signed URLs");
        Self(hmac::Key::new(hmac::HMAC_SHA256, own.as_ref()))
    }

    /// The key of a person.
    pub fn of(&self, login: &str) -> SecretString {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, login.as_bytes())).into()
    }
}

/// Whether a request asks for the key.
pub fn is_asked_for(asked: &Asked<'_>) -> bool {
    *asked.method == Method::GET && PATHS.contains(&asked.path.decoded())
}

/// The answer to somebody who may have it: as JSON where that is asked for, else as XML, as OCS has it.
pub fn answer(keys: &Keys, identity: &Arc<Identity>, asked: &Asked<'_>) -> axum::response::Response {
    let login = &identity.claims.user.username;
    let key = keys.of(login);
    let code = if asked.path.decoded() == PATHS[0] { 100 } else { 200 };
    let wants_json = asked.query.unwrap_or_default().split('&').any(|pair| pair == "format=json");
    let (kind, text) = if wants_json {
        let data = json!({ "user": login, "signing-key": key.expose_secret() });
        let meta = json!({ "status": "ok", "statuscode": code, "message": "OK" });
        ("application/json", json!({ "ocs": { "meta": meta, "data": data } }).to_string())
    } else {
        let (login, key) = (escaped(login), key.expose_secret().to_owned());
        let meta = format!("<meta><status>ok</status><statuscode>{code}</statuscode><message>OK</message></meta>");
        let data = format!("<data><user>{login}</user><signing-key>{key}</signing-key></data>");
        ("text/xml; charset=utf-8", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ocs>{meta}{data}</ocs>\n"))
    };
    let mut response = axum::response::Response::new(text.into());
    let headers: [(HeaderName, &'static str); 2] = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")];
    response.headers_mut().extend(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
