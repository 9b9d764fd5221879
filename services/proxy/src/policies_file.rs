//! The `proxy.yaml` of an oCIS or OpenCloud, which `PROXY_POLICIES_FILE` names: policies, which are lists of routes, and which of them
//! applies. It is read as a whole, or refused (`docs/security-requirements.md#e46`).

mod defaults;
mod document;
mod foreign_settings;
mod selector;
mod services;
#[cfg(test)]
mod tests;
mod translate;

use std::path::{Path as FilePath, PathBuf};

use config::{Invalid, read_yaml_file};

use crate::config::{Config, Product};
use crate::policy_selector::PolicySelector;
use crate::routes::Route;
use crate::user_agents::UserAgents;
use document::{Document, PolicyEntry};
use foreign_settings::Restriction;
use services::Services;

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("PROXY_POLICIES_FILE names {}: {problem}", file.display())]
pub(crate) struct FileError {
    file: PathBuf,
    problem: String,
}

/// What the file says.
#[derive(Debug)]
pub(crate) struct PoliciesFile {
    /// The policies.
    pub(crate) policies: Vec<Policy>,
    /// Which of them applies.
    pub(crate) selection: Selection,
    /// The clients that are offered one scheme alone.
    pub(crate) user_agents: UserAgents,
    /// What the operator should know, one line each.
    pub(crate) warnings: Vec<String>,
}

/// A policy: routes, in the order in which they are tried.
#[derive(Debug)]
pub(crate) struct Policy {
    /// Its name.
    pub(crate) name: String,
    /// Its routes.
    pub(crate) routes: Vec<Route>,
}

/// Which policy applies.
#[derive(Debug)]
pub(crate) enum Selection {
    /// The one with this name, to every request.
    Always(String),
    /// That of the user.
    OfUser(PolicySelector),
}

/// The settings by which the file is read.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    services: Services,
    product: Product,
    accepts_app_tokens: bool,
    /// What their file may not refuse, since the edge permits it.
    unmet: Vec<&'static Restriction>,
}

impl Reader {
    /// By this configuration.
    ///
    /// # Errors
    /// If `PROXY_SERVICE_BACKENDS` is invalid.
    pub(crate) fn new(config: &Config) -> Result<Self, Invalid> {
        let services = Services { configured: config.proxy_yaml.services()?, own: config.backends.clone() };
        let (product, accepts_app_tokens) = (config.proxy_yaml.product(), config.enable_app_auth);
        Ok(Self { services, product, accepts_app_tokens, unmet: foreign_settings::unmet(config) })
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`FileError`], with the place and the problem.
    pub(crate) fn read(&self, file: &FilePath) -> Result<PoliciesFile, FileError> {
        let error = |problem: String| FileError { file: file.to_owned(), problem };
        let text = read_yaml_file(file).map_err(|problem| error(format!("it cannot be read: {problem}")))?;
        self.parse(&text).map_err(error)
    }

    /// Parses the file's text; an error names the place and the problem.
    fn parse(&self, text: &str) -> Result<PoliciesFile, String> {
        let document: Document = serde_yaml_ng::from_str(text).map_err(|problem| problem.to_string())?;
        let Document { policy_selector, policies, additional_policies, auth_middleware, rest } = document;
        let mut warnings = foreign_settings::warnings(&rest, &self.unmet)?;
        let user_agents = foreign_settings::of_authentication(auth_middleware, self.accepts_app_tokens)?;
        let entries = self.entries(policies, additional_policies, &mut warnings);
        let mut policies: Vec<Policy> = Vec::new();
        let mut used = Vec::new();
        for entry in entries {
            let name = entry.name.clone();
            if policies.iter().any(|other| other.name == name) {
                return Err(format!("the policy {name:?} is there twice"));
            }
            let translated = translate::policy(entry, &self.services)?;
            policies.push(Policy { name, routes: translated.routes });
            used.extend(translated.services);
            warnings.extend(translated.warnings);
        }
        let unused = self.services.unused(&used);
        warnings.extend(unused.map(|name| format!("PROXY_SERVICE_BACKENDS has {name}, which no route names")));
        let names: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
        let selection = selector::selection(policy_selector, &names, self.product)?;
        Ok(PoliciesFile { policies, selection, user_agents, warnings })
    }

    /// The policies of the file, or the default one, with the routes that the file adds.
    fn entries(
        &self,
        policies: Option<Vec<PolicyEntry>>,
        additional: Option<Vec<PolicyEntry>>,
        warnings: &mut Vec<String>,
    ) -> Vec<PolicyEntry> {
        let additional = additional.unwrap_or_default();
        if let Some(policies) = policies {
            if !additional.is_empty() {
                warnings.push("additional_policies has no effect where policies is there".to_owned());
            }
            return policies;
        }
        let (name, routes) = (defaults::policy_name(self.product).to_owned(), defaults::routes(self.product));
        let mut policies = vec![PolicyEntry { name, defaults: routes.len(), routes: Some(routes) }];
        for more in additional {
            match policies.iter_mut().find(|policy| policy.name == more.name) {
                Some(policy) => policy.routes.get_or_insert_default().extend(more.routes.unwrap_or_default()),
                None => policies.push(more),
            }
        }
        policies
    }
}
