//! What the provider says of itself, and requests to it.

use std::time::Duration;

use reqwest::{
    Certificate, Client, Method, StatusCode,
    header::{self, HeaderMap},
    redirect::Policy,
};
use serde_json::Value;

use crate::{
    browser::encoded,
    outcome::{Needed, Verdict, ensure},
    target::Target,
};

/// A request that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The client for all requests, which follows no redirect.
pub(crate) fn http(target: &Target) -> Result<Client, String> {
    let mut builder = Client::builder().redirect(Policy::none()).timeout(PATIENCE).connect_timeout(PATIENCE).no_proxy();
    if let Some(authority) = &target.authority {
        let trusted = Certificate::from_pem_bundle(authority.as_bytes()).map_err(|error| error.to_string())?;
        builder = builder.tls_certs_merge(trusted);
    }
    builder.build().map_err(|error| error.to_string())
}

/// An answer that is not a page.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// Its body as JSON; `Null` when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether the media type is this one.
    pub(crate) fn is_a(&self, media_type: &str) -> bool {
        let found = self.header(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
        found.eq_ignore_ascii_case(media_type)
    }

    /// The member `error` of an OAuth error.
    pub(crate) fn error(&self) -> String {
        self.json().get("error").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// A line for a report.
    pub(crate) fn described(&self) -> String {
        let start: String = self.text.chars().take(200).collect();
        format!("status {}, {start}", self.status.as_u16())
    }

    /// An answer that carries a secret is not to be kept (RFC 6749 5.1).
    pub(crate) fn ensure_not_stored(&self, what: &str) -> Verdict {
        let cache_control = self.header(header::CACHE_CONTROL).to_ascii_lowercase();
        ensure(
            cache_control.contains("no-store"),
            format!("{what} lacks Cache-Control: no-store, it has {cache_control:?}"),
        )
    }
}

/// A request to an endpoint.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    http: &'a Client,
    method: Method,
    url: &'a str,
    bearer: Option<&'a str>,
    basic: Option<String>,
    authorization: Option<String>,
    dpop: Vec<String>,
    body: Option<(&'static str, String)>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(http: &'a Client, method: Method, url: &'a str) -> Self {
        Self { http, method, url, bearer: None, basic: None, authorization: None, dpop: Vec::new(), body: None }
    }

    pub(crate) fn bearer(mut self, token: Option<&'a str>) -> Self {
        self.bearer = token;
        self
    }

    /// The credentials, already as they stand in the header.
    pub(crate) fn basic(mut self, credentials: String) -> Self {
        self.basic = Some(credentials);
        self
    }

    /// `Authorization`, with its scheme.
    pub(crate) fn authorization(mut self, value: Option<String>) -> Self {
        self.authorization = value;
        self
    }

    /// Proofs of possession (RFC 9449 4), each in a header of its own.
    pub(crate) fn dpop(mut self, proofs: impl IntoIterator<Item = String>) -> Self {
        self.dpop.extend(proofs);
        self
    }

    pub(crate) fn form(mut self, fields: &[(String, String)]) -> Self {
        self.body = Some(("application/x-www-form-urlencoded", encoded(fields)));
        self
    }

    pub(crate) fn json(mut self, value: &Value) -> Self {
        self.body = Some(("application/json", value.to_string()));
        self
    }

    pub(crate) async fn send(self) -> Verdict<Reply> {
        let mut request =
            self.http.request(self.method, self.url).header(header::ACCEPT, "application/json, */*;q=0.5");
        if let Some(token) = self.bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(credentials) = self.basic {
            request = request.header(header::AUTHORIZATION, format!("Basic {credentials}"));
        }
        if let Some(authorization) = self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        for proof in self.dpop {
            request = request.header("DPoP", proof);
        }
        if let Some((content_type, body)) = self.body {
            request = request.header(header::CONTENT_TYPE, content_type).body(body);
        }
        let response = request.send().await.needed(&format!("no answer from {}", self.url))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.needed("an answer could not be read")?;
        Ok(Reply { status, headers, text })
    }
}

/// The discovery document.
#[derive(Debug, Clone)]
pub(crate) struct Discovery {
    /// As it came.
    pub(crate) reply: Reply,
    pub(crate) document: Value,
}

impl Discovery {
    pub(crate) async fn fetch(http: &Client, issuer: &str) -> Verdict<Self> {
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let reply = Call::new(http, Method::GET, &url).send().await?;
        let document = reply.json();
        ensure(document.is_object(), format!("no discovery document at {url}: {}", reply.described()))?;
        Ok(Self { reply, document })
    }

    /// The text of a member.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.document.get(name)?.as_str()
    }

    /// An endpoint without which nothing can be walked.
    pub(crate) fn endpoint(&self, name: &str) -> Verdict<&str> {
        self.get(name).needed(&format!("{name} in the discovery document"))
    }

    /// A flag; `false` when it is not there.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.document.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A list of words; empty when it is not there.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        let list = self.document.get(name).and_then(Value::as_array);
        list.map(|words| words.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
    }

    pub(crate) fn lists(&self, name: &str, word: &str) -> bool {
        self.list(name).contains(&word)
    }
}
