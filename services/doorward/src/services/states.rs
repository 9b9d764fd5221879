//! The state of each service.

use config::{Environment, load_over};
use runtime::Service;
use store::ServiceState;

use super::{ServiceId, Settings};

impl Settings {
    /// The state of each service that stores something, in the order in which the services start.
    pub(crate) fn states(&self, environment: &Environment) -> Vec<(ServiceId, ServiceState)> {
        let states = [
            (ServiceId::Users, Some(users::state(&self.users, environment))),
            (ServiceId::AuthBasic, Some(auth_basic::state(&self.auth_basic, environment))),
            (ServiceId::AuthService, auth_service::state(&self.auth_service, environment)),
            (ServiceId::AuthApp, Some(auth_app::state(&self.auth_app, environment))),
            (ServiceId::Idp, Some(idp::state(&self.idp, environment))),
            (ServiceId::AuthBearer, Some(auth_bearer::state(&self.auth_bearer, environment))),
            (ServiceId::Proxy, proxy::state(&self.proxy, environment)),
        ];
        states.into_iter().filter_map(|(service, state)| Some((service, state?))).collect()
    }

    /// Whether an enabled service always has stored something. auth-service stores accounts by default in `doorward server` only:
    /// where no setting says so, it may run in a process of its own, which stores nothing. Neither does auth-bearer where it has no URL
    /// and its folder cannot be written.
    pub(crate) fn always_stores(&self, service: ServiceId, environment: &Environment) -> bool {
        match service {
            ServiceId::AuthService => {}
            ServiceId::AuthBearer => return !self.auth_bearer.database_url.is_empty(),
            _ => return true,
        }
        let alone = auth_service::Config { store_accounts: false, ..self.auth_service.clone() };
        let Ok(loaded) = load_over(&alone, &auth_service::AuthService::IDENTITY, environment) else { return true };
        loaded.config.store_accounts
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use runtime::{Random, block_on};
    use store::transfer::Tables;

    use super::*;
    use crate::secrets::Secrets;

    #[test]
    fn services_that_may_store_nothing_do_where_a_setting_says_so() {
        let always = |variables: &[(&str, &str)], service| {
            let environment: Environment = variables.iter().copied().collect();
            let settings = Settings::load(&environment, &Secrets::make(&Random::seeded(1))).expect("is read");
            settings.always_stores(service, &environment)
        };
        let set = [("AUTH_SERVICE_STORE_ACCOUNTS", "true")];
        assert!(!always(&[], ServiceId::AuthService) && always(&set, ServiceId::AuthService));
        let url = [("AUTH_BEARER_DATABASE_URL", "sqlite:///var/lib/doorward/auth-bearer.db")];
        assert!(!always(&[], ServiceId::AuthBearer) && always(&url, ServiceId::AuthBearer));
        assert!(always(&[], ServiceId::Users) && always(&[], ServiceId::Idp));
    }

    /// In a backup, and where `OCIS_DATABASE_URL` is set, all services share one database.
    #[test]
    fn tables_of_services_have_names_of_their_own() {
        let environment = Environment::default();
        let settings = Settings::load(&environment, &Secrets::make(&Random::seeded(1))).expect("is read");
        let states = settings.states(&environment);
        let names: Vec<_> = states.iter().map(|(service, state)| (service.name(), state.service)).collect();
        let stateful = ["users", "auth-basic", "auth-service", "auth-app", "idp", "auth-bearer", "proxy"];
        assert_eq!(names, stateful.map(|name| (name, name)));
        let outcome = block_on(async {
            let mut all = BTreeSet::new();
            for (_, state) in &states {
                let tables = Tables::of(state.migrations).await?;
                assert!(tables.names().count() > 0, "{} has tables", state.service);
                for name in tables.names() {
                    assert!(all.insert(name.to_owned()), "{}: {name} is another service's table", state.service);
                }
            }
            assert!(
                ["people", "passwords", "app_tokens", "idp_grants", "auth_bearer_logouts"]
                    .iter()
                    .all(|name| all.contains(*name)),
                "{all:?}"
            );
            Ok(())
        });
        outcome.expect("every table can be copied");
    }
}
