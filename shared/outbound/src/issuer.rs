//! Asking an issuer: `OpenID` Connect Discovery 1.0, then the key set it names. Nothing it says can lead us into a network where it
//! is not itself, make us wait, or fill our memory.

pub mod cache;
mod key_requests;

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use config::read_secret_file;
use oidc::jose::{KeyError, KeySet};
use reqwest::Url;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use crate::{Authorities, ClientIdentity, FetchError, Fetcher, IssuerResponse, Policy, Question};
pub use key_requests::KeyRequests;

/// How long discovery and keys may take together.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Why a request to an issuer failed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot be reached, or answers wrongly.
    #[error("{what} of the issuer: {error}")]
    Fetch {
        /// What was requested.
        what: &'static str,
        /// What happened.
        error: FetchError,
    },
    /// It takes too long.
    #[error("the issuer does not answer within {} s", TIMEOUT.as_secs())]
    Slow,
    /// Its document is none.
    #[error("the discovery document of the issuer cannot be understood: {0}")]
    Document(#[from] serde_json::Error),
    /// It says that it is another.
    #[error("the issuer calls itself {0:?}")]
    OtherIssuer(String),
    /// Its keys are none.
    #[error("the keys of the issuer cannot be understood: {0}")]
    Keys(#[from] KeyError),
}

/// What an issuer says about itself (`OpenID` Connect Discovery 1.0, 3; RFC 8414, 2).
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Metadata {
    issuer: String,
    jwks_uri: Option<String>,
    /// Where people are sent to sign in.
    pub authorization_endpoint: Option<String>,
    /// Where codes and refresh tokens are redeemed.
    pub token_endpoint: Option<String>,
    /// Where tokens are revoked (RFC 7009).
    pub revocation_endpoint: Option<String>,
    /// Where people are sent to sign out (`OpenID` Connect RP-Initiated Logout 1.0, 2.1).
    pub end_session_endpoint: Option<String>,
    /// Whether the answer to a sign-in says who it is from (RFC 9207, 3).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
    /// Where tokens are introspected.
    pub introspection_endpoint: Option<String>,
    /// The `UserInfo` endpoint (`OpenID` Connect Core 5.3).
    pub userinfo_endpoint: Option<String>,
}

/// An issuer as it can be called.
///
/// The operator named it, so it may be in a private network. What it names itself may be there too if it is at the very same
/// host and port; anything else only if that is allowed.
///
/// An issuer of the same installation can be called at its [backend](Self::reached_at) instead.
pub struct Source {
    name: String,
    discovery: Url,
    own: Fetcher,
    others: Fetcher,
    backend: Option<Backend>,
    bearer: Option<PathBuf>,
}

/// The internal address of an issuer.
struct Backend {
    origin: Url,
    fetcher: Fetcher,
}

impl Source {
    /// Prepares to call the issuer of this name, without calling it yet. Requests carry `user_agent`. `authorities` are
    /// trusted in addition to the system's. With `insecure` it may use plain HTTP and any certificate.
    ///
    /// # Errors
    /// When the issuer's address is none, or no HTTP client can be made with the certificates.
    pub fn new(
        name: &str,
        user_agent: &str,
        insecure: bool,
        allow_private: bool,
        authorities: Option<&Authorities>,
    ) -> Result<Self, PrepareError> {
        let discovery = discovery_of(name, insecure).map_err(PrepareError::Address)?;
        let fetcher = |allow_private| Fetcher::new(user_agent, Policy { allow_private, insecure }, authorities);
        let (own, others) = (fetcher(true), fetcher(allow_private));
        Ok(Self { name: name.to_owned(), discovery, own: own?, others: others?, backend: None, bearer: None })
    }

    /// Calls addresses at the issuer's own scheme, host and port at this backend (`http://127.0.0.1:9130`) instead. The path and
    /// query stay, and the issuer's documents have to give its name all the same. On this machine, and by plain HTTP, no
    /// certificate is verified (`docs/security-requirements.md#r8`). The backend, and no other server, is shown the certificate of
    /// `identity` if it asks for one.
    ///
    /// # Errors
    /// When the backend is not the URL of a host.
    pub fn reached_at(
        self,
        backend: &str,
        user_agent: &str,
        authorities: Option<&Authorities>,
        identity: Option<&ClientIdentity>,
    ) -> Result<Self, PrepareError> {
        let origin = backend_url(backend).map_err(PrepareError::Backend)?;
        let insecure = origin.scheme() == "http" || is_here(origin.host_str().unwrap_or_default());
        let policy = Policy { allow_private: true, insecure };
        let fetcher = Fetcher::with_certificate(user_agent, policy, authorities, identity)?;
        Ok(Self { backend: Some(Backend { origin, fetcher }), ..self })
    }

    /// Shows the token in this file to the issuer, as a bearer (RFC 6750), when its discovery document and its keys are fetched. The file is
    /// read each time, since such tokens are short-lived. The token is shown at the issuer's own scheme, host and port alone, so that
    /// its keys are fetched there too, at the path that its document names: API servers of Kubernetes name another address.
    #[must_use]
    pub fn with_bearer(self, file: PathBuf) -> Self {
        Self { bearer: Some(file), ..self }
    }

    /// The issuer's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the issuer says of itself at this moment, and its keys.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn ask(&self) -> Result<(Metadata, KeySet), SourceError> {
        let both = async {
            let failed = |what| move |error| SourceError::Fetch { what, error };
            let document = self.get(self.discovery.as_str()).await.map_err(failed("the discovery document"))?;
            let metadata: Metadata = serde_json::from_slice(&document)?;
            if metadata.issuer != self.name {
                return Err(SourceError::OtherIssuer(metadata.issuer));
            }
            let Some(address) = &metadata.jwks_uri else { return Ok((metadata, KeySet::default())) };
            let keys = self.get(address).await.map_err(failed("the keys"))?;
            let keys = KeySet::parse(&keys)?;
            Ok((metadata, keys))
        };
        tokio::time::timeout(TIMEOUT, both).await.unwrap_or(Err(SourceError::Slow))
    }

    /// What time it is for the issuer, to a second; `None` if it does not say.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn time(&self) -> Result<Option<SystemTime>, FetchError> {
        Ok(self.call(self.discovery.as_str(), &Question::default()).await?.date)
    }

    /// Calls an address that the issuer has named.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn call(&self, address: &str, question: &Question<'_>) -> Result<IssuerResponse, FetchError> {
        let (fetcher, address) = self.route(address);
        fetcher.ask(&address, question).await
    }

    async fn get(&self, address: &str) -> Result<Bytes, FetchError> {
        let Some(bearer) = &self.bearer else {
            let (fetcher, address) = self.route(address);
            return fetcher.get(&address).await;
        };
        let address = self.at_own_origin(address)?;
        let authorization = authorization(bearer).await?;
        let question = Question { authorization: Some(&authorization), ..Question::default() };
        let response = self.own.ask(address.as_str(), &question).await?;
        if response.status == 200 {
            Ok(response.body)
        } else {
            Err(FetchError::new(format!("it answers {}", response.status)))
        }
    }

    /// The path and query of an address at the issuer's own scheme, host and port.
    fn at_own_origin(&self, address: &str) -> Result<Url, FetchError> {
        let named = Url::parse(address).map_err(|_| FetchError::new("is not a URL"))?;
        let mut own = self.discovery.clone();
        own.set_path(named.path());
        own.set_query(named.query());
        Ok(own)
    }

    /// What calls an address, and where it is called.
    fn route<'a>(&self, address: &'a str) -> (&Fetcher, Cow<'a, str>) {
        let origin =
            |url: &Url| (url.scheme().to_owned(), url.host().map(|host| host.to_owned()), url.port_or_known_default());
        let own = Url::parse(address).ok().filter(|address| origin(address) == origin(&self.discovery));
        match (own, &self.backend) {
            (Some(own), Some(Backend { origin, fetcher })) => {
                let mut target = origin.clone();
                target.set_path(own.path());
                target.set_query(own.query());
                (fetcher, String::from(target).into())
            }
            (Some(_), None) => (&self.own, address.into()),
            (None, _) => (&self.others, address.into()),
        }
    }
}

/// The header with the bearer token of a file. Files of Kubernetes are readable for all accounts of their container.
async fn authorization(file: &Path) -> Result<HeaderValue, FetchError> {
    let (path, shown) = (file.to_owned(), file.display());
    // reading a file blocks
    let read = tokio::task::spawn_blocking(move || read_secret_file(&path, true)).await;
    let token = read.map_err(|error| FetchError::new(error.to_string()))?;
    let token = token.map_err(|error| FetchError::new(format!("its token is in the file {shown}, {error}")))?;
    let header = HeaderValue::from_str(&format!("Bearer {}", token.expose().trim()));
    let mut header = header.map_err(|_| FetchError::new(format!("its token in the file {shown} is not one")))?;
    header.set_sensitive(true);
    Ok(header)
}

/// The URL of a backend: a scheme, a host and perhaps a port; the error completes the sentence "the backend ...".
///
/// # Errors
/// For everything else.
pub fn backend_url(backend: &str) -> Result<Url, &'static str> {
    const EXPECTED: &str = "must be like http://127.0.0.1:9130, without a path";
    let url = Url::parse(backend).map_err(|_| EXPECTED)?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let is_anonymous = url.username().is_empty() && url.password().is_none();
    let is_web = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    if is_bare && is_anonymous && is_web { Ok(url) } else { Err(EXPECTED) }
}

/// Whether a host is this machine.
fn is_here(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || literal.is_ok_and(|address| address.is_loopback())
}

/// Why an issuer cannot be called at all.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Its address is not one.
    #[error("the issuer {0}")]
    Address(&'static str),
    /// The address of its backend is not one.
    #[error("the backend of the issuer {0}")]
    Backend(&'static str),
    /// There is no HTTP client.
    #[error("cannot make an HTTP client: {0}")]
    Client(#[from] FetchError),
}

/// Where an issuer's discovery document is; the error completes the sentence "the issuer ...".
///
/// # Errors
/// For what is no https URL; plain http is accepted on this machine, or if `insecure`.
pub fn discovery_of(issuer: &str, insecure: bool) -> Result<Url, &'static str> {
    let url = Url::parse(issuer).map_err(|_| "must be a URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must have neither query nor fragment");
    }
    let host = url.host_str().ok_or("must name a host")?;
    match url.scheme() {
        "https" => {}
        "http" if insecure || is_here(host) => {}
        _ => return Err("must start with https://, unless it is on this machine or OCIS_INSECURE allows it"),
    }
    let path = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    Url::parse(&path).map_err(|_| "must be a URL")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn r1_only_https_or_this_machine_is_asked() {
        for good in ["https://idp.example", "https://idp.example/", "http://localhost:9200", "http://[::1]:1/a"] {
            assert!(discovery_of(good, false).is_ok(), "{good}");
        }
        for bad in ["http://idp.example", "http://127.0.0.1.evil", "ftp://localhost", "idp.example", "", "file:///x"] {
            assert!(discovery_of(bad, false).is_err(), "{bad}");
        }
        for bad in ["https://user:pw@idp.example", "https://idp.example?x=1", "https://idp.example#x"] {
            assert!(discovery_of(bad, true).is_err(), "{bad}");
        }
        assert!(discovery_of("http://idp.example", true).is_ok());
    }

    /// `docs/security-requirements.md#r8`
    #[test]
    fn only_addresses_of_the_issuer_itself_are_called_at_its_backend() {
        let source = Source::new("https://cloud.example/oidc", "test", false, false, None).expect("can be called");
        let source = source.reached_at("http://127.0.0.1:9130", "test", None, None).expect("is a backend");
        let called = |address| source.route(address).1.into_owned();
        assert_eq!(called("https://cloud.example/oidc/keys?a=b"), "http://127.0.0.1:9130/oidc/keys?a=b");
        assert_eq!(called("https://cloud.example:443//evil/x"), "http://127.0.0.1:9130//evil/x");
        for other in [
            "https://cloud.example:8443/keys",
            "http://cloud.example/keys",
            "https://cloud.example.evil/keys",
            "https://evil.example/?https://cloud.example/",
        ] {
            assert_eq!(called(other), other);
        }
        for bad in ["", "127.0.0.1:9130", "http://a/b", "http://a:b@c", "unix:///run/idp", "http://a?b"] {
            assert!(backend_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn bearer_is_shown_at_the_own_origin_alone() {
        let source = Source::new("https://cluster.example:6443", "test", false, false, None).expect("can be called");
        let called = |address| source.at_own_origin(address).map(String::from).map_err(|error| error.to_string());
        for other in ["https://10.0.0.1/openid/v1/jwks?a=b", "http://evil.example:80/openid/v1/jwks?a=b"] {
            assert_eq!(called(other).as_deref(), Ok("https://cluster.example:6443/openid/v1/jwks?a=b"), "{other}");
        }
        assert!(called("openid/v1/jwks").is_err());
    }

    #[test]
    fn discovery_lies_below_the_issuer() {
        let discovery = |issuer| discovery_of(issuer, false).expect("is allowed").to_string();
        let expected = "https://idp.example/realm/.well-known/openid-configuration";
        assert_eq!(discovery("https://idp.example/realm"), expected);
        assert_eq!(discovery("https://idp.example/realm/"), expected);
    }

    proptest! {
        #[test]
        fn no_document_breaks_the_reader(text in r#"\{"issuer":("x"|1),"jwks_uri":("[a-z:/]{0,9}"|null|\[\]),"x":[0-9]\}"#) {
            let _ = serde_json::from_str::<Metadata>(&text);
        }
    }

    #[tokio::test]
    async fn what_an_issuer_names_elsewhere_is_not_called_in_a_private_network() {
        let source = Source::new("http://127.0.0.1:9", "test", false, false, None).expect("can be called");
        for other in ["http://127.0.0.1:10/x", "https://10.0.0.1/x", "https://localhost:9/x", "https://[::1]/x"] {
            let error = source.call(other, &Question::default()).await.expect_err(other).to_string();
            let known = ["private network", "https://", "no address that is called"];
            assert!(known.iter().any(|known| error.contains(known)), "{other}: {error}");
        }
    }
}
