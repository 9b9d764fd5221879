#![doc = include_str!("../README.md")]

mod address;
mod authorities;
mod client_certificate;
pub mod issuer;
mod resolver;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect;
use reqwest::{Client, RequestBuilder, Response, Url};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

pub use authorities::Authorities;
use authorities::Trusted;
use client_certificate::CertificateAndKey;
pub use client_certificate::ClientIdentity;
use resolver::Resolver;

/// How long a call may take in all.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The most bytes that are read of an answer.
const MAX_BYTES: usize = 64 * 1024;
/// The longest address, in bytes.
const MAX_URL: usize = 2048;

/// Fetches what clients name: https only, no private address (after the name is resolved, and the connection goes to that very
/// address), no redirects, 64 KiB, 3 s (row I32). Clones share connections.
#[derive(Clone, Debug)]
pub struct Fetcher {
    user_agent: Arc<str>,
    policy: Policy,
    authorities: Option<Authorities>,
    identity: Option<ClientIdentity>,
    http: Arc<ArcSwap<Http>>,
    timeout: Duration,
}

/// An HTTP client, the certificates that it trusts in addition to the system's, and the one that it shows.
#[derive(Debug)]
struct Http {
    client: Client,
    trusted: Option<Arc<Trusted>>,
    shown: Option<Arc<CertificateAndKey>>,
}

/// What may be called in addition to https on the open Internet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    /// Private addresses too, and plain http on this machine.
    pub allow_private: bool,
    /// Plain http anywhere, and servers whose certificate is not verified.
    pub insecure: bool,
}

/// What is sent along by [`Fetcher::ask`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Question<'a> {
    /// The `Authorization` header; mark it sensitive.
    pub authorization: Option<&'a HeaderValue>,
    /// The `Accept` header; none if empty.
    pub accept: &'static str,
    /// The form that is posted; GET without one.
    pub form: Option<&'a [(&'a str, &'a str)]>,
}

/// What came back, whatever its status.
#[derive(Debug)]
pub struct IssuerResponse {
    /// The status.
    pub status: u16,
    /// The media type, without parameters and in lower case; empty if there is none.
    pub media_type: String,
    /// The time of the server, by its `Date` header (RFC 9110 6.6.1); whole seconds.
    pub date: Option<SystemTime>,
    /// The body.
    pub body: Bytes,
}

/// A document by which something describes itself, or the answer in its place.
#[derive(Debug)]
pub struct Document {
    /// The status.
    pub status: u16,
    /// The media type, without parameters and in lower case; empty if there is none.
    pub media_type: String,
    /// How long it may be used without asking again (`max-age` of RFC 9111 5.2.2.1); `None` if the answer does not say.
    pub max_age: Option<Duration>,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

impl FetchError {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<reqwest::Error> for FetchError {
    /// The innermost cause: what the library says first is only that it failed.
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::slow();
        }
        let error = error.without_url();
        let mut cause: &dyn Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        Self::new(cause.to_string())
    }
}

impl FetchError {
    fn slow() -> Self {
        Self::new("it does not answer in time")
    }
}

impl Fetcher {
    /// A fetcher that calls itself `user_agent` and trusts the system's certificate authorities and these.
    ///
    /// # Errors
    /// When no HTTP client can be made with them.
    pub fn new(user_agent: &str, policy: Policy, authorities: Option<&Authorities>) -> Result<Self, FetchError> {
        Self::with_certificate(user_agent, policy, authorities, None)
    }

    /// The same, which shows this certificate to servers that ask for one: for servers of the same installation alone.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn with_certificate(
        user_agent: &str,
        policy: Policy,
        authorities: Option<&Authorities>,
        identity: Option<&ClientIdentity>,
    ) -> Result<Self, FetchError> {
        let (trusted, shown) = (authorities.map(Authorities::current), identity.map(ClientIdentity::current));
        let http = Http::new(user_agent, policy, trusted, shown)?;
        Ok(Self {
            user_agent: user_agent.into(),
            policy,
            authorities: authorities.cloned(),
            identity: identity.cloned(),
            http: Arc::new(ArcSwap::from_pointee(http)),
            timeout: TIMEOUT,
        })
    }

    /// The HTTP client: another one, with connections of its own, since the authorities or the own certificate have changed.
    fn client(&self) -> Result<Client, FetchError> {
        let http = self.http.load();
        let trusted = self.authorities.as_ref().map(Authorities::current);
        let shown = self.identity.as_ref().map(ClientIdentity::current);
        if is_same(trusted.as_ref(), http.trusted.as_ref()) && is_same(shown.as_ref(), http.shown.as_ref()) {
            return Ok(http.client.clone());
        }
        let http = Http::new(&self.user_agent, self.policy, trusted, shown)?;
        let client = http.client.clone();
        self.http.store(Arc::new(http));
        Ok(client)
    }

    /// Whether an address is one that would be called at all, before anything is resolved.
    ///
    /// # Errors
    /// [`FetchError`] completes the sentence "the address ...".
    pub fn check(&self, url: &str) -> Result<(), FetchError> {
        self.allowed(url).map(drop)
    }

    /// The same, and whether its name stands for an address that is called. A name that stands for none passes: it may have one
    /// when it is called, which is when it counts.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub async fn check_resolved(&self, url: &str) -> Result<(), FetchError> {
        let url = self.allowed(url)?;
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let resolved = tokio::time::timeout(self.timeout, tokio::net::lookup_host((host, 0))).await;
        let Ok(Ok(addresses)) = resolved else { return Ok(()) };
        let mut addresses = addresses.peekable();
        let is_private =
            |address: std::net::SocketAddr| !address::may_be_called(address.ip(), self.policy.allow_private);
        if addresses.peek().is_some() && addresses.all(is_private) {
            return Err(FetchError::new("is in a private network"));
        }
        Ok(())
    }

    /// GET.
    ///
    /// # Errors
    /// [`FetchError`] for an address that is not called, and for every answer but 200 within the limits.
    pub async fn get(&self, url: &str) -> Result<Bytes, FetchError> {
        let answer = self.ask(url, &Question::default()).await?;
        if answer.status == 200 {
            Ok(answer.body)
        } else {
            Err(FetchError::new(format!("it answers {}", answer.status)))
        }
    }

    /// GET, or POST of a form, with a credential if need be. Every status is an answer.
    ///
    /// # Errors
    /// [`FetchError`] for an address that is not called, and when there is no answer within the limits.
    pub async fn ask(&self, url: &str, question: &Question<'_>) -> Result<IssuerResponse, FetchError> {
        let url = self.allowed(url)?;
        let mut request = match question.form {
            Some(form) => self.form(url, form)?,
            None => self.client()?.get(url),
        };
        if let Some(authorization) = question.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if !question.accept.is_empty() {
            request = request.header(ACCEPT, question.accept);
        }
        let asked = async { read(self.send(request).await?).await };
        tokio::time::timeout(self.timeout, asked).await.unwrap_or_else(|_| Err(FetchError::slow()))
    }

    /// GET of a JSON document of at most so many bytes. Every status is an answer; redirects are not followed.
    ///
    /// # Errors
    /// [`FetchError`] for an address that is not called, and when there is no answer within the limits.
    pub async fn get_document(&self, url: &str, most_bytes: usize) -> Result<Document, FetchError> {
        let accept = HeaderValue::from_static("application/json");
        let request = self.client()?.get(self.allowed(url)?).header(ACCEPT, accept);
        let fetched = async {
            let response = self.send(request).await?;
            let status = response.status().as_u16();
            let (media_type, max_age) = (media_type(response.headers()), max_age(response.headers()));
            Ok(Document { status, media_type, max_age, body: body(response, most_bytes).await? })
        };
        tokio::time::timeout(self.timeout, fetched).await.unwrap_or_else(|_| Err(FetchError::slow()))
    }

    /// POST of a form; the status. Nothing is read of the answer's body.
    ///
    /// # Errors
    /// [`FetchError`] for an address that is not called, or when there is no answer in time.
    pub async fn post_form(&self, url: &str, form: &[(&str, &str)]) -> Result<u16, FetchError> {
        let request = self.form(self.allowed(url)?, form)?;
        let sent = tokio::time::timeout(self.timeout, self.send(request)).await;
        Ok(sent.unwrap_or_else(|_| Err(FetchError::slow()))?.status().as_u16())
    }

    fn form(&self, url: Url, form: &[(&str, &str)]) -> Result<RequestBuilder, FetchError> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        Ok(self.client()?.post(url).header(CONTENT_TYPE, kind).body(body))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, FetchError> {
        Ok(request.send().await?)
    }

    fn allowed(&self, url: &str) -> Result<Url, FetchError> {
        if url.len() > MAX_URL {
            return Err(FetchError::new(format!("is longer than {MAX_URL} bytes")));
        }
        let url = Url::parse(url).map_err(|_| FetchError::new("is not a URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::new("holds a user name or password"));
        }
        let host = url.host_str().ok_or_else(|| FetchError::new("names no host"))?;
        // a literal address is not resolved, so that the resolver does not see it
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let is_loopback = host == "localhost" || literal.is_some_and(|address| address.is_loopback());
        match url.scheme() {
            "https" => {}
            "http" if self.policy.insecure || (self.policy.allow_private && is_loopback) => {}
            _ => return Err(FetchError::new("does not begin with https://")),
        }
        if literal.is_some_and(|address| !address::may_be_called(address, self.policy.allow_private)) {
            return Err(FetchError::new("is in a private network"));
        }
        Ok(url)
    }
}

/// Whether both are the value of one reading, or there is none.
fn is_same<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

impl Http {
    fn new(
        user_agent: &str,
        policy: Policy,
        trusted: Option<Arc<Trusted>>,
        shown: Option<Arc<CertificateAndKey>>,
    ) -> Result<Self, FetchError> {
        let Policy { allow_private, insecure } = policy;
        let certificates = trusted.as_ref().map(|trusted| trusted.certificates.clone()).unwrap_or_default();
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT)
            .no_proxy()
            .referer(false)
            .https_only(!allow_private && !insecure)
            .tls_danger_accept_invalid_certs(insecure)
            .user_agent(user_agent)
            .dns_resolver(Resolver { allow_private })
            .tls_certs_merge(certificates);
        let builder = match &shown {
            Some(own) => builder.identity(own.identity()),
            None => builder,
        };
        Ok(Self { client: builder.build()?, trusted, shown })
    }
}

/// The answer, unless it is longer than what is read.
async fn read(response: Response) -> Result<IssuerResponse, FetchError> {
    let status = response.status().as_u16();
    let media_type = media_type(response.headers());
    let date = text(response.headers(), &DATE);
    let date = OffsetDateTime::parse(date, &Rfc2822).ok().map(SystemTime::from);
    Ok(IssuerResponse { status, media_type, date, body: body(response, MAX_BYTES).await? })
}

/// The body, unless it is longer than so many bytes.
async fn body(mut response: Response, most_bytes: usize) -> Result<Bytes, FetchError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > most_bytes {
            return Err(FetchError::new(format!("its answer is longer than {most_bytes} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// A header; empty if there is none that is a text.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn media_type(headers: &HeaderMap) -> String {
    text(headers, &CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = text(headers, &CACHE_CONTROL).split(',').filter_map(|directive| directive.trim().split_once('='));
    let mut ages = directives.filter(|(name, _)| name.eq_ignore_ascii_case("max-age"));
    let (_, seconds) = ages.next()?;
    seconds.trim_matches('"').parse().ok().map(Duration::from_secs)
}
