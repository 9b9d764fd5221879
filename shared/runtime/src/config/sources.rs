//! Where values are looked up: the YAML files and, above them, the environment.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::directories::config_dir_is_given;
use super::error::ConfigError;
use super::names::{file_name, nearest, twin};
use super::outline::{Origin, Outline};
use super::secret::Secret;
use super::secret_file::{self, read_secret_file};
use super::value::Value;
use super::yaml::{self, Tree};
use super::{Environment, Identity};

/// One YAML file's word for this service.
pub(super) struct Layer {
    pub(super) file: PathBuf,
    /// The keys above the service's own within the file.
    above: Option<&'static str>,
    tree: Tree,
}

impl Layer {
    fn path_text(&self, path: &[String]) -> String {
        self.above.into_iter().chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join(".")
    }

    fn origin(&self, path: &[String]) -> Origin {
        Origin::Yaml { file: self.file.clone(), path: self.path_text(path) }
    }

    fn at(&self, path: &[String]) -> &Tree {
        path.iter().fold(&self.tree, |tree, key| tree.below(key))
    }

    fn misshapen(&self, path: &[String], expected: &str, found: &Tree) -> ConfigError {
        let text = self.path_text(path);
        let file = self.file.display();
        let place = if text.is_empty() { file.to_string() } else { format!("{file}: {text}") };
        ConfigError::Shape { place, expected: expected.into(), found: found.kind() }
    }

    /// Refuses keys that no setting has, and values where a section belongs.
    pub(super) fn check(&self, outline: &Outline) -> Result<(), ConfigError> {
        self.check_below(&mut Vec::new(), &self.tree, outline)
    }

    fn check_below(&self, path: &mut Vec<String>, tree: &Tree, outline: &Outline) -> Result<(), ConfigError> {
        let entries = match tree {
            Tree::Map(entries) => entries,
            Tree::Null => return Ok(()),
            other => return Err(self.misshapen(path, "a group of keys", other)),
        };
        for (key, below) in entries {
            path.push(key.clone());
            let Some(item) = outline.find(path) else { return Err(self.unknown_key(path, outline)) };
            if item.entry.is_none() {
                self.check_below(path, below, outline)?;
            }
            path.pop();
        }
        Ok(())
    }

    /// The right key is looked for beside the wrong one, and then everywhere: it may only be indented wrongly.
    fn unknown_key(&self, path: &[String], outline: &Outline) -> ConfigError {
        let (key, section) = path.split_last().expect("a key has been pushed");
        let beside = nearest(key, outline.children(section).map(super::outline::Item::key));
        let meant = match beside {
            Some(name) => outline.children(section).find(|item| item.key() == name),
            None => outline.items().iter().find(|item| item.key() == key),
        };
        ConfigError::UnknownKey {
            file: self.file.clone(),
            path: self.path_text(path),
            nearest: meant.map(|item| self.path_text(&item.path)),
        }
    }
}

/// Everything a value can come from.
pub(super) struct Sources<'a> {
    pub(super) env: &'a Environment,
    /// From the weakest to the strongest.
    pub(super) layers: Vec<Layer>,
    /// What is odd about the files themselves.
    pub(super) warnings: Vec<String>,
}

/// A secret that was found, and the file it came from.
pub(super) struct FoundSecret {
    pub(super) secret: Secret,
    pub(super) origin: Origin,
    pub(super) file: Option<PathBuf>,
}

impl<'a> Sources<'a> {
    /// Reads the two YAML files of a service, where they exist.
    pub(super) fn read(identity: &Identity, env: &'a Environment, dir: &Path) -> Result<Self, ConfigError> {
        let mut sources = Self { env, layers: Vec::new(), warnings: Vec::new() };
        // the default folder need not exist, but one that somebody named should
        if !dir.is_dir() && config_dir_is_given(env) {
            sources.warnings.push(format!("the configuration folder {} does not exist", dir.display()));
        }
        let family = dir.join("doorward.yaml");
        if let Some(tree) = read_yaml(&family)? {
            sources.take_section(identity, family, &tree)?;
        }
        let own = dir.join(format!("{}.yaml", identity.name));
        if let Some(tree) = read_yaml(&own)? {
            sources.layers.push(Layer { file: own, above: None, tree });
        }
        Ok(sources)
    }

    fn take_section(&mut self, identity: &Identity, file: PathBuf, whole: &Tree) -> Result<(), ConfigError> {
        let tree = whole.below(identity.name).clone();
        let layer = Layer { file, above: Some(identity.name), tree };
        match whole {
            // other services' sections are theirs to judge; only one that is nearly ours is worth a word
            Tree::Map(entries) if layer.tree == Tree::Null => {
                let near = |key: &str| key != identity.name && strsim::osa_distance(key, identity.name) <= 1;
                self.warnings.extend(entries.iter().filter(|(key, _)| near(key)).map(|(key, _)| {
                    format!(
                        "{}: {key} is ignored by {name}; did you mean {name}?",
                        layer.file.display(),
                        name = identity.name
                    )
                }));
            }
            Tree::Map(_) | Tree::Null => {}
            other => return Err(Layer { above: None, ..layer }.misshapen(&[], "a group of keys", other)),
        }
        self.layers.push(layer);
        Ok(())
    }

    /// The strongest value for a setting.
    pub(super) fn value<T: Value>(
        &self,
        path: &[String],
        names: &[String],
    ) -> Result<Option<(T, Origin)>, ConfigError> {
        let filled = |text: &&str| T::MAY_BE_EMPTY || !text.is_empty();
        let tried = names.iter().rev().flat_map(|name| [twin(name), Some(name.clone())]).flatten();
        for name in tried {
            if let Some(text) = self.env.get(&name).filter(filled) {
                let value = T::parse(text).ok_or_else(|| wrong::<T>(&name, text))?;
                return Ok(Some((value, Origin::Variable(name))));
            }
        }
        for layer in self.layers.iter().rev() {
            let parsed = match layer.at(path) {
                Tree::Null => continue,
                Tree::Scalar(text) if !filled(&text.as_str()) => continue,
                Tree::Scalar(text) => {
                    let place = layer.origin(path).place().unwrap_or_default();
                    T::parse(text).ok_or_else(|| wrong::<T>(&place, text))
                }
                Tree::List(items) => texts(items)
                    .and_then(T::parse_list)
                    .ok_or_else(|| layer.misshapen(path, T::EXPECTED, layer.at(path))),
                other @ Tree::Map(_) => Err(layer.misshapen(path, T::EXPECTED, other)),
            };
            return parsed.map(|value| Some((value, layer.origin(path))));
        }
        Ok(None)
    }

    /// The strongest word for a secret. `allow_exposed`: also from a file that other accounts can read.
    pub(super) fn secret(
        &self,
        path: &[String],
        names: &[String],
        allow_exposed: bool,
    ) -> Result<Option<FoundSecret>, ConfigError> {
        for name in names.iter().rev() {
            if let Some(found) = self.secret_of_variable(name, allow_exposed)? {
                return Ok(Some(found));
            }
        }
        for layer in self.layers.iter().rev() {
            match layer.at(path) {
                Tree::Null => {}
                Tree::Scalar(text) => {
                    let (secret, file) = (Secret::from(text.as_str()), (!text.is_empty()).then(|| layer.file.clone()));
                    return Ok(Some(FoundSecret { secret, origin: layer.origin(path), file }));
                }
                other => return Err(layer.misshapen(path, String::EXPECTED, other)),
            }
        }
        Ok(None)
    }

    /// Looks at one documented name, its equal name and the `_FILE` twins of both.
    fn secret_of_variable(&self, name: &str, allow_exposed: bool) -> Result<Option<FoundSecret>, ConfigError> {
        let equal = || [twin(name), Some(name.to_owned())].into_iter().flatten();
        let direct = equal().find_map(|name| Some((self.env.get(&name)?, name)));
        let by_file = equal().map(|name| file_name(&name)).find_map(|name| Some((self.env.get_filled(&name)?, name)));
        match (direct, by_file) {
            (None, None) => Ok(None),
            (Some((_, name)), Some((_, file_name))) => Err(ConfigError::SecretTwice { name, file_name }),
            (Some((text, name)), None) => {
                Ok(Some(FoundSecret { secret: text.into(), origin: Origin::Variable(name), file: None }))
            }
            (None, Some((path, name))) => {
                let path = PathBuf::from(path);
                let secret = read_secret_file(&path, allow_exposed);
                let secret = secret.map_err(|source| ConfigError::SecretFile {
                    name: name.clone(),
                    path: path.clone(),
                    source,
                })?;
                Ok(Some(FoundSecret { secret, origin: Origin::SecretFile(name), file: Some(path) }))
            }
        }
    }
}

fn wrong<T: Value>(place: &str, text: &str) -> ConfigError {
    ConfigError::Value { place: place.into(), expected: T::EXPECTED.into(), found: text.into() }
}

fn texts(items: &[Tree]) -> Option<Vec<String>> {
    let text = |item: &Tree| if let Tree::Scalar(text) = item { Some(text.clone()) } else { None };
    items.iter().map(text).collect()
}

fn read_yaml(file: &Path) -> Result<Option<Tree>, ConfigError> {
    let text = match yaml::read_yaml_file(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ConfigError::Unreadable { file: file.to_owned(), source }),
    };
    yaml::parse(&text).map(Some).map_err(|problem| ConfigError::Syntax { file: file.to_owned(), problem })
}

/// Whether accounts other than the owner and this process can read the file.
pub(super) fn is_exposed(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| secret_file::is_exposed(&metadata))
}
