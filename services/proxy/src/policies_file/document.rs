//! The keys of `proxy.yaml` that the edge reads, as oCIS and OpenCloud document them.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_yaml_ng::Value;

/// The file.
#[derive(Deserialize)]
pub(super) struct Document {
    #[serde(default)]
    pub(super) policy_selector: Option<SelectorEntry>,
    #[serde(default)]
    pub(super) policies: Option<Vec<PolicyEntry>>,
    #[serde(default)]
    pub(super) additional_policies: Option<Vec<PolicyEntry>>,
    #[serde(default)]
    pub(super) auth_middleware: Option<AuthEntry>,
    /// The other keys.
    #[serde(flatten)]
    pub(super) rest: BTreeMap<String, Value>,
}

/// A policy.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyEntry {
    pub(super) name: String,
    #[serde(default)]
    pub(super) routes: Option<Vec<RouteEntry>>,
    /// How many of the routes are default ones, which the file does not have. They come first.
    #[serde(skip)]
    pub(super) defaults: usize,
}

/// A route.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RouteEntry {
    #[serde(rename = "type")]
    pub(super) kind: RouteKind,
    pub(super) method: String,
    pub(super) endpoint: String,
    pub(super) backend: String,
    pub(super) service: String,
    #[serde(alias = "apache-vhost")]
    pub(super) apache_vhost: bool,
    pub(super) unprotected: bool,
    #[serde(deserialize_with = "headers")]
    pub(super) additional_headers: BTreeMap<String, String>,
    pub(super) remote_user_header: String,
    pub(super) skip_x_access_token: bool,
}

/// How the endpoint of a route is compared with a request, in the order in which the types are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RouteKind {
    /// The path begins with it, and the query has its parameters.
    Query,
    /// It is an expression that matches a part of the path.
    Regex,
    /// The path begins with it. An empty type is this one, in theirs too.
    #[default]
    #[serde(alias = "")]
    Prefix,
}

/// How the policy of a request is selected. One of the keys is there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SelectorEntry {
    #[serde(rename = "static", default)]
    pub(super) fixed: Option<StaticEntry>,
    #[serde(default)]
    pub(super) claims: Option<ClaimsEntry>,
    #[serde(default)]
    pub(super) regex: Option<RegexEntry>,
}

/// One policy for all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StaticEntry {
    pub(super) policy: String,
}

/// The policy in a claim.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClaimsEntry {
    pub(super) default_policy: String,
    pub(super) unauthenticated_policy: String,
    #[serde(default)]
    pub(super) selector_cookie_name: String,
}

/// The policy by a property of the user.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegexEntry {
    pub(super) default_policy: String,
    pub(super) unauthenticated_policy: String,
    #[serde(default)]
    pub(super) selector_cookie_name: String,
    #[serde(default)]
    pub(super) matches_policies: Vec<MatchEntry>,
}

/// A policy for users of whom a property matches.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MatchEntry {
    #[serde(default)]
    pub(super) priority: i64,
    pub(super) property: String,
    #[serde(rename = "match", deserialize_with = "text")]
    pub(super) expression: String,
    pub(super) policy: String,
}

/// Which credentials are accepted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthEntry {
    #[serde(default)]
    pub(super) credentials_by_user_agent: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) allow_app_auth: Option<bool>,
}

/// A map, or a list of maps, as the files of OpenCloud have it.
fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let maps = match Value::deserialize(deserializer)? {
        Value::Null => Vec::new(),
        Value::Sequence(maps) => maps,
        map => vec![map],
    };
    let mut headers = BTreeMap::new();
    for map in maps {
        let Value::Mapping(map) = map else {
            return Err(D::Error::custom("additional_headers must be a map, or a list of maps"));
        };
        for (name, value) in map {
            let name = scalar(name).ok_or_else(|| D::Error::custom("additional_headers has a name that is no text"))?;
            // the value is not shown: it may be a secret
            let value = scalar(value).ok_or_else(|| {
                D::Error::custom(format!("additional_headers: the value of {name} is no text; put it in quotes"))
            })?;
            if headers.contains_key(&name) {
                return Err(D::Error::custom(format!("additional_headers has {name} twice")));
            }
            headers.insert(name, value);
        }
    }
    Ok(headers)
}

/// A text, which may be written like a number.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    scalar(Value::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("it is no text; put it in quotes"))
}

/// The text of a scalar. Theirs changes truth values and fractions, so that only integers are sure to be meant as they are written.
fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}
