//! The configuration of every service, as one process reads it.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::SystemTime;

use config::{
    ConfigError, Environment, ListenAddr, Loaded, NamedFile, Secret, UnknownVariable, base_data_path, load_over,
};
use proxy::site::Site;
use runtime::{KeepError, Service};
use url::Url;

use super::defaults::{EdgeDefaults, IdpIssuers, url_of};
use super::{Defaults, EnabledServices, ServiceId, Settings, backends, page_links, public_url};
use crate::secrets::Secrets;

const LDAP_WITHOUT_ROLES: &str = "AUTH_MACHINE_ALLOW_IMPERSONATION lets a caller act as users and not as administrators, and USERS_DRIVER=ldap knows no roles: such a caller may act as no user; set AUTH_MACHINE_ALLOW_IMPERSONATION=*=users,*=admins if the machine key may act as both";

/// What the edge's URL and issuer are while it is not known whether they are configured; no host has this name (RFC 6761 6.4).
const UNSET: &str = "https://unset.invalid";
/// The identifier of the edge as a client of idp.
const EDGE_CLIENT: &str = "doorward-edge";
/// The variables that name a file for the audit log.
const AUDIT_VARIABLES: [&str; 3] = ["OCIS_AUDIT_LOG_FILE", "OC_AUDIT_LOG_FILE", "GATEWAY_AUDIT_LOG_FILE"];
/// The file of the audit log in the data folder.
const AUDIT_LOG: &str = "audit.log";
/// The level of logs where none is configured.
const LOG_LEVEL: &str = "warn";

impl Settings {
    /// Reads the configuration of every service over these secrets.
    ///
    /// # Errors
    /// For the first setting that is invalid.
    pub fn load(environment: &Environment, secrets: &Secrets) -> Result<Self, ConfigError> {
        Self::load_over(environment, secrets, proxy::Config::default().http.0.addr)
    }

    /// The same for a process that only this machine reaches, unless the address of the edge is configured.
    ///
    /// # Errors
    /// As of [`load`](Self::load).
    pub(crate) fn load_local(environment: &Environment, secrets: &Secrets) -> Result<Self, ConfigError> {
        let addr = match proxy::Config::default().http.0.addr {
            ListenAddr::Tcp { port, .. } => ListenAddr::Tcp { host: Ipv4Addr::LOCALHOST.to_string(), port },
            other => other,
        };
        Self::load_over(environment, secrets, addr)
    }

    /// `addr` is where the edge listens unless it is configured.
    fn load_over(environment: &Environment, secrets: &Secrets, addr: ListenAddr) -> Result<Self, ConfigError> {
        let data = base_data_path(environment);
        let enabled = EnabledServices::of(environment);
        let runs = |service| enabled.as_ref().is_ok_and(|enabled| enabled.contains(service));
        let mut reader = Reader::new(environment);
        let mut defaults = Defaults::new(secrets);
        let auth_app = reader.read::<auth_app::AuthApp>(&defaults.auth_app())?;
        // The edge is read twice: the defaults of idp follow from its address and URL, and its own from idp.
        let first = first_of_edge(environment, secrets, addr.clone())?;
        let url = if first.url == UNSET { public_url::of_listener(&first.http.0) } else { first.url.clone() };
        let fits_idp = runs(ServiceId::Proxy) && public_url::fits_idp(&url);
        defaults.edge = Some(EdgeDefaults { addr, url, fits_idp, issuer: String::new(), session: config::defaults() });
        let mut account = reader.read::<account::Account>(&defaults.account())?;
        defaults.account_url = Some(page_links::account_url(&account, runs(ServiceId::Account)));
        let idp = reader.read::<idp::Idp>(&defaults.idp())?;
        page_links::complete_account(&mut account, &idp);
        let issuers: Vec<_> = idp.sites().into_iter().map(|site| site.issuer).collect();
        // Where our idp does not run, the idp at that URL may be another system's.
        let is_enabled = runs(ServiceId::Idp);
        let backend = match &idp.http.addr {
            ListenAddr::Tcp { .. } => url_of(&idp.http),
            ListenAddr::Unix(_) | ListenAddr::Off => String::new(),
        };
        defaults.idp = Some(IdpIssuers { issuers, is_enabled, backend });
        let auth_bearer = reader.read::<auth_bearer::AuthBearer>(&defaults.auth_bearer())?;
        let users = reader.read::<users::Users>(&defaults.users())?;
        let auth_machine = reader.read::<auth_machine::AuthMachine>(&defaults.auth_machine())?;
        if users.is_ldap() && auth_machine.relies_on_roles() {
            reader.warnings.push(LDAP_WITHOUT_ROLES.to_owned());
        }
        defaults.backends = backends(&idp.http, &auth_app.http, &auth_bearer.http, &account);
        let own_tokens = if runs(ServiceId::AuthBearer) { OwnTokens::of(&auth_bearer) } else { OwnTokens::None };
        defaults.complete_edge(&first, &idp, own_tokens);
        let mut of_gateway = defaults.gateway();
        LOG_LEVEL.clone_into(&mut of_gateway.log.level);
        let mut settings = Self {
            users,
            auth_basic: reader.read::<auth_basic::AuthBasic>(&defaults.auth_basic())?,
            auth_machine,
            auth_service: reader.read::<auth_service::AuthService>(&defaults.auth_service())?,
            auth_app,
            auth_bearer,
            idp,
            account,
            gateway: reader.read::<gateway::Gateway>(&of_gateway)?,
            proxy: reader.read::<proxy::Proxy>(&defaults.proxy())?,
            data,
            warnings: reader.warnings(),
            files: reader.files,
            named_files: reader.named_files,
        };
        settings.drop_outdated(secrets);
        enabled.as_ref().map_or(Ok(()), |enabled| settings.check_agreement(enabled))?;
        Ok(settings)
    }

    /// Drops generated secrets that were accepted before a rotation where another one is configured by now: they belong to the
    /// generated ones (`docs/security-requirements.md#d13`).
    fn drop_outdated(&mut self, made: &Secrets) {
        let Self {
            users,
            auth_basic,
            auth_machine,
            auth_service,
            auth_app,
            auth_bearer,
            idp,
            account,
            gateway,
            proxy,
            ..
        } = self;
        let former = &made.previous;
        for tokens in [
            &mut users.token_manager,
            &mut auth_basic.token_manager,
            &mut auth_app.token_manager,
            &mut idp.token_manager,
            &mut account.token_manager,
            &mut gateway.token_manager,
            &mut proxy.token_manager,
        ] {
            drop_unless_same(&mut tokens.jwt_secret_previous, &tokens.jwt_secret, (&made.jwt, &former.jwt));
        }
        let (verification, minting) = (&mut auth_service.token_manager, &mut auth_bearer.minting);
        drop_unless_same(&mut verification.jwt_secret_previous, &verification.jwt_secret, (&made.jwt, &former.jwt));
        drop_unless_same(&mut minting.jwt_secret_previous, &minting.jwt_secret, (&made.jwt, &former.jwt));
        let machine = (&made.machine_key, &former.machine_key);
        drop_unless_same(&mut auth_machine.machine_auth_api_key_previous, &auth_machine.machine_auth_api_key, machine);
        drop_unless_same(&mut proxy.machine_auth_api_key_previous, &proxy.machine_auth_api_key, machine);
        let account = &mut auth_service.service_account;
        let of_account = (&made.service_account_secret, &former.service_account_secret);
        drop_unless_same(&mut account.secret_previous, &account.secret, of_account);
        let of_tokens = (&made.app_token_key, &former.app_token_key);
        drop_unless_same(&mut auth_app.token_key_previous, &auth_app.token_key, of_tokens);
        let of_idp = (&made.idp_encryption, &former.idp_encryption);
        drop_unless_same(&mut idp.encryption_secret_previous, &idp.encryption_secret, of_idp);
        let of_edge = (&made.edge_session, &former.edge_session);
        drop_unless_same(&mut proxy.session.secret_previous, &proxy.session.secret, of_edge);
        let of_transactions = (&made.transaction, &former.transaction);
        for transactions in [&mut idp.transactions, &mut gateway.transactions] {
            drop_unless_same(&mut transactions.secret_previous, &transactions.secret, of_transactions);
        }
    }

    /// Writes the audit log into a file of the data folder, unless a file is configured for it or for the log, or its variable is set
    /// to nothing.
    pub(crate) fn keep_audit_log(&mut self, environment: &Environment) {
        let log = &mut self.gateway.log;
        let is_set = AUDIT_VARIABLES.iter().any(|variable| environment.get(variable).is_some());
        if log.file.is_none() && log.audit_file.is_none() && !is_set {
            log.audit_file = Some(self.data.join(AUDIT_LOG));
        }
    }

    /// Lets the edge use a certificate that is kept in the data folder, if it speaks TLS and none is configured.
    ///
    /// # Errors
    /// When there is none and none can be made.
    pub(crate) fn keep_certificate(&mut self, now: SystemTime) -> Result<(), KeepError> {
        let tls = &mut self.proxy.http.0.tls;
        if !tls.enabled || tls.cert.is_some() {
            return Ok(());
        }
        let url = Url::parse(&self.proxy.url).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or("localhost");
        let kept = runtime::keep_certificate(&self.data, host, now)?;
        (tls.cert, tls.key) = (Some(kept.certificate), Some(kept.key.into()));
        Ok(())
    }

    /// Where a command of this machine reaches the gateway.
    pub fn gateway_endpoint(&self) -> String {
        let configured = &self.auth_machine.reva.address;
        if !configured.is_empty() && !runtime::is_registry_name(configured) {
            return configured.clone();
        }
        runtime::endpoint_of(&self.gateway.grpc.addr)
    }
}

/// Drops a previous secret that is the generated one where the current one is not.
fn drop_unless_same(previous: &mut Secret, current: &Secret, (made, former): (&Secret, &Secret)) {
    if current.expose() != made.expose() && previous.expose() == former.expose() {
        *previous = Secret::default();
    }
}

/// What is configured of the edge, over defaults that tell whether it is.
fn first_of_edge(environment: &Environment, secrets: &Secrets, addr: ListenAddr) -> Result<proxy::Config, ConfigError> {
    let mut defaults = Defaults::new(secrets);
    let session = proxy::Session { secret: secrets.edge_session.clone(), ..proxy::Session::default() };
    let (url, issuer) = (UNSET.to_owned(), UNSET.to_owned());
    defaults.edge = Some(EdgeDefaults { addr, url, fits_idp: false, issuer, session });
    Ok(load_over(&defaults.proxy(), &proxy::Proxy::IDENTITY, environment)?.config)
}

/// Which access tokens of our own idp auth-bearer takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OwnTokens {
    /// None.
    None,
    /// Those of some clients, without the edge.
    OfOthers,
    /// Those of the edge too.
    OfEdge,
}

impl OwnTokens {
    fn of(config: &auth_bearer::Config) -> Self {
        let oidc = &config.auth_providers.oidc;
        let same = |own: &String| own.trim_end_matches('/') == oidc.issuer.trim_end_matches('/');
        if !oidc.own_issuers.iter().any(same) {
            return Self::None;
        }
        let is_open = oidc.audience.is_empty() && oidc.authorized_parties.is_empty();
        let names_edge = oidc.authorized_parties.iter().any(|party| party == EDGE_CLIENT);
        if is_open || names_edge { Self::OfEdge } else { Self::OfOthers }
    }
}

impl Defaults<'_> {
    /// Completes what follows for the edge: `first` is what is configured of it. If access tokens of our own idp are accepted,
    /// it is the issuer; if those of the edge are, users sign in there with their browser unless another client or issuer is
    /// configured.
    fn complete_edge(&mut self, first: &proxy::Config, idp: &idp::Config, own_tokens: OwnTokens) {
        let (Some(edge), Some(IdpIssuers { issuers, is_enabled: true, backend })) = (&mut self.edge, &self.idp) else {
            return;
        };
        let Some(own) = issuers.first().filter(|_| own_tokens != OwnTokens::None) else { return };
        edge.issuer.clone_from(own);
        // Replicas that share a database have to share the secret too, which a data folder does not.
        let is_shared = first.session.database_url.expose().starts_with("postgres");
        let made = if is_shared { Secret::default() } else { self.secrets.edge_session.clone() };
        edge.session.secret = made;
        if !is_shared {
            edge.session.secret_previous = self.secrets.previous.edge_session.clone();
        }
        let has_secret =
            !edge.session.secret.is_empty() || first.session.secret.expose() != self.secrets.edge_session.expose();
        let is_own_issuer = first.issuer == UNSET || first.issuer == *own;
        if is_own_issuer {
            edge.session.issuer_backend.clone_from(backend);
        }
        let is_ours = first.session.client_id.is_empty() && is_own_issuer;
        let fits = edge.fits_idp && Site::new(&edge.url, &first.session.cookie_domain, &[]).is_ok();
        let is_accepted = own_tokens == OwnTokens::OfEdge;
        if !(has_secret && is_ours && fits && is_accepted) || idp.edge_client_secret.is_empty() {
            return;
        }
        EDGE_CLIENT.clone_into(&mut edge.session.client_id);
        edge.session.client_secret = idp.edge_client_secret.clone();
    }
}

struct Reader<'a> {
    environment: &'a Environment,
    warnings: Vec<String>,
    unknown: Vec<UnknownVariable>,
    /// The variables that can set something of any service.
    known: BTreeSet<String>,
    files: Vec<PathBuf>,
    named_files: Vec<(&'static str, NamedFile)>,
}

impl<'a> Reader<'a> {
    fn new(environment: &'a Environment) -> Self {
        let (warnings, unknown, known) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { environment, warnings, unknown, known, files: Vec::new(), named_files: Vec::new() }
    }

    fn read<S: Service>(&mut self, defaults: &S::Config) -> Result<S::Config, ConfigError> {
        let loaded = load_over(defaults, &S::IDENTITY, self.environment)?;
        let Loaded { config, warnings, unknown, known, files, named_files, .. } = loaded;
        // settings that all services have warn once
        let given = &self.warnings;
        let new: Vec<_> = warnings.into_iter().filter(|warning| !given.contains(warning)).collect();
        self.warnings.extend(new);
        self.unknown.extend(unknown);
        self.known.extend(known);
        self.files.extend(files);
        self.named_files.extend(named_files.into_iter().map(|file| (S::IDENTITY.name, file)));
        Ok(config)
    }

    /// The warnings, once every service is read: a variable that one of them has is not ignored, whichever prefix it bears.
    fn warnings(&mut self) -> Vec<String> {
        let Self { unknown, known, warnings, .. } = self;
        let in_use = unknown.iter().filter(|variable| known.contains(&variable.name));
        let wrong: Vec<&String> = in_use.map(|variable| &variable.warning).collect();
        warnings.retain(|warning| !wrong.contains(&warning));
        std::mem::take(warnings)
    }
}

#[cfg(test)]
mod tests {
    use runtime::Random;

    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn load(variables: &[(&str, &str)]) -> Settings {
        Settings::load(&environment(variables), &Secrets::make(&Random::seeded(1))).expect("is read")
    }

    #[test]
    fn variable_of_another_service_is_not_called_ignored() {
        let warnings = |name: &str| {
            let mut all = load(&[(name, "sub")]).warnings;
            all.retain(|warning| warning.starts_with(&format!("{name} is set, but ")));
            all
        };
        for name in ["PROXY_USER_OIDC_CLAIM", "PROXY_AUTOPROVISION_CLAIM_EMAIL", "PROXY_ROLE_ASSIGNMENT_OIDC_CLAIM"] {
            assert!(warnings(name).is_empty(), "auth-bearer has {name}");
        }
        assert_eq!(warnings("PROXY_USER_OIDC_CLAIMS").len(), 1);
    }

    /// Elsewhere an idp of another system may answer at the same URL (`docs/security-requirements.md#r8`).
    #[test]
    fn issuers_of_idp_are_believed_where_it_runs_in_this_process() {
        let own = |more: &[(&str, &str)]| {
            let bearer = load(&[more, &[("OCIS_URL", "https://cloud.example")]].concat()).auth_bearer;
            (bearer.auth_providers.oidc.own_issuers, bearer.idp_backend)
        };
        let both = ["https://cloud.example", "https://cloud.example/oidc"].map(str::to_owned).to_vec();
        assert_eq!(own(&[]), (both, "http://127.0.0.1:9130".to_owned()));
        assert_eq!(own(&[("OCIS_EXCLUDE_RUN_SERVICES", "idp")]), (Vec::new(), String::new()));
        let elsewhere = ("AUTH_BEARER_OIDC_OWN_ISSUERS", "https://login.example");
        assert_eq!(own(&[("OCIS_EXCLUDE_RUN_SERVICES", "idp"), elsewhere]).0, ["https://login.example"]);
    }

    #[test]
    fn everything_is_at_the_url_of_the_edge() {
        for (variables, url) in [
            (&[][..], "https://localhost:9200"),
            (&[("PROXY_HTTP_ADDR", "127.0.0.1:8443")], "https://localhost:8443"),
            (
                &[("PROXY_HTTP_ADDR", "127.0.0.1:8443"), ("OCIS_URL", "https://localhost:9200")],
                "https://localhost:9200",
            ),
            (&[("PROXY_URL", "https://cloud.example")], "https://cloud.example"),
            (&[("PROXY_TLS", "false")], "http://localhost:9200"),
        ] {
            let settings = load(variables);
            let issuer = settings.idp.sites().remove(0).issuer;
            let bearer = &settings.auth_bearer.auth_providers.oidc.issuer;
            assert_eq!((issuer.as_str(), settings.proxy.url.as_str()), (url, url));
            assert_eq!((bearer.as_str(), settings.proxy.issuer.as_str()), (url, url));
        }
        let alone = load(&[("OCIS_EXCLUDE_RUN_SERVICES", "proxy")]);
        assert_eq!(alone.idp.site(), "http://localhost:9130");
        let kept = load(&[("IDP_ISS", "http://localhost:9130")]);
        assert_eq!(
            (kept.proxy.issuer.as_str(), kept.proxy.session.client_id.as_str()),
            ("http://localhost:9130", EDGE_CLIENT)
        );
        assert_eq!(kept.idp.edge_site(), "https://localhost:9200");
    }

    /// `docs/security-requirements.md#r8`
    #[test]
    fn foreign_issuer_is_not_taken_for_our_own() {
        let settings = load(&[("OCIS_OIDC_ISSUER", "https://login.example")]);
        assert_eq!(settings.idp.site(), "https://localhost:9200");
        let Ok(issuers) = settings.auth_bearer.issuers() else { panic!("they do not go together") };
        assert_eq!(issuers.len(), 1);
        assert!(issuers[0].rules.issuer == "https://login.example" && !issuers[0].rules.is_own);
        assert!(settings.proxy.session.client_id.is_empty() && settings.proxy.session.issuer_backend.is_empty());
    }

    #[test]
    fn tokens_of_both_endpoint_profiles_count() {
        let Ok(issuers) = load(&[]).auth_bearer.issuers() else { panic!("they do not go together") };
        let names: Vec<_> = issuers.iter().map(|issuer| issuer.rules.issuer.as_str()).collect();
        assert_eq!(names, ["https://localhost:9200", "https://localhost:9200/oidc"]);
        assert!(issuers.iter().all(|issuer| issuer.rules.is_own));
    }

    #[test]
    fn browser_sessions_are_on_unless_something_else_is_configured() {
        let client = |variables: &[(&str, &str)]| load(variables).proxy.session.client_id;
        assert_eq!(client(&[]), EDGE_CLIENT);
        assert!(load(&[]).proxy.session.is_enabled());
        assert!(!load(&[("PROXY_SESSION_ENABLED", "false")]).proxy.session.is_enabled());
        let own = [("PROXY_SESSION_CLIENT_ID", "edge")];
        let session = load(&own).proxy.session;
        assert!(session.client_id == "edge" && session.client_secret.is_empty() && !session.secret.is_empty());
        assert_eq!(client(&[("OCIS_EXCLUDE_RUN_SERVICES", "auth-bearer")]), "");
        assert_eq!(client(&[("AUTH_BEARER_OIDC_AUDIENCE", "wiki")]), "", "its tokens would be refused");
        assert_eq!(client(&[("AUTH_BEARER_OIDC_AUTHORIZED_PARTIES", "wiki,doorward-edge")]), EDGE_CLIENT);
        assert_eq!(client(&[("PROXY_URL", "https://cloud.example/path")]), "");
        let postgres = ("OCIS_DATABASE_URL", "postgres://user@host/database");
        assert_eq!(client(&[postgres]), "", "each replica would have its own secret");
        let secret = ("PROXY_SESSION_SECRET", "a-session-secret-that-replicas-share");
        assert_eq!(client(&[postgres, secret]), EDGE_CLIENT);
        let settings = load(&[]);
        assert_eq!(settings.proxy.session.client_secret.expose(), settings.idp.edge_client_secret.expose());
        assert_eq!(settings.proxy.session.issuer_backend, "http://127.0.0.1:9130");
    }

    #[test]
    fn certificate_and_audit_log_are_kept_unless_others_are_configured() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().display().to_string();
        let kept = |variables: &[(&str, &str)]| {
            let variables = [variables, &[("OCIS_BASE_DATA_PATH", data.as_str())]].concat();
            let mut settings = load(&variables);
            settings.keep_audit_log(&environment(&variables));
            settings.keep_certificate(runtime::Clock::system().now()).expect("is kept");
            (settings.proxy.http.0.tls.cert, settings.gateway.log.audit_file)
        };
        let (certificate, audit) = kept(&[]);
        assert_eq!(audit, Some(folder.path().join(AUDIT_LOG)));
        assert!(certificate.is_some_and(|file| file.starts_with(folder.path()) && file.is_file()));
        assert_eq!(kept(&[("PROXY_TLS", "false"), ("OCIS_LOG_FILE", "/var/log/doorward")]), (None, None));
        assert_eq!(kept(&[("OCIS_AUDIT_LOG_FILE", "")]).1, None, "its lines are in the log");
        assert_eq!(kept(&[("OCIS_AUDIT_LOG_FILE", "/var/log/audit")]).1, Some("/var/log/audit".into()));
    }

    /// `docs/security-requirements.md#d13`
    #[test]
    fn former_generated_secret_is_not_accepted_next_to_a_configured_one() {
        let mut secrets = Secrets::make(&Random::seeded(1));
        let former = Secrets::make(&Random::seeded(2));
        (secrets.previous.jwt, secrets.previous.app_token_key) = (former.jwt, former.app_token_key);
        secrets.previous.transaction = former.transaction;
        let load = |variables: &[(&str, &str)]| Settings::load(&environment(variables), &secrets).expect("is read");
        let settings = load(&[]);
        assert_eq!(settings.users.token_manager.jwt_secret_previous.expose(), secrets.previous.jwt.expose());
        assert_eq!(settings.auth_app.token_key_previous.expose(), secrets.previous.app_token_key.expose());
        for transactions in [&settings.idp.transactions, &settings.gateway.transactions] {
            assert_eq!(transactions.secret_previous.expose(), secrets.previous.transaction.expose());
        }
        let configured = "an-adequate-secret-of-32-bytes-ok";
        let names = ["OCIS_JWT_SECRET", "AUTH_APP_TOKEN_KEY", "OCIS_TRANSACTION_SECRET"];
        let settings = load(&names.map(|name| (name, configured)));
        assert!(settings.users.token_manager.jwt_secret_previous.is_empty());
        assert!(settings.auth_bearer.minting.jwt_secret_previous.is_empty());
        assert!(settings.auth_app.token_key_previous.is_empty());
        for transactions in [&settings.idp.transactions, &settings.gateway.transactions] {
            assert!(transactions.secret.expose() == configured && transactions.secret_previous.is_empty());
        }
    }

    /// Both sign for one trust domain with the same keys (`docs/security-requirements.md#x9`).
    #[test]
    fn trust_domain_of_transaction_tokens_is_the_host_of_the_edge() {
        for (variables, domain) in [
            (&[][..], "localhost"),
            (&[("OCIS_URL", "https://cloud.example:8443")], "cloud.example"),
            (
                &[("OCIS_URL", "https://cloud.example"), ("OCIS_TRANSACTION_TRUST_DOMAIN", "internal.example")],
                "internal.example",
            ),
        ] {
            let Settings { idp, gateway, .. } = load(variables);
            let [idp, gateway] = [idp.transactions, gateway.transactions];
            assert_eq!((idp.trust_domain.as_str(), gateway.trust_domain.as_str()), (domain, domain));
            assert!(!idp.secret.is_empty() && idp.secret.expose() == gateway.secret.expose());
        }
    }

    #[test]
    fn quick_start_is_reached_from_this_machine_alone() {
        let local = |variables: &[(&str, &str)]| {
            let settings =
                Settings::load_local(&environment(variables), &Secrets::make(&Random::seeded(1))).expect("is read");
            [settings.proxy.http.0.addr, settings.gateway.grpc.addr, settings.idp.http.addr].map(|addr| addr.is_local())
        };
        assert_eq!(local(&[]), [true; 3]);
        assert_eq!(local(&[("PROXY_HTTP_ADDR", "0.0.0.0:9200")]), [false, true, true]);
        assert!(!load(&[]).proxy.http.0.addr.is_local());
    }
}
