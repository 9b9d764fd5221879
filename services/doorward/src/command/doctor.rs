//! `doorward doctor`: checks what an installation needs, and says what to do.

mod acme;
mod certificates;
mod clocks;
mod configuration;
mod data_folder;
mod databases;
mod finding;
mod issuers;
mod ldap_user;
mod mail_server;
mod peers;

use authn::BoxError;
use clap::ValueEnum;
use config::{ConfigError, Environment, base_data_path};
use futures_util::future::{FutureExt, LocalBoxFuture, join_all};
use runtime::{Context, Random};

use super::say;
use crate::cli::{Check, Doctor, Output};
use crate::secrets::{Secrets, SecretsError};
use crate::services::{EnabledServices, EnabledServicesError, Settings};
use finding::{Finding, Outcome, Subject};

/// What is checked: the configuration as it was read, or why it cannot be.
struct Installation {
    settings: Settings,
    enabled: EnabledServices,
    context: Context,
}

/// Why there is no configuration to check by.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Services(#[from] EnabledServicesError),
    #[error(transparent)]
    Settings(#[from] ConfigError),
}

impl Installation {
    /// Boxed, since the settings of all services are too large for the stack of a check.
    fn read(environment: &Environment) -> Result<Box<Self>, Unreadable> {
        let data = base_data_path(environment);
        // on another machine than that of the server there is no data folder; any secrets do to read the configuration
        let secrets = Secrets::read(&data)?.unwrap_or_else(|| Secrets::make(&Random::system()));
        let enabled = EnabledServices::of(environment)?;
        let settings = Settings::load(environment, &secrets)?;
        Ok(Box::new(Self { settings, enabled, context: Context::new(environment.clone()) }))
    }
}

/// Runs the checks, all at the same time, and prints what they find.
///
/// # Errors
/// When a check fails.
pub(crate) async fn run(arguments: &Doctor, environment: Environment) -> Result<(), BoxError> {
    let mut findings = find(arguments, &environment).await;
    findings.sort_by_key(|finding| finding.check);
    print(&findings, arguments.output)?;
    let failed = findings.iter().filter(|finding| finding.outcome == Outcome::Failed).count();
    if failed == 0 { Ok(()) } else { Err(format!("failed: {failed} of {}", findings.len()).into()) }
}

async fn find(arguments: &Doctor, environment: &Environment) -> Vec<Finding> {
    let is_wanted = |check: &Check| arguments.only.is_empty() || arguments.only.contains(check);
    let checks = Check::value_variants().iter().copied().filter(is_wanted);
    let installation = match Installation::read(environment) {
        Ok(installation) => installation,
        Err(problem) => {
            let mut checks: Vec<_> = checks.collect();
            // what cannot be checked without it must not look as if nothing were wrong
            if !checks.contains(&Check::Configuration) && checks.iter().any(|check| *check != Check::DataFolder) {
                checks.push(Check::Configuration);
            }
            let findings = checks.into_iter().flat_map(|check| without_configuration(check, environment, &problem));
            return findings.collect();
        }
    };
    let running = checks.map(|check| one(check, &installation, arguments));
    join_all(running).await.into_iter().flatten().collect()
}

/// What can be said where the configuration cannot be read.
fn without_configuration(check: Check, environment: &Environment, problem: &Unreadable) -> Vec<Finding> {
    match check {
        Check::Configuration => {
            let remedy = "correct it; doorward config check SERVICE reads the settings of one service";
            vec![Subject::new(check, "settings").failed(problem, remedy)]
        }
        Check::DataFolder => data_folder::check(&base_data_path(environment)),
        other => vec![Subject::new(other, "settings").not_checked("the configuration cannot be read")],
    }
}

fn one<'a>(check: Check, installation: &'a Installation, arguments: &'a Doctor) -> LocalBoxFuture<'a, Vec<Finding>> {
    match check {
        Check::Configuration => std::future::ready(configuration::check(installation)).boxed_local(),
        Check::DataFolder => std::future::ready(data_folder::check(&installation.settings.data)).boxed_local(),
        Check::Certificates => certificates::check(installation).boxed_local(),
        Check::Peers => peers::check(installation).boxed_local(),
        Check::Clocks => clocks::check(installation).boxed_local(),
        Check::Database => databases::check(installation).boxed_local(),
        Check::Migrations => databases::check_schemas(installation).boxed_local(),
        Check::Issuer => issuers::check(installation).boxed_local(),
        Check::Ldap => ldap_user::check(installation, arguments.user.as_deref()).boxed_local(),
        Check::Mail => mail_server::check(installation, arguments.send_mail_to.as_deref()).boxed_local(),
    }
}

fn print(findings: &[Finding], output: Output) -> Result<(), BoxError> {
    if output.json {
        return super::json(&serde_json::to_value(findings)?);
    }
    for Finding { outcome, check, subject, found, remedy } in findings {
        say(format_args!("{:12} {:14} {subject}: {found}", outcome.name(), check.name()))?;
        if let Some(remedy) = remedy {
            say(format_args!("{:28}{remedy}", ""))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
