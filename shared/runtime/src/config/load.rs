//! Reading a configuration.

use std::path::PathBuf;

use super::outline::{Entry, Outline};
use super::sources::Sources;
use super::visitor::Visitor;
use super::{ConfigError, Environment, Identity, Section, config_dir, names, print};

/// A configuration that was read and found valid.
#[derive(Debug)]
pub struct Loaded<C> {
    /// The configuration.
    pub config: C,
    /// What the operator should know, one line each; to be logged once logging works.
    pub warnings: Vec<String>,
    /// The files that were read: YAML files and secrets' files. When one changes, the configuration may have.
    pub files: Vec<PathBuf>,
    outline: Outline,
}

impl<C> Loaded<C> {
    /// What is in force, as YAML: secrets redacted, and a comment at each value that is not a default telling where it
    /// came from.
    pub fn shown(&self) -> String {
        print::effective(&self.outline)
    }
}

/// Reads and validates the configuration of a service.
pub fn load<C: Section>(identity: &Identity, env: &Environment) -> Result<Loaded<C>, ConfigError> {
    load_over(C::default(), identity, env)
}

/// Like [`load`], over other defaults than the type's own.
pub fn load_over<C: Section>(mut config: C, identity: &Identity, env: &Environment) -> Result<Loaded<C>, ConfigError> {
    let dir = config_dir(env);
    let sources = Sources::read(identity, env, &dir)?;
    let described = Visitor::describe(*identity, &mut config);
    sources.layers.iter().try_for_each(|layer| layer.check(&described))?;

    let mut visitor = Visitor::new(*identity, Some(&sources));
    visitor.visit_whole(&mut config);
    visitor.validate(&config);
    let Visitor { outline, warnings: of_settings, files: of_secrets, problem, .. } = visitor;
    if let Some(problem) = problem {
        return Err(problem);
    }
    let known: Vec<String> = outline.entries().flat_map(|(_, entry)| Entry::every_name(entry)).collect();
    let mut warnings = names::unknown(identity, env, &known);
    warnings.extend(sources.warnings);
    warnings.extend(of_settings);
    let mut files: Vec<PathBuf> = sources.layers.into_iter().map(|layer| layer.file).collect();
    files.extend(of_secrets.into_iter().filter(|file| !files.contains(file)).collect::<Vec<_>>());
    Ok(Loaded { config, warnings, files, outline })
}
