//! The configuration of every service, as one process reads it.

use std::path::PathBuf;

use config::{ConfigError, Environment, Loaded, base_data_path, load_over};
use runtime::{Listeners, Misconfigured, Service};

use crate::{
    secrets::Secrets,
    selection::{Member, Selection},
};

pub(crate) mod defaults;

const LDAP_WITHOUT_ROLES: &str = "AUTH_MACHINE_ALLOW_IMPERSONATION lets a caller act as users and not as administrators, and USERS_DRIVER=ldap knows no roles: such a caller may act as no user; set AUTH_MACHINE_ALLOW_IMPERSONATION=*=users,*=admins if the machine key may act as both";

/// The configuration of every service. Secrets that are not configured come from the data folder.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder.
    pub data: PathBuf,
    /// People and groups.
    pub users: users::Config,
    /// Passwords.
    pub auth_basic: auth_basic::Config,
    /// Impersonation.
    pub auth_machine: auth_machine::Config,
    /// Service accounts.
    pub auth_service: auth_service::Config,
    /// App tokens.
    pub auth_app: auth_app::Config,
    /// OIDC access tokens.
    pub auth_bearer: auth_bearer::Config,
    /// Sign-ins to applications.
    pub idp: idp::Config,
    /// The one door.
    pub gateway: gateway::Config,
    /// The HTTP edge.
    pub proxy: proxy::Config,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// The files that were read and may change.
    pub files: Vec<PathBuf>,
}

impl Settings {
    /// Reads the configuration of every service over these secrets.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn load(environment: &Environment, secrets: &Secrets) -> Result<Self, ConfigError> {
        let data = base_data_path(environment);
        let mut reader = Reader { environment, warnings: Vec::new(), files: Vec::new() };
        let auth_app = reader.read::<auth_app::AuthApp>(&defaults::auth_app(secrets))?;
        let idp = reader.read::<idp::Idp>(&defaults::idp(secrets))?;
        let issuers = idp.sites().into_iter().map(|site| site.issuer).collect();
        // whose idp answers at that URL where ours does not run is not known
        let runs_idp = Selection::of(environment).is_ok_and(|selection| selection.contains(Member::Idp));
        let auth_bearer = reader.read::<auth_bearer::AuthBearer>(&defaults::auth_bearer(secrets, issuers, runs_idp))?;
        let users = reader.read::<users::Users>(&defaults::users(secrets))?;
        let auth_machine = reader.read::<auth_machine::AuthMachine>(&defaults::auth_machine(secrets))?;
        if users.is_ldap() && auth_machine.relies_on_roles() {
            reader.warnings.push(LDAP_WITHOUT_ROLES.to_owned());
        }
        let backends = defaults::backends(&idp.http, &auth_app.http, &auth_bearer.http);
        Ok(Self {
            users,
            auth_basic: reader.read::<auth_basic::AuthBasic>(&defaults::auth_basic(secrets))?,
            auth_machine,
            auth_service: reader.read::<auth_service::AuthService>(&defaults::auth_service(secrets))?,
            auth_app,
            auth_bearer,
            idp,
            gateway: reader.read::<gateway::Gateway>(&defaults::gateway(secrets))?,
            proxy: reader.read::<proxy::Proxy>(&defaults::proxy(secrets, backends))?,
            data,
            warnings: reader.warnings,
            files: reader.files,
        })
    }

    /// Reads the files that the settings of all services name; what an operator should know of them.
    ///
    /// # Errors
    /// For the first that cannot be used.
    pub fn check_files(&self) -> Result<Vec<String>, Misconfigured> {
        let of_services = [
            users::Users::check_files(&self.users)?,
            auth_basic::AuthBasic::check_files(&self.auth_basic)?,
            auth_machine::AuthMachine::check_files(&self.auth_machine)?,
            auth_service::AuthService::check_files(&self.auth_service)?,
            auth_app::AuthApp::check_files(&self.auth_app)?,
            auth_bearer::AuthBearer::check_files(&self.auth_bearer)?,
            idp::Idp::check_files(&self.idp)?,
            gateway::Gateway::check_files(&self.gateway)?,
            proxy::Proxy::check_files(&self.proxy)?,
        ];
        Ok(of_services.concat())
    }

    /// The sections of a service that the runtime serves.
    pub fn listeners(&self, member: Member) -> Listeners<'_> {
        match member {
            Member::Users => users::Users::listeners(&self.users),
            Member::AuthBasic => auth_basic::AuthBasic::listeners(&self.auth_basic),
            Member::AuthMachine => auth_machine::AuthMachine::listeners(&self.auth_machine),
            Member::AuthService => auth_service::AuthService::listeners(&self.auth_service),
            Member::AuthApp => auth_app::AuthApp::listeners(&self.auth_app),
            Member::AuthBearer => auth_bearer::AuthBearer::listeners(&self.auth_bearer),
            Member::Idp => idp::Idp::listeners(&self.idp),
            Member::Gateway => gateway::Gateway::listeners(&self.gateway),
            Member::Proxy => proxy::Proxy::listeners(&self.proxy),
        }
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

struct Reader<'a> {
    environment: &'a Environment,
    warnings: Vec<String>,
    files: Vec<PathBuf>,
}

impl Reader<'_> {
    fn read<S: Service>(&mut self, defaults: &S::Config) -> Result<S::Config, ConfigError> {
        let Loaded { config, warnings, files, .. } = load_over(defaults, &S::IDENTITY, self.environment)?;
        self.warnings.extend(warnings);
        self.files.extend(files);
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use runtime::Random;

    use super::*;

    /// Elsewhere an idp of another system may answer at the same URL.
    #[test]
    fn issuers_of_idp_are_believed_where_it_runs_in_this_process() {
        let own = |more: &[(&str, &str)]| {
            let all = more.iter().chain(&[("OCIS_URL", "https://cloud.example")]);
            let environment: Environment = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let settings = Settings::load(&environment, &Secrets::make(&Random::seeded(1))).expect("is read");
            settings.auth_bearer.auth_providers.oidc.own_issuers
        };
        assert_eq!(own(&[]), ["https://cloud.example", "https://cloud.example/oidc"]);
        assert_eq!(own(&[("OCIS_EXCLUDE_RUN_SERVICES", "idp")]), Vec::<String>::new());
        let elsewhere = ("AUTH_BEARER_OIDC_OWN_ISSUERS", "https://login.example");
        assert_eq!(own(&[("OCIS_EXCLUDE_RUN_SERVICES", "idp"), elsewhere]), ["https://login.example"]);
    }
}
