//! Where values come from, as providers for figment: the YAML files and, above them, the environment. Both provide texts, and
//! name the variable or the place in a file that a value is from.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use crate::directories::config_dir_is_given;
use crate::environment::GeneratedFile;
use crate::error::ConfigError;
use crate::kind::unset;
use crate::names::{file_name, nearest, twin};
use crate::outline::{Item, Outline, Setting};
use crate::yaml;
use crate::{Environment, Identity};

/// The key under which the environment provides the file of a secret instead of the secret.
pub(crate) const SECRET_FILE: &str = "file";

/// One source of values.
pub(crate) struct Layer {
    metadata: Metadata,
    values: Dict,
}

impl Layer {
    /// Whether it has a value at a path.
    fn has(&self, path: &[String]) -> bool {
        let (mut found, mut group) = (None, Some(&self.values));
        for key in path {
            found = group.and_then(|group| group.get(key));
            group = found.and_then(Value::as_dict);
        }
        found.is_some()
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// Puts a value at a path, and the groups above it where they are missing.
pub(crate) fn put(values: &mut Dict, path: &[String], value: Value) {
    let Some((key, below)) = path.split_first() else { return };
    if below.is_empty() {
        values.insert(key.clone(), value);
        return;
    }
    let group = values.entry(key.clone()).or_insert_with(|| Dict::new().into());
    if let Value::Dict(_, group) = group {
        put(group, below, value);
    }
}

/// What the environment sets.
///
/// # Errors
/// When a secret is given twice.
pub(crate) fn variables(env: &Environment, outline: &Outline) -> Result<Layer, ConfigError> {
    let (mut values, mut sources) = (Dict::new(), BTreeMap::new());
    for (path, setting) in outline.settings() {
        if let Some((name, value)) = variable(env, setting)? {
            sources.insert(path.to_vec(), name);
            put(&mut values, path, value);
        }
    }
    let name_of = move |_: &Profile, path: &[&str]| {
        let path: Vec<String> = path.iter().map(ToString::to_string).collect();
        sources.get(&path).cloned().unwrap_or_else(|| path.join("."))
    };
    Ok(Layer { metadata: Metadata::from("the environment", "the environment").interpolater(name_of), values })
}

/// What a file of generated secrets sets, below these layers. The previous value of a secret that one of them sets is none: it was
/// accepted next to the generated one, and nothing more.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn generated(file: &GeneratedFile, outline: &Outline, configured: &[Layer]) -> Result<Layer, ConfigError> {
    let (secrets, mut values) = (file.read()?, Dict::new());
    let is_configured = |name: &str| {
        let mut paths = outline.settings().filter(|(_, setting)| setting.names.iter().any(|known| known == name));
        paths.any(|(path, _)| configured.iter().any(|layer| layer.has(path)))
    };
    for (path, setting) in outline.settings().filter(|(_, setting)| setting.is_secret()) {
        let named = setting.names.iter().rev().find_map(|name| Some((name, secrets.get(name.as_str())?)));
        if let Some((name, secret)) = named {
            let is_outdated = name.strip_suffix("_PREVIOUS").is_some_and(is_configured);
            put(&mut values, path, if is_outdated { "" } else { secret.expose() }.into());
        }
    }
    let shown = file.path().display().to_string();
    let place = move |_: &Profile, path: &[&str]| format!("{shown}: {}", path.join("."));
    Ok(Layer { metadata: Metadata::from("generated secrets", file.path()).interpolater(place), values })
}

/// The variable that sets a setting, and its text. The last name wins; a name wins over the `OC_` name that is equal to it only
/// if that is not set.
fn variable(env: &Environment, setting: &Setting) -> Result<Option<(String, Value)>, ConfigError> {
    for name in setting.names.iter().rev() {
        let equal = || [twin(name), Some(name.clone())].into_iter().flatten();
        let is_set = |name: String| {
            let text = env.get(&name).filter(|text| setting.may_be_empty() || !text.is_empty())?;
            Some((name, Value::from(text)))
        };
        let direct = equal().find_map(is_set);
        let by_file = || equal().map(|name| file_name(&name)).find_map(|name| Some((env.get_filled(&name)?, name)));
        match (direct, if setting.is_secret() { by_file() } else { None }) {
            (None, None) => {}
            (Some((name, _)), Some((_, file_name))) => return Err(ConfigError::SecretTwice { name, file_name }),
            (Some(found), None) => return Ok(Some(found)),
            (None, Some((path, name))) => {
                return Ok(Some((name, Dict::from([(SECRET_FILE.to_owned(), path.into())]).into())));
            }
        }
    }
    Ok(None)
}

/// The part of a YAML file that is for this service.
pub(crate) struct YamlFile {
    pub(crate) file: PathBuf,
    /// The key of that part within the file.
    above: Option<&'static str>,
    values: Value,
}

impl YamlFile {
    /// Reads the two YAML files of a service, where they exist, the weaker first. What is odd about the files themselves becomes
    /// a warning.
    pub(crate) fn all(
        identity: &Identity,
        env: &Environment,
        dir: &Path,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Self>, ConfigError> {
        let mut files = Vec::new();
        // the default folder need not exist, but one that is configured should
        if !dir.is_dir() && config_dir_is_given(env) {
            warnings.push(format!("the configuration folder {} does not exist", dir.display()));
        }
        let family = dir.join("doorward.yaml");
        if let Some(whole) = read_yaml(&family)? {
            files.push(Self::section(identity, family, &whole, warnings)?);
        }
        let file = dir.join(format!("{}.yaml", identity.name));
        if let Some(values) = read_yaml(&file)? {
            files.push(Self { file, above: None, values });
        }
        Ok(files)
    }

    /// A service's section of the family's file.
    fn section(
        identity: &Identity,
        file: PathBuf,
        whole: &Value,
        warnings: &mut Vec<String>,
    ) -> Result<Self, ConfigError> {
        let name = identity.name;
        let values = whole.find_ref(name).cloned().unwrap_or_else(unset);
        let section = Self { file, above: Some(name), values };
        match whole {
            // other services check their own sections; only a name that is nearly this one's is likely to be mistyped
            Value::Dict(_, entries) if matches!(section.values, Value::Empty(..)) => {
                let near = |key: &str| key != name && strsim::osa_distance(key, name) <= 1;
                let warning =
                    |key: &str| format!("{}: {key} is ignored by {name}; did you mean {name}?", section.file.display());
                warnings.extend(entries.keys().filter(|key| near(key)).map(|key| warning(key)));
            }
            Value::Dict(..) | Value::Empty(..) => {}
            other => return Err(Self { above: None, ..section }.wrong_shape(&[], other)),
        }
        Ok(section)
    }

    /// The values in it, as texts and lists of texts.
    pub(crate) fn layer(&self, outline: &Outline) -> Layer {
        let mut values = Dict::new();
        for (path, setting) in outline.settings() {
            match self.values.find_ref(&path.join(".")) {
                None | Some(Value::Empty(..)) => {}
                Some(Value::String(_, text)) if text.is_empty() && !setting.may_be_empty() => {}
                Some(value) => put(&mut values, path, value.clone()),
            }
        }
        let (file, above) = (self.file.display().to_string(), self.above);
        let place = move |_: &Profile, path: &[&str]| format!("{file}: {}", dotted(above, path));
        Layer { metadata: Metadata::from("a YAML file", self.file.as_path()).interpolater(place), values }
    }

    /// Refuses keys that no setting has, and values where a section belongs.
    pub(crate) fn check(&self, outline: &Outline) -> Result<(), ConfigError> {
        self.check_below(&mut Vec::new(), &self.values, outline)
    }

    fn check_below(&self, path: &mut Vec<String>, values: &Value, outline: &Outline) -> Result<(), ConfigError> {
        let entries = match values {
            Value::Dict(_, entries) => entries,
            Value::Empty(..) => return Ok(()),
            other => return Err(self.wrong_shape(path, other)),
        };
        for (key, below) in entries {
            path.push(key.clone());
            let Some(item) = outline.find(path) else { return Err(self.unknown_key(path, outline)) };
            if item.setting.is_none() {
                self.check_below(path, below, outline)?;
            }
            path.pop();
        }
        Ok(())
    }

    fn wrong_shape(&self, path: &[String], found: &Value) -> ConfigError {
        let (file, path) = (self.file.display(), self.path_text(path));
        let place = if path.is_empty() { file.to_string() } else { format!("{file}: {path}") };
        ConfigError::Value { place, expected: "a group of keys", found: yaml::shape(found).into() }
    }

    /// The right key is looked for next to the wrong one, and then everywhere: it may only be indented wrongly.
    fn unknown_key(&self, path: &[String], outline: &Outline) -> ConfigError {
        let (key, section) = path.split_last().expect("a key has been pushed");
        let sibling = nearest(key, outline.children(section).map(Item::key));
        let meant = match sibling {
            Some(name) => outline.children(section).find(|item| item.key() == name),
            None => outline.0.iter().find(|item| item.key() == key),
        };
        ConfigError::UnknownKey {
            file: self.file.clone(),
            path: self.path_text(path),
            nearest: meant.map(|item| self.path_text(&item.path)),
        }
    }

    fn path_text(&self, path: &[String]) -> String {
        dotted(self.above, &path.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

fn dotted(above: Option<&str>, path: &[&str]) -> String {
    above.into_iter().chain(path.iter().copied()).collect::<Vec<_>>().join(".")
}

fn read_yaml(file: &Path) -> Result<Option<Value>, ConfigError> {
    let text = match yaml::read_yaml_file(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ConfigError::Unreadable { file: file.to_owned(), source }),
    };
    yaml::parse(&text).map(Some).map_err(|problem| ConfigError::Syntax { file: file.to_owned(), problem })
}
