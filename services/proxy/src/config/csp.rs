//! The Content Security Policy of what the edge forwards.

use std::path::PathBuf;

use config::{Invalid, Section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `csp`: the Content Security Policy of the web client of an oCIS or OpenCloud. It is sent where a file is set, and where
/// `PROXY_POLICIES_FILE` is, with the responses of backends that have none.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ContentSecurityPolicy {
    /// Path/File names of YAML files whose directives are added to the default ones. They are read again when they change.
    #[schemars(extend("x-env" = ["<P>_CSP_CONFIG_FILE_LOCATION"]))]
    pub files: Vec<String>,
    /// Path/File names of YAML files whose directives are used in place of the default ones and of those of
    /// `PROXY_CSP_CONFIG_FILE_LOCATION`.
    #[schemars(extend("x-env" = ["<P>_CSP_CONFIG_FILE_OVERRIDE_LOCATION"]))]
    pub override_files: Vec<String>,
    /// What `${COMPANION_DOMAIN}` stands for in these files.
    #[schemars(extend("x-env" = ["COMPANION_DOMAIN"]))]
    pub companion_domain: String,
    /// What `${ONLYOFFICE_DOMAIN}` stands for in these files.
    #[schemars(extend("x-env" = ["ONLYOFFICE_DOMAIN"]))]
    pub onlyoffice_domain: String,
    /// What `${COLLABORA_DOMAIN}` stands for in these files.
    #[schemars(extend("x-env" = ["COLLABORA_DOMAIN"]))]
    pub collabora_domain: String,
    /// What `${KEYCLOAK_DOMAIN}` and `${IDP_DOMAIN}` stand for in these files.
    #[schemars(extend("x-env" = ["KEYCLOAK_DOMAIN", "IDP_DOMAIN"]))]
    pub idp_domain: String,
    /// What `${TRAEFIK_EXTERNAL_PORT}` and `${TRAEFIK_PORT_HTTPS}` stand for in these files, which OpenCloud's have behind names of
    /// hosts: a colon and a port, like :8443. The colon may be left out, as in the .env of opencloud-compose. If empty, they stand for
    /// nothing.
    #[schemars(extend("x-env" = ["TRAEFIK_EXTERNAL_PORT", "TRAEFIK_PORT_HTTPS"]))]
    pub external_port: String,
}

impl ContentSecurityPolicy {
    /// The files.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let files = if self.override_files.is_empty() { &self.files } else { &self.override_files };
        files.iter().map(PathBuf::from).collect()
    }

    /// What the variables for ports stand for: a colon and a port, or nothing.
    pub(crate) fn external_port(&self) -> String {
        let port = &self.external_port;
        if port.is_empty() || port.starts_with(':') { port.clone() } else { format!(":{port}") }
    }
}

impl Section for ContentSecurityPolicy {
    fn validate(&self) -> Result<(), Invalid> {
        for (key, files) in [("files", &self.files), ("override_files", &self.override_files)] {
            let is_plain = |file: &String| !file.is_empty() && !file.contains(['*', '?', '[']);
            Invalid::unless(files.iter().all(is_plain), key, "must hold the names of files, without *, ? and [")?;
        }
        let port = self.external_port();
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok();
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_number);
        Invalid::unless(is_port, "external_port", "must be a port, like :8443, or empty")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row [E48](../../../../docs/security-requirements.md#e48).
    #[test]
    fn port_cannot_go_on_with_the_name_of_the_host() {
        let with = |port: &str| ContentSecurityPolicy { external_port: port.to_owned(), ..::config::defaults() };
        for (port, expected) in [("", ""), (":8443", ":8443"), ("8443", ":8443")] {
            let settings = with(port);
            assert!(settings.validate().is_ok() && settings.external_port() == expected, "{port}");
        }
        for odd in [":", "::443", ".evil.example", "@evil.example", ":443/", ":+443", "443 ", ":65536", "*", ":*"] {
            assert!(with(odd).validate().is_err(), "{odd}");
        }
    }
}
