//! The description of a configuration, read off its JSON Schema.
//!
//! schemars makes the schema from the type: fields, doc comments, and these attributes.
//!
//! | attribute | meaning |
//! |---|---|
//! | `x-env` | the environment names; the last one that is set wins; `<P>` is the prefix |
//! | `x-prefix` | of a section: what `<P>` is in it, in place of the service's own prefix |
//! | `x-required` | it must not be empty; the text says what to do |
//! | `x-min-bytes` | the least length, if it is set |
//! | `minimum`, `maximum` | the bounds of an integer or a duration |
//! | `x-certificate` | of a private key: the key of its certificate, of which both or none are set |
//! | `x-written` | it names a file that is written: `config check` does not read it |
//! | `enum` | the texts that are allowed |
//! | `default` | the default; of a section, the defaults of some of its keys, which go before the keys' own |
//!
//! `x-secret` and `x-private-key` come with the types [`Secret`](crate::Secret) and [`PrivateKeyFile`](crate::PrivateKeyFile).

use std::time::Duration;

use figment::value::{Dict, Value};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};
use serde_yaml_ng::Mapping;

use crate::kind::{Kind, is_empty, unset};
use crate::outline::{Item, Outline, Setting};
use crate::{Configuration, Identity, duration, secret};

/// A configuration as its type describes it.
pub(crate) struct Description {
    pub(crate) outline: Outline,
    /// The schema of the service's YAML file.
    pub(crate) schema: Json,
    /// The defaults with their secrets, as serde writes them.
    pub(crate) defaults: Value,
}

impl Description {
    pub(crate) fn of<C: Configuration>(identity: &Identity, defaults: &C) -> Self {
        let mut schema = schema_of::<C>();
        let values = secret::exposed(|| Value::serialize(defaults).map_err(Box::new))
            .expect("a configuration is made of maps and scalars");
        // a struct's fields in their order, which neither JSON nor figment preserves
        let order = serde_yaml_ng::to_value(defaults).expect("a configuration is made of maps and scalars");
        let mut reader = Reader { defaults: &values, outline: Outline::default() };
        if let (Some(root), Some(order)) = (schema.as_object_mut(), order.as_mapping()) {
            root.insert("title".into(), identity.name.into());
            reader.section(root, order, &[], identity.prefix);
        }
        Self { outline: reader.outline, schema, defaults: values }
    }
}

fn schema_of<T: JsonSchema>() -> Json {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// The defaults of a section, by the attributes `default` of its settings. Without one a setting is false, 0, empty or not set.
///
/// A section with `serde(default)` cannot take its defaults from here: schemars asks its `Default` for them.
///
/// # Panics
/// When one is not of its setting's type: a fault of the code, found by the first test that makes the section.
pub fn defaults<T: JsonSchema + DeserializeOwned>() -> T {
    default_of(&schema_of::<T>(), None).deserialize().expect("the defaults are of their settings' types")
}

/// Implements `Default` for a section by [`defaults`].
#[macro_export]
macro_rules! impl_default {
    ($section:ty) => {
        impl Default for $section {
            fn default() -> Self {
                $crate::defaults()
            }
        }
    };
}

/// The default of what a schema describes. That which the section around it names goes before its own.
fn default_of(schema: &Json, named: Option<&Json>) -> Value {
    let default = named.or_else(|| schema.get("default"));
    let Some(schema) = schema.as_object() else { return unset() };
    let Some(kind) = Kind::of(schema) else {
        let properties = schema.get("properties").and_then(Json::as_object).into_iter().flatten();
        let value = |(key, property): (&String, &Json)| {
            (key.clone(), default_of(property, default.and_then(|section| section.get(key))))
        };
        return properties.map(value).collect::<Dict>().into();
    };
    let value = match default {
        Some(default) => stated(kind, default),
        None if is_optional(schema) => Some(unset()),
        None => kind.read(if kind.may_be_empty() { "" } else { "0" }),
    };
    value.expect("a default is of its setting's kind")
}

/// The value that an attribute states: a text as operators write it, or a value as serde does.
fn stated(kind: Kind, value: &Json) -> Option<Value> {
    match value {
        Json::String(text) => kind.read(text),
        other => Value::serialize(other).ok(),
    }
}

fn is_optional(schema: &Map<String, Json>) -> bool {
    schema.get("type").and_then(Json::as_array).is_some_and(|types| types.contains(&json!("null")))
}

struct Reader<'a> {
    defaults: &'a Value,
    outline: Outline,
}

impl Reader<'_> {
    fn section(&mut self, schema: &mut Map<String, Json>, order: &Mapping, path: &[String], prefix: &str) {
        schema.remove("required");
        // each setting has its own
        schema.remove("default");
        schema.insert("type".into(), json!(["object", "null"]));
        schema.insert("additionalProperties".into(), false.into());
        let Some(Json::Object(properties)) = schema.get_mut("properties") else { return };
        for (key, value) in order {
            let Some(key) = key.as_str() else { continue };
            let Some(Json::Object(property)) = properties.get_mut(key) else { continue };
            let path = [path, &[key.to_owned()]].concat();
            let setting = Kind::of(property).map(|kind| self.setting(property, kind, &path, prefix));
            let is_section = setting.is_none();
            self.outline.0.push(Item { path: path.clone(), setting });
            if let (true, Some(order)) = (is_section, value.as_mapping()) {
                let own = property.remove("x-prefix");
                let prefix = own.as_ref().and_then(Json::as_str).unwrap_or(prefix);
                self.section(property, order, &path, prefix);
            }
        }
    }

    fn setting(&self, schema: &mut Map<String, Json>, kind: Kind, path: &[String], prefix: &str) -> Setting {
        let texts = |key: &str| {
            let listed = schema.get(key).and_then(Json::as_array).into_iter().flatten();
            listed.filter_map(Json::as_str).map(Into::into).collect::<Vec<String>>()
        };
        let text = |key: &str| schema.get(key).and_then(Json::as_str).map(|text| text.replace('\n', " "));
        let bound = |key: &str| schema.get(key).and_then(|bound| stated(kind, bound));
        let names: Vec<String> = texts("x-env").iter().map(|name| name.replace("<P>", prefix)).collect();
        let default = self.defaults.find_ref(&path.join("."));
        let setting = Setting {
            kind,
            optional: is_optional(schema),
            description: plain(&text("description").unwrap_or_default()),
            required: text("x-required"),
            min_bytes: schema.get("x-min-bytes").and_then(Json::as_u64).and_then(|least| usize::try_from(least).ok()),
            allowed: texts("enum"),
            least: bound("minimum"),
            most: bound("maximum"),
            certificate: text("x-certificate"),
            is_written: schema.get("x-written") == Some(&Json::Bool(true)),
            default: default.map_or_else(|| "".into(), |value| kind.shown(value)),
            names,
        };
        schema.insert("description".into(), setting.description.clone().into());
        match kind {
            Kind::Duration => {
                schema.remove("properties");
                schema.remove("required");
                let types =
                    if setting.optional { json!(["string", "integer", "null"]) } else { json!(["string", "integer"]) };
                schema.insert("type".into(), types);
                // not the format "duration", which is that of ISO 8601
                schema.insert("pattern".into(), duration::PATTERN.into());
                for (key, bound) in [("minimum", &setting.least), ("maximum", &setting.most)] {
                    if let Some(Ok(bound)) = bound.as_ref().map(Value::deserialize::<Duration>) {
                        schema.insert(key.into(), bound.as_secs().into());
                    }
                }
            }
            Kind::List => {
                schema.insert("type".into(), json!(["array", "string"]));
            }
            _ => {}
        }
        if !setting.is_secret() {
            let is_unset = setting.optional && is_empty(&setting.default);
            schema.insert("default".into(), if is_unset { Json::Null } else { setting.default.clone() });
        }
        schema.insert("x-env".into(), setting.names.clone().into());
        setting
    }
}

/// A doc comment without the marks that only rustdoc needs: the backquotes of code, and the angle brackets of addresses.
fn plain(comment: &str) -> String {
    let mut parts = comment.split("<http");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for address in parts {
        text.push_str("http");
        text.push_str(&address.replacen('>', "", 1));
    }
    text.replace('`', "")
}
