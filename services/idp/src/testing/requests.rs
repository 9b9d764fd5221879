//! Requests of browsers and of clients, and what is answered.

use authn::Peer;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Request, StatusCode};
use runtime::ClientCertificate;
use serde_json::Value;
use tower::ServiceExt;

use super::{Bench, REGISTER, SITE};

/// A browser: its cookies.
#[derive(Debug, Clone, Default)]
pub(crate) struct Browser(Vec<(String, String)>);

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Bench {
    pub(crate) async fn get(&self, browser: &mut Browser, path: &str, query: &[(&str, &str)]) -> Reply {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let request = Request::get(format!("{path}?{query}"));
        self.send(browser, request, Body::empty()).await
    }

    pub(crate) async fn post(&self, browser: &mut Browser, path: &str, form: &[(&str, &str)]) -> Reply {
        self.post_with(browser, path, form, &[("origin", SITE), ("sec-fetch-site", "same-origin")]).await
    }

    pub(crate) async fn post_with(
        &self,
        browser: &mut Browser,
        path: &str,
        form: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Reply {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(browser, request, Body::from(body)).await
    }

    async fn send(&self, browser: &mut Browser, request: axum::http::request::Builder, body: Body) -> Reply {
        let request = request.header(COOKIE, browser.line()).body(body).expect("a request");
        let reply = self.raw(request).await;
        let cookies = reply.headers.get_all(SET_COOKIE);
        cookies.iter().for_each(|line| browser.keep(line.to_str().expect("text")));
        reply
    }

    /// The response to a request as it is.
    pub(crate) async fn raw(&self, request: Request<Body>) -> Reply {
        answered(self.router.clone(), request).await
    }

    /// The response of the listener for clients with certificates, to a client that has shown this one.
    pub(crate) async fn raw_by_mtls(
        &self,
        certificate: Option<&ClientCertificate>,
        mut request: Request<Body>,
    ) -> Reply {
        if let Some(shown) = certificate {
            request.extensions_mut().insert(shown.clone());
        }
        answered(crate::http::for_certificates(&self.provider), request).await
    }

    /// The response to JSON that the bearer of a token sends.
    pub(crate) async fn send_json(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = body.map(ToString::to_string).unwrap_or_default();
        self.raw(request.body(Body::from(body)).expect("a request")).await
    }

    /// The response to a client that registers itself with this metadata.
    pub(crate) async fn register(&self, token: Option<&str>, metadata: &Value) -> Reply {
        self.send_json("POST", REGISTER, token, Some(metadata)).await
    }
}

async fn answered(router: Router, mut request: Request<Body>) -> Reply {
    let source = Some("192.0.2.1".parse().expect("an address"));
    request.extensions_mut().insert(Peer { source, ..Peer::default() });
    let response = router.oneshot(request).await.expect("answers");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a body").to_vec();
    Reply { status: parts.status, headers: parts.headers, text: String::from_utf8(body).expect("text") }
}

impl Browser {
    fn line(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    pub(super) fn keep(&mut self, line: &str) {
        let (pair, rest) = line.split_once(';').expect("attributes");
        let (name, value) = pair.split_once('=').expect("a value");
        self.0.retain(|(kept, _)| kept != name);
        if !rest.contains("Max-Age=0") {
            self.0.push((name.to_owned(), value.to_owned()));
        }
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// Its JSON, if the status is this one; null if it has none.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The value of a header; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn location(&self) -> Option<&str> {
        self.headers.get(LOCATION).map(|value| value.to_str().expect("text"))
    }

    /// The value of a hidden field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.text.split_once(&format!("name=\"{name}\" value=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    }

    #[track_caller]
    pub(crate) fn csrf(&self) -> String {
        self.field("csrf").unwrap_or_else(|| panic!("no form: {} {}", self.status, self.text)).to_owned()
    }
}
