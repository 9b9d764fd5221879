//! The services of the family: one table, from which identifiers, settings and the commands that explain them follow.

mod agreement;
mod configuration;
mod defaults;
mod edge_proof;
mod enabled;
mod page_links;
mod public_url;
mod settings;
mod states;

use std::collections::BTreeSet;
use std::path::PathBuf;

use authn::BoxError;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use config::{Environment, Identity, NamedFile};
use runtime::{Listeners, Service};

pub(crate) use configuration::View;
pub(crate) use defaults::{Defaults, backends};
pub use enabled::{EnabledServices, EnabledServicesError};

/// Makes everything that lists the services from one table: a function cannot make an enum or the fields of a struct. The defaults
/// of a service are the method of [`Defaults`] with the name of its field.
macro_rules! services {
    ($($(#[$doc:meta])+ $id:ident, $field:ident: $service:ty, by_default: $by_default:literal;)+) => {
        /// A service of the family.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ServiceId {
            $($(#[$doc])+ $id,)+
        }

        impl ServiceId {
            /// Every service, in the order in which they start: after those that it calls.
            pub const ALL: [Self; [$(stringify!($id)),+].len()] = [$(Self::$id),+];

            /// The service's name and the prefix of its variables.
            pub fn identity(self) -> Identity {
                match self {
                    $(Self::$id => <$service>::IDENTITY,)+
                }
            }

            /// Whether it runs unless it is excluded.
            fn runs_by_default(self) -> bool {
                match self {
                    $(Self::$id => $by_default,)+
                }
            }

            /// A view of the configuration of this service alone.
            ///
            /// # Errors
            /// When the configuration is invalid.
            pub(crate) fn view(
                self,
                view: View,
                environment: &Environment,
                defaults: &Defaults<'_>,
            ) -> Result<String, BoxError> {
                match self {
                    $(Self::$id => view.of::<$service>(&defaults.$field(), environment),)+
                }
            }
        }

        /// The configuration of every service; secrets that are not configured are those of the data folder.
        #[derive(Clone, Debug)]
        pub struct Settings {
            /// The data folder.
            pub data: PathBuf,
            $($(#[$doc])+ pub $field: <$service as Service>::Config,)+
            /// Warnings for the operator.
            pub warnings: Vec<String>,
            /// The files that were read and may change.
            pub files: Vec<PathBuf>,
            /// The files that settings of a service name.
            pub named_files: Vec<(&'static str, NamedFile)>,
        }

        impl Settings {
            /// Reads the files that the settings of these services name, and returns warnings for the operator.
            ///
            /// # Errors
            /// For the first file that is invalid.
            pub fn check_files(&self, enabled: &EnabledServices) -> Result<Vec<String>, BoxError> {
                let is_enabled = |name: &str| enabled.iter().any(|service| service.name() == name);
                let files = self.named_files.iter().filter(|(service, _)| is_enabled(service));
                files.map(|(_, file)| file).try_for_each(NamedFile::check)?;
                let mut warnings = Vec::new();
                $(
                    if enabled.contains(ServiceId::$id) {
                        warnings.extend(runtime::check_files::<$service>(&self.$field)?);
                    }
                )+
                // services share certificates
                let mut seen = BTreeSet::new();
                warnings.retain(|warning: &String| seen.insert(warning.clone()));
                Ok(warnings)
            }

            /// The configuration of a service, secrets redacted.
            pub(crate) fn shown(&self, service: ServiceId) -> String {
                match service {
                    $(ServiceId::$id => config::shown(&<$service>::IDENTITY, &self.$field),)+
                }
            }

            /// The sections of a service that the runtime serves.
            pub fn listeners(&self, service: ServiceId) -> Listeners<'_> {
                match service {
                    $(ServiceId::$id => <$service>::listeners(&self.$field),)+
                }
            }
        }
    };
}

// As in oCIS and OpenCloud, auth-app does not run by default.
services! {
    /// Users and groups.
    Users, users: users::Users, by_default: true;
    /// Passwords.
    AuthBasic, auth_basic: auth_basic::AuthBasic, by_default: true;
    /// Impersonation by the machine key.
    AuthMachine, auth_machine: auth_machine::AuthMachine, by_default: true;
    /// Service accounts.
    AuthService, auth_service: auth_service::AuthService, by_default: true;
    /// App tokens.
    AuthApp, auth_app: auth_app::AuthApp, by_default: false;
    /// The OpenID Provider.
    Idp, idp: idp::Idp, by_default: true;
    /// OpenID Connect access tokens.
    AuthBearer, auth_bearer: auth_bearer::AuthBearer, by_default: true;
    /// The account pages.
    Account, account: account::Account, by_default: true;
    /// The gateway.
    Gateway, gateway: gateway::Gateway, by_default: true;
    /// The HTTP edge.
    Proxy, proxy: proxy::Proxy, by_default: true;
}

impl ServiceId {
    /// The name of the service, of its binary and of its folder.
    pub fn name(self) -> &'static str {
        self.identity().name
    }
}

impl ValueEnum for ServiceId {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_service_with_a_binary_is_in_the_table() {
        let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folders =
            fs::read_dir(services).expect("the folder of services").map(|entry| entry.expect("an entry").path());
        let with_binary = folders.filter(|folder| folder.join("src/main.rs").exists());
        let mut found: Vec<_> = with_binary
            .filter_map(|folder| folder.file_name().map(|name| name.to_string_lossy().into_owned()))
            .filter(|name| name != env!("CARGO_PKG_NAME"))
            .collect();
        found.sort();
        let mut listed = ServiceId::ALL.map(ServiceId::name);
        listed.sort_unstable();
        assert_eq!(found, listed);
    }
}
