use std::path::PathBuf;
use std::time::Duration;

use config::{Environment, Invalid, Secret, Section};
use outbound::issuer::backend_url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::request_info::is_host;
use crate::site::is_below;

/// How far the issuer's clock may be ahead at most.
const MOST_LEEWAY: Duration = Duration::from_mins(5);

/// `session`: people who sign in with a browser.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// Whether users may sign in with a browser, once `PROXY_SESSION_CLIENT_ID` is set. 'doorward server' sets it where its own
    /// idp runs; with false there are no sessions all the same.
    #[schemars(extend("x-env" = ["<P>_ENABLED"], "default" = true))]
    pub enabled: bool,
    /// The identifier of the edge as a client of the issuer. If it is set, users sign in there with their browser, and
    /// have a session here.
    #[schemars(extend("x-env" = ["<P>_CLIENT_ID"]))]
    pub client_id: String,
    /// The secret of that client, which is sent by `client_secret_basic`. If empty, it is a public client.
    #[schemars(extend("x-env" = ["<P>_CLIENT_SECRET"]))]
    pub client_secret: Secret,
    /// The scopes that are asked for, with spaces between them. openid must be among them. Without `offline_access`
    /// many issuers give no refresh token, and a session ends with its access token.
    #[schemars(extend("x-env" = ["<P>_SCOPES"], "default" = "openid profile email offline_access"))]
    pub scopes: String,
    /// How far the issuer's clock may be ahead: for so long an ID token or logout token is accepted whose 'iat' or
    /// 'nbf' is still to come. At most 5m.
    #[schemars(extend("x-env" = ["<P>_LEEWAY"], "default" = "1m"))]
    pub leeway: Duration,
    /// Allow insecure connections to the issuer: plain HTTP, or a certificate that cannot be verified.
    #[schemars(extend("x-env" = ["OCIS_INSECURE", "<P>_INSECURE"]))]
    pub insecure: bool,
    /// Whether the addresses that the issuer names (keys, tokens) may be on this machine or in a private network. At
    /// the issuer's own host and port they always may.
    #[schemars(extend("x-env" = ["<P>_ALLOW_PRIVATE_ADDRESSES"]))]
    pub allow_private_addresses: bool,
    /// A file of certificates (in PEM format) that are trusted in addition to the system's when the issuer is called. It is
    /// read again when it changes.
    #[serde(rename = "ca")]
    #[schemars(extend("x-env" = ["<P>_CACERT"]))]
    pub authorities: Option<PathBuf>,
    /// The internal address of the issuer, like `http://127.0.0.1:9130`: requests to the issuer's host go there instead of
    /// to its URL. 'doorward server' sets it for an idp in the same process. If empty, they go to the URL.
    #[schemars(extend("x-env" = ["<P>_ISSUER_BACKEND"]))]
    pub issuer_backend: String,
    /// The secret under which cookies and sessions are sealed; all replicas have the same one. Another one ends every
    /// session.
    #[schemars(extend("x-env" = ["<P>_SECRET"], "x-min-bytes" = 32))]
    pub secret: Secret,
    /// The secret that was in use before the current one. Sessions that it has sealed go on.
    #[schemars(extend("x-env" = ["<P>_SECRET_PREVIOUS"], "x-min-bytes" = 32))]
    pub secret_previous: Secret,
    /// Where sessions and the keys of signed URLs are kept: `sqlite:///path/to/file.db`, or
    /// `postgres://user:password@host/database` for more than one replica. If empty, the file proxy.db in the data
    /// folder.
    #[schemars(extend("x-env" = ["OCIS_DATABASE_URL", "<P>_DATABASE_URL"]))]
    pub database_url: Secret,
    /// The connections to a `PostgreSQL` server.
    #[serde(flatten)]
    pub database_pool: store::Pool,
    /// How long a session lasts that is not used.
    #[schemars(extend("x-env" = ["<P>_IDLE"], "default" = "12h"))]
    pub idle: Duration,
    /// How long a session lasts however much it is used.
    #[schemars(extend("x-env" = ["<P>_LIFE"], "default" = "720h"))]
    pub life: Duration,
    /// Hosts (app.example.org, or app.example.org:8443) in addition to that of `PROXY_URL` to whose pages a sign-in may
    /// return, by https. They must be in `PROXY_SESSION_COOKIE_DOMAIN`.
    #[schemars(extend("x-env" = ["<P>_RETURN_HOSTS"]))]
    pub return_hosts: Vec<String>,
    /// The domain whose hosts share a session (example.org). All of them are then sent the cookie. If empty, only the
    /// host of `PROXY_URL` is.
    #[schemars(extend("x-env" = ["<P>_COOKIE_DOMAIN"]))]
    pub cookie_domain: String,
}

config::impl_default!(Session);

impl Session {
    /// Whether users may sign in with a browser.
    pub fn is_enabled(&self) -> bool {
        self.enabled && !self.client_id.is_empty()
    }

    /// The URL of the database.
    pub fn database(&self, environment: &Environment) -> String {
        store::url_or_file(&self.database_url, "proxy.db", environment)
    }
}

impl Section for Session {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![("", &self.database_pool)]
    }

    fn validate(&self) -> Result<(), Invalid> {
        // without sessions it may be that of the keys of signed URLs
        store::validate_url(&self.database_url)?;
        if !self.is_enabled() {
            return Ok(());
        }
        Invalid::unless(!self.secret.is_empty(), "secret", "is not set; make one with: openssl rand -base64 32")?;
        Invalid::unless(self.scopes.split(' ').any(|scope| scope == "openid"), "scopes", "must hold openid")?;
        let is_long = !self.idle.is_zero() && self.life >= self.idle;
        Invalid::unless(is_long, "life", "must be at least as long as the time without use, and neither may be 0")?;
        Invalid::unless(self.leeway <= MOST_LEEWAY, "leeway", "must be at most 5m")?;
        if !self.issuer_backend.is_empty() {
            backend_url(&self.issuer_backend).map_err(|problem| Invalid::new("issuer_backend", problem))?;
        }
        self.validate_hosts()
    }
}

impl Session {
    fn validate_hosts(&self) -> Result<(), Invalid> {
        let domain = &self.cookie_domain;
        let is_domain = is_host(domain) && !domain.contains([':', '[']) && domain.contains('.');
        Invalid::unless(domain.is_empty() || is_domain, "cookie_domain", "must be like example.org")?;
        for host in &self.return_hosts {
            let is_inside = url::Url::parse(&format!("https://{host}")).is_ok_and(|url| {
                let name = url.host_str().unwrap_or_default();
                is_host(host) && is_below(name, domain)
            });
            let problem =
                format!("{host:?} is no host in PROXY_SESSION_COOKIE_DOMAIN, so it would never be sent the session");
            Invalid::unless(is_inside, "return_hosts", &problem)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn what_a_session_needs_is_demanded_and_only_then() {
        let good = Config {
            url: "https://cloud.example.org".to_owned(),
            issuer: "https://idp.example.org".to_owned(),
            session: Session {
                client_id: "edge".to_owned(),
                secret: Secret::from("a-secret-of-at-least-32-characters"),
                ..Session::default()
            },
            ..Config::default()
        };
        let problem = |change: fn(&mut Config)| {
            let mut config = good.clone();
            change(&mut config);
            let found = config.session.validate().and_then(|()| config.validate()).err();
            found.map(|invalid| format!("{invalid:?}").split('"').nth(1).unwrap_or_default().to_owned())
        };
        assert_eq!(problem(|_| ()), None);
        assert_eq!(problem(|config| config.issuer.clear()).as_deref(), Some("issuer"));
        assert_eq!(problem(|config| config.issuer = "http://idp.example.org".into()).as_deref(), Some("issuer"));
        assert_eq!(problem(|config| config.url = "https://cloud.example.org/x".into()).as_deref(), Some("url"));
        assert_eq!(problem(|config| config.session.cookie_domain = "example.net".into()).as_deref(), Some("url"));
        assert_eq!(problem(|config| config.session.secret = Secret::default()).as_deref(), Some("secret"));
        assert_eq!(
            problem(|config| config.session.issuer_backend = "idp:9130".into()).as_deref(),
            Some("issuer_backend")
        );
        assert_eq!(problem(|config| config.session.scopes = "profile".into()).as_deref(), Some("scopes"));
        assert_eq!(problem(|config| config.session.idle = Duration::ZERO).as_deref(), Some("life"));
        assert_eq!(problem(|config| config.session.life = Duration::from_mins(1)).as_deref(), Some("life"));
        assert_eq!(problem(|config| config.session.database_url = "mysql://a".into()).as_deref(), Some("database_url"));
        let without = |config: &mut Config| (config.session.client_id, config.issuer) = (String::new(), String::new());
        assert_eq!(problem(without), None);
    }

    #[test]
    fn hosts_to_return_to_are_those_that_are_sent_the_cookie() {
        let good = |domain: &str, host: &str| {
            let (cookie_domain, return_hosts) = (domain.to_owned(), vec![host.to_owned()]);
            Session { return_hosts, cookie_domain, ..Session::default() }.validate_hosts().is_ok()
        };
        assert!(good("example.org", "app.example.org") && good("example.org", "app.example.org:8443"));
        for host in
            ["evilexample.org", "example.net", "https://app.example.org", "a@app.example.org", "", "*.example.org"]
        {
            assert!(!good("example.org", host), "{host}");
        }
        assert!(!good("", "app.example.org") && !good("org", "app.example.org") && !good("a.b:1", "c.a.b:1"));
    }
}
