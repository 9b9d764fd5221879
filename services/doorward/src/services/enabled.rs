//! The services that run in this process.

use config::Environment;

use super::ServiceId;

/// The services that run in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnabledServices(Vec<ServiceId>);

/// An invalid list of services to run.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnabledServicesError {
    /// A name that no service has.
    #[error("{variable} names {name:?}, which is no service; the services are: {}", names())]
    Unknown {
        /// The variable with the list.
        variable: &'static str,
        /// The name.
        name: String,
    },
    /// Nothing is left to run.
    #[error("OCIS_EXCLUDE_RUN_SERVICES leaves no service to run")]
    Nothing,
}

/// The variables that name an issuer of access tokens, so that auth-bearer has something to do where idp does not run.
const ISSUERS: [&str; 5] = [
    "OCIS_OIDC_ISSUER",
    "OC_OIDC_ISSUER",
    "PROXY_OIDC_ISSUER",
    "AUTH_BEARER_OIDC_ISSUER",
    "AUTH_BEARER_OIDC_ISSUERS_FILE",
];

fn names() -> String {
    ServiceId::ALL.map(ServiceId::name).join(", ")
}

impl EnabledServices {
    /// Every service.
    pub fn all() -> Self {
        Self(ServiceId::ALL.to_vec())
    }

    /// The services that `OCIS_RUN_SERVICES` (exclusive), `OCIS_ADD_RUN_SERVICES` and `OCIS_EXCLUDE_RUN_SERVICES` select.
    ///
    /// # Errors
    /// When a list holds an unknown name, or nothing is left.
    pub fn of(environment: &Environment) -> Result<Self, EnabledServicesError> {
        for (exclusive, twin) in
            [("OCIS_RUN_SERVICES", "OC_RUN_SERVICES"), ("OCIS_RUN_EXTENSIONS", "OC_RUN_EXTENSIONS")]
        {
            if let Some(only) = list(environment, exclusive, twin)? {
                return Ok(Self(sorted(&only)));
            }
        }
        let added = list(environment, "OCIS_ADD_RUN_SERVICES", "OC_ADD_RUN_SERVICES")?.unwrap_or_default();
        let excluded = list(environment, "OCIS_EXCLUDE_RUN_SERVICES", "OC_EXCLUDE_RUN_SERVICES")?.unwrap_or_default();
        let wanted =
            |service: &ServiceId| (service.runs_by_default() || added.contains(service)) && !excluded.contains(service);
        let mut services: Vec<_> = ServiceId::ALL.into_iter().filter(wanted).collect();
        let has_issuer = services.contains(&ServiceId::Idp)
            || ISSUERS.iter().any(|variable| environment.get_filled(variable).is_some());
        if !has_issuer && !added.contains(&ServiceId::AuthBearer) {
            services.retain(|service| *service != ServiceId::AuthBearer);
        }
        if services.is_empty() { Err(EnabledServicesError::Nothing) } else { Ok(Self(services)) }
    }

    /// Whether this service runs.
    pub fn contains(&self, service: ServiceId) -> bool {
        self.0.contains(&service)
    }

    /// The services, in the order they start.
    pub fn iter(&self) -> impl Iterator<Item = ServiceId> {
        self.0.iter().copied()
    }
}

fn sorted(services: &[ServiceId]) -> Vec<ServiceId> {
    ServiceId::ALL.into_iter().filter(|service| services.contains(service)).collect()
}

/// The services that a variable lists; `None` if it is not set or empty.
fn list(
    environment: &Environment,
    name: &'static str,
    twin: &'static str,
) -> Result<Option<Vec<ServiceId>>, EnabledServicesError> {
    let set = |variable| environment.get_filled(variable).map(|text| (variable, text));
    let Some((variable, text)) = set(twin).or_else(|| set(name)) else { return Ok(None) };
    let service = |item: &str| {
        ServiceId::ALL
            .into_iter()
            .find(|service| service.name() == item)
            .ok_or_else(|| EnabledServicesError::Unknown { variable, name: item.to_owned() })
    };
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(service).collect::<Result<_, _>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected<const N: usize>(environment: [(&str, &str); N]) -> Result<Vec<&'static str>, EnabledServicesError> {
        EnabledServices::of(&Environment::from(environment))
            .map(|enabled| enabled.iter().map(ServiceId::name).collect())
    }

    #[test]
    fn auth_app_has_to_be_asked_for() {
        assert_eq!(
            selected([]).unwrap(),
            [
                "users",
                "auth-basic",
                "auth-machine",
                "auth-service",
                "idp",
                "auth-bearer",
                "account",
                "gateway",
                "proxy"
            ]
        );
        let added = selected([("OCIS_ADD_RUN_SERVICES", "auth-app")]).unwrap();
        assert!(added.contains(&"auth-app"));
        assert!(selected([("OC_ADD_RUN_SERVICES", "auth-app")]).unwrap().contains(&"auth-app"));
    }

    #[test]
    fn an_exclusive_list_ignores_the_others() {
        let only = selected([("OCIS_RUN_SERVICES", " gateway, users "), ("OCIS_ADD_RUN_SERVICES", "auth-app")]);
        assert_eq!(only.unwrap(), ["users", "gateway"]);
    }

    #[test]
    fn exclusion_beats_addition() {
        let names = selected([("OCIS_ADD_RUN_SERVICES", "auth-app"), ("OCIS_EXCLUDE_RUN_SERVICES", "auth-app,users")]);
        let expected =
            ["auth-basic", "auth-machine", "auth-service", "idp", "auth-bearer", "account", "gateway", "proxy"];
        assert_eq!(names.unwrap(), expected);
    }

    #[test]
    fn auth_bearer_runs_where_idp_runs_or_an_issuer_is_named() {
        let without_idp = ("OCIS_EXCLUDE_RUN_SERVICES", "idp");
        assert!(!selected([without_idp]).unwrap().contains(&"auth-bearer"));
        let issuer = ("OCIS_OIDC_ISSUER", "https://login.example");
        assert!(selected([without_idp, issuer]).unwrap().contains(&"auth-bearer"));
        let added = ("OCIS_ADD_RUN_SERVICES", "auth-bearer");
        assert!(selected([without_idp, added]).unwrap().contains(&"auth-bearer"));
        assert!(!selected([("OCIS_EXCLUDE_RUN_SERVICES", "auth-bearer")]).unwrap().contains(&"auth-bearer"));
    }

    #[test]
    fn an_unknown_name_stops_the_start_and_lists_the_valid_ones() {
        let error = selected([("OCIS_ADD_RUN_SERVICES", "auth-apps")]).unwrap_err().to_string();
        assert!(error.contains("OCIS_ADD_RUN_SERVICES") && error.contains("\"auth-apps\""), "{error}");
        assert!(
            error.contains(
                "users, auth-basic, auth-machine, auth-service, auth-app, idp, auth-bearer, account, gateway, proxy"
            ),
            "{error}"
        );
    }
}
