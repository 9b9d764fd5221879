mod acme;
mod csp;
mod links;
mod multi_factor;
mod picture;
mod protected_resource;
mod proxy_yaml;
mod public;
mod session;
mod unsupported;

use std::path::PathBuf;

use config::{
    ClientTls, Debug, Grpc, GrpcClientTls, HttpClientTls, Invalid, ListenAddr, Log, Secret, SecretFiles, Section,
    TokenManager, Tracing,
};
use outbound::issuer::discovery_of;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;
use web::page::PageSettings;

pub use acme::Acme;
pub(crate) use acme::{HTTP_01, Plan, is_trustworthy};
pub use csp::ContentSecurityPolicy;
pub use links::Links as LinkSettings;
pub use multi_factor::MultiFactor;
pub(crate) use multi_factor::SEVERAL;
pub use picture::ProfilePicture;
pub use protected_resource::ProtectedResource;
pub(crate) use proxy_yaml::Product;
pub use proxy_yaml::ProxyYaml;
pub use public::Public;
pub use session::Session;
pub use unsupported::Unsupported;

use crate::headers::{FilterError, RequestFilter};
use crate::identity_headers::IdentityHeaders;
use crate::routes::Backend;
use crate::site::Site;
use crate::transactions::TransactionHeader;

/// The configuration of proxy.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
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
    #[schemars(extend("default" = {"addr": "127.0.0.1:9205"}))]
    pub debug: Debug,
    /// The server for Envoy's external authorization, which is off unless it has an address.
    pub grpc: Grpc,
    /// The public HTTP server.
    pub http: Public,
    /// The certificate of the public HTTP server from an authority that speaks ACME.
    #[schemars(extend("x-prefix" = "PROXY_ACME"))]
    pub acme: Acme,
    /// TLS towards the gateway.
    pub grpc_client_tls: GrpcClientTls,
    /// TLS towards backends.
    pub http_client_tls: HttpClientTls,
    /// The keys of the internal token.
    pub token_manager: TokenManager,
    /// The endpoint of the gateway.
    #[schemars(extend("x-env" = ["<P>_GATEWAY_ENDPOINT"], "default" = "127.0.0.1:9142"))]
    #[schemars(extend("x-required" = "name the endpoint of the gateway, like 127.0.0.1:9142"))]
    pub gateway: String,
    /// The endpoint of Doorward's own idp, like 127.0.0.1:9131: it tells which sessions have ended, and those of the edge
    /// end with them at once. If empty, they end when idp calls the edge or refuses a refresh token, unless idp runs in the
    /// same process.
    #[schemars(extend("x-env" = ["<P>_IDP_ENDPOINT"]))]
    pub idp_endpoint: String,
    /// The URL by which clients reach the edge. Its scheme is passed on to backends.
    #[schemars(extend("x-env" = ["OCIS_URL", "<P>_URL"], "default" = "https://localhost:9200"))]
    pub url: String,
    /// The URL of the issuer of access tokens. If it is set, the challenge to clients without a credential offers
    /// bearer tokens.
    #[schemars(extend("x-env" = ["OCIS_OIDC_ISSUER", "<P>_OIDC_ISSUER"]))]
    pub issuer: String,
    /// Set this to true to enable 'basic authentication' (username/password).
    #[schemars(extend("x-env" = ["<P>_ENABLE_BASIC_AUTH"]))]
    pub enable_basic_auth: bool,
    /// Allow app authentication. This can be used to authenticate 3rd party applications. Note that auth-app service
    /// must be running for this feature to work.
    #[schemars(extend("x-env" = ["<P>_ENABLE_APP_AUTH"], "default" = true))]
    pub enable_app_auth: bool,
    /// Whether this is one of several instances with common users. Passwords and app tokens are refused then, as they do not
    /// say whether their user belongs to this instance.
    #[schemars(extend("x-env" = ["OCIS_MULTI_INSTANCE_ENABLED"]))]
    pub multi_instance_enabled: bool,
    /// Allow OCS to get a signing key to sign requests. It also takes the machine auth API key, or a token or certificate of the edge in
    /// its place, and the database of `PROXY_SESSION_DATABASE_URL`, where keys are kept.
    #[schemars(extend("x-env" = ["<P>_ENABLE_PRESIGNEDURLS"], "default" = true))]
    pub enable_presignedurls: bool,
    /// Machine auth API key used to validate internal requests necessary to access resources from other services.
    /// Without it, and without a token or certificate in its place, there are no signed URLs.
    #[schemars(extend("x-env" = ["OCIS_MACHINE_AUTH_API_KEY", "<P>_MACHINE_AUTH_API_KEY"], "x-min-bytes" = 32))]
    pub machine_auth_api_key: Secret,
    /// The machine auth API key that was in use before the current one. The keys of signed URLs that it has sealed still open.
    #[schemars(extend("x-env" = ["OCIS_MACHINE_AUTH_API_KEY_PREVIOUS", "<P>_MACHINE_AUTH_API_KEY_PREVIOUS"], "x-min-bytes" = 32))]
    pub machine_auth_api_key_previous: Secret,
    /// Path/File name of a token that proves that the edge is a workload of the policy of auth-machine. It is shown in place of the
    /// machine auth API key, and read again when it changes.
    #[schemars(extend("x-env" = ["<P>_WORKLOAD_TOKEN_FILE"]))]
    pub workload_token_file: Option<PathBuf>,
    /// Whether the client certificate of the edge is enough for auth-machine: nothing is shown in place of the machine auth API key then,
    /// and there are signed URLs without it. It needs `OCIS_GRPC_CLIENT_TLS_CERTIFICATE`, and a gateway in another process.
    #[schemars(extend("x-env" = ["<P>_WORKLOAD_CERTIFICATE"]))]
    pub workload_certificate: bool,
    /// Whether ; may stand in paths. Some servers cut a path off there, so that the edge and such a backend would see
    /// different ones.
    #[schemars(extend("x-env" = ["<P>_ALLOW_SEMICOLONS"]))]
    pub allow_semicolons: bool,
    /// Further headers that are removed from clients' requests: names (X-Tenant-User) and families (X-Tenant-*). Names
    /// are compared by letters and digits only. docs/other-proxies.md lists those that always are.
    #[schemars(extend("x-env" = ["<P>_IDENTITY_HEADERS"]))]
    pub identity_headers: Vec<String>,
    /// Headers, or families of headers, that are passed on although the list has them, because clients of an
    /// application send them (X-Hasura-Role).
    #[schemars(extend("x-env" = ["<P>_IDENTITY_HEADERS_EXCEPT"]))]
    pub identity_headers_except: Vec<String>,
    /// A YAML file with the routes and access rules. If empty, only the family's own routes are served. It is read again when
    /// it changes.
    #[schemars(extend("x-env" = ["<P>_ROUTES_FILE"]))]
    pub routes_file: Option<PathBuf>,
    /// The routes of an oCIS or OpenCloud.
    pub proxy_yaml: ProxyYaml,
    /// The family's own backends.
    pub backends: Backends,
    /// Path/File name of the root CA certificate (in PEM format) used to validate TLS server certificates of https
    /// enabled backend services. If empty, the system's are used. It is read again when it changes.
    #[schemars(extend("x-env" = ["<P>_HTTPS_CACERT"]))]
    pub https_cacert: Option<PathBuf>,
    /// Disable TLS certificate validation for all HTTP backend connections.
    #[schemars(extend("x-env" = ["<P>_INSECURE_BACKENDS"]))]
    pub insecure_backends: bool,
    /// What the edge publishes about the resources behind it.
    #[schemars(extend("x-prefix" = "PROXY_PROTECTED_RESOURCE"))]
    pub protected_resource: ProtectedResource,
    /// The doors for other proxies.
    pub doors: Doors,
    /// People who sign in with a browser.
    #[schemars(extend("x-prefix" = "PROXY_SESSION"))]
    pub session: Session,
    /// How the edge's pages look.
    #[serde(flatten)]
    pub pages: PageSettings,
    /// Whether backends may demand several factors.
    pub mfa: MultiFactor,
    /// The pictures of users of an issuer.
    pub oidc_profile_picture: ProfilePicture,
    /// The Content Security Policy of what is forwarded.
    pub csp: ContentSecurityPolicy,
    /// Credentials of links.
    pub links: LinkSettings,
    /// What the edge does not have.
    pub unsupported: Unsupported,
}

/// `backends`: the services of the family that people reach through the edge.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Backends {
    /// The HTTP server of idp, like `http://127.0.0.1:9130`. If empty, the edge has no routes to it.
    #[schemars(extend("x-env" = ["<P>_IDP_BACKEND"], "default" = "http://127.0.0.1:9130"))]
    pub idp: String,
    /// The HTTP server of auth-app, like `http://127.0.0.1:9247`. If empty, the edge has no route to it.
    #[schemars(extend("x-env" = ["<P>_AUTH_APP_BACKEND"], "default" = "http://127.0.0.1:9247"))]
    pub auth_app: String,
    /// The HTTP server of auth-bearer, like `http://127.0.0.1:9248`, which issuers tell of sign-outs. If empty, the
    /// edge has no route to it.
    #[schemars(extend("x-env" = ["<P>_AUTH_BEARER_BACKEND"], "default" = "http://127.0.0.1:9248"))]
    pub auth_bearer: String,
    /// The HTTP server of account, like `http://127.0.0.1:9261`. If empty, the edge has no routes to it. In one process
    /// this is where account listens, if it runs.
    #[schemars(extend("x-env" = ["<P>_ACCOUNT_BACKEND"]))]
    pub account: String,
    /// The path below which the account pages are.
    #[schemars(extend("x-env" = ["ACCOUNT_HTTP_ROOT", "<P>_ACCOUNT_ROOT"], "default" = "/account"))]
    pub account_root: String,
    /// The path at which the administration pages are shown, unless a route of the file has it. If empty, they are only below
    /// the account pages.
    #[schemars(extend("x-env" = ["ACCOUNT_ADMIN_ROOT", "<P>_ACCOUNT_ADMIN_ROOT"], "default" = "/admin"))]
    pub account_admin_root: String,
    /// Whether / shows the user's applications, unless a route of the file has that path.
    #[schemars(extend("x-env" = ["ACCOUNT_FRONT_PAGE", "<P>_ACCOUNT_FRONT_PAGE"], "default" = true))]
    pub account_front_page: bool,
}

/// `doors`: by which other proxies ask.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Doors {
    /// The proxy that calls /verify: nginx, haproxy, caddy, traefik or envoy. It decides where the original request is
    /// read from. If empty, there is no /verify.
    #[schemars(extend("x-env" = ["<P>_VERIFY_PROXY"], "enum" = ["", "nginx", "haproxy", "caddy", "traefik", "envoy"]))]
    pub verify_proxy: String,
    /// The headers that identify the user to other proxies' backends. The README lists those that exist.
    #[schemars(extend("x-env" = ["<P>_VERIFY_HEADERS"], "default" = ["X-Access-Token"]))]
    pub verify_headers: Vec<String>,
    /// The scope of the transaction tokens that other proxies' backends get in Txn-Token with the requests of users, by
    /// /verify and Envoy's external authorization. If empty, they get none.
    #[schemars(extend("x-env" = ["<P>_TRANSACTION_SCOPE"]))]
    pub transaction_scope: String,
    /// The bearer token that a Kubernetes API server proves itself with at /tokenreview. If empty, there is no
    /// /tokenreview.
    #[schemars(extend("x-env" = ["<P>_TOKEN_REVIEW_SECRET"], "x-min-bytes" = 32))]
    pub token_review_secret: Secret,
    /// The audiences for which tokens count there.
    #[schemars(extend("x-env" = ["<P>_TOKEN_REVIEW_AUDIENCES"]))]
    pub token_review_audiences: Vec<String>,
}

config::impl_default!(Config);

impl Section for Config {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![
            ("tracing", &self.tracing),
            ("log", &self.log),
            ("grpc", &self.grpc),
            ("http", &self.http),
            ("acme", &self.acme),
            ("proxy_yaml", &self.proxy_yaml),
            ("backends", &self.backends),
            ("protected_resource", &self.protected_resource),
            ("doors", &self.doors),
            ("session", &self.session),
            ("", &self.pages),
            ("mfa", &self.mfa),
            ("oidc_profile_picture", &self.oidc_profile_picture),
            ("csp", &self.csp),
            ("links", &self.links),
            ("unsupported", &self.unsupported),
        ]
    }

    fn validate(&self) -> Result<(), Invalid> {
        let is_web = self.url.starts_with("https://") || self.url.starts_with("http://");
        Invalid::unless(is_web, "url", "must be like https://cloud.example.org")?;
        if let Err(problem) = self.request_filter() {
            let is_more = matches!(problem, FilterError::More(_));
            let key = if is_more { "identity_headers" } else { "identity_headers_except" };
            return Err(Invalid::new(key, problem.to_string()));
        }
        let has_proxies = !self.http.0.trusted_proxies.is_empty();
        let problem = "must hold the address of the proxy that asks at /verify, as PROXY_VERIFY_PROXY is set: no other \
                       address is answered there";
        Invalid::unless(has_proxies || self.doors.verify_proxy.is_empty(), "http.trusted_proxies", problem)?;
        let is_remote = matches!(self.grpc.addr, ListenAddr::Tcp { .. });
        let problem = "must hold the addresses of the Envoys that ask by gRPC, as PROXY_GRPC_ADDR is set: no other \
                       address is answered there";
        Invalid::unless(has_proxies || !is_remote, "http.trusted_proxies", problem)?;
        let seals = !self.machine_auth_api_key.is_empty() || !self.session.secret.is_empty();
        let problem = "is not set; without a machine auth API key it seals the keys of signed URLs; make one with: openssl rand -base64 32";
        Invalid::unless(seals || !self.accepts_signed_urls(), "session.secret", problem)?;
        let shows_certificate = self.grpc_client_tls.mode() != ClientTls::Off && self.grpc_client_tls.cert.is_some();
        let problem = "is true, and the edge has no client certificate to show; set OCIS_GRPC_CLIENT_TLS_MODE=on, OCIS_GRPC_CLIENT_TLS_CERTIFICATE and OCIS_GRPC_CLIENT_TLS_KEY";
        Invalid::unless(shows_certificate || !self.workload_certificate, "workload_certificate", problem)?;
        self.validate_acme()?;
        self.validate_session()
    }

    fn warnings(&self) -> Vec<String> {
        let has_port = self.http.0.redirect_addr != ListenAddr::Off;
        let is_unheard = self.acme.enabled && self.acme.challenge == HTTP_01 && !has_port;
        let warning = "PROXY_ACME_CHALLENGE=http-01 is validated at port 80, where the edge does not listen: set PROXY_HTTP_REDIRECT_ADDR=:80, or forward port 80 to PROXY_HTTP_ADDR";
        is_unheard.then(|| warning.to_owned()).into_iter().collect()
    }
}

impl Config {
    /// The filter that removes headers from clients' requests.
    ///
    /// # Errors
    /// When a setting has an invalid name, or an exception would let clients set the identity headers of backends.
    pub fn request_filter(&self) -> Result<RequestFilter, FilterError> {
        let filter = RequestFilter::new(&self.identity_headers, &self.identity_headers_except)?;
        match self.doors.verify_headers.iter().find(|name| !filter.is_identity(name)) {
            Some(name) => Err(FilterError::Reserved(name.clone())),
            None => Ok(filter),
        }
    }

    /// Whether URLs may be signed.
    pub fn accepts_signed_urls(&self) -> bool {
        let is_workload = self.workload_token_file.is_some() || self.workload_certificate;
        self.enable_presignedurls && (is_workload || !self.machine_auth_api_key.is_empty())
    }

    /// The port of the URL by which clients reach the edge; `None` for that of https.
    pub(crate) fn public_port(&self) -> Option<u16> {
        Url::parse(&self.url).ok()?.port()
    }

    /// What is to be obtained by ACME; `None` if that is off.
    ///
    /// # Errors
    /// If a setting is invalid.
    pub(crate) fn acme_plan(&self) -> Result<Option<Plan>, Invalid> {
        if self.acme.enabled { self.acme.plan(&self.url).map(Some) } else { Ok(None) }
    }

    /// Whether replicas share the certificate that is obtained by ACME, in the database.
    pub fn shares_certificate(&self) -> bool {
        self.acme.enabled && self.session.database_url.expose().starts_with("postgres")
    }

    fn validate_acme(&self) -> Result<(), Invalid> {
        self.acme_plan()?;
        if !self.acme.enabled {
            return Ok(());
        }
        let tls = &self.http.0.tls;
        let problem = "must be true where PROXY_ACME_ENABLED is: the certificate is for the edge's own TLS";
        Invalid::unless(tls.enabled, "http.tls", problem)?;
        let problem = "names a certificate, and PROXY_ACME_ENABLED obtains another; set one of both";
        Invalid::unless(tls.cert.is_none(), "http.tls_cert", problem)?;
        let problem = "is not set; with PROXY_ACME_ENABLED and PostgreSQL it seals the keys that the replicas share; make one with: openssl rand -base64 32";
        Invalid::unless(!self.shares_certificate() || !self.session.secret.is_empty(), "session.secret", problem)
    }

    fn validate_session(&self) -> Result<(), Invalid> {
        if !self.session.is_enabled() {
            return Ok(());
        }
        Site::new(&self.url, &self.session.cookie_domain, &self.session.return_hosts)
            .map_err(|problem| Invalid::new("url", problem))?;
        let discovery = discovery_of(&self.issuer, self.session.insecure);
        discovery.map(drop).map_err(|problem| Invalid::new("issuer", problem))
    }

    /// Whether clients reach the edge by https: from it, or from what stands before it.
    pub fn is_https(&self) -> bool {
        self.http.0.tls.enabled || self.url.starts_with("https://")
    }
}

impl Backends {
    /// The path below which the account pages are, without a slash at its end.
    pub(crate) fn account_root(&self) -> &str {
        self.account_root.trim_end_matches('/')
    }

    /// The path at which the administration pages are shown, without a slash at its end; empty if there is no such path.
    pub(crate) fn account_admin_root(&self) -> &str {
        self.account_admin_root.trim_end_matches('/')
    }
}

impl Section for Backends {
    fn validate(&self) -> Result<(), Invalid> {
        let urls = [
            ("idp", &self.idp),
            ("auth_app", &self.auth_app),
            ("auth_bearer", &self.auth_bearer),
            ("account", &self.account),
        ];
        let root = self.account_root();
        let is_path = root.starts_with('/') && !root.contains("//");
        Invalid::unless(is_path, "account_root", "must be a path below /, like /account")?;
        let admin = self.account_admin_root();
        let is_path = admin.is_empty() || (admin.starts_with('/') && !admin.contains("//") && admin != root);
        let problem = "must be empty, or a path below /, like /admin, other than that of the account pages";
        Invalid::unless(is_path, "account_admin_root", problem)?;
        urls.into_iter().filter(|(_, url)| !url.is_empty()).try_for_each(|(key, url)| {
            url.parse::<Backend>().map(drop).map_err(|problem| Invalid::new(key, problem.to_string()))
        })
    }
}

impl Section for Doors {
    fn validate(&self) -> Result<(), Invalid> {
        TransactionHeader::check(&self.transaction_scope)
            .map_err(|problem| Invalid::new("transaction_scope", format!("must be a list of scopes; {problem}")))?;
        IdentityHeaders::parse(&self.verify_headers)
            .map_err(|problem| Invalid::new("verify_headers", problem.to_string()))
            .map(|_| ())
    }
}

#[cfg(test)]
mod tests;
