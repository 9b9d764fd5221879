//! The keys of `proxy.yaml` that the edge reads, as oCIS and OpenCloud document them.

use std::collections::BTreeMap;

use serde::Deserialize;
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
    /// The path begins with it.
    #[default]
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
    #[serde(rename = "match")]
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
