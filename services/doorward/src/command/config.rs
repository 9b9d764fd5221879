use authn::BoxError;
use config::Environment;
use runtime::Misconfigured;

use super::say;
use crate::{
    cli::Config,
    secrets::Secrets,
    services::{Defaults, EnabledServices, Settings, View},
};

/// Runs `doorward config ...`.
pub(crate) fn run(command: &Config, environment: &Environment, secrets: &Secrets) -> Result<(), BoxError> {
    let (service, view) = match command {
        Config::Check { service: None } => {
            let settings = Settings::load(environment, secrets)?;
            let enabled = EnabledServices::of(environment).map_err(Misconfigured::new)?;
            settings.check_edge(&enabled)?;
            let of_files = settings.check_files(&enabled)?;
            let mut warnings = settings.warnings.iter().chain(&of_files);
            warnings.try_for_each(|warning| say(format_args!("warning: {warning}")))?;
            return say("every service's configuration can be used");
        }
        Config::Check { service: Some(service) } => (service, View::Check),
        Config::Show { service } => (service, View::Show),
        Config::Docs { service } => (service, View::Docs),
        Config::Example { service } => (service, View::Example),
        Config::Schema { service } => (service, View::Schema),
    };
    say(service.view(view, environment, &Defaults::new(secrets))?.trim_end())
}

#[cfg(test)]
mod tests;
