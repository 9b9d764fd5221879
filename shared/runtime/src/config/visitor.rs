//! The visitor that a configuration shows itself to.

use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::outline::{Entry, Origin, Outline};
use super::secret::Secret;
use super::secret_file::{PrivateKeyFile, SecretFileError};
use super::sources::{Sources, is_exposed};
use super::value::{Shown, Value};
use super::{Identity, Section};

/// Reads a configuration, and records what it consists of. Made by [`load`](super::load()) and by the printers.
pub struct Visitor<'a> {
    identity: Identity,
    /// `None` when the configuration is only to be described; then nothing is changed and nothing is checked.
    sources: Option<&'a Sources<'a>>,
    path: Vec<String>,
    allows_exposed_secrets: bool,
    pub(super) outline: Outline,
    pub(super) warnings: Vec<String>,
    /// Files that secrets were read from.
    pub(super) files: Vec<PathBuf>,
    /// The first thing that is wrong.
    pub(super) problem: Option<ConfigError>,
}

impl<'a> Visitor<'a> {
    pub(super) fn new(identity: Identity, sources: Option<&'a Sources<'a>>) -> Self {
        let (path, outline) = (Vec::new(), Outline::default());
        Self {
            identity,
            sources,
            path,
            allows_exposed_secrets: false,
            outline,
            warnings: Vec::new(),
            files: Vec::new(),
            problem: None,
        }
    }

    /// What a visit of this configuration tells when nothing is read.
    pub(super) fn describe(identity: Identity, config: &mut impl Section) -> Outline {
        let mut visitor = Visitor::new(identity, None);
        visitor.visit_whole(config);
        visitor.outline
    }

    /// Visits the setting that decides how secrets are read, and then the configuration of a service.
    pub(super) fn visit_whole(&mut self, config: &mut impl Section) {
        let mut allows = false;
        self.value(
            "allow_readable_secrets",
            &mut allows,
            &["OCIS_ALLOW_READABLE_SECRETS", "<P>_ALLOW_READABLE_SECRETS"],
            "Accepts files of secrets and private keys that other accounts of the machine can read. Without it they are refused.",
        );
        self.allows_exposed_secrets = allows;
        config.visit(self);
    }

    /// Whether files of secrets are accepted that other accounts can read, for services that read such files themselves.
    pub fn allows_exposed_secrets(&self) -> bool {
        self.allows_exposed_secrets
    }

    /// Shows a setting: its YAML key, its field, its environment names (`<P>` is the service's prefix; the last one
    /// that is set wins) and what it means.
    pub fn value<T: Value>(&mut self, key: &str, field: &mut T, names: &[&str], description: &str) -> Setting<'_, 'a> {
        let names = self.complete(names);
        let default = field.shown();
        self.path.push(key.into());
        let found = self.sources.map(|sources| sources.value::<T>(&self.path, &names));
        let mut origin = Origin::Default;
        match found.transpose() {
            Ok(found) => {
                if let Some((value, from)) = found.flatten() {
                    (*field, origin) = (value, from);
                }
            }
            Err(problem) => self.fail(problem),
        }
        let value = field.shown();
        let content = if value.is_empty() { Content::Empty } else { Content::Text(value.in_words()) };
        let description = description.into();
        self.record(Entry { names, type_name: T::TYPE, description, secret: false, default, value, origin });
        Setting { visitor: self, content }
    }

    /// Shows a secret setting, as [`value`](Self::value) does; it may also be given by naming a file in `<name>_FILE`.
    pub fn secret(&mut self, key: &str, field: &mut Secret, names: &[&str], description: &str) -> Setting<'_, 'a> {
        let names = self.complete(names);
        let default = Shown::Text(field.redacted().into());
        self.path.push(key.into());
        let found = self.sources.map(|sources| sources.secret(&self.path, &names, self.allows_exposed_secrets));
        let mut origin = Origin::Default;
        match found.transpose() {
            Ok(found) => {
                if let Some(found) = found.flatten() {
                    (*field, origin) = (found.secret, found.origin);
                    self.note_file(found.file);
                }
            }
            Err(problem) => self.fail(problem),
        }
        let content = if field.is_empty() { Content::Empty } else { Content::Secret(field.clone()) };
        let value = Shown::Text(field.redacted().into());
        let description = description.into();
        self.record(Entry { names, type_name: String::TYPE, description, secret: true, default, value, origin });
        Setting { visitor: self, content }
    }

    /// Shows the setting of a private key's file, as [`value`](Self::value) does. A file that other accounts can read is refused
    /// as one of a secret is; one that cannot be read is reported where the key is used.
    pub fn private_key(
        &mut self,
        key: &str,
        field: &mut Option<PrivateKeyFile>,
        names: &[&str],
        description: &str,
    ) -> Setting<'_, 'a> {
        let allow_exposed = self.allows_exposed_secrets;
        let mut path = field.take().map(|file| file.path().to_owned());
        let mut setting = self.value(key, &mut path, names, description);
        *field = path.map(|path| PrivateKeyFile::new(path, allow_exposed));
        if let Some(file) = field.as_ref().filter(|_| setting.visitor.sources.is_some()) {
            match file.open() {
                Err(exposed @ SecretFileError::Exposed { .. }) => {
                    setting.refuse(format!("names the file {}, {exposed}", file.path().display()));
                }
                _ if allow_exposed => setting.visitor.warn_if_exposed(file.path()),
                _ => {}
            }
        }
        setting
    }

    /// Shows a nested section; it is validated once it is read.
    pub fn section<S: Section>(&mut self, key: &str, section: &mut S) {
        self.path.push(key.into());
        self.outline.push(self.path.clone(), None);
        section.visit(self);
        self.validate(section);
        self.path.pop();
    }

    pub(super) fn validate(&mut self, section: &impl Section) {
        // settings that could not be read hold their defaults, which need not fit with the rest
        if self.sources.is_none() || self.problem.is_some() {
            return;
        }
        if let Err(invalid) = section.validate() {
            let below = invalid.key.split('.').filter(|key| !key.is_empty()).map(Into::into);
            let path: Vec<String> = self.path.iter().cloned().chain(below).collect();
            self.fail(ConfigError::Invalid { setting: self.outline.in_words(&path), problem: invalid.problem });
        }
        self.warnings.extend(section.warnings());
    }

    fn complete(&self, names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.replace("<P>", self.identity.prefix)).collect()
    }

    fn record(&mut self, entry: Entry) {
        self.outline.push(self.path.clone(), Some(entry));
        self.path.pop();
    }

    fn note_file(&mut self, file: Option<PathBuf>) {
        let Some(file) = file.filter(|file| !self.files.contains(file)) else { return };
        self.warn_if_exposed(&file);
        self.files.push(file);
    }

    fn warn_if_exposed(&mut self, file: &Path) {
        let shown = file.display();
        let warning =
            format!("{shown} holds a secret and other accounts of this machine can read it; run: chmod go-rwx {shown}");
        // several settings may name one file
        if is_exposed(file) && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn fail(&mut self, problem: ConfigError) {
        self.problem.get_or_insert(problem);
    }
}

/// A setting's content while it is checked.
enum Content {
    Empty,
    Text(String),
    Secret(Secret),
}

/// A setting that was just shown, to be marked with what is demanded of it.
pub struct Setting<'v, 'a> {
    visitor: &'v mut Visitor<'a>,
    content: Content,
}

impl Setting<'_, '_> {
    /// It must not be empty; `hint` tells what to do. A secret must not be an example's either (`change-me`).
    pub fn required(&mut self, hint: &str) -> &mut Self {
        match (&self.content, self.entry().origin.place()) {
            (Content::Empty, None) => self.refuse_missing(format!("is not set; {hint}")),
            (Content::Empty, Some(place)) => self.refuse_missing(format!("is empty in {place}; {hint}")),
            (Content::Secret(secret), _) if secret.is_placeholder() => {
                self.refuse(format!("is a placeholder value; {hint}"))
            }
            _ => self,
        }
    }

    /// When it is set, it must have at least so many bytes; a secret must not be guessed either ([`Secret::weakness`]).
    pub fn min_bytes(&mut self, least: usize) -> &mut Self {
        let problem = match &self.content {
            Content::Text(text) if text.len() < least => Some(format!("must have at least {least} bytes")),
            Content::Secret(secret) => secret.weakness(least),
            Content::Text(_) | Content::Empty => None,
        };
        match problem {
            Some(problem) => self.refuse(problem),
            None => self,
        }
    }

    /// It must be one of these texts. An empty one is allowed if it is among them.
    pub fn one_of(&mut self, allowed: &[&str]) -> &mut Self {
        let text = match &self.content {
            Content::Text(text) => text.clone(),
            Content::Empty => String::new(),
            Content::Secret(_) => return self,
        };
        if allowed.contains(&text.as_str()) {
            return self;
        }
        let named: Vec<_> = allowed.iter().map(|one| if one.is_empty() { "empty" } else { one }).collect();
        let expected = format!("one of: {}", named.join(", "));
        self.refuse(format!("must be {expected}; it is {text:?}"))
    }

    fn entry(&self) -> &Entry {
        let item = self.visitor.outline.items().last();
        item.and_then(|item| item.entry.as_ref()).expect("the setting has just been recorded")
    }

    fn refuse(&mut self, problem: String) -> &mut Self {
        self.fail(|setting| ConfigError::Invalid { setting, problem })
    }

    fn refuse_missing(&mut self, problem: String) -> &mut Self {
        self.fail(|setting| ConfigError::Missing { setting, problem })
    }

    fn fail(&mut self, error: impl FnOnce(String) -> ConfigError) -> &mut Self {
        if self.visitor.sources.is_some() {
            let path = self.visitor.outline.items().last().map(|item| item.path.clone()).unwrap_or_default();
            let setting = self.visitor.outline.in_words(&path);
            self.visitor.fail(error(setting));
        }
        self
    }
}
