//! Reading a configuration.

use std::path::{Path, PathBuf};

use figment::providers::Serialized;
use figment::value::{Dict, Value};
use figment::{Figment, Profile, Provider, Source};
use serde_json::Value as Json;

use crate::kind::{Kind, is_empty, on_one_line, path_of, unset};
use crate::layers::{self, Layer, SECRET_FILE, YamlFile, put};
use crate::names::UnknownVariable;
use crate::outline::{Origin, Outline, Setting};
use crate::schema::Description;
use crate::secret_file::is_exposed_at;
use crate::{
    ConfigError, Configuration, Environment, Identity, Invalid, NamedFile, PrivateKeyFile, Secret, SecretFileError,
    SecretFiles, Section, config_dir, names, print, read_secret_file, yaml,
};

/// A configuration that was read and found valid.
#[derive(Debug)]
pub struct Loaded<C> {
    /// The configuration.
    pub config: C,
    /// What the operator should know, one line each; to be logged once logging works.
    pub warnings: Vec<String>,
    /// The variables that the warnings call unknown.
    pub unknown: Vec<UnknownVariable>,
    /// The variables that can set something.
    pub known: Vec<String>,
    /// The files that were read: YAML files and secrets' files. When one changes, the configuration may have.
    pub files: Vec<PathBuf>,
    /// The files that settings name and that are read later: certificates, keys, lists. They are not read yet.
    pub named_files: Vec<NamedFile>,
    /// What is in force, as YAML: secrets redacted, and at each value that is not a default a comment that says where it came
    /// from.
    pub shown: String,
}

/// Reads and validates the configuration of a service.
///
/// # Errors
/// When a source cannot be read, or a setting in force is not valid.
pub fn load<C: Configuration>(identity: &Identity, env: &Environment) -> Result<Loaded<C>, ConfigError> {
    load_over(&C::default(), identity, env)
}

/// Like [`load`], over other defaults than the type's own.
///
/// # Errors
/// As of [`load`].
pub fn load_over<C: Configuration>(
    defaults: &C,
    identity: &Identity,
    env: &Environment,
) -> Result<Loaded<C>, ConfigError> {
    load_described(Description::of(identity, defaults), identity, env)
}

/// Reads the configuration of a running service again. A setting that nothing sets stays as it is in force, except the previous value of a
/// secret (`*_PREVIOUS`), which ends when it is removed.
///
/// # Errors
/// As of [`load`].
pub(crate) fn load_again<C: Configuration>(
    in_force: &C,
    identity: &Identity,
    env: &Environment,
) -> Result<Loaded<C>, ConfigError> {
    let mut description = Description::of(identity, in_force);
    if let Value::Dict(_, values) = &mut description.defaults {
        let previous = description.outline.settings().filter(|(_, setting)| setting.is_previous_secret());
        previous.for_each(|(path, _)| put(values, path, "".into()));
    }
    load_described(description, identity, env)
}

fn load_described<C: Configuration>(
    description: Description,
    identity: &Identity,
    env: &Environment,
) -> Result<Loaded<C>, ConfigError> {
    let Description { outline, defaults, .. } = description;
    let mut of_files = Vec::new();
    let files = YamlFile::all(identity, env, &config_dir(env), &mut of_files)?;
    files.iter().try_for_each(|file| file.check(&outline))?;
    let variables = layers::variables(env, &outline)?;
    let configured: Vec<Layer> = files.iter().map(|file| file.layer(&outline)).chain([variables]).collect();
    let mut figment = Figment::from(Serialized::defaults(defaults));
    if let Some(file) = env.generated() {
        figment = figment.merge(layers::generated(file, &outline, &configured)?);
    }
    let figment = configured.into_iter().fold(figment, |figment, layer| figment.merge(layer));
    let mut reader = Reader::new(figment, &outline)?;
    reader.settings()?;
    let config = Value::from(reader.values).deserialize::<C>().map_err(Box::new)?;
    validate(&config, &[], &outline, &mut reader.warnings)?;

    let known: Vec<String> = outline.settings().flat_map(|(_, setting)| setting.every_name()).collect();
    let unknown = names::unknown(identity, env, &known);
    let mut warnings: Vec<String> = unknown.iter().map(|variable| variable.warning.clone()).collect();
    warnings.extend(of_files);
    warnings.extend(reader.warnings);
    let mut all: Vec<PathBuf> = files.into_iter().map(|file| file.file).collect();
    all.extend(reader.files.into_iter().filter(|file| !all.contains(file)).collect::<Vec<_>>());
    let shown = print::effective(&outline, reader.shown);
    Ok(Loaded { config, warnings, unknown, known, files: all, named_files: reader.named_files, shown })
}

/// Checks the sections in a section, then the section itself, and collects its warnings.
fn validate(
    section: &dyn Section,
    path: &[&str],
    outline: &Outline,
    warnings: &mut Vec<String>,
) -> Result<(), ConfigError> {
    for (key, inner) in section.sections() {
        validate(inner, &[path, &[key]].concat(), outline, warnings)?;
    }
    section.validate().map_err(|Invalid { key, problem }| {
        let keys = path.iter().copied().chain([&*key]).flat_map(|key| key.split('.')).filter(|key| !key.is_empty());
        let setting = outline.in_words(&keys.map(Into::into).collect::<Vec<String>>());
        ConfigError::Invalid { setting, problem }
    })?;
    warnings.extend(section.warnings());
    Ok(())
}

/// Turns the texts of the merged layers into values, setting by setting.
struct Reader<'a> {
    figment: Figment,
    outline: &'a Outline,
    /// What the layers hold; then, in place of each text, its value.
    values: Dict,
    shown: Vec<(Json, Option<Origin>)>,
    allow_exposed: bool,
    warnings: Vec<String>,
    /// Files that secrets were read from.
    files: Vec<PathBuf>,
    /// Files that settings name.
    named_files: Vec<NamedFile>,
}

impl<'a> Reader<'a> {
    fn new(figment: Figment, outline: &'a Outline) -> Result<Self, ConfigError> {
        let values = figment.data().map_err(Box::new)?.remove(&Profile::Default).unwrap_or_default();
        let (shown, warnings, files, named_files) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Ok(Self { figment, outline, values, shown, allow_exposed: false, warnings, files, named_files })
    }

    fn settings(&mut self) -> Result<(), ConfigError> {
        // decides how the files of secrets are read, wherever it stands among the settings
        if let Some((path, setting)) = self.outline.settings().find(|(path, _)| *path == [SecretFiles::KEY]) {
            self.allow_exposed = self.in_force(path, setting)?.0.to_bool_lossy().unwrap_or_default();
        }
        for (path, setting) in self.outline.settings() {
            let (value, origin) = self.in_force(path, setting)?;
            let value = self.private_key(path, setting, value)?;
            let shown = setting.kind.shown(&value);
            self.check(path, setting, &value, &shown, origin.as_ref())?;
            self.note_named_file(path, setting, &value);
            put(&mut self.values, path, value);
            self.shown.push((shown, origin));
        }
        self.outline.settings().try_for_each(|(path, setting)| self.check_certificate(path, setting))
    }

    fn note_named_file(&mut self, path: &[String], setting: &Setting, value: &Value) {
        let file = match (setting.kind, value) {
            (Kind::Path, Value::String(_, text)) if !setting.is_written => text.clone(),
            (Kind::PrivateKey, Value::Dict(_, file)) => path_of(file),
            _ => return,
        };
        if !file.is_empty() {
            self.named_files.push(NamedFile { setting: self.outline.in_words(path), path: file.into() });
        }
    }

    /// The value of a setting, and where it came from.
    fn in_force(&mut self, path: &[String], setting: &Setting) -> Result<(Value, Option<Origin>), ConfigError> {
        let found = at(&self.values, path).cloned().unwrap_or_else(unset);
        let origin = self.origin(path, &found);
        let value = match &origin {
            None => found,
            Some(origin) => self.value(setting, &found, origin)?,
        };
        Ok((value, origin))
    }

    /// Where a value came from; `None` for a default.
    fn origin(&self, path: &[String], value: &Value) -> Option<Origin> {
        let metadata = self.figment.get_metadata(value.tag())?;
        let place = metadata.interpolate(&Profile::Default, path);
        match &metadata.source {
            Some(Source::File(file)) => {
                Some(Origin { comment: format!("file {}", file.display()), place, file: Some(file.clone()) })
            }
            Some(Source::Custom(_)) => Some(Origin { comment: format!("env {place}"), place, file: None }),
            _ => None,
        }
    }

    /// The value of a text or a list, or the secret in the file that a variable names.
    fn value(&mut self, setting: &Setting, found: &Value, origin: &Origin) -> Result<Value, ConfigError> {
        let (kind, place) = (setting.kind, origin.place.clone());
        let wrong = |place, found| ConfigError::Value { place, expected: kind.expected(), found };
        match (found, &origin.file) {
            (Value::String(_, text), _) if text.is_empty() && setting.optional => Ok(unset()),
            (Value::String(_, text), file) => {
                if let (true, false, Some(file)) = (setting.is_secret(), text.is_empty(), file) {
                    self.note_file(file);
                }
                kind.read(text).ok_or_else(|| wrong(place, format!("{text:?}")))
            }
            (Value::Dict(_, dict), None) => {
                let path = PathBuf::from(dict.get(SECRET_FILE).and_then(Value::as_str).unwrap_or_default());
                let secret = read_secret_file(&path, self.allow_exposed);
                let refused = |source| ConfigError::SecretFile { name: place, path: path.clone(), source };
                let secret = secret.map_err(refused)?;
                self.note_file(&path);
                Ok(secret.expose().into())
            }
            (Value::Array(_, items), _) if kind == Kind::List && items.iter().all(|item| item.as_str().is_some()) => {
                Ok(found.clone())
            }
            _ => Err(wrong(place, yaml::shape(found).into())),
        }
    }

    /// The serialized form of a [`PrivateKeyFile`] for the text of its path. A file that other accounts can read is refused as
    /// one of a secret is; one that cannot be read is reported where the key is used.
    fn private_key(&mut self, path: &[String], setting: &Setting, value: Value) -> Result<Value, ConfigError> {
        let file = match (setting.kind, &value) {
            (Kind::PrivateKey, Value::String(_, text)) => text.clone(),
            (Kind::PrivateKey, Value::Dict(_, file)) => path_of(file),
            _ => return Ok(value),
        };
        let file = PrivateKeyFile::new(file.into(), self.allow_exposed);
        match file.open() {
            Err(exposed @ SecretFileError::Exposed { .. }) => {
                let problem = format!("names the file {}, {exposed}", file.path().display());
                return Err(ConfigError::Invalid { setting: self.outline.in_words(path), problem });
            }
            _ if self.allow_exposed => self.warn_if_exposed(file.path()),
            _ => {}
        }
        Ok(Value::serialize(&file).map_err(Box::new)?)
    }

    /// Checks what the attributes demand of a setting.
    fn check(
        &self,
        path: &[String],
        setting: &Setting,
        value: &Value,
        shown: &Json,
        origin: Option<&Origin>,
    ) -> Result<(), ConfigError> {
        let name = || self.outline.in_words(path);
        let invalid = |problem| Err(ConfigError::Invalid { setting: name(), problem });
        let secret = setting.is_secret().then(|| Secret::from(value.as_str().unwrap_or_default()));
        if let Some(hint) = &setting.required {
            if is_empty(shown) {
                let problem = match origin {
                    None => format!("is not set; {hint}"),
                    Some(Origin { place, .. }) => format!("is empty in {place}; {hint}"),
                };
                return Err(ConfigError::Missing { setting: name(), problem });
            }
            if secret.as_ref().is_some_and(Secret::is_placeholder) {
                return invalid(format!("is a placeholder value; {hint}"));
            }
        }
        if let (Some(least), Some(secret), false) = (setting.min_bytes, &secret, is_empty(shown))
            && let Some(problem) = secret.weakness(least)
        {
            return invalid(problem);
        }
        if let Some(problem) = setting.kind.out_of_range(value, setting.least.as_ref(), setting.most.as_ref()) {
            return invalid(problem);
        }
        let text = on_one_line(shown);
        if !setting.allowed.is_empty() && !setting.allowed.contains(&text) {
            let named: Vec<_> = setting.allowed.iter().map(|one| if one.is_empty() { "empty" } else { one }).collect();
            return invalid(format!("must be one of: {}; it is {text:?}", named.join(", ")));
        }
        Ok(())
    }

    /// A certificate is of no use without its key, nor the key without it.
    fn check_certificate(&self, key: &[String], setting: &Setting) -> Result<(), ConfigError> {
        let (Some(name), Some((_, section))) = (&setting.certificate, key.split_last()) else { return Ok(()) };
        let certificate = [section, std::slice::from_ref(name)].concat();
        let is_set = |path: &[String]| !matches!(at(&self.values, path), None | Some(Value::Empty(..)));
        let (missing, other) = match (is_set(&certificate), is_set(key)) {
            (true, false) => (key, "certificate"),
            (false, true) => (&*certificate, "key"),
            _ => return Ok(()),
        };
        let problem = format!("is not set, but the {other} is; set both or none");
        Err(ConfigError::Invalid { setting: self.outline.in_words(missing), problem })
    }

    fn note_file(&mut self, file: &Path) {
        if !self.files.iter().any(|noted| noted == file) {
            self.warn_if_exposed(file);
            self.files.push(file.to_owned());
        }
    }

    fn warn_if_exposed(&mut self, file: &Path) {
        let shown = file.display();
        let warning =
            format!("{shown} holds a secret and other accounts of this machine can read it; run: chmod go-rwx {shown}");
        // several settings may name one file
        if is_exposed_at(file) && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

fn at<'a>(values: &'a Dict, path: &[String]) -> Option<&'a Value> {
    let (key, below) = path.split_first()?;
    let value = values.get(key)?;
    if below.is_empty() { Some(value) } else { at(value.as_dict()?, below) }
}
