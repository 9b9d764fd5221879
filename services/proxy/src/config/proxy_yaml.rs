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
        for (at, pair) in self.service_backends.iter().enumerate() {
            // what may be a URL is not shown: it may hold a password
            let pair = pair.split_once('=').map(|(name, url)| (name.trim(), url.trim()));
            let (name, url) = pair.filter(|(name, url)| is_name(name) && !url.contains('#')).ok_or_else(|| {
                invalid(format!("has number {}, which is not like ocdav=http://127.0.0.1:9350", at + 1))
            })?;
            let backend = url
                .parse::<Backend>()
                .map_err(|problem| invalid(format!("has the service {name}, whose URL {problem}")))?;
            if services.iter().any(|(other, _)| other == name) {
                return Err(invalid(format!("has {name} twice")));
            }
            services.push((name.to_owned(), backend));
        }
        Ok(services)
    }
}

/// Whether a text is the name of a service.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
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

    #[test]
    fn passwords_of_urls_are_not_shown() {
        for (pair, expected) in [
            ("ocdav=http://user:secret@ocdav:9350", "has the service ocdav, whose URL must be like"),
            ("ocdav=http://user:secret@ocdav:9350#a", "has number 2, which is not like"),
            ("http://user:secret@ocdav:9350", "has number 2, which is not like"),
            ("http://user:secret=@ocdav:9350", "has number 2, which is not like"),
            ("=http://user:secret@ocdav:9350", "has number 2, which is not like"),
        ] {
            let problem = services(&["web=http://web", pair]).expect_err(pair).to_string();
            assert!(problem.contains(expected) && !problem.contains("secret"), "{problem}");
        }
    }
}
