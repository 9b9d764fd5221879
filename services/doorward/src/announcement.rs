//! What `doorward server` says when it has started.

use std::io::{self, IsTerminal};

use authn::{BoxError, role};
use runtime::Context;

use crate::admin::Admin;
use crate::command::say;
use crate::services::{EnabledServices, ServiceId, Settings};

/// How a first administrator is added.
const NO_ADMINISTRATOR: &str =
    "no user has the role admin; add a first administrator: doorward user add NAME --mail MAIL --role admin --generate";

/// Says what is served: on a terminal, or as an event of the log, which others collect.
pub(crate) fn announce(settings: &Settings, enabled: &EnabledServices) -> Result<(), BoxError> {
    if io::stdout().is_terminal() {
        return say(summary(settings, enabled));
    }
    let services: Vec<_> = enabled.iter().map(ServiceId::name).collect();
    tracing::info!(url = url(settings, enabled), data = %settings.data.display(), services = services.join(","), "ready");
    Ok(())
}

/// Warns if there are users but none is an administrator, or no users at all. The start does not depend on it.
pub(crate) async fn warn_without_administrator(settings: &Settings, enabled: &EnabledServices, context: &Context) {
    // LDAP has no roles
    let is_administered = enabled.contains(ServiceId::Users) && enabled.contains(ServiceId::AuthBasic);
    if !is_administered || settings.users.is_ldap() {
        return;
    }
    let has_one = async { Admin::connect(settings, context).await?.has_role(role::ADMIN).await };
    match has_one.await {
        Ok(true) => {}
        Ok(false) => tracing::warn!("{NO_ADMINISTRATOR}"),
        Err(error) => tracing::debug!(%error, "cannot look for an administrator"),
    }
}

/// The URL at which users reach the services; empty if no edge runs.
fn url<'a>(settings: &'a Settings, enabled: &EnabledServices) -> &'a str {
    if enabled.contains(ServiceId::Proxy) { &settings.proxy.url } else { "" }
}

fn summary(settings: &Settings, enabled: &EnabledServices) -> String {
    let services: Vec<_> = enabled.iter().map(ServiceId::name).collect();
    let mut lines = vec!["Doorward is ready.".to_owned()];
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("  {name:10}{value}"));
        }
    };
    line("URL", url(settings, enabled));
    line("data", &settings.data.display().to_string());
    line("services", &services.join(", "));
    let audit = settings.gateway.log.audit_file.as_ref().map(|file| file.display().to_string());
    line("audit log", &audit.unwrap_or_default());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use config::Environment;
    use runtime::Random;

    use super::*;
    use crate::secrets::Secrets;

    #[test]
    fn summary_names_the_url_the_data_folder_and_the_services() {
        let summary = |variables: &[(&str, &str)]| {
            let environment: Environment =
                variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let settings = Settings::load(&environment, &Secrets::make(&Random::seeded(1))).expect("is read");
            super::summary(&settings, &EnabledServices::of(&environment).expect("are known"))
        };
        let text = summary(&[("OCIS_BASE_DATA_PATH", "/var/lib/doorward"), ("PROXY_HTTP_ADDR", ":8443")]);
        assert!(text.contains("URL       https://localhost:8443\n  data      /var/lib/doorward\n"), "{text}");
        assert!(text.ends_with("auth-service, idp, auth-bearer, account, gateway, proxy"), "{text}");
        assert!(!summary(&[("OCIS_EXCLUDE_RUN_SERVICES", "proxy")]).contains("URL"));
    }
}
