mod account_mail;
mod client_documents;
mod dpop_nonces;
mod multi_factor;
pub(crate) mod webfinger;

use std::path::PathBuf;

use config::{
    Debug, Environment, Grpc, GrpcClientTls, Http, Invalid, ListenAddr, Log, Mtls, Reva, Secret, SecretFiles, Section,
    Spiffe, TokenManager, Tracing, Transactions, WorkloadPolicy,
};
use mail::MailSettings;
use oidc::jose::Algorithm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use web::page::{PageSettings, is_link};

use crate::endpoints::{EndpointProfile, IssuerEndpoints};
use crate::lifetimes::Lifetimes;

pub use account_mail::AccountMailSettings;
pub(crate) use client_documents::ClientDocuments;
pub use dpop_nonces::DpopNonces;
pub use multi_factor::{MultiFactor, MultiFactorPolicy};
pub use webfinger::Webfinger;

/// With 4 KiB of groups a token stays below 8 KiB: the longest header that nginx, Apache and Tomcat read as they are
/// installed, half of what `HAProxy` and `Node.js` read in all, and the longest query of ours, where an ID token is a
/// hint (`id_token_hint`).
const MAX_GROUPS_SIZE: usize = 4 * 1024;
/// With more, a token could be longer than the 32 KiB of headers that every service reads.
const MOST_GROUPS_SIZE: usize = 20 * 1024;

/// The configuration of idp: what every service has, then its own.
#[expect(clippy::struct_excessive_bools, reason = "each is one setting")]
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Config {
    /// How files of secrets are read.
    #[serde(flatten)]
    pub secret_files: SecretFiles,
    /// Where spans are sent.
    pub tracing: Tracing,
    /// What is logged.
    pub log: Log,
    /// The server for health and metrics.
    #[schemars(extend("default" = {"addr": "127.0.0.1:9134"}))]
    pub debug: Debug,
    /// The server for `IdpAdminAPI`.
    #[schemars(extend("default" = {"addr": "127.0.0.1:9131"}))]
    pub grpc: Grpc,
    /// The server for everything that browsers and clients call.
    #[schemars(extend("default" = {"addr": "127.0.0.1:9130"}))]
    pub http: Http,
    /// The server for clients with certificates.
    pub mtls: Mtls,
    /// TLS towards other services.
    pub grpc_client_tls: GrpcClientTls,
    /// The keys of the internal token, to verify who administers.
    pub token_manager: TokenManager,
    /// Transaction tokens, which a token exchange may give.
    pub transactions: Transactions,
    /// The gateway of the family.
    pub reva: Reva,
    /// The directory's own address.
    #[schemars(description = runtime::USERS_ENDPOINT, extend("x-env" = ["<P>_USERS_ENDPOINT"]))]
    pub users_endpoint: String,
    /// The endpoint of the service that verifies passwords.
    #[schemars(extend("x-env" = ["<P>_AUTH_BASIC_ENDPOINT"], "default" = "127.0.0.1:9146"))]
    #[schemars(extend("x-required" = "name the endpoint of auth-basic, like 127.0.0.1:9146"))]
    pub auth_basic_endpoint: String,
    /// The endpoint of the service that verifies service accounts, which are clients of the token endpoint then
    /// (`client_credentials`). They are none if it is empty. 'doorward server' uses the service of its own process.
    #[schemars(extend("x-env" = ["<P>_AUTH_SERVICE_ENDPOINT"]))]
    pub auth_service_endpoint: String,
    /// Whether service accounts are clients of the token endpoint where the service that verifies them is in the same process
    /// or at `IDP_AUTH_SERVICE_ENDPOINT`. With 'doorward server' they are none either where `GATEWAY_SERVICE_CALLERS` or
    /// `AUTH_SERVICE_CALLERS` lists their callers.
    #[schemars(extend("x-env" = ["<P>_SERVICE_ACCOUNT_CLIENTS"], "default" = true))]
    pub service_account_clients: bool,
    /// The policy for workloads, by which they are clients.
    #[serde(flatten)]
    pub workload_policy: WorkloadPolicy,
    /// The trust domains of workloads.
    pub spiffe: Spiffe,
    /// The URL by which users reach the installation. It is the issuer of the layout opencloud, and with /oidc behind
    /// it that of the layout cells. If empty, `http://localhost` and the port of the HTTP service; with 'doorward
    /// server' the URL of the edge.
    #[schemars(extend("x-env" = ["OCIS_URL", "<P>_ISS"]))]
    pub url: String,
    /// The URL by which programs with a client certificate reach the service at `IDP_MTLS_ADDR`. If empty, the host of
    /// `OCIS_URL` with that port.
    #[schemars(extend("x-env" = ["<P>_MTLS_URL"]))]
    pub mtls_url: String,
    /// Which paths are served: those of 'opencloud' (and oCIS), those of 'cells', or both.
    #[schemars(extend("x-env" = ["<P>_LAYOUTS"], "default" = ["opencloud", "cells"]))]
    pub layouts: Vec<String>,
    /// Which layouts keep to OAuth 2.1: `response_type` code only, and a `code_challenge` with S256 in each request,
    /// whatever a client is registered for.
    #[schemars(extend("x-env" = ["<P>_STRICT_LAYOUTS"]))]
    pub strict_layouts: Vec<String>,
    /// Whose `DPoP` proofs have to hold a nonce of this service, with which none can be made in advance (RFC 9449 8):
    /// 'off' (no client's), 'fapi2' (those of clients with the profile fapi2), or 'all'.
    #[schemars(extend("x-env" = ["<P>_DPOP_NONCES"], "default" = "off"))]
    pub dpop_nonces: String,
    /// How pages look.
    #[serde(flatten)]
    pub pages: PageSettings,
    /// Where sessions, grants, clients and keys are kept: `sqlite:///path/to/file.db`, or
    /// `postgres://user:password@host/database` for more than one replica. If empty, the file idp.db in the data
    /// folder.
    #[schemars(extend("x-env" = ["OCIS_DATABASE_URL", "<P>_DATABASE_URL"]))]
    pub database_url: Secret,
    /// See [`store::Options::listen_url`].
    #[schemars(description = store::LISTEN_URL, extend("x-env" = ["OCIS_DATABASE_LISTEN_URL", "<P>_DATABASE_LISTEN_URL"]))]
    pub database_listen_url: Secret,
    /// The connections to a `PostgreSQL` server.
    #[serde(flatten)]
    pub database_pool: store::Pool,
    /// The secret that seals codes, opaque tokens and the private keys in the database. Without it all users are signed
    /// out and no key can be used.
    #[schemars(extend("x-env" = ["<P>_ENCRYPTION_SECRET"]))]
    #[schemars(extend("x-required" = "keep it as long as the database, made with: openssl rand -base64 32"))]
    #[schemars(extend("x-min-bytes" = 32))]
    pub encryption_secret: Secret,
    /// The secret that was in use before the current one. What it sealed is still accepted.
    #[schemars(extend("x-env" = ["<P>_ENCRYPTION_SECRET_PREVIOUS"], "x-min-bytes" = 32))]
    pub encryption_secret_previous: Secret,
    /// The algorithms that tokens are signed with, each with a key of its own: RS256, PS256, ES256, EdDSA. The first is
    /// that of clients whose registration names none. An algorithm that a client is registered for keeps its key.
    #[schemars(extend("x-env" = ["<P>_SIGNING_ALGORITHMS"], "default" = ["RS256", "PS256", "ES256"]))]
    pub signing_algorithms: Vec<String>,
    /// Whether clients may be registered for ID tokens without a signature (alg none). Where they may not, such clients
    /// get signed ones.
    #[schemars(extend("x-env" = ["<P>_ALLOW_UNSIGNED_ID_TOKENS"]))]
    pub unsigned_id_tokens: bool,
    /// The largest size in bytes of the groups in an access token or ID token, with three bytes added for each group.
    /// Larger lists are left out, and the token says so ('`_claim_names`'): userinfo has them all. A token is a third
    /// larger than its content. At most 20480.
    #[schemars(extend("x-env" = ["<P>_MAX_GROUPS_SIZE"], "default" = MAX_GROUPS_SIZE))]
    pub max_groups_size: usize,
    /// A YAML file with further clients, as the identifier-registration.yaml of oCIS has them. A client in it replaces
    /// the built-in one of the same id. It is read again when it changes.
    #[schemars(extend("x-env" = ["<P>_IDENTIFIER_REGISTRATION_CONF", "<P>_CLIENTS_FILE"]))]
    pub clients_file: Option<PathBuf>,
    /// Which sets of clients are known without being configured: 'opencloud', 'cells', 'ocis'.
    #[schemars(extend("x-env" = ["<P>_DEFAULT_CLIENTS"], "default" = ["opencloud", "cells", "ocis"]))]
    pub default_clients: Vec<String>,
    /// The secret of the built-in client `doorward-edge`, by which the edge signs users in. If empty, there is no such
    /// client. 'doorward server' makes one.
    #[schemars(extend("x-env" = ["<P>_EDGE_CLIENT_SECRET"], "x-min-bytes" = 32))]
    pub edge_client_secret: Secret,
    /// The URL of the edge, to which that client's users return. If empty, the URL of the installation.
    #[schemars(extend("x-env" = ["<P>_EDGE_URL"]))]
    pub edge_url: String,
    /// Whether clients may register themselves with an initial access token.
    #[schemars(extend("x-env" = ["<P>_ALLOW_DYNAMIC_CLIENT_REGISTRATION"]))]
    pub registration: bool,
    /// Whether clients may register themselves without one. Every client that reaches the service can then register.
    #[schemars(extend("x-env" = ["<P>_ALLOW_OPEN_CLIENT_REGISTRATION"]))]
    pub open_registration: bool,
    /// How many clients one address may register in a minute.
    #[schemars(extend("x-env" = ["<P>_REGISTRATIONS_PER_MINUTE"], "default" = 10, "minimum" = 1))]
    pub registrations_per_minute: u32,
    /// Clients that are not registered.
    #[serde(flatten)]
    pub client_documents: ClientDocuments,
    /// Whether addresses that clients name (keys, request objects, logout) may be on this machine or in a private
    /// network.
    #[schemars(extend("x-env" = ["<P>_ALLOW_PRIVATE_ADDRESSES"]))]
    pub allow_private_addresses: bool,
    /// Path/File name of the CA certificates (in PEM format) that are trusted in addition to the system's when such
    /// addresses are called. It is read again when it changes.
    #[schemars(extend("x-env" = ["<P>_OUTBOUND_CACERT"]))]
    pub outbound_ca: Option<PathBuf>,
    /// The account pages, to which the page for sign-in methods links: a path of the same site, or a URL with https. If
    /// empty, it has no such link.
    #[schemars(extend("x-env" = ["<P>_ACCOUNT_URL"], "default" = "/account"))]
    pub account_url: String,
    /// Second factors.
    pub mfa: MultiFactor,
    /// Whether every user belongs to a tenant. Users without one get no transaction tokens then.
    #[schemars(extend("x-env" = ["OCIS_MULTI_TENANT_ENABLED"]))]
    pub multi_tenant_enabled: bool,
    /// What programs learn before they sign in.
    pub webfinger: Webfinger,
    /// How mail is sent. Without it users cannot reset forgotten passwords.
    pub mail: MailSettings,
    /// Mail to users about their accounts.
    #[serde(flatten)]
    pub account_mail: AccountMailSettings,
    /// The lifetimes of tokens, codes, sessions and keys.
    #[serde(flatten)]
    pub lifetimes: Lifetimes,
}

config::impl_default!(Config);

impl Config {
    /// The URL of the database.
    pub fn database(&self, environment: &Environment) -> String {
        store::url_or_file(&self.database_url, "idp.db", environment)
    }

    /// The URL of the account pages, if pages may link to them.
    pub fn account_link(&self) -> Option<&str> {
        Some(self.account_url.as_str()).filter(|url| !url.is_empty())
    }

    /// The URL by which users reach the installation, without a trailing `/`. Where none is configured, it is that of the
    /// listener on this machine.
    pub fn site(&self) -> String {
        if !self.url.is_empty() {
            return self.url.trim_end_matches('/').to_owned();
        }
        let scheme = if self.http.tls.enabled { "https" } else { "http" };
        match &self.http.addr {
            ListenAddr::Tcp { port, .. } => format!("{scheme}://localhost:{port}"),
            ListenAddr::Unix(_) | ListenAddr::Off => format!("{scheme}://localhost"),
        }
    }

    /// The URL by which clients with certificates reach the installation, if they are served. Where none is configured,
    /// it is the site's host with the port of their listener.
    pub fn mtls_site(&self) -> Option<String> {
        let port = match &self.mtls.addr {
            ListenAddr::Off => return None,
            ListenAddr::Tcp { port, .. } => Some(*port),
            ListenAddr::Unix(_) => None,
        };
        if !self.mtls_url.is_empty() {
            return Some(self.mtls_url.trim_end_matches('/').to_owned());
        }
        let site = self.site();
        let (_, authority) = site.split_once("://").unwrap_or_default();
        let end_of_host = authority.rfind(']').map_or_else(|| authority.find(':'), |end| Some(end + 1));
        let host = &authority[..end_of_host.unwrap_or(authority.len())];
        Some(port.map_or_else(|| format!("https://{host}"), |port| format!("https://{host}:{port}")))
    }

    /// The URL of the edge, without a trailing `/`.
    pub fn edge_site(&self) -> String {
        if self.edge_url.is_empty() { self.site() } else { self.edge_url.trim_end_matches('/').to_owned() }
    }

    /// The issuers.
    pub fn sites(&self) -> Vec<IssuerEndpoints> {
        let (site, mtls) = (self.site(), self.mtls_site());
        let layouts = self.layouts.iter().filter_map(|name| name.parse::<EndpointProfile>().ok());
        let is_strict = |layout: EndpointProfile| self.strict_layouts.iter().any(|name| name == layout.name());
        layouts
            .map(|layout| IssuerEndpoints::new(layout, &site).with_mtls(mtls.clone()).strict(is_strict(layout)))
            .collect()
    }

    /// Whose `DPoP` proofs need a nonce; all clients' for a text that is none, which a valid configuration does not have.
    pub fn dpop_nonces(&self) -> DpopNonces {
        self.dpop_nonces.parse().unwrap_or(DpopNonces::All)
    }

    /// The algorithms that tokens are signed with. The first is that of clients whose registration names none.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        self.signing_algorithms.iter().filter_map(|name| name.parse().ok()).collect()
    }
}

impl Section for Config {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![
            ("tracing", &self.tracing),
            ("log", &self.log),
            ("grpc", &self.grpc),
            ("http", &self.http),
            ("transactions", &self.transactions),
            ("mfa", &self.mfa),
            ("webfinger", &self.webfinger),
            ("mail", &self.mail),
            ("spiffe", &self.spiffe),
            ("", &self.pages),
            ("", &self.database_pool),
            ("", &self.lifetimes),
            ("", &self.client_documents),
        ]
    }

    fn validate(&self) -> Result<(), Invalid> {
        store::validate_url(&self.database_url)?;
        store::validate_listen_url(&self.database_listen_url)?;
        let are_layouts = self.layouts.iter().all(|name| name.parse::<EndpointProfile>().is_ok());
        let is_served = are_layouts && !self.layouts.is_empty();
        Invalid::unless(is_served, "layouts", "must be a list of: opencloud, cells")?;
        let are_served = self.strict_layouts.iter().all(|name| self.layouts.contains(name));
        Invalid::unless(are_served, "strict_layouts", "must be some of those in layouts")?;
        self.dpop_nonces.parse::<DpopNonces>().map_err(|problem| Invalid::new("dpop_nonces", problem))?;
        check_algorithms(&self.signing_algorithms).map_err(|problem| Invalid::new("signing_algorithms", problem))?;
        let fits = self.max_groups_size <= MOST_GROUPS_SIZE;
        Invalid::unless(fits, "max_groups_size", "must be at most 20480: services read tokens of 32 KiB")?;
        let are_sets = self.default_clients.iter().all(|name| ["opencloud", "cells", "ocis"].contains(&name.as_str()));
        Invalid::unless(are_sets, "default_clients", "must be a list of: opencloud, cells, ocis")?;
        check_site(&self.site()).map_err(|problem| Invalid::new("url", problem))?;
        check_site(&self.edge_site()).map_err(|problem| Invalid::new("edge_url", problem))?;
        let is_site = self.mtls_url.starts_with("https://") && check_site(&self.mtls_url).is_ok();
        let problem = "must be https:// and a host, perhaps with a port, and no path";
        Invalid::unless(self.mtls_url.is_empty() || is_site, "mtls_url", problem)?;
        let is_link = self.account_url.is_empty() || is_link(&self.account_url);
        Invalid::unless(is_link, "account_url", "must be a path, like /account, or a URL with https")
    }

    fn warnings(&self) -> Vec<String> {
        self.http.source_warning().into_iter().collect()
    }
}

/// Names of algorithms with a key pair, each once.
fn check_algorithms(names: &[String]) -> Result<(), &'static str> {
    let is_known = |name: &String| Algorithm::SIGNING.iter().any(|algorithm| algorithm.name() == name);
    if names.is_empty() || !names.iter().all(is_known) {
        return Err("must be a list of: RS256, PS256, ES256, EdDSA");
    }
    let is_repeated = |(index, name): (usize, &String)| names[..index].contains(name);
    if names.iter().enumerate().any(is_repeated) { Err("names an algorithm twice") } else { Ok(()) }
}

/// A site is a scheme, a host and perhaps a port; over plain HTTP only on this machine.
fn check_site(site: &str) -> Result<(), &'static str> {
    if oidc::redirect::Sites::parse([site]).is_err() {
        return Err("must be https:// and a host, perhaps with a port, and no path");
    }
    let host = site.strip_prefix("http://");
    let is_loopback = |rest: &str| {
        let host = rest.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        matches!(host.map_or(rest, |(host, _)| host), "localhost" | "127.0.0.1" | "[::1]")
    };
    if host.is_some_and(|rest| !is_loopback(rest)) {
        return Err("must be https, except on this machine: sign-ins over plain HTTP can be read on the way");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_has_no_path_and_is_secure_unless_it_is_this_machine() {
        for good in ["https://cloud.example", "https://cloud.example:8443", "http://localhost:9130", "http://[::1]:1"] {
            assert_eq!(check_site(good), Ok(()), "{good}");
        }
        for bad in ["http://cloud.example", "https://cloud.example/x", "cloud.example", "", "http://localhost.evil"] {
            assert!(check_site(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn account_link_is_a_path_or_https() {
        let with = |url: &str| Config { account_url: url.to_owned(), ..Config::default() }.validate();
        for good in ["", "/account", "https://account.example/me"] {
            assert!(with(good).is_ok(), "{good}");
        }
        for bad in ["account", "//evil.example", "javascript:alert(1)", "http://account.example"] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dpop_nonces_are_for_no_clients_some_or_all() {
        let with = |nonces: &str| Config { dpop_nonces: nonces.to_owned(), ..Config::default() };
        assert_eq!(Config::default().dpop_nonces(), DpopNonces::Off);
        for (text, nonces) in [("off", DpopNonces::Off), ("fapi2", DpopNonces::Fapi2), ("all", DpopNonces::All)] {
            assert!(with(text).validate().is_ok());
            assert_eq!(with(text).dpop_nonces(), nonces);
        }
        assert!(with("on").validate().is_err());
    }

    #[test]
    fn signing_algorithms_have_a_key_pair_and_come_once() {
        let check = |names: &[&str]| check_algorithms(&names.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(check(&["ES256", "RS256"]), Ok(()));
        for bad in [&[][..], &["HS256"], &["none"], &["rs256"], &["RS256", "RS256"]] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Config::default().algorithms(), [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256]);
    }

    #[test]
    fn where_nothing_is_configured_the_listener_is_the_site() {
        let mut config = Config::default();
        assert_eq!(config.site(), "http://localhost:9130");
        config.http.tls.enabled = true;
        assert_eq!(config.site(), "https://localhost:9130");
        config.url = "https://cloud.example/".to_owned();
        let issuers: Vec<_> = config.sites().into_iter().map(|site| site.issuer).collect();
        assert_eq!(issuers, ["https://cloud.example", "https://cloud.example/oidc"]);
    }

    #[test]
    fn clients_with_certificates_call_the_same_host_unless_it_is_said_otherwise() {
        let mut config = Config::default();
        assert_eq!(config.mtls_site(), None);
        config.mtls.addr = ListenAddr::Tcp { host: "0.0.0.0".to_owned(), port: 9133 };
        for (site, expected) in [
            ("", "https://localhost:9133"),
            ("https://cloud.example/", "https://cloud.example:9133"),
            ("https://cloud.example:8443", "https://cloud.example:9133"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:9133"),
        ] {
            config.url = site.to_owned();
            assert_eq!(config.mtls_site().as_deref(), Some(expected), "{site}");
        }
        config.mtls_url = "https://mtls.cloud.example/".to_owned();
        assert_eq!(config.mtls_site().as_deref(), Some("https://mtls.cloud.example"));
    }
}
