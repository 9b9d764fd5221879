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
    /// hosts: a colon and a port, like :8443. If empty, they stand for nothing.
    #[schemars(extend("x-env" = ["TRAEFIK_EXTERNAL_PORT", "TRAEFIK_PORT_HTTPS"]))]
    pub external_port: String,
}

impl ContentSecurityPolicy {
    /// The files.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let files = if self.override_files.is_empty() { &self.files } else { &self.override_files };
        files.iter().map(PathBuf::from).collect()
    }
}

impl Section for ContentSecurityPolicy {
    fn validate(&self) -> Result<(), Invalid> {
        for (key, files) in [("files", &self.files), ("override_files", &self.override_files)] {
            let is_plain = |file: &String| !file.is_empty() && !file.contains(['*', '?', '[']);
            Invalid::unless(files.iter().all(is_plain), key, "must hold the names of files, without *, ? and [")?;
        }
        Ok(())
    }
}
