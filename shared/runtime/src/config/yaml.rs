//! The YAML library, in this one file.

use std::fmt::{self, Write};
use std::io;
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A YAML document whose scalars keep the text they were written with: `0123`, `1e5` and `true` stay what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    Null,
    Scalar(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// What it is, for a message.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "empty",
            Self::Scalar(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a group of keys",
        }
    }

    /// The tree below a key; a missing key is the same as an empty one.
    pub(super) fn below(&self, key: &str) -> &Tree {
        let Self::Map(entries) = self else { return &Self::Null };
        entries.iter().find(|(name, _)| name == key).map_or(&Self::Null, |(_, tree)| tree)
    }
}

/// The text of a YAML file, without the byte order mark that some editors begin a file with (YAML 1.2, 5.2): the parser counts it
/// as a column, so that whatever stands below the first key is indented otherwise.
///
/// # Errors
/// When the file cannot be read, or is not UTF-8.
pub fn read_yaml_file(path: &Path) -> io::Result<String> {
    let mut text = std::fs::read_to_string(path)?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    Ok(text)
}

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Parses one document. The error is one line and tells line and column.
pub(super) fn parse(text: &str) -> Result<Tree, String> {
    let one_line = |error: serde_yaml_ng::Error| error.to_string().replace('\n', " ");
    let shape: Shape = serde_yaml_ng::from_str(text).map_err(one_line)?;
    if matches!(shape, Shape::Null) {
        return Ok(Tree::Null);
    }
    shape.deserialize(serde_yaml_ng::Deserializer::from_str(text)).map_err(one_line)
}

/// What a document consists of, without the scalars' texts: the parser gives a number's text only to who asks for a
/// string, and whether to ask for one is known after a first reading.
#[derive(Debug)]
enum Shape {
    Null,
    Scalar,
    List(Vec<Shape>),
    Map(Vec<(Shape, Shape)>),
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

/// Takes every kind of scalar: one that it did not take would be quoted in the error, and may be a secret.
impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML without tags")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_none<E>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Shape::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Shape::Map(entries))
    }
}

impl<'de> DeserializeSeed<'de> for &Shape {
    type Value = Tree;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        match self {
            Shape::Null => IgnoredAny::deserialize(deserializer).map(|_| Tree::Null),
            Shape::Scalar => String::deserialize(deserializer).map(Tree::Scalar),
            Shape::List(items) => deserializer.deserialize_seq(ListVisitor(items)),
            Shape::Map(entries) => deserializer.deserialize_map(MapVisitor(entries)),
        }
    }
}

struct ListVisitor<'a>(&'a [Shape]);

impl<'de> Visitor<'de> for ListVisitor<'_> {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut shapes = self.0.iter();
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(shapes.next().unwrap_or(&Shape::Null))? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }
}

struct MapVisitor<'a>(&'a [(Shape, Shape)]);

impl<'de> Visitor<'de> for MapVisitor<'_> {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a group of keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut shapes = self.0.iter();
        let mut entries: Vec<(String, Tree)> = Vec::new();
        loop {
            let (key_shape, shape) = shapes.next().unwrap_or(&(Shape::Null, Shape::Null));
            match map.next_key_seed(key_shape)? {
                None => return Ok(Tree::Map(entries)),
                Some(Tree::Scalar(key)) if entries.iter().any(|(known, _)| *known == key) => {
                    return Err(A::Error::custom(format!("the key {key} is a duplicate")));
                }
                Some(Tree::Scalar(key)) => entries.push((key, map.next_value_seed(shape)?)),
                Some(other) => return Err(A::Error::custom(format!("a key cannot be {}", other.kind()))),
            }
        }
    }
}

/// Writes a text as a YAML scalar on one line, quoted where it has to be.
pub(super) fn scalar(text: &str) -> String {
    if text.is_empty() || text.contains(breaks_lines) {
        return double_quoted(text);
    }
    serde_yaml_ng::to_string(text)
        .ok()
        .and_then(|line| line.strip_suffix('\n').map(Into::into))
        .unwrap_or_else(|| double_quoted(text))
}

/// YAML ends lines at Unicode's separators too.
fn breaks_lines(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn double_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if breaks_lines(c) => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
