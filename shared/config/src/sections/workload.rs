//! The trust domains and the policy by which services of other programs are recognised.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;

use http::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Invalid, Section};

/// The source of a trust bundle that is the SPIFFE Workload API.
const WORKLOAD_API: &str = "workload-api";
/// The longest name of a trust domain, in bytes (SPIFFE-ID 2.1).
const MAX_DOMAIN: usize = 255;

/// `spiffe`: the SPIFFE trust domains whose workloads are recognised.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Spiffe {
    /// The SPIFFE trust domains whose workloads are recognised, a list of DOMAIN=SOURCE. SOURCE is where the trust bundle is: the path of
    /// a bundle file (JSON), the https URL of a bundle endpoint (profile `https_web`), or 'workload-api', which is the agent
    /// at `OCIS_SPIFFE_ENDPOINT_SOCKET`. Like '`example.org=workload-api,partner.org=https://spire.partner.org:8443`'.
    #[schemars(extend("x-env" = ["OCIS_SPIFFE_TRUST_DOMAINS", "<P>_SPIFFE_TRUST_DOMAINS"]))]
    pub trust_domains: Vec<String>,
    /// The socket of the SPIFFE Workload API, like '`unix:///run/spire/agent.sock`' or '`tcp://127.0.0.1:8081`'.
    #[schemars(extend("x-env" = ["SPIFFE_ENDPOINT_SOCKET", "OCIS_SPIFFE_ENDPOINT_SOCKET", "<P>_SPIFFE_ENDPOINT_SOCKET"]))]
    pub endpoint_socket: String,
    /// Path/File name for the root CA certificates (in PEM format) that are trusted in addition to the system's when trust bundles are
    /// fetched from a URL.
    #[schemars(extend("x-env" = ["OCIS_SPIFFE_CACERT", "<P>_SPIFFE_CACERT"]))]
    pub cacert: Option<PathBuf>,
}

/// A trust domain, and where its bundle is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustDomainSource {
    /// The name of the trust domain.
    pub domain: String,
    /// Where its bundle is.
    pub source: BundleSource,
}

/// Where a trust bundle is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BundleSource {
    /// The SPIFFE Workload API pushes it.
    WorkloadApi,
    /// A file, which is read again when it changes.
    File(PathBuf),
    /// A bundle endpoint, which is asked again and again.
    Url(String),
}

impl Spiffe {
    /// The trust domains, each with its source.
    ///
    /// # Errors
    /// For the first entry that is not DOMAIN=SOURCE, and for a domain that is there twice; completes a sentence about the setting.
    pub fn sources(&self) -> Result<Vec<TrustDomainSource>, String> {
        let sources: Vec<_> =
            self.trust_domains.iter().map(|entry| TrustDomainSource::parse(entry)).collect::<Result<_, _>>()?;
        let mut seen = BTreeSet::new();
        for source in &sources {
            if !seen.insert(source.domain.clone()) {
                return Err(format!("names the trust domain {} twice", source.domain));
            }
        }
        Ok(sources)
    }
}

impl Section for Spiffe {
    fn validate(&self) -> Result<(), Invalid> {
        let sources = self.sources().map_err(|problem| Invalid::new("trust_domains", problem))?;
        let asks_agent = sources.iter().any(|source| source.source == BundleSource::WorkloadApi);
        let is_named = !self.endpoint_socket.is_empty();
        Invalid::unless(is_named || !asks_agent, "endpoint_socket", "must be set, as a trust domain is workload-api")?;
        let is_socket = ["unix:", "tcp:"].iter().any(|scheme| self.endpoint_socket.starts_with(scheme));
        Invalid::unless(is_socket || !is_named, "endpoint_socket", "must begin with unix:// or tcp://")
    }
}

impl TrustDomainSource {
    fn parse(entry: &str) -> Result<Self, String> {
        let problem =
            || format!("must hold entries of the form DOMAIN=SOURCE, like example.org=workload-api; not {entry:?}");
        let (domain, source) = entry.split_once('=').ok_or_else(problem)?;
        let (domain, source) = (domain.trim(), source.trim());
        if !is_trust_domain(domain) {
            return Err(format!("names the trust domain {domain:?}; one has only a-z, 0-9, '.', '-' and '_'"));
        }
        let source = match source {
            "" => return Err(problem()),
            WORKLOAD_API => BundleSource::WorkloadApi,
            url if url.contains("://") => BundleSource::Url(bundle_url(url)?),
            path => BundleSource::File(PathBuf::from(path)),
        };
        Ok(Self { domain: domain.to_owned(), source })
    }
}

/// Whether this is the name of a trust domain (SPIFFE-ID 2.1).
fn is_trust_domain(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    (1..=MAX_DOMAIN).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// The URL of a bundle endpoint: https, or plain http on this machine.
fn bundle_url(url: &str) -> Result<String, String> {
    let problem = || format!("names the bundle endpoint {url:?}; it must be an https URL, or http on this machine");
    let uri: Uri = url.parse().map_err(|_| problem())?;
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(problem)?;
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_here = host == "localhost" || literal.is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(url.to_owned()),
        Some("http") if is_here => Ok(url.to_owned()),
        _ => Err(problem()),
    }
}

/// The policy for workloads.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadPolicy {
    /// Path/File name of the policy for workloads (in YAML format), which prove who they are by a token or a certificate in place of a
    /// shared key: which of them may act for whom. It is read again when it changes. Without it no workload is accepted.
    #[schemars(extend("x-env" = ["OCIS_WORKLOAD_POLICY_FILE", "<P>_POLICY_FILE"]))]
    pub policy_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spiffe(domains: &[&str]) -> Spiffe {
        Spiffe { trust_domains: domains.iter().map(|&domain| domain.to_owned()).collect(), ..Spiffe::default() }
    }

    #[test]
    fn trust_domain_has_a_source() {
        let domains = [
            "example.org=workload-api",
            "a_b-1=/etc/bundle.json",
            " partner.org = https://spire.partner.org:8443/b?x=1",
            "here=http://127.0.0.1:8080/bundle.json",
            "six=http://[::1]:8080/bundle.json",
        ];
        let sources = spiffe(&domains).sources().expect("are sources");
        let sources: Vec<_> = sources.into_iter().map(|source| (source.domain, source.source)).collect();
        let url = |url: &str| BundleSource::Url(url.to_owned());
        let expected = [
            ("example.org", BundleSource::WorkloadApi),
            ("a_b-1", BundleSource::File("/etc/bundle.json".into())),
            ("partner.org", url("https://spire.partner.org:8443/b?x=1")),
            ("here", url("http://127.0.0.1:8080/bundle.json")),
            ("six", url("http://[::1]:8080/bundle.json")),
        ];
        assert_eq!(sources, expected.map(|(domain, source)| (domain.to_owned(), source)));
    }

    #[test]
    fn what_is_no_trust_domain_or_source_is_refused() {
        for bad in [
            "example.org",
            "=workload-api",
            "example.org=",
            "Example.org=workload-api",
            "spiffe://example.org=workload-api",
            "example.org/x=workload-api",
            "example.org=http://bundles.example/",
            "example.org=http://127.0.0.1.evil.example/",
            "example.org=ftp://127.0.0.1/",
            "example.org=https://",
        ] {
            assert!(spiffe(&[bad]).sources().is_err(), "{bad}");
        }
        let long = format!("{}=workload-api", "a".repeat(256));
        assert!(spiffe(&[&long]).sources().is_err());
        let twice = spiffe(&["a=/one", "a=/two"]).sources().expect_err("is refused");
        assert!(twice.contains("the trust domain a twice"), "{twice}");
    }

    #[test]
    fn workload_api_needs_its_socket() {
        let asking = spiffe(&["example.org=workload-api"]);
        assert!(asking.validate().is_err());
        for (socket, is_valid) in
            [("unix:///run/agent.sock", true), ("tcp://127.0.0.1:8081", true), ("/run/agent", false)]
        {
            let spiffe = Spiffe { endpoint_socket: socket.to_owned(), ..asking.clone() };
            assert_eq!(spiffe.validate().is_ok(), is_valid, "{socket}");
        }
        assert!(spiffe(&["example.org=/bundle.json"]).validate().is_ok());
    }
}
