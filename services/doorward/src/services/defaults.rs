//! The default settings of each service: its own defaults, the secrets of the data folder, and what follows from the settings of
//! other services.

use auth_service::{ServiceAccount, Verification};
use config::{Http, ListenAddr, TokenManager, Transactions};
use url::Url;

use crate::secrets::Secrets;

/// The trust domain of transaction tokens where the edge has no URL.
const TRUST_DOMAIN: &str = "doorward";

/// The default settings of each service.
pub(crate) struct Defaults<'a> {
    pub(super) secrets: &'a Secrets,
    /// The idp of this family; `None` for a service alone.
    pub(super) idp: Option<IdpIssuers>,
    /// Where the edge finds the services of this process; empty for a service alone.
    pub(super) backends: proxy::Backends,
    /// The edge of this family; `None` for a service alone.
    pub(super) edge: Option<EdgeDefaults>,
    /// Where idp links to for the account, empty for no link; `None` for a service alone.
    pub(super) account_url: Option<String>,
}

/// The issuers of this family's idp.
pub(super) struct IdpIssuers {
    pub(super) issuers: Vec<String>,
    /// Whether it runs in this process: then its tokens state the kind of their clients.
    pub(super) is_enabled: bool,
    /// Its address in this process; empty if it is not at a TCP port.
    pub(super) backend: String,
}

/// What follows from the other services for the edge.
pub(super) struct EdgeDefaults {
    /// The address that it listens at.
    pub(super) addr: ListenAddr,
    /// Its URL.
    pub(super) url: String,
    /// Whether idp can be at that URL.
    pub(super) fits_idp: bool,
    /// The issuer of access tokens; empty for none.
    pub(super) issuer: String,
    /// How users sign in with a browser.
    pub(super) session: proxy::Session,
}

impl<'a> Defaults<'a> {
    /// The defaults of each service alone.
    pub(crate) fn new(secrets: &'a Secrets) -> Self {
        Self { secrets, idp: None, backends: config::defaults(), edge: None, account_url: None }
    }

    fn token_manager(&self) -> TokenManager {
        TokenManager {
            jwt_secret: self.secrets.jwt.clone(),
            jwt_secret_previous: self.secrets.previous.jwt.clone(),
            ..TokenManager::default()
        }
    }

    /// The keys of transaction tokens. Their trust domain is the host of the edge.
    fn transactions(&self) -> Transactions {
        let url = self.edge.as_ref().and_then(|edge| Url::parse(&edge.url).ok());
        let host = url.as_ref().and_then(Url::host_str).unwrap_or(TRUST_DOMAIN);
        Transactions {
            secret: self.secrets.transaction.clone(),
            secret_previous: self.secrets.previous.transaction.clone(),
            trust_domain: host.to_owned(),
            ..Transactions::default()
        }
    }

    pub(super) fn users(&self) -> users::Config {
        users::Config { token_manager: self.token_manager(), ..users::Config::default() }
    }

    pub(super) fn auth_basic(&self) -> auth_basic::Config {
        auth_basic::Config { token_manager: self.token_manager(), ..auth_basic::Config::default() }
    }

    pub(super) fn auth_machine(&self) -> auth_machine::Config {
        auth_machine::Config {
            machine_auth_api_key: self.secrets.machine_key.clone(),
            machine_auth_api_key_previous: self.secrets.previous.machine_key.clone(),
            ..auth_machine::Config::default()
        }
    }

    pub(super) fn auth_service(&self) -> auth_service::Config {
        let TokenManager { jwt_secret, jwt_secret_previous, .. } = self.token_manager();
        let token_manager = Verification { jwt_secret, jwt_secret_previous };
        let service_account = ServiceAccount {
            id: self.secrets.service_account_id.clone(),
            secret: self.secrets.service_account_secret.clone(),
            secret_previous: self.secrets.previous.service_account_secret.clone(),
        };
        auth_service::Config { service_account, store_accounts: true, token_manager, ..auth_service::Config::default() }
    }

    pub(crate) fn auth_app(&self) -> auth_app::Config {
        auth_app::Config {
            token_manager: self.token_manager(),
            token_key: self.secrets.app_token_key.clone(),
            token_key_previous: self.secrets.previous.app_token_key.clone(),
            ..auth_app::Config::default()
        }
    }

    /// Alone, auth-bearer has no secret of the data folder either.
    pub(super) fn auth_bearer(&self) -> auth_bearer::Config {
        let Some(idp) = &self.idp else { return auth_bearer::Config::default() };
        let TokenManager { jwt_secret, jwt_secret_previous, .. } = self.token_manager();
        let minting = auth_bearer::Minting { jwt_secret, jwt_secret_previous };
        let mut config = auth_bearer::Config { minting, ..auth_bearer::Config::default() };
        let oidc = &mut config.auth_providers.oidc;
        if let Some(first) = idp.issuers.first() {
            oidc.issuer.clone_from(first);
        }
        if idp.is_enabled {
            oidc.own_issuers.clone_from(&idp.issuers);
            config.idp_backend.clone_from(&idp.backend);
        }
        config
    }

    pub(crate) fn idp(&self) -> idp::Config {
        let url = self.edge.as_ref().filter(|edge| edge.fits_idp).map(|edge| edge.url.clone()).unwrap_or_default();
        let mut config = idp::Config {
            token_manager: self.token_manager(),
            encryption_secret: self.secrets.idp_encryption.clone(),
            encryption_secret_previous: self.secrets.previous.idp_encryption.clone(),
            edge_client_secret: self.secrets.edge_client.clone(),
            transactions: self.transactions(),
            edge_url: url.clone(),
            url,
            ..idp::Config::default()
        };
        if let Some(url) = &self.account_url {
            config.account_url.clone_from(url);
        }
        config
    }

    pub(super) fn account(&self) -> account::Config {
        let mut config = account::Config { token_manager: self.token_manager(), ..account::Config::default() };
        if let Some(edge) = &self.edge {
            config.url.clone_from(&edge.url);
        }
        config
    }

    pub(super) fn gateway(&self) -> gateway::Config {
        gateway::Config {
            token_manager: self.token_manager(),
            transactions: self.transactions(),
            ..gateway::Config::default()
        }
    }

    pub(super) fn proxy(&self) -> proxy::Config {
        let mut config = proxy::Config {
            token_manager: self.token_manager(),
            machine_auth_api_key: self.secrets.machine_key.clone(),
            machine_auth_api_key_previous: self.secrets.previous.machine_key.clone(),
            backends: self.backends.clone(),
            ..proxy::Config::default()
        };
        if let Some(edge) = &self.edge {
            config.http.0.addr.clone_from(&edge.addr);
            config.url.clone_from(&edge.url);
            config.issuer.clone_from(&edge.issuer);
            config.session.clone_from(&edge.session);
        }
        config
    }
}

/// Where the services of this process answer that users reach through the edge.
pub(crate) fn backends(idp: &Http, auth_app: &Http, auth_bearer: &Http, account: &account::Config) -> proxy::Backends {
    proxy::Backends {
        idp: url_of(idp),
        auth_app: url_of(auth_app),
        auth_bearer: url_of(auth_bearer),
        account: url_of(&account.http),
        account_root: account.root().to_owned(),
        account_admin_root: account.admin_root.clone(),
        account_front_page: account.front_page,
    }
}

/// Where a service of this process answers.
pub(super) fn url_of(http: &Http) -> String {
    let scheme = if http.tls.enabled { "https" } else { "http" };
    format!("{scheme}://{}", runtime::endpoint_of(&http.addr))
}
