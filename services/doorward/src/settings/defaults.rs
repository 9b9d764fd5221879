//! The default settings of each service: its own defaults, and the secrets of the data folder.

use auth_service::ServiceAccount;
use config::{Http, TokenManager};

use crate::secrets::Secrets;

fn token_manager(secrets: &Secrets) -> TokenManager {
    TokenManager { jwt_secret: secrets.jwt.clone(), ..TokenManager::default() }
}

pub(crate) fn users(secrets: &Secrets) -> users::Config {
    users::Config { token_manager: token_manager(secrets), ..users::Config::default() }
}

pub(crate) fn auth_basic(secrets: &Secrets) -> auth_basic::Config {
    auth_basic::Config { token_manager: token_manager(secrets), ..auth_basic::Config::default() }
}

pub(crate) fn auth_machine(secrets: &Secrets) -> auth_machine::Config {
    auth_machine::Config { machine_auth_api_key: secrets.machine_key.clone(), ..auth_machine::Config::default() }
}

pub(crate) fn auth_service(secrets: &Secrets) -> auth_service::Config {
    let (id, secret) = (secrets.service_account_id.clone(), secrets.service_account_secret.clone());
    auth_service::Config { service_account: ServiceAccount { id, secret }, ..auth_service::Config::default() }
}

pub(crate) fn auth_app(secrets: &Secrets) -> auth_app::Config {
    auth_app::Config {
        token_manager: token_manager(secrets),
        token_key: secrets.app_token_key.clone(),
        ..auth_app::Config::default()
    }
}

/// `issuers` are those of idp, whose tokens say what their clients are where it runs in the same process.
pub(crate) fn auth_bearer(secrets: &Secrets, issuers: Vec<String>, runs_idp: bool) -> auth_bearer::Config {
    let minting = auth_bearer::Minting { jwt_secret: secrets.jwt.clone() };
    let mut config = auth_bearer::Config { minting, ..auth_bearer::Config::default() };
    let oidc = &mut config.auth_providers.oidc;
    if let Some(first) = issuers.first() {
        oidc.issuer.clone_from(first);
    }
    if runs_idp {
        oidc.own_issuers = issuers;
    }
    config
}

pub(crate) fn idp(secrets: &Secrets) -> idp::Config {
    idp::Config {
        token_manager: token_manager(secrets),
        encryption_secret: secrets.idp_encryption.clone(),
        ..idp::Config::default()
    }
}

pub(crate) fn gateway(secrets: &Secrets) -> gateway::Config {
    gateway::Config { token_manager: token_manager(secrets), ..gateway::Config::default() }
}

pub(crate) fn proxy(secrets: &Secrets, backends: proxy::Backends) -> proxy::Config {
    let machine_auth_api_key = secrets.machine_key.clone();
    proxy::Config { token_manager: token_manager(secrets), machine_auth_api_key, backends, ..proxy::Config::default() }
}

/// Where the services of this process answer that people reach through the edge.
pub(crate) fn backends(idp: &Http, auth_app: &Http, auth_bearer: &Http) -> proxy::Backends {
    let url = |http: &Http| {
        let scheme = if http.tls.enabled { "https" } else { "http" };
        format!("{scheme}://{}", runtime::endpoint_of(&http.addr))
    };
    proxy::Backends { idp: url(idp), auth_app: url(auth_app), auth_bearer: url(auth_bearer) }
}
