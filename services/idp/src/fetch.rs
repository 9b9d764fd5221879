//! Calls to addresses that clients name.

mod address;
mod resolver;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, Response, Url};

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
    http: Client,
    allow_private: bool,
    timeout: Duration,
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
    /// A fetcher that trusts the system's certificate authorities and those in this file (PEM). With `allow_private` it also
    /// calls private addresses, and plain http on this machine.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn new(allow_private: bool, authorities: Option<&Path>) -> Result<Self, FetchError> {
        let builder = Client::builder()
            .redirect(Policy::none())
            .timeout(TIMEOUT)
            .no_proxy()
            .referer(false)
            .https_only(!allow_private)
            .user_agent("doorward-idp")
            .dns_resolver(Resolver { allow_private })
            .tls_certs_merge(authorities.map(certificates).transpose()?.unwrap_or_default());
        Ok(Self { http: builder.build()?, allow_private, timeout: TIMEOUT })
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
        let is_private = |address: std::net::SocketAddr| !address::may_be_called(address.ip(), self.allow_private);
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
        let request = self.http.get(self.allowed(url)?);
        let fetched = async {
            let mut response = self.send(request).await?;
            if response.status() != reqwest::StatusCode::OK {
                return Err(FetchError::new(format!("it answers {}", response.status().as_u16())));
            }
            let mut body = BytesMut::new();
            while let Some(chunk) = response.chunk().await? {
                if body.len() + chunk.len() > MAX_BYTES {
                    return Err(FetchError::new(format!("its answer is longer than {MAX_BYTES} bytes")));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(body.freeze())
        };
        tokio::time::timeout(self.timeout, fetched).await.unwrap_or_else(|_| Err(FetchError::slow()))
    }

    /// POST of a form; the status. Nothing is read of the answer's body.
    ///
    /// # Errors
    /// [`FetchError`] for an address that is not called, or when there is no answer in time.
    pub async fn post_form(&self, url: &str, form: &[(&str, &str)]) -> Result<u16, FetchError> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        let request = self.http.post(self.allowed(url)?).header(CONTENT_TYPE, kind).body(body);
        let sent = tokio::time::timeout(self.timeout, self.send(request)).await;
        Ok(sent.unwrap_or_else(|_| Err(FetchError::slow()))?.status().as_u16())
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
            "http" if self.allow_private && is_loopback => {}
            _ => return Err(FetchError::new("does not begin with https://")),
        }
        if literal.is_some_and(|address| !address::may_be_called(address, self.allow_private)) {
            return Err(FetchError::new("is in a private network"));
        }
        Ok(url)
    }
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, FetchError> {
    let failed = |problem: &dyn std::fmt::Display| FetchError(format!("{}: {problem}", file.display()));
    let pem = std::fs::read(file).map_err(|error| failed(&error))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| failed(&error))?;
    if certificates.is_empty() { Err(failed(&"holds no certificate")) } else { Ok(certificates) }
}
