//! The `proxy.yaml` of an oCIS or OpenCloud.

use std::path::PathBuf;

use config::{Invalid, Section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::routes::Backend;

/// The setting for the list of an oCIS.
const OCIS: &str = "ocis";

/// The product whose default routes apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    /// oCIS.
    Ocis,
    /// OpenCloud.
    OpenCloud,
}

/// `proxy_yaml`: the routes of an oCIS or OpenCloud, by the configuration file of its own proxy.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ProxyYaml {
    /// The proxy.yaml of an oCIS or OpenCloud, whose routes are used behind those of `PROXY_ROUTES_FILE`. If empty, there are
    /// none. It is read again when it changes.
    #[schemars(extend("x-env" = ["<P>_POLICIES_FILE"]))]
    pub file: Option<PathBuf>,
    /// Where the services are that its routes name: pairs like `com.owncloud.web.ocdav=http://ocdav:9350`. The last part of
    /// the name alone, like ocdav, is enough. A service that is not listed is at its default port of this machine.
    #[schemars(extend("x-env" = ["<P>_SERVICE_BACKENDS"]))]
    pub service_backends: Vec<String>,
    /// Whose default routes are used if the file has no policies: ocis or opencloud.
    #[schemars(extend("x-env" = ["<P>_POLICIES_DEFAULT"], "enum" = ["ocis", "opencloud"], "default" = "opencloud"))]
    pub default_policies: String,
}

impl ProxyYaml {
    /// The product whose default routes apply.
    pub(crate) fn product(&self) -> Product {
        if self.default_policies == OCIS { Product::Ocis } else { Product::OpenCloud }
    }

    /// The services by name.
    ///
    /// # Errors
    /// If a pair is none, or a name is there twice.
    pub(crate) fn services(&self) -> Result<Vec<(String, Backend)>, Invalid> {
        let invalid = |problem: String| Invalid::new("service_backends", problem);
        let mut services: Vec<(String, Backend)> = Vec::new();
        for pair in &self.service_backends {
            let (name, url) = pair.split_once('=').unwrap_or((pair.as_str(), ""));
            let (name, url) = (name.trim(), url.trim());
            if name.is_empty() || url.contains('#') {
                return Err(invalid(format!("has {pair:?}, which is not like ocdav=http://127.0.0.1:9350")));
            }
            let backend =
                url.parse::<Backend>().map_err(|problem| invalid(format!("has {pair:?}: the URL {problem}")))?;
            if services.iter().any(|(other, _)| other == name) {
                return Err(invalid(format!("has {name} twice")));
            }
            services.push((name.to_owned(), backend));
        }
        Ok(services)
    }
}

impl Section for ProxyYaml {
    fn validate(&self) -> Result<(), Invalid> {
        self.services().map(drop)
    }

    fn warnings(&self) -> Vec<String> {
        let is_unused = self.file.is_none() && !self.service_backends.is_empty();
        let warning = "PROXY_SERVICE_BACKENDS has no effect without PROXY_POLICIES_FILE";
        is_unused.then(|| warning.to_owned()).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(pairs: &[&str]) -> Result<Vec<(String, Backend)>, Invalid> {
        let service_backends = pairs.iter().map(|pair| (*pair).to_owned()).collect();
        ProxyYaml { service_backends, ..::config::defaults() }.services()
    }

    #[test]
    fn services_are_pairs_of_name_and_url() {
        let found = services(&["ocdav=http://a:1", "com.owncloud.web.web = https://b/base"]).expect("two services");
        let names: Vec<_> = found.iter().map(|(name, backend)| (name.as_str(), backend.authority())).collect();
        assert_eq!(names, [("ocdav", "a:1"), ("com.owncloud.web.web", "b")]);
        for odd in [&["ocdav"][..], &["=http://a"], &["a=ftp://b"], &["a=http://b#c"], &["a=http://b", "a=http://c"]] {
            assert!(services(odd).is_err(), "{odd:?}");
        }
    }
}
