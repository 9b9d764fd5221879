//! Single claims that a client asks for: the parameter `claims` (OpenID Connect Core 5.5).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

/// The most requested claims in one place, and the most values of one claim.
const MAX_ENTRIES: usize = 64;
/// The longest name of a claim, in bytes.
const MAX_NAME: usize = 128;

/// The claims that are requested in one place, by their names, which may end in a language tag (`name#de`).
pub type Claims = BTreeMap<String, ClaimRequest>;

/// The requested claims, by the place in which they are returned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimsRequest {
    /// From the userinfo endpoint.
    pub userinfo: Claims,
    /// In the ID token.
    pub id_token: Claims,
}

/// The request for one claim; the default, `null`, makes it voluntary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimRequest {
    /// The client needs it; that it is missing is still no error.
    pub essential: bool,
    /// It shall have this value.
    pub value: Option<ClaimValue>,
    /// It shall have one of these values, the preferred one first.
    pub values: Vec<ClaimValue>,
}

/// A requested value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimValue {
    /// A text, as of `sub` and `acr`.
    Text(String),
    /// A whole number, as of `auth_time`.
    Integer(i64),
    /// A truth value, as of `email_verified`.
    Boolean(bool),
}

/// Why `claims` is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// It is not a JSON object.
    #[error("claims is not a JSON object")]
    Malformed,
    /// `userinfo` or `id_token` is not an object.
    #[error("userinfo and id_token of claims are objects")]
    Place,
    /// The request for a claim is neither `null` nor an object with the standard members.
    #[error("a claim is asked for by null or by an object with essential, value and values")]
    Entry,
    /// A value is neither a text, nor a whole number, nor a truth value.
    #[error("the value of a claim is a text, a whole number or a truth value")]
    Value,
    /// There are too many claims or values, or the name of a claim is empty or too long.
    #[error("claims is too large")]
    TooLarge,
}

impl ClaimsRequest {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.userinfo.is_empty() && self.id_token.is_empty()
    }
}

impl FromStr for ClaimsRequest {
    type Err = ClaimsError;

    /// Reads the JSON. Members that the standard does not have are ignored, as it says.
    fn from_str(text: &str) -> Result<Self, ClaimsError> {
        let Ok(Value::Object(mut members)) = serde_json::from_str(text) else { return Err(ClaimsError::Malformed) };
        let mut place = |name| members.remove(name).map_or(Ok(Claims::new()), read_place);
        Ok(Self { userinfo: place("userinfo")?, id_token: place("id_token")? })
    }
}

fn read_place(place: Value) -> Result<Claims, ClaimsError> {
    let entries = match place {
        Value::Null => return Ok(Claims::new()),
        Value::Object(entries) => entries,
        _ => return Err(ClaimsError::Place),
    };
    let named = |name: &String| (1..=MAX_NAME).contains(&name.len());
    if entries.len() > MAX_ENTRIES || !entries.keys().all(named) {
        return Err(ClaimsError::TooLarge);
    }
    entries.into_iter().map(|(name, entry)| Ok((name, ClaimRequest::read(entry)?))).collect()
}

impl ClaimRequest {
    fn read(entry: Value) -> Result<Self, ClaimsError> {
        let mut members = match entry {
            Value::Null => return Ok(Self::default()),
            Value::Object(members) => members,
            _ => return Err(ClaimsError::Entry),
        };
        let essential = match members.remove("essential") {
            None => false,
            Some(Value::Bool(essential)) => essential,
            Some(_) => return Err(ClaimsError::Entry),
        };
        let values = match members.remove("values") {
            None => Vec::new(),
            Some(Value::Array(values)) if values.len() > MAX_ENTRIES => return Err(ClaimsError::TooLarge),
            Some(Value::Array(values)) => values.into_iter().map(ClaimValue::read).collect::<Result<_, _>>()?,
            Some(_) => return Err(ClaimsError::Entry),
        };
        Ok(Self { essential, value: members.remove("value").map(ClaimValue::read).transpose()?, values })
    }

    fn to_json(&self) -> Value {
        let mut members = Map::new();
        if self.essential {
            members.insert("essential".to_owned(), true.into());
        }
        if let Some(value) = &self.value {
            members.insert("value".to_owned(), value.to_json());
        }
        if !self.values.is_empty() {
            members.insert("values".to_owned(), self.values.iter().map(ClaimValue::to_json).collect());
        }
        if members.is_empty() { Value::Null } else { members.into() }
    }
}

impl ClaimValue {
    fn read(value: Value) -> Result<Self, ClaimsError> {
        match value {
            Value::String(text) => Ok(Self::Text(text)),
            Value::Bool(truth) => Ok(Self::Boolean(truth)),
            Value::Number(number) => number.as_i64().map(Self::Integer).ok_or(ClaimsError::Value),
            Value::Null | Value::Array(_) | Value::Object(_) => Err(ClaimsError::Value),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Integer(number) => (*number).into(),
            Self::Boolean(truth) => (*truth).into(),
        }
    }
}

impl fmt::Display for ClaimsRequest {
    /// JSON, without what asks for nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut members = Map::new();
        for (name, place) in [("userinfo", &self.userinfo), ("id_token", &self.id_token)] {
            if !place.is_empty() {
                let entries = place.iter().map(|(name, entry)| (name.clone(), entry.to_json()));
                members.insert(name.to_owned(), entries.collect());
            }
        }
        write!(f, "{}", Value::Object(members))
    }
}
