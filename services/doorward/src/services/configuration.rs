//! What `doorward config` prints of one service.

use authn::BoxError;
use config::{Environment, docs, example, load_over, schema};
use runtime::Service;

/// A view of a service's configuration.
#[derive(Clone, Copy)]
pub(crate) enum View {
    /// Warnings and the result of the check.
    Check,
    /// The values in force and their sources.
    Show,
    /// The table of settings.
    Docs,
    /// An example, as YAML.
    Example,
    /// The JSON Schema.
    Schema,
}

impl View {
    /// The view of this service, over these defaults.
    pub(super) fn of<S: Service>(self, defaults: &S::Config, environment: &Environment) -> Result<String, BoxError> {
        Ok(match self {
            Self::Docs => docs::<S::Config>(&S::IDENTITY),
            Self::Example => example::<S::Config>(&S::IDENTITY),
            Self::Schema => schema::<S::Config>(&S::IDENTITY),
            Self::Show => load_over(defaults, &S::IDENTITY, environment)?.shown,
            Self::Check => {
                let loaded = load_over(defaults, &S::IDENTITY, environment)?;
                let of_files = runtime::check_loaded::<S>(&loaded)?;
                let warnings = loaded.warnings.iter().chain(&of_files);
                let mut lines: Vec<_> = warnings.map(|warning| format!("warning: {warning}")).collect();
                lines.push(format!("the configuration of {} can be used", S::IDENTITY.name));
                lines.join("\n")
            }
        })
    }
}
