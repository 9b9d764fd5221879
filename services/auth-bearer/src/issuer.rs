//! Asking an issuer for its keys: `OpenID` Connect Discovery 1.0, then the key set it names. Nothing it says can lead us
//! elsewhere than where it is, make us wait, or fill our memory.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Client, Url, redirect::Policy};
use serde::Deserialize;

use crate::keys::Keys;

/// How long discovery and keys may take together.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The most bytes that are read of an answer.
const MAX_BYTES: usize = 64 * 1024;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It cannot be reached, or answers wrongly.
    #[error("cannot ask the issuer: {0}")]
    Http(#[from] reqwest::Error),
    /// It takes too long.
    #[error("the issuer does not answer within {} s", TIMEOUT.as_secs())]
    Slow,
    /// It answers with more than is read.
    #[error("the issuer's answer is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// It answers with something else than what was asked for.
    #[error("the issuer's answer cannot be understood: {0}")]
    Json(#[from] serde_json::Error),
    /// It says that it is another.
    #[error("the issuer calls itself {0:?}")]
    OtherIssuer(String),
    /// The address of its keys is not one that is asked.
    #[error("the address of the issuer's keys {0}")]
    KeysAddress(&'static str),
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// An issuer that is asked over HTTP.
pub struct Issuer {
    name: String,
    discovery: Url,
    insecure: bool,
    http: Client,
}

impl Issuer {
    /// Prepares to ask the issuer of this name; it is not asked yet. With `insecure` it may use plain HTTP and any certificate.
    pub fn new(name: &str, insecure: bool) -> Result<Self, IssuerError> {
        let discovery = check(name, insecure).map_err(IssuerError::Address)?;
        let http = Client::builder()
            .redirect(Policy::none())
            .timeout(TIMEOUT)
            .no_proxy()
            .tls_danger_accept_invalid_certs(insecure)
            .build()
            .map_err(IssuerError::Client)?;
        Ok(Self { name: name.to_owned(), discovery, insecure, http })
    }

    /// Its keys at this moment.
    pub async fn keys(&self) -> Result<Keys, FetchError> {
        let both = async {
            let discovery: Discovery = serde_json::from_slice(&self.get(self.discovery.clone()).await?)?;
            if discovery.issuer != self.name {
                return Err(FetchError::OtherIssuer(discovery.issuer));
            }
            let address = allowed(&discovery.jwks_uri, self.insecure).map_err(FetchError::KeysAddress)?;
            Ok(Keys::parse(&self.get(address).await?)?)
        };
        tokio::time::timeout(TIMEOUT, both).await.unwrap_or(Err(FetchError::Slow))
    }

    async fn get(&self, url: Url) -> Result<Vec<u8>, FetchError> {
        let mut response = self.http.get(url).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(FetchError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Why an issuer cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// Its address is not one.
    #[error("the issuer {0}")]
    Address(&'static str),
    /// There is no HTTP client, as the system's certificates cannot be read.
    #[error("cannot make an HTTP client: {0}")]
    Client(reqwest::Error),
}

/// Where an issuer's discovery document is; the error completes the sentence "the issuer ...".
pub fn check(issuer: &str, insecure: bool) -> Result<Url, &'static str> {
    let url = allowed(issuer, insecure)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must have neither query nor fragment");
    }
    let path = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    Url::parse(&path).map_err(|_| "must be a URL")
}

/// HTTPS; plain HTTP only to this machine, or where the operator allows it.
fn allowed(url: &str, insecure: bool) -> Result<Url, &'static str> {
    let url = Url::parse(url).map_err(|_| "must be a URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    let host = url.host_str().ok_or("must name a host")?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if insecure || is_loopback(host) => Ok(url),
        _ => Err("must start with https://, unless it is on this machine or OCIS_INSECURE allows it"),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_this_machine_is_asked() {
        for good in ["https://idp.example", "https://idp.example/", "http://localhost:9200", "http://[::1]:1/a"] {
            assert!(check(good, false).is_ok(), "{good}");
        }
        for bad in ["http://idp.example", "http://127.0.0.1.evil", "ftp://localhost", "idp.example", "", "file:///x"] {
            assert!(check(bad, false).is_err(), "{bad}");
        }
        for bad in ["https://user:pw@idp.example", "https://idp.example?x=1", "https://idp.example#x"] {
            assert!(check(bad, true).is_err(), "{bad}");
        }
        assert!(check("http://idp.example", true).is_ok());
    }

    #[test]
    fn discovery_lies_below_the_issuer() {
        let discovery = |issuer| check(issuer, false).expect("is allowed").to_string();
        let expected = "https://idp.example/realm/.well-known/openid-configuration";
        assert_eq!(discovery("https://idp.example/realm"), expected);
        assert_eq!(discovery("https://idp.example/realm/"), expected);
    }
}
