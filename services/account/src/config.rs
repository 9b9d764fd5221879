use std::borrow::Cow;
use std::path::PathBuf;

use config::{Debug, GrpcClientTls, Http, Invalid, Log, Reva, SecretFiles, Section, TokenManager, Tracing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;
use web::page::PageSettings;

/// The path of the page of idp on which users change how they sign in.
pub const SECURITY_URL: &str = "/signin/v1/security";
/// The path of the administration, below the root.
pub(crate) const ADMIN: &str = "/admin";

/// The configuration of account.
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
    #[schemars(extend("default" = {"addr": "127.0.0.1:9262"}))]
    pub debug: Debug,
    /// The server for the pages. Its root is the path below which they are reached through the edge.
    #[schemars(extend("default" = {"addr": "127.0.0.1:9261", "root": "/account"}))]
    pub http: Http,
    /// TLS towards users, auth-app, auth-basic, auth-service and idp.
    pub grpc_client_tls: GrpcClientTls,
    /// The keys of the internal token, to verify callers.
    pub token_manager: TokenManager,
    /// The gateway of an existing installation, as the directory.
    pub reva: Reva,
    /// The directory's own address.
    #[schemars(description = runtime::USERS_ENDPOINT, extend("x-env" = ["<P>_USERS_ENDPOINT"]))]
    pub users_endpoint: String,
    /// The endpoint of auth-app, like 127.0.0.1:9246. If empty, there are no pages for app tokens, unless auth-app runs
    /// in the same process.
    #[schemars(extend("x-env" = ["<P>_AUTH_APP_ENDPOINT"]))]
    pub auth_app_endpoint: String,
    /// The endpoint of idp, like 127.0.0.1:9131. If empty, there are no pages for sessions, connected applications and
    /// activity, unless idp runs in the same process.
    #[schemars(extend("x-env" = ["<P>_IDP_ENDPOINT"]))]
    pub idp_endpoint: String,
    /// The endpoint of auth-basic, like 127.0.0.1:9146. If empty, there is no page for the password, unless auth-basic runs
    /// in the same process.
    #[schemars(extend("x-env" = ["<P>_AUTH_BASIC_ENDPOINT"]))]
    pub auth_basic_endpoint: String,
    /// The endpoint of auth-service, like 127.0.0.1:9199, where `AUTH_SERVICE_STORE_ACCOUNTS` is set. If empty, there are no
    /// pages for service accounts, unless auth-service runs in the same process.
    #[schemars(extend("x-env" = ["<P>_AUTH_SERVICE_ENDPOINT"]))]
    pub auth_service_endpoint: String,
    /// The URL by which browsers reach the edge. Forms are accepted from pages of this origin only.
    #[schemars(extend("x-env" = ["OCIS_URL", "<P>_URL"], "default" = "https://localhost:9200"))]
    pub url: String,
    /// How pages look, and the links that all of them have.
    #[serde(flatten)]
    pub pages: PageSettings,
    /// Whether the edge shows the page with the user's applications at /, unless one of its routes has that path.
    #[schemars(extend("x-env" = ["<P>_FRONT_PAGE"], "default" = true))]
    pub front_page: bool,
    /// Where the link for signing out leads. If empty, there is none.
    #[schemars(extend("x-env" = ["<P>_SIGN_OUT_URL"], "default" = "/_doorward/logout"))]
    pub sign_out_url: String,
    /// The page of idp on which users change how they sign in, to which the navigation links. If empty, or without idp,
    /// there is no such link. Empty it where `IDP_MFA_POLICY` is 'off'; 'doorward server' does.
    #[schemars(extend("x-env" = ["<P>_SECURITY_URL"], "default" = SECURITY_URL))]
    pub security_url: String,
    /// The path at which the edge shows the administration pages. If empty, they are only below the root of the account pages,
    /// at /account/admin by default.
    #[schemars(extend("x-env" = ["<P>_ADMIN_ROOT"], "default" = "/admin"))]
    pub admin_root: String,
    /// Where browsers sign in again before an administrator does something dangerous. If empty, pages say so without a link.
    #[schemars(extend("x-env" = ["<P>_SIGN_IN_URL"], "default" = "/_doorward/login"))]
    pub sign_in_url: String,
    /// A YAML file with the applications that users find on the front page. If empty, there are none. It is read again when
    /// it changes.
    #[schemars(extend("x-env" = ["<P>_APPLICATIONS_FILE"]))]
    pub applications_file: Option<PathBuf>,
}

config::impl_default!(Config);

impl Config {
    /// The path below which the pages are, without a slash at its end.
    pub fn root(&self) -> &str {
        self.http.root.trim_end_matches('/')
    }

    /// The path below which browsers find the administration pages, without a slash at its end.
    pub fn admin_root(&self) -> Cow<'_, str> {
        match self.admin_root.trim_end_matches('/') {
            "" => format!("{}{ADMIN}", self.root()).into(),
            root => root.into(),
        }
    }

    /// Whether browsers reach the pages by https.
    pub fn is_https(&self) -> bool {
        self.url.starts_with("https://")
    }

    /// The origin of the pages (RFC 6454), as browsers send it; `None` if the URL of the edge is invalid.
    pub(crate) fn origin(&self) -> Option<String> {
        let url = Url::parse(&self.url).ok()?;
        matches!(url.scheme(), "https" | "http").then(|| url.origin().ascii_serialization())
    }
}

impl Section for Config {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![("tracing", &self.tracing), ("log", &self.log), ("http", &self.http), ("", &self.pages)]
    }

    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(self.origin().is_some(), "url", "must be like https://cloud.example.org")?;
        let root = self.root();
        let is_path = root.starts_with('/') && !root.contains("//") && root.chars().all(is_plain);
        let problem = "must be a path below /, like /account: the front page at / is ACCOUNT_FRONT_PAGE";
        Invalid::unless(is_path, "http.root", problem)?;
        let admin = self.admin_root();
        let is_path = admin.starts_with('/') && !admin.contains("//") && admin.chars().all(is_plain) && admin != root;
        let problem = "must be empty, or a path below /, like /admin, other than that of the account pages";
        Invalid::unless(is_path, "admin_root", problem)?;
        let is_link = self.sign_in_url.is_empty() || crate::applications::is_link(&self.sign_in_url);
        Invalid::unless(is_link, "sign_in_url", "must be a path, like /_doorward/login, or a URL with https")?;
        let is_link = self.sign_out_url.is_empty() || crate::applications::is_link(&self.sign_out_url);
        Invalid::unless(is_link, "sign_out_url", "must be a path, like /_doorward/logout, or a URL with https")?;
        let is_link = self.security_url.is_empty() || crate::applications::is_link(&self.security_url);
        Invalid::unless(is_link, "security_url", "must be a path, like /signin/v1/security, or a URL with https")
    }
}

/// Whether a character of a path stands for itself in a URL and in a pattern of a router.
fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "/-_.".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Option<String> {
        Config { url: url.to_owned(), ..Config::default() }.origin()
    }

    #[test]
    fn origin_is_that_which_browsers_send() {
        assert_eq!(origin("https://Cloud.example/x").as_deref(), Some("https://cloud.example"));
        assert_eq!(origin("https://cloud.example:443").as_deref(), Some("https://cloud.example"));
        assert_eq!(origin("https://cloud.example:9200/").as_deref(), Some("https://cloud.example:9200"));
        assert_eq!(origin("http://127.0.0.1:80").as_deref(), Some("http://127.0.0.1"));
        assert_eq!(origin("https://"), None);
    }

    #[test]
    fn pages_have_a_path_below_the_root() {
        let with = |root: &str| {
            let mut config = Config::default();
            root.clone_into(&mut config.http.root);
            config.validate()
        };
        for good in ["/account", "/account/", "/me", "/my/account"] {
            assert!(with(good).is_ok(), "{good}");
        }
        for bad in ["", "/", "me", "//me", "/a//b", "/{id}", "/a b"] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn administration_has_a_path_of_its_own_or_is_below_the_account_pages() {
        let with = |root: &str| Config { admin_root: root.to_owned(), ..Config::default() };
        for (given, path) in [("/admin", "/admin"), ("/manage/", "/manage"), ("", "/account/admin")] {
            let config = with(given);
            assert_eq!(config.admin_root(), path);
            assert!(config.validate().is_ok(), "{given}");
        }
        for bad in ["admin", "//admin", "/a b", "/{id}", "/account"] {
            assert!(with(bad).validate().is_err(), "{bad}");
        }
    }

    #[test]
    fn links_are_paths_or_https() {
        let with = |url: &str| {
            let of_sign_out = Config { sign_out_url: url.to_owned(), ..Config::default() }.validate();
            let of_security = Config { security_url: url.to_owned(), ..Config::default() }.validate();
            assert_eq!(of_sign_out.is_ok(), of_security.is_ok(), "{url}");
            of_sign_out
        };
        for good in ["", "/_doorward/logout", "https://login.example/out"] {
            assert!(with(good).is_ok(), "{good}");
        }
        for bad in ["javascript:alert(1)", "//evil.example", "logout", "http://login.example"] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }
}
