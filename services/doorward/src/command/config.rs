use authn::BoxError;
use config::{Environment, docs, example, load_over, schema};
use runtime::Service;

use super::say;
use crate::{
    cli::{Config, ServiceName},
    secrets::Secrets,
    settings::{Settings, defaults},
};

/// Runs `doorward config ...`.
pub(crate) fn run(command: &Config, environment: &Environment, secrets: &Secrets) -> Result<(), BoxError> {
    match command {
        Config::Check { service: None } => {
            let settings = Settings::load(environment, secrets)?;
            let of_files = settings.check_files()?;
            let mut warnings = settings.warnings.iter().chain(&of_files);
            warnings.try_for_each(|warning| say(format_args!("warning: {warning}")))?;
            say("every service's configuration can be used")
        }
        Config::Check { service: Some(service) } => of(*service, What::Check, environment, secrets),
        Config::Show { service } => of(*service, What::Show, environment, secrets),
        Config::Docs { service } => of(*service, What::Docs, environment, secrets),
        Config::Example { service } => of(*service, What::Example, environment, secrets),
        Config::Schema { service } => of(*service, What::Schema, environment, secrets),
    }
}

#[derive(Clone, Copy)]
enum What {
    Check,
    Show,
    Docs,
    Example,
    Schema,
}

fn of(service: ServiceName, what: What, environment: &Environment, secrets: &Secrets) -> Result<(), BoxError> {
    match service {
        ServiceName::Users => one::<users::Users>(&defaults::users(secrets), what, environment),
        ServiceName::AuthBasic => one::<auth_basic::AuthBasic>(&defaults::auth_basic(secrets), what, environment),
        ServiceName::AuthMachine => {
            one::<auth_machine::AuthMachine>(&defaults::auth_machine(secrets), what, environment)
        }
        ServiceName::AuthService => {
            one::<auth_service::AuthService>(&defaults::auth_service(secrets), what, environment)
        }
        ServiceName::AuthApp => one::<auth_app::AuthApp>(&defaults::auth_app(secrets), what, environment),
        ServiceName::AuthBearer => one::<auth_bearer::AuthBearer>(&auth_bearer::Config::default(), what, environment),
        ServiceName::Idp => one::<idp::Idp>(&defaults::idp(secrets), what, environment),
        ServiceName::Gateway => one::<gateway::Gateway>(&defaults::gateway(secrets), what, environment),
        ServiceName::Proxy => one::<proxy::Proxy>(&defaults::proxy(secrets, config::defaults()), what, environment),
    }
}

fn one<S: Service>(defaults: &S::Config, what: What, environment: &Environment) -> Result<(), BoxError> {
    let text = match what {
        What::Docs => docs::<S::Config>(&S::IDENTITY),
        What::Example => example::<S::Config>(&S::IDENTITY),
        What::Schema => schema::<S::Config>(&S::IDENTITY),
        What::Show => load_over(defaults, &S::IDENTITY, environment)?.shown,
        What::Check => {
            let loaded = load_over(defaults, &S::IDENTITY, environment)?;
            let of_files = S::check_files(&loaded.config)?;
            let mut warnings = loaded.warnings.iter().chain(&of_files);
            warnings.try_for_each(|warning| say(format_args!("warning: {warning}")))?;
            format!("the configuration of {} can be used", S::IDENTITY.name)
        }
    };
    say(text.trim_end())
}

#[cfg(test)]
mod tests;
