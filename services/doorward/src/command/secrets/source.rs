//! Where a secret comes from.

use std::collections::BTreeSet;
use std::fmt;

use config::{Environment, Secret};
use serde_json::Value;

use crate::secrets::{GeneratedSecret, Secrets};
use crate::services::{Defaults, ServiceId, Settings, View};

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// The file of generated secrets.
    DataFolder,
    /// A variable of the environment.
    Variable(String),
    /// A file that a variable names.
    File {
        /// The variable.
        variable: String,
        /// The file.
        path: String,
    },
    /// A YAML file of this service.
    Yaml(&'static str),
    /// Nothing was generated yet.
    Nowhere,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataFolder => f.write_str("the data folder"),
            Self::Variable(name) => f.write_str(name),
            Self::File { variable, path } => write!(f, "{path} ({variable})"),
            Self::Yaml(service) => write!(f, "the settings of {service}"),
            Self::Nowhere => f.write_str("nowhere yet"),
        }
    }
}

impl Source {
    /// Where the secret in force comes from.
    pub(super) fn of(
        secret: GeneratedSecret,
        kept: Option<&Secrets>,
        settings: &Settings,
        environment: &Environment,
    ) -> Self {
        if let Some(source) = in_environment(secret.variable(), environment) {
            return source;
        }
        let Some(kept) = kept else { return Self::Nowhere };
        let generated = secret.of(kept).expose();
        let other = in_force(secret, settings).into_iter().find(|(_, value)| value.expose() != generated);
        other.map_or(Self::DataFolder, |(service, _)| Self::Yaml(service.name()))
    }

    /// Where a previous value of a generated secret is configured, which is used in place of the one in the data folder; `None` if there is
    /// none.
    pub(super) fn of_previous(
        secret: GeneratedSecret,
        kept: &Secrets,
        settings: &Settings,
        environment: &Environment,
    ) -> Option<Self> {
        let variable = format!("{}_PREVIOUS", secret.variable());
        let generated = secret.previous_of(kept).map_or("", Secret::expose);
        let is_other = |(_, value): &(ServiceId, &Secret)| !value.is_empty() && value.expose() != generated;
        let in_yaml = || previous_in_force(secret, settings).into_iter().find(is_other);
        in_environment(&variable, environment).or_else(|| in_yaml().map(|(service, _)| Self::Yaml(service.name())))
    }

    /// What an operator does to rotate a secret from here.
    pub(super) fn remedy_to_rotate(&self, secret: GeneratedSecret) -> String {
        const MAKE: &str = "make a new value with: openssl rand -base64 32";
        let variable = secret.variable();
        let set_previous = format!("set {variable}_PREVIOUS");
        match self {
            Self::DataFolder | Self::Nowhere => "the first start of doorward server makes it".to_owned(),
            Self::Variable(name) => format!("{MAKE}; {}", passes(secret, &format!("set {name}"), &set_previous)),
            Self::Yaml(service) => {
                format!("{MAKE}; {}", passes(secret, &format!("set it, where {service} has it,"), &set_previous))
            }
            Self::File { path, .. } => {
                if let Some((unit, name)) = credential(path) {
                    let change = format!("change the file that LoadCredential={name} of {unit} names");
                    let change_previous =
                        format!("change the file of a second credential, of {variable}_PREVIOUS_FILE,");
                    return format!("{MAKE}; {}", passes(secret, &change, &change_previous));
                }
                let previous = format!("write the present value into the file of {variable}_PREVIOUS_FILE, and ");
                let previous = if secret.has_previous() { &*previous } else { "" };
                format!("{MAKE}; {previous}then write the new one into {path}{}", self.restart(secret))
            }
        }
    }

    /// What an operator does to end the previous value of a secret from here.
    pub(super) fn remedy_to_end(&self, secret: GeneratedSecret) -> String {
        let previous = match self {
            Self::File { path, .. } if credential(path).is_some() => {
                format!("empty the file that LoadCredential= names for {}_PREVIOUS_FILE", secret.variable())
            }
            Self::File { .. } => format!("empty the file of {}_PREVIOUS_FILE", secret.variable()),
            _ => format!("unset {}_PREVIOUS", secret.variable()),
        };
        format!("{previous}{}; then {}", self.restart(secret), secret.ends_with_previous())
    }

    /// What an operator does so that the secret no longer comes from here.
    pub(super) fn remedy_to_remove(&self) -> String {
        match self {
            Self::Variable(name) | Self::File { variable: name, .. } => format!("unset {name}"),
            other => format!("remove it from {other}"),
        }
    }

    /// Who has to be restarted, as the end of a sentence.
    fn restart(&self, secret: GeneratedSecret) -> String {
        let named = concerned(secret).join(", ");
        match (self, secret.is_reread()) {
            (Self::File { path, .. }, true) if credential(path).is_none() => {
                ", for every service that has it; services read it within seconds".to_owned()
            }
            (_, true) => format!(", for every service that has it; restart them in this order: {named}"),
            (_, false) => format!(", and restart {named}"),
        }
    }
}

/// The unit and the name of a credential of systemd (`LoadCredential=`): a copy that the unit gets when it starts.
fn credential(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("/run/credentials/")?.split_once('/')
}

/// How a secret is changed that services read when they start: all accept the new value before one uses it. The beginnings of sentences
/// say how the secret and its previous value are changed.
fn passes(secret: GeneratedSecret, change: &str, change_previous: &str) -> String {
    let services = concerned(secret).join(", ");
    if !secret.has_previous() {
        return format!("{change} to the new value, and restart {services}");
    }
    // a service that starts signs with it at once, and others fetch the keys every ten minutes
    let published = if secret == GeneratedSecret::Transaction {
        "eleven minutes after all are ready"
    } else {
        "when all are ready"
    };
    format!(
        "first {change_previous} to the new value for every service that has it, and restart them; {published}, {change} to the new \
         value and {change_previous} to the present value, and restart them again; the order of both passes: {services}"
    )
}

/// The services that use a secret, in the order in which they are restarted.
fn concerned(secret: GeneratedSecret) -> Vec<&'static str> {
    let services = if secret.is_reread() { readers(secret) } else { restarted(secret).to_vec() };
    services.into_iter().map(ServiceId::name).collect()
}

/// The services that read a secret only when they start.
pub(super) fn restarted(secret: GeneratedSecret) -> &'static [ServiceId] {
    match secret {
        GeneratedSecret::Jwt
        | GeneratedSecret::MachineKey
        | GeneratedSecret::ServiceAccount
        | GeneratedSecret::Transaction => &[],
        GeneratedSecret::AppTokenKey => &[ServiceId::AuthApp],
        GeneratedSecret::IdpEncryption => &[ServiceId::Idp],
        GeneratedSecret::EdgeClient => &[ServiceId::Idp, ServiceId::Proxy],
        GeneratedSecret::EdgeSession => &[ServiceId::Proxy],
    }
}

/// Where the environment has a secret.
fn in_environment(variable: &str, environment: &Environment) -> Option<Source> {
    for name in names(variable) {
        let file = format!("{name}_FILE");
        if let Some(path) = environment.get_filled(&file) {
            return Some(Source::File { variable: file, path: path.to_owned() });
        }
        if environment.get_filled(&name).is_some() {
            return Some(Source::Variable(name));
        }
    }
    None
}

/// The names of the variables that set the same secret as this one in any service, and the names that are equal to them.
fn names(variable: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for service in ServiceId::ALL {
        each_secret(service, &mut |found| {
            if found.iter().any(|name| name == variable) {
                names.extend(found.iter().cloned());
            }
        });
    }
    let twins = |name: &String| name.strip_prefix("OCIS_").map(|rest| format!("OC_{rest}"));
    let equal: Vec<_> = names.iter().filter_map(twins).collect();
    names.extend(equal);
    names
}

/// The services that have a setting for a secret, in the order in which they start.
fn readers(secret: GeneratedSecret) -> Vec<ServiceId> {
    let has_it = |service: &ServiceId| {
        let mut has_it = false;
        each_secret(*service, &mut |names| has_it |= names.iter().any(|name| name == secret.variable()));
        has_it
    };
    ServiceId::ALL.into_iter().filter(has_it).collect()
}

/// Calls back with the names of the variables of each secret setting of a service.
pub(super) fn each_secret(service: ServiceId, found: &mut impl FnMut(&[String])) {
    let secrets = Secrets::default();
    let schema = service.view(View::Schema, &Environment::default(), &Defaults::new(&secrets)).unwrap_or_default();
    walk(&serde_json::from_str(&schema).unwrap_or_default(), found);
}

fn walk(setting: &Value, found: &mut impl FnMut(&[String])) {
    if let Some(properties) = setting["properties"].as_object() {
        properties.values().for_each(|property| walk(property, found));
    } else if setting["x-secret"] == true {
        let names = setting["x-env"].as_array().into_iter().flatten().filter_map(Value::as_str);
        found(&names.map(str::to_owned).collect::<Vec<_>>());
    }
}

/// What the services have of a secret.
fn in_force(secret: GeneratedSecret, settings: &Settings) -> Vec<(ServiceId, &Secret)> {
    let Settings { users, auth_basic, auth_machine, auth_service, auth_app, idp, account, gateway, proxy, .. } =
        settings;
    match secret {
        GeneratedSecret::Jwt => vec![
            (ServiceId::Users, &users.token_manager.jwt_secret),
            (ServiceId::AuthBasic, &auth_basic.token_manager.jwt_secret),
            (ServiceId::AuthService, &auth_service.token_manager.jwt_secret),
            (ServiceId::AuthApp, &auth_app.token_manager.jwt_secret),
            (ServiceId::Idp, &idp.token_manager.jwt_secret),
            (ServiceId::AuthBearer, &settings.auth_bearer.minting.jwt_secret),
            (ServiceId::Account, &account.token_manager.jwt_secret),
            (ServiceId::Gateway, &gateway.token_manager.jwt_secret),
            (ServiceId::Proxy, &proxy.token_manager.jwt_secret),
        ],
        GeneratedSecret::MachineKey => vec![
            (ServiceId::AuthMachine, &auth_machine.machine_auth_api_key),
            (ServiceId::Proxy, &proxy.machine_auth_api_key),
        ],
        GeneratedSecret::ServiceAccount => vec![(ServiceId::AuthService, &auth_service.service_account.secret)],
        GeneratedSecret::AppTokenKey => vec![(ServiceId::AuthApp, &auth_app.token_key)],
        GeneratedSecret::IdpEncryption => vec![(ServiceId::Idp, &idp.encryption_secret)],
        GeneratedSecret::EdgeClient => vec![(ServiceId::Idp, &idp.edge_client_secret)],
        GeneratedSecret::EdgeSession => vec![(ServiceId::Proxy, &proxy.session.secret)],
        GeneratedSecret::Transaction => {
            vec![(ServiceId::Idp, &idp.transactions.secret), (ServiceId::Gateway, &gateway.transactions.secret)]
        }
    }
}

/// What the services have of the value before the last rotation.
fn previous_in_force(secret: GeneratedSecret, settings: &Settings) -> Vec<(ServiceId, &Secret)> {
    let Settings { users, auth_basic, auth_machine, auth_service, auth_app, idp, account, gateway, proxy, .. } =
        settings;
    match secret {
        GeneratedSecret::Jwt => vec![
            (ServiceId::Users, &users.token_manager.jwt_secret_previous),
            (ServiceId::AuthBasic, &auth_basic.token_manager.jwt_secret_previous),
            (ServiceId::AuthService, &auth_service.token_manager.jwt_secret_previous),
            (ServiceId::AuthApp, &auth_app.token_manager.jwt_secret_previous),
            (ServiceId::Idp, &idp.token_manager.jwt_secret_previous),
            (ServiceId::AuthBearer, &settings.auth_bearer.minting.jwt_secret_previous),
            (ServiceId::Account, &account.token_manager.jwt_secret_previous),
            (ServiceId::Gateway, &gateway.token_manager.jwt_secret_previous),
            (ServiceId::Proxy, &proxy.token_manager.jwt_secret_previous),
        ],
        GeneratedSecret::MachineKey => vec![
            (ServiceId::AuthMachine, &auth_machine.machine_auth_api_key_previous),
            (ServiceId::Proxy, &proxy.machine_auth_api_key_previous),
        ],
        GeneratedSecret::ServiceAccount => {
            vec![(ServiceId::AuthService, &auth_service.service_account.secret_previous)]
        }
        GeneratedSecret::AppTokenKey => vec![(ServiceId::AuthApp, &auth_app.token_key_previous)],
        GeneratedSecret::IdpEncryption => vec![(ServiceId::Idp, &idp.encryption_secret_previous)],
        GeneratedSecret::EdgeClient => Vec::new(),
        GeneratedSecret::EdgeSession => vec![(ServiceId::Proxy, &proxy.session.secret_previous)],
        GeneratedSecret::Transaction => vec![
            (ServiceId::Idp, &idp.transactions.secret_previous),
            (ServiceId::Gateway, &gateway.transactions.secret_previous),
        ],
    }
}
