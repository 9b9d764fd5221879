//! The settings of ACME (RFC 8555), and what follows from them.

use std::net::IpAddr;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use config::{Invalid, Secret, Section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::request_info::is_host;

/// The challenge by a TLS handshake (RFC 8737).
const TLS_ALPN_01: &str = "tls-alpn-01";
/// The challenge by plain HTTP (RFC 8555 8.3).
pub(crate) const HTTP_01: &str = "http-01";
/// The authority that is asked unless another is configured.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// The domain of that authority's directories.
const LETS_ENCRYPT_DOMAIN: &str = "letsencrypt.org";
/// The most names of a certificate.
const MOST_HOSTS: usize = 100;

/// `acme`: a certificate that the edge obtains, and renews, from an authority that speaks ACME.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Acme {
    /// Whether the edge obtains its certificate by ACME. Until the first one is issued it shows a self-signed one.
    #[schemars(extend("x-env" = ["<P>_ENABLED"]))]
    pub enabled: bool,
    /// The host names of the certificate. If empty, the host of `OCIS_URL`. Each has to lead to the edge from where the
    /// authority looks.
    #[schemars(extend("x-env" = ["<P>_HOSTS"]))]
    pub hosts: Vec<String>,
    /// The URL of the authority's directory: https, or http on this machine.
    #[schemars(extend("x-env" = ["<P>_DIRECTORY"], "default" = LETS_ENCRYPT))]
    pub directory: String,
    /// A file of certificates (in PEM format) that are trusted in place of the system's when the directory is called, for an
    /// authority of your own.
    #[serde(rename = "ca")]
    #[schemars(extend("x-env" = ["<P>_CACERT"]))]
    pub authorities: Option<PathBuf>,
    /// The mail address at which the authority may reach you. None is sent if it is empty.
    #[schemars(extend("x-env" = ["<P>_EMAIL"]))]
    pub email: String,
    /// Whether you agree to the authority's terms of service. Without that no account is created.
    #[schemars(extend("x-env" = ["<P>_ACCEPT_TERMS"]))]
    pub accept_terms: bool,
    /// How the authority checks that a host is yours: tls-alpn-01 by TLS at port 443, or http-01 by plain HTTP at port 80.
    #[schemars(extend("x-env" = ["<P>_CHALLENGE"], "default" = TLS_ALPN_01, "enum" = ["tls-alpn-01", "http-01"]))]
    pub challenge: String,
    /// The identifier of the key by which the authority knows you as its customer (external account binding), where it demands
    /// one.
    #[schemars(extend("x-env" = ["<P>_EAB_KEY_ID"]))]
    pub eab_key_id: String,
    /// That key: the HMAC key in base64url, as the authority shows it.
    #[schemars(extend("x-env" = ["<P>_EAB_HMAC_KEY"]))]
    pub eab_hmac_key: Secret,
}

config::impl_default!(Acme);

impl Section for Acme {}

/// What is to be obtained, and where. It has a secret, and therefore no `Debug` form.
#[derive(Clone)]
pub(crate) struct Plan {
    /// The names, in lower case, each once.
    pub(crate) hosts: Vec<String>,
    /// The URL of the directory.
    pub(crate) directory: Url,
    /// `tls-alpn-01` or `http-01`.
    pub(crate) challenge: String,
    /// The key that identifies a customer of the authority, with its identifier.
    pub(crate) external_account: Option<(String, Vec<u8>)>,
}

impl Acme {
    /// What follows for an edge at this URL.
    ///
    /// # Errors
    /// Names the setting below the whole configuration.
    pub(super) fn plan(&self, url: &str) -> Result<Plan, Invalid> {
        let problem = "must be true: the authority creates no account for you unless you agree to its terms of service";
        Invalid::unless(self.accept_terms, "acme.accept_terms", problem)?;
        let directory = self.directory()?;
        let email = &self.email;
        let is_address = email.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && is_host(domain));
        let is_plain = !email.contains(|character: char| character.is_whitespace() || ",?:".contains(character));
        let problem = "must be one mail address, like admin@example.org";
        Invalid::unless(email.is_empty() || (is_address && is_plain), "acme.email", problem)?;
        let hosts = self.hosts(url, &directory)?;
        let external_account = self.external_account()?;
        Ok(Plan { hosts, directory, challenge: self.challenge.clone(), external_account })
    }

    /// Accounts and certificates are requested by it, so it must not be changed on its way (`docs/security-requirements.md#e43`).
    fn directory(&self) -> Result<Url, Invalid> {
        let problem = "must be like https://acme.example.org/directory; http is for a server on this machine";
        let url = Url::parse(&self.directory).ok().filter(is_trustworthy);
        url.ok_or_else(|| Invalid::new("acme.directory", problem))
    }

    fn hosts(&self, url: &str, directory: &Url) -> Result<Vec<String>, Invalid> {
        let own = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let (given, key) =
            if self.hosts.is_empty() { (own.into_iter().collect(), "url") } else { (self.hosts.clone(), "acme.hosts") };
        let mut hosts = Vec::new();
        for host in &given {
            let host = host.to_ascii_lowercase();
            host_problem(&host, directory).map_or(Ok(()), |problem| {
                Err(Invalid::new(
                    key,
                    format!("has the host {host:?}, for which no certificate is obtained: {problem}"),
                ))
            })?;
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        let problem = format!("must hold from 1 to {MOST_HOSTS} hosts");
        Invalid::unless((1..=MOST_HOSTS).contains(&hosts.len()), key, &problem)?;
        Ok(hosts)
    }

    fn external_account(&self) -> Result<Option<(String, Vec<u8>)>, Invalid> {
        let problem = "and PROXY_ACME_EAB_HMAC_KEY belong together; set both or none";
        let are_both = self.eab_key_id.is_empty() == self.eab_hmac_key.is_empty();
        Invalid::unless(are_both, "acme.eab_key_id", problem)?;
        if self.eab_key_id.is_empty() {
            return Ok(None);
        }
        let text = self.eab_hmac_key.expose().trim().trim_end_matches('=');
        let key = URL_SAFE_NO_PAD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text));
        let key = key.map_err(|_| Invalid::new("acme.eab_hmac_key", "must be a key in base64url"))?;
        Ok(Some((self.eab_key_id.clone(), key)))
    }
}

/// Whether the traffic with a URL cannot be changed on its way: by https, or by http within this machine.
pub(crate) fn is_trustworthy(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(addr)) => addr.is_loopback(),
            Some(Host::Ipv6(addr)) => addr.is_loopback(),
            None => false,
        },
        _ => false,
    }
}

/// Why no certificate can be obtained for a host; `None` if one can.
fn host_problem(host: &str, directory: &Url) -> Option<&'static str> {
    if host.contains('*') {
        return Some("a wildcard is validated by DNS only; name each host");
    }
    let is_name = is_host(host) && !host.contains([':', '[', '_']) && !host.ends_with('.');
    if !is_name || host.parse::<IpAddr>().is_ok() || host.split('.').next_back().is_some_and(is_number) {
        return Some("it is no DNS name; set OCIS_URL or PROXY_ACME_HOSTS to names like cloud.example.org");
    }
    let authority = directory.host_str().unwrap_or_default();
    let is_public = authority == LETS_ENCRYPT_DOMAIN || authority.ends_with(&format!(".{LETS_ENCRYPT_DOMAIN}"));
    let is_local =
        !host.contains('.') || [".localhost", ".local", ".internal", ".test"].iter().any(|end| host.ends_with(end));
    (is_public && is_local).then_some(
        "Let's Encrypt reaches public names only; set OCIS_URL or PROXY_ACME_HOSTS, or PROXY_ACME_DIRECTORY to an authority of your own",
    )
}

fn is_number(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
