//! The default settings of each service: its own defaults, the secrets of the data folder, and what follows from the settings of
//! other services.

use auth_service::ServiceAccount;
use config::{Http, TokenManager};

use crate::secrets::Secrets;

/// The default settings of each service.
pub(crate) struct Defaults<'a> {
    secrets: &'a Secrets,
    /// The idp of this family; `None` for a service alone.
    pub(super) idp: Option<IdpIssuers>,
    /// Where the edge finds the services of this process; empty for a service alone.
    pub(super) backends: proxy::Backends,
}

/// The issuers of this family's idp.
pub(super) struct IdpIssuers {
    pub(super) issuers: Vec<String>,
    /// Whether it runs in this process: then its tokens state the kind of their clients.
    pub(super) is_enabled: bool,
}

impl<'a> Defaults<'a> {
    /// The defaults of each service alone.
    pub(crate) fn new(secrets: &'a Secrets) -> Self {
        Self { secrets, idp: None, backends: config::defaults() }
    }

    fn token_manager(&self) -> TokenManager {
        TokenManager { jwt_secret: self.secrets.jwt.clone(), ..TokenManager::default() }
    }

    pub(super) fn users(&self) -> users::Config {
        users::Config { token_manager: self.token_manager(), ..users::Config::default() }
    }

    pub(super) fn auth_basic(&self) -> auth_basic::Config {
        auth_basic::Config { token_manager: self.token_manager(), ..auth_basic::Config::default() }
    }

    pub(super) fn auth_machine(&self) -> auth_machine::Config {
        let machine_auth_api_key = self.secrets.machine_key.clone();
        auth_machine::Config { machine_auth_api_key, ..auth_machine::Config::default() }
    }

    pub(super) fn auth_service(&self) -> auth_service::Config {
        let (id, secret) = (self.secrets.service_account_id.clone(), self.secrets.service_account_secret.clone());
        auth_service::Config { service_account: ServiceAccount { id, secret }, ..auth_service::Config::default() }
    }

    pub(crate) fn auth_app(&self) -> auth_app::Config {
        auth_app::Config {
            token_manager: self.token_manager(),
            token_key: self.secrets.app_token_key.clone(),
            ..auth_app::Config::default()
        }
    }

    /// Alone, auth-bearer has no secret of the data folder either.
    pub(super) fn auth_bearer(&self) -> auth_bearer::Config {
        let Some(idp) = &self.idp else { return auth_bearer::Config::default() };
        let minting = auth_bearer::Minting { jwt_secret: self.secrets.jwt.clone() };
        let mut config = auth_bearer::Config { minting, ..auth_bearer::Config::default() };
        let oidc = &mut config.auth_providers.oidc;
        if let Some(first) = idp.issuers.first() {
            oidc.issuer.clone_from(first);
        }
        if idp.is_enabled {
            oidc.own_issuers.clone_from(&idp.issuers);
        }
        config
    }

    pub(crate) fn idp(&self) -> idp::Config {
        idp::Config {
            token_manager: self.token_manager(),
            encryption_secret: self.secrets.idp_encryption.clone(),
            ..idp::Config::default()
        }
    }

    pub(super) fn account(&self) -> account::Config {
        account::Config { token_manager: self.token_manager(), ..account::Config::default() }
    }

    pub(super) fn gateway(&self) -> gateway::Config {
        gateway::Config { token_manager: self.token_manager(), ..gateway::Config::default() }
    }

    pub(super) fn proxy(&self) -> proxy::Config {
        proxy::Config {
            token_manager: self.token_manager(),
            machine_auth_api_key: self.secrets.machine_key.clone(),
            backends: self.backends.clone(),
            ..proxy::Config::default()
        }
    }
}

/// Where the services of this process answer that users reach through the edge.
pub(crate) fn backends(idp: &Http, auth_app: &Http, auth_bearer: &Http, account: &account::Config) -> proxy::Backends {
    let url = |http: &Http| {
        let scheme = if http.tls.enabled { "https" } else { "http" };
        format!("{scheme}://{}", runtime::endpoint_of(&http.addr))
    };
    proxy::Backends {
        idp: url(idp),
        auth_app: url(auth_app),
        auth_bearer: url(auth_bearer),
        account: url(&account.http),
        account_root: account.root().to_owned(),
        account_front_page: account.front_page,
    }
}
