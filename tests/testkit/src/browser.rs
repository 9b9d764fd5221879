//! A browser, as far as signing in needs one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Error, Method, RequestBuilder, StatusCode};

/// Keeps cookies and submits forms; the test follows redirects itself.
#[derive(Debug, Clone)]
pub struct Browser {
    http: Client,
    cookies: BTreeMap<String, String>,
}

/// A response to a browser.
#[derive(Debug, Clone)]
pub struct Landing {
    /// The status.
    pub status: StatusCode,
    /// The target of a redirect; empty without one.
    pub location: String,
    /// The page.
    pub page: String,
}

impl Browser {
    /// A browser without a session.
    ///
    /// # Panics
    /// When there can be no HTTP client.
    pub fn new() -> Self {
        Self::with(Self::builder())
    }

    /// The same, which trusts this certificate only (PEM).
    ///
    /// # Panics
    /// When the file holds no certificate.
    pub fn trusting(certificate: &Path) -> Self {
        let pem = std::fs::read(certificate).expect("the certificate can be read");
        let certificate = Certificate::from_pem(&pem).expect("a certificate");
        Self::with(Self::builder().tls_certs_only([certificate]))
    }

    /// The same, whose requests come from this address of the machine.
    ///
    /// # Panics
    /// When there can be no HTTP client.
    pub fn at(address: IpAddr) -> Self {
        Self::with(Self::builder().local_address(address))
    }

    fn builder() -> ClientBuilder {
        Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(20)).no_proxy()
    }

    fn with(http: ClientBuilder) -> Self {
        Self { http: http.build().expect("an HTTP client"), cookies: BTreeMap::new() }
    }

    /// Opens an address.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn open(&mut self, url: &str) -> Result<Landing, Error> {
        let request = self.http.get(url);
        self.send(request).await
    }

    /// Sends a form from a page of `origin`.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn submit(&mut self, url: &str, origin: &str, form: &[(&str, &str)]) -> Result<Landing, Error> {
        self.submit_with(url, origin, form, &[]).await
    }

    /// The same with more headers.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn submit_with(
        &mut self,
        url: &str,
        origin: &str,
        form: &[(&str, &str)],
        headers: &[(&'static str, &str)],
    ) -> Result<Landing, Error> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.http.post(url).header(ORIGIN, origin);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)).await
    }

    /// Makes a request with these headers, as pages and their scripts do.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn request(
        &mut self,
        method: Method,
        url: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Landing, Error> {
        let request =
            headers.iter().fold(self.http.request(method, url), |request, (name, value)| request.header(*name, *value));
        self.send(request).await
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    /// The names of all cookies.
    pub fn cookies(&self) -> impl Iterator<Item = &str> {
        self.cookies.keys().map(String::as_str)
    }

    /// Adds a cookie.
    pub fn keep(&mut self, name: &str, value: &str) {
        self.cookies.insert(name.to_owned(), value.to_owned());
    }

    /// Forgets a cookie.
    pub fn forget(&mut self, name: &str) {
        self.cookies.remove(name);
    }

    async fn send(&mut self, request: RequestBuilder) -> Result<Landing, Error> {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header(COOKIE, cookies.join("; ")).send().await?;
        let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        for line in answer.headers().get_all(SET_COOKIE) {
            let line = text(line);
            if let Some((name, value)) = line.split(';').next().and_then(|pair| pair.split_once('=')) {
                if line.split(';').any(|part| part.trim().eq_ignore_ascii_case("max-age=0")) {
                    self.cookies.remove(name);
                } else {
                    self.cookies.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        let (status, location) = (answer.status(), answer.headers().get(LOCATION).map(text).unwrap_or_default());
        Ok(Landing { status, location, page: answer.text().await? })
    }
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Landing {
    /// The value of a hidden field.
    ///
    /// # Panics
    /// When the page has none of that name.
    pub fn field(&self, name: &str) -> &str {
        let tag = self.page.split('<').find(|tag| tag.contains(&format!("name=\"{name}\"")));
        let value = tag.and_then(|tag| tag.split_once("value=\"")).and_then(|(_, rest)| rest.split_once('"'));
        value.unwrap_or_else(|| panic!("the page has no field {name}: {self:?}")).0
    }

    /// A parameter of the redirect's target, in the query or the fragment.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let (_, parameters) = self.location.split_once(['?', '#'])?;
        form_urlencoded::parse(parameters.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}
