use std::path::PathBuf;
use std::time::Duration;

use runtime::config::{Environment, Invalid, Secret, Section, Visitor, base_data_path};

use crate::request_info::is_host;
use crate::site::is_below;

/// How far the issuer's clock may be ahead at most.
const MOST_LEEWAY: Duration = Duration::from_mins(5);

/// `session`: people who sign in with a browser.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who the edge is to the issuer; empty if there are no sessions.
    pub client_id: String,
    /// What it proves that by; empty for a public client.
    pub client_secret: Secret,
    /// The key under which cookies and rows are sealed.
    pub secret: Secret,
    /// Where sessions and the keys of signed URLs are kept; empty is a `SQLite` file in the data folder. It may hold a password.
    pub database_url: Secret,
    /// The connections to a `PostgreSQL` server.
    pub database_pool: store::Pool,
    /// How long a session lasts that is not used.
    pub idle: Duration,
    /// How long one lasts however much it is used.
    pub life: Duration,
    /// What is asked for at the issuer.
    pub scopes: String,
    /// Other hosts that a sign-in may return to.
    pub return_hosts: Vec<String>,
    /// The domain whose hosts share a session; empty if each session is the own host's.
    pub cookie_domain: String,
    /// How far the issuer's clock may be ahead.
    pub leeway: Duration,
    /// Whether the issuer may be called without TLS that proves who it is.
    pub insecure: bool,
    /// Whether what the issuer names may be in a private network where the issuer is not itself.
    pub allow_private_addresses: bool,
    /// Certificates that are trusted beside the system's.
    pub authorities: Option<PathBuf>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            client_id: String::new(),
            client_secret: Secret::default(),
            secret: Secret::default(),
            database_url: Secret::default(),
            database_pool: store::Pool::default(),
            idle: Duration::from_hours(12),
            life: Duration::from_hours(30 * 24),
            scopes: "openid profile email offline_access".to_owned(),
            return_hosts: Vec::new(),
            cookie_domain: String::new(),
            leeway: Duration::from_mins(1),
            insecure: false,
            allow_private_addresses: false,
            authorities: None,
        }
    }
}

impl Session {
    /// Whether people may sign in with a browser.
    pub fn is_enabled(&self) -> bool {
        !self.client_id.is_empty()
    }

    /// The URL of the database.
    pub fn database(&self, environment: &Environment) -> String {
        match self.database_url.expose() {
            "" => store::sqlite_url(&base_data_path(environment).join("proxy.db")),
            url => url.to_owned(),
        }
    }

    fn visit_client(&mut self, v: &mut Visitor<'_>) {
        v.value(
            "client_id",
            &mut self.client_id,
            &["<P>_SESSION_CLIENT_ID"],
            "The identifier of the edge as a client of the issuer. If it is set, people sign in there with their browser, and have a session here.",
        );
        v.secret(
            "client_secret",
            &mut self.client_secret,
            &["<P>_SESSION_CLIENT_SECRET"],
            "The secret of that client, which is sent by client_secret_basic. If empty, it is a public client.",
        );
        v.value(
            "scopes",
            &mut self.scopes,
            &["<P>_SESSION_SCOPES"],
            "The scopes that are asked for, with spaces between them. openid must be among them. Without offline_access many issuers give no refresh token, and a session ends with its access token.",
        );
        v.value(
            "leeway",
            &mut self.leeway,
            &["<P>_SESSION_LEEWAY"],
            "How far the issuer's clock may be ahead: for so long an ID token or logout token is accepted whose 'iat' or 'nbf' is still to come. At most 5m.",
        );
        v.value(
            "insecure",
            &mut self.insecure,
            &["OCIS_INSECURE", "<P>_SESSION_INSECURE"],
            "Allow insecure connections to the issuer: plain HTTP, or a certificate that cannot be verified.",
        );
        v.value(
            "allow_private_addresses",
            &mut self.allow_private_addresses,
            &["<P>_SESSION_ALLOW_PRIVATE_ADDRESSES"],
            "Whether the addresses that the issuer names (keys, tokens) may be on this machine or in a private network. At the issuer's own host and port they always may.",
        );
        v.value(
            "ca",
            &mut self.authorities,
            &["<P>_SESSION_CACERT"],
            "A file of certificates (in PEM format) that are trusted beside the system's when the issuer is called.",
        );
    }
}

impl Section for Session {
    fn visit(&mut self, v: &mut Visitor<'_>) {
        self.visit_client(v);
        v.secret(
            "secret",
            &mut self.secret,
            &["<P>_SESSION_SECRET"],
            "The secret under which cookies and sessions are sealed; all replicas have the same one. Another one ends every session.",
        )
        .min_bytes(32);
        v.secret(
            "database_url",
            &mut self.database_url,
            &["OCIS_DATABASE_URL", "<P>_SESSION_DATABASE_URL"],
            "Where sessions and the keys of signed URLs are kept: sqlite:///path/to/file.db, or postgres://user:password@host/database for more than one replica. If empty, the file proxy.db in the data folder.",
        );
        self.database_pool.visit(v, "<P>_SESSION_DATABASE");
        v.value("idle", &mut self.idle, &["<P>_SESSION_IDLE"], "How long a session lasts that is not used.");
        v.value("life", &mut self.life, &["<P>_SESSION_LIFE"], "How long a session lasts however much it is used.");
        v.value(
            "return_hosts",
            &mut self.return_hosts,
            &["<P>_SESSION_RETURN_HOSTS"],
            "Hosts (app.example.org, or app.example.org:8443) beside that of PROXY_URL whose pages a sign-in may return to, by https. They must be in PROXY_SESSION_COOKIE_DOMAIN.",
        );
        v.value(
            "cookie_domain",
            &mut self.cookie_domain,
            &["<P>_SESSION_COOKIE_DOMAIN"],
            "The domain whose hosts share a session (example.org). All of them are then sent the cookie. If empty, only the host of PROXY_URL is.",
        );
    }

    fn validate(&self) -> Result<(), Invalid> {
        // without sessions it may be that of the keys of signed URLs
        if !self.database_url.is_empty() {
            store::check_url(self.database_url.expose()).map_err(|problem| Invalid::new("database_url", problem))?;
        }
        self.database_pool.validate()?;
        if !self.is_enabled() {
            return Ok(());
        }
        if self.secret.is_empty() {
            let hint = "is not set; make one with: openssl rand -base64 32";
            return Err(Invalid::new("secret", hint));
        }
        if !self.scopes.split(' ').any(|scope| scope == "openid") {
            return Err(Invalid::new("scopes", "must hold openid"));
        }
        if self.idle.is_zero() || self.life < self.idle {
            return Err(Invalid::new("life", "must be at least as long as the time without use, and neither may be 0"));
        }
        if self.leeway > MOST_LEEWAY {
            return Err(Invalid::new("leeway", "must be at most 5m"));
        }
        self.validate_hosts()
    }
}

impl Session {
    fn validate_hosts(&self) -> Result<(), Invalid> {
        let domain = &self.cookie_domain;
        if !domain.is_empty() && (!is_host(domain) || domain.contains([':', '[']) || !domain.contains('.')) {
            return Err(Invalid::new("cookie_domain", "must be like example.org"));
        }
        for host in &self.return_hosts {
            let is_inside = url::Url::parse(&format!("https://{host}")).is_ok_and(|url| {
                let name = url.host_str().unwrap_or_default();
                is_host(host) && is_below(name, domain)
            });
            if !is_inside {
                return Err(Invalid::new(
                    "return_hosts",
                    format!(
                        "{host:?} is no host in PROXY_SESSION_COOKIE_DOMAIN, so it would never be sent the session"
                    ),
                ));
            }
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
