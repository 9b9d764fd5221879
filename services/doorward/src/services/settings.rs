//! The configuration of every service, as one process reads it.

use std::path::PathBuf;

use config::{ConfigError, Environment, Loaded, NamedFile, base_data_path, load_over};
use runtime::Service;

use super::defaults::IdpIssuers;
use super::{Defaults, EnabledServices, ServiceId, Settings, backends};
use crate::secrets::Secrets;

const LDAP_WITHOUT_ROLES: &str = "AUTH_MACHINE_ALLOW_IMPERSONATION lets a caller act as users and not as administrators, and USERS_DRIVER=ldap knows no roles: such a caller may act as no user; set AUTH_MACHINE_ALLOW_IMPERSONATION=*=users,*=admins if the machine key may act as both";

impl Settings {
    /// Reads the configuration of every service over these secrets.
    ///
    /// # Errors
    /// For the first setting that is invalid.
    pub fn load(environment: &Environment, secrets: &Secrets) -> Result<Self, ConfigError> {
        let data = base_data_path(environment);
        let mut reader = Reader { environment, warnings: Vec::new(), files: Vec::new(), named_files: Vec::new() };
        let mut defaults = Defaults::new(secrets);
        let auth_app = reader.read::<auth_app::AuthApp>(&defaults.auth_app())?;
        let idp = reader.read::<idp::Idp>(&defaults.idp())?;
        let issuers = idp.sites().into_iter().map(|site| site.issuer).collect();
        // Where our idp does not run, the idp at that URL may be another system's.
        let is_enabled = EnabledServices::of(environment).is_ok_and(|enabled| enabled.contains(ServiceId::Idp));
        defaults.idp = Some(IdpIssuers { issuers, is_enabled });
        let auth_bearer = reader.read::<auth_bearer::AuthBearer>(&defaults.auth_bearer())?;
        let users = reader.read::<users::Users>(&defaults.users())?;
        let auth_machine = reader.read::<auth_machine::AuthMachine>(&defaults.auth_machine())?;
        if users.is_ldap() && auth_machine.relies_on_roles() {
            reader.warnings.push(LDAP_WITHOUT_ROLES.to_owned());
        }
        let account = reader.read::<account::Account>(&defaults.account())?;
        defaults.backends = backends(&idp.http, &auth_app.http, &auth_bearer.http, &account);
        Ok(Self {
            users,
            auth_basic: reader.read::<auth_basic::AuthBasic>(&defaults.auth_basic())?,
            auth_machine,
            auth_service: reader.read::<auth_service::AuthService>(&defaults.auth_service())?,
            auth_app,
            auth_bearer,
            idp,
            account,
            gateway: reader.read::<gateway::Gateway>(&defaults.gateway())?,
            proxy: reader.read::<proxy::Proxy>(&defaults.proxy())?,
            data,
            warnings: reader.warnings,
            files: reader.files,
            named_files: reader.named_files,
        })
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
    named_files: Vec<(&'static str, NamedFile)>,
}

impl Reader<'_> {
    fn read<S: Service>(&mut self, defaults: &S::Config) -> Result<S::Config, ConfigError> {
        let Loaded { config, warnings, files, named_files, .. } = load_over(defaults, &S::IDENTITY, self.environment)?;
        self.warnings.extend(warnings);
        self.files.extend(files);
        self.named_files.extend(named_files.into_iter().map(|file| (S::IDENTITY.name, file)));
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
