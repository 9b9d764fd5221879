//! The claims of a verified token, and the paths by which they are found.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use authn::Reason;
use bounded_cache::{HeapSize, tree_size};
use oidc::claims::{ClaimError, identifier, time};
use serde_json::{Map, Value};

#[cfg(test)]
mod tests;

/// The longest text that is taken from a claim, in bytes.
const MAX_TEXT: usize = 1024;
/// The most entries that are taken from a list: a role may be given by one of the groups, of which there may be as many.
const MAX_LIST: usize = 5000;
/// The deepest claim.
const MAX_DEPTH: usize = 8;

/// The claims of a verified token.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// The subject, which its issuer never reassigns.
    pub subject: String,
    /// When it was issued, if it says so.
    pub issued: Option<SystemTime>,
    /// When it expires; `None` if only the issuer knows.
    pub expires: Option<SystemTime>,
    /// The session at the issuer, if it says so.
    pub session: Option<String>,
    all: Map<String, Value>,
}

impl Claims {
    /// Reads what every token needs.
    ///
    /// # Errors
    /// [`Reason::Malformed`] without a `sub`, and when one of these claims cannot be understood.
    pub fn read(all: Map<String, Value>) -> Result<Self, Reason> {
        let malformed = |_: ClaimError| Reason::Malformed;
        let owned = |name| identifier(&all, name).map_err(malformed);
        let (subject, session) = (owned("sub")?.ok_or(Reason::Malformed)?, owned("sid")?);
        let (issued, expires) = (time(&all, "iat").map_err(malformed)?, time(&all, "exp").map_err(malformed)?);
        Ok(Self { subject, issued, expires, session, all })
    }

    /// A claim, whatever it is.
    pub fn value(&self, path: &Path) -> Option<&Value> {
        path.find(&self.all)
    }

    /// A claim that is a text with something in it.
    pub fn text(&self, path: &Path) -> Option<&str> {
        path.find(&self.all)?.as_str().filter(|text| (1..=MAX_TEXT).contains(&text.len()))
    }

    /// A claim that is a whole number, or a text that is one.
    pub fn number(&self, path: &Path) -> Option<i64> {
        let value = path.find(&self.all)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    }

    /// A claim that is `true`.
    pub fn is_true(&self, path: &Path) -> bool {
        path.find(&self.all).and_then(Value::as_bool) == Some(true)
    }

    /// A claim that is a list of strings, or one string, which counts as a list of one; `None` for anything else, and for more
    /// entries than are read.
    pub fn texts(&self, path: &Path) -> Option<Vec<&str>> {
        let fits = |text: &&str| (1..=MAX_TEXT).contains(&text.len());
        match path.find(&self.all)? {
            Value::String(one) => Some(one.as_str()).filter(fits).map(|one| vec![one]),
            Value::Array(many) if many.len() <= MAX_LIST => {
                many.iter().map(|one| one.as_str().filter(fits)).collect::<Option<Vec<_>>>()
            }
            _ => None,
        }
    }

    /// Whether the issuer has left a claim out because it is too large: `OpenID` Connect Core 5.6.2 has it elsewhere then, and
    /// Entra ID says so of groups by `hasgroups` in implicit flows.
    pub fn is_left_out(&self, path: &Path) -> bool {
        let named = || self.all.get("_claim_names").and_then(Value::as_object);
        let is_named = || named().is_some_and(|names| names.keys().any(|name| path.is(name)));
        self.value(path).is_none() && (is_named() || (path.is("groups") && self.is_true(&Path::name("hasgroups"))))
    }

    /// Where a claim is that was [left out](Self::is_left_out), if the issuer says so.
    pub fn endpoint_of(&self, path: &Path) -> Option<&str> {
        let [name] = path.0.as_slice() else { return None };
        let source = self.all.get("_claim_names")?.get(name)?.as_str()?;
        self.all.get("_claim_sources")?.get(source)?.get("endpoint")?.as_str()
    }

    /// All of them, as they were written.
    pub fn all(&self) -> &Map<String, Value> {
        &self.all
    }

    /// These claims, completed by those of `others` that are missing here. Subject and expiry do not change.
    #[must_use]
    pub fn completed(mut self, others: &Self) -> Self {
        for (name, value) in &others.all {
            self.all.entry(name).or_insert_with(|| value.clone());
        }
        self
    }
}

impl HeapSize for Claims {
    fn heap_size(&self) -> usize {
        let Self { subject, issued: _, expires: _, session, all } = self;
        subject.heap_size() + session.heap_size() + allocated_by_object(all)
    }
}

/// What a JSON object has allocated, in bytes.
fn allocated_by_object(object: &Map<String, Value>) -> usize {
    let members = object.iter().map(|(name, value)| name.heap_size() + allocated_by(value)).sum::<usize>();
    tree_size::<String, Value>(object.len()) + members
}

fn allocated_by(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.heap_size(),
        Value::Array(all) => all.capacity() * size_of::<Value>() + all.iter().map(allocated_by).sum::<usize>(),
        Value::Object(object) => allocated_by_object(object),
    }
}

/// The path of a claim: names joined by dots, as in `realm_access.roles`. A dot within a name is escaped as `\.`, a backslash as
/// `\\`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Vec<String>);

/// The claim of an issuer's tokens that names the tenant of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantClaim {
    /// The claim.
    pub path: Path,
    /// Whether it holds the identifier of another system, by which the tenant is looked up.
    pub is_external: bool,
}

/// A text that names no claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(r"must be names joined by dots, at most 8; a dot within a name is written \., and a backslash \\")]
pub struct PathError;

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut names = vec![String::new()];
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let last = names.last_mut().ok_or(PathError)?;
            match character {
                '\\' => last.push(characters.next().filter(|next| matches!(next, '.' | '\\')).ok_or(PathError)?),
                '.' => names.push(String::new()),
                other => last.push(other),
            }
        }
        if names.len() > MAX_DEPTH || names.iter().any(String::is_empty) { Err(PathError) } else { Ok(Self(names)) }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |name: &String| name.replace('\\', r"\\").replace('.', r"\.");
        f.write_str(&self.0.iter().map(escaped).collect::<Vec<_>>().join("."))
    }
}

impl Path {
    /// A claim of this name, whatever characters are in it.
    pub fn name(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }

    /// Whether it is this claim.
    pub fn is(&self, name: &str) -> bool {
        matches!(self.0.as_slice(), [only] if only == name)
    }

    /// Whether it is a claim below another one.
    pub fn is_nested(&self) -> bool {
        self.0.len() > 1
    }

    fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        let (first, rest) = self.0.split_first()?;
        rest.iter().try_fold(claims.get(first)?, |value, name| value.as_object()?.get(name))
    }
}
