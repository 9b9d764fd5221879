//! The metadata of a client: the members of RFC 7591 2, of the specifications that extend it, and of Doorward.

use std::fmt;
use std::time::Duration;

use config::duration;
use oidc::error::ErrorCode;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::client::{ConsentPolicy, ExchangePolicy, GrantType, RoleNames, TokenFormat};
use super::secret;

/// Members of Doorward. A client that registers itself cannot set them.
const OURS: [&str; 17] = [
    "access_token_claims",
    "access_token_format",
    "access_token_signed_response_alg",
    "allowed_groups",
    "any_port",
    "consent",
    "exchange",
    "id_token_claims",
    "implicit_scopes",
    "insecure",
    "introspects_all",
    "lifetimes",
    "pkce",
    "resources",
    "roles",
    "spiffe_id",
    "transaction_tokens",
];

/// The member with which a client follows a security profile. It may set this itself, and cannot take it back.
const PROFILE: &str = "profile";

/// Why metadata is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {problem}")]
pub struct MetadataError {
    /// The invalid member.
    pub member: String,
    /// What is wrong with it.
    pub problem: String,
}

impl MetadataError {
    /// An error with this member and problem.
    pub fn new(member: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self { member: member.into(), problem: problem.to_string() }
    }

    /// The error code for the response (RFC 7591 3.2.2).
    pub fn code(&self) -> ErrorCode {
        if self.member == "redirect_uris" { ErrorCode::InvalidRedirectUri } else { ErrorCode::InvalidClientMetadata }
    }
}

/// The PKCE requirements of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PkceChoice {
    /// Each request needs a challenge with S256.
    Required,
    /// A request may have no challenge.
    Optional,
    /// A request may have no challenge, or one with `plain`.
    Plain,
}

/// The security profile of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProfileChoice {
    /// FAPI 2.0.
    Fapi2,
}

/// Where any port is taken; see [`oidc::redirect::AnyPort`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AnyPortChoice {
    Never,
    Addresses,
    Localhost,
}

/// A duration: whole seconds, or a text as in `10m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.as_secs())
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text,
            _ => String::new(),
        };
        let expected = || serde::de::Error::custom("must be seconds, or a duration as in 10m");
        duration::parse(&text).map(Self).ok_or_else(expected)
    }
}

/// The lifetimes that are specific to a client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Spans {
    pub(crate) access_token: Option<Span>,
    pub(crate) id_token: Option<Span>,
    pub(crate) refresh_token: Option<Span>,
    pub(crate) refresh_token_absolute: Option<Span>,
    pub(crate) code: Option<Span>,
}

/// What a client may request transaction tokens for. Not a part of [`ExchangePolicy`]: replicas of the former version, which ignore
/// unknown members of metadata, would refuse a client with an unknown member there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TransactionTokens {
    /// The scopes.
    pub(crate) scopes: Vec<String>,
    /// The members of the details.
    pub(crate) details: Vec<String>,
    /// The members of the context.
    pub(crate) context: Vec<String>,
    /// Whether it may replace transaction tokens.
    pub(crate) replace: bool,
    /// How long one is valid at most, if less than others.
    pub(crate) lifetime: Option<Span>,
}

/// The metadata of a client, as it is registered, configured and stored.
#[expect(clippy::struct_excessive_bools, reason = "each is one member of a registration")]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    pub(crate) client_id: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) token_endpoint_auth_method: Option<String>,
    pub(crate) token_endpoint_auth_signing_alg: Option<String>,
    pub(crate) grant_types: Option<Vec<String>>,
    pub(crate) response_types: Option<Vec<String>>,
    pub(crate) client_name: Option<String>,
    pub(crate) client_uri: Option<String>,
    pub(crate) logo_uri: Option<String>,
    pub(crate) tos_uri: Option<String>,
    pub(crate) policy_uri: Option<String>,
    pub(crate) contacts: Vec<String>,
    pub(crate) scope: Option<String>,
    pub(crate) jwks_uri: Option<String>,
    pub(crate) jwks: Option<Value>,
    pub(crate) application_type: Option<String>,
    pub(crate) sector_identifier_uri: Option<String>,
    pub(crate) subject_type: Option<String>,
    pub(crate) id_token_signed_response_alg: Option<String>,
    pub(crate) userinfo_signed_response_alg: Option<String>,
    pub(crate) request_object_signing_alg: Option<String>,
    pub(crate) authorization_signed_response_alg: Option<String>,
    pub(crate) introspection_signed_response_alg: Option<String>,
    pub(crate) default_max_age: Option<u64>,
    pub(crate) require_auth_time: bool,
    pub(crate) default_acr_values: Vec<String>,
    pub(crate) initiate_login_uri: Option<String>,
    pub(crate) request_uris: Vec<String>,
    pub(crate) post_logout_redirect_uris: Vec<String>,
    pub(crate) backchannel_logout_uri: Option<String>,
    pub(crate) backchannel_logout_session_required: bool,
    pub(crate) frontchannel_logout_uri: Option<String>,
    pub(crate) frontchannel_logout_session_required: bool,
    pub(crate) require_pushed_authorization_requests: bool,
    pub(crate) require_signed_request_object: bool,
    pub(crate) response_modes: Vec<String>,
    pub(crate) dpop_bound_access_tokens: bool,
    pub(crate) tls_client_certificate_bound_access_tokens: bool,
    pub(crate) tls_client_auth_subject_dn: Option<String>,
    pub(crate) tls_client_auth_san_dns: Option<String>,
    pub(crate) tls_client_auth_san_uri: Option<String>,
    pub(crate) tls_client_auth_san_ip: Option<String>,
    pub(crate) tls_client_auth_san_email: Option<String>,
    pub(crate) spiffe_id: Option<String>,

    pub(crate) profile: Option<ProfileChoice>,
    pub(crate) pkce: Option<PkceChoice>,
    pub(crate) consent: Option<ConsentPolicy>,
    pub(crate) implicit_scopes: Vec<String>,
    pub(crate) allowed_groups: Vec<String>,
    pub(crate) access_token_format: Option<TokenFormat>,
    pub(crate) access_token_signed_response_alg: Option<String>,
    pub(crate) access_token_claims: Vec<String>,
    pub(crate) id_token_claims: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) roles: Option<RoleNames>,
    pub(crate) lifetimes: Spans,
    pub(crate) exchange: Option<ExchangePolicy>,
    pub(crate) transaction_tokens: Option<TransactionTokens>,
    pub(crate) introspects_all: bool,
    pub(crate) any_port: Option<AnyPortChoice>,
    pub(crate) insecure: bool,

    /// Unknown members, and members in several languages (`client_name#de`, RFC 7591 2.2).
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}

impl Metadata {
    /// Reads members; those that are `null` count as left out.
    ///
    /// # Errors
    /// [`MetadataError`] for the first member that has the wrong type.
    pub fn read(members: Map<String, Value>) -> Result<Self, MetadataError> {
        let members: Map<_, _> = members.into_iter().filter(|(_, value)| !value.is_null()).collect();
        let read = |members: Map<_, _>| serde_json::from_value::<Self>(Value::Object(members));
        read(members.clone()).map_err(|error| {
            // all members have defaults, so each can be read alone, which finds the invalid one
            let alone = |(name, value): (String, Value)| {
                let problem = read(Map::from_iter([(name.clone(), value)])).err()?;
                Some(MetadataError::new(name, problem))
            };
            members.into_iter().find_map(alone).unwrap_or_else(|| MetadataError::new("metadata", error))
        })
    }

    /// Reads a JSON object.
    ///
    /// # Errors
    /// [`MetadataError`], also for a text that is not a JSON object.
    pub fn parse(json: &[u8]) -> Result<Self, MetadataError> {
        let members = serde_json::from_slice(json).map_err(|_| MetadataError::new("metadata", "is no JSON object"))?;
        Self::read(members)
    }

    /// The members that are set.
    pub fn to_members(&self) -> Map<String, Value> {
        let Ok(Value::Object(members)) = serde_json::to_value(self) else { return Map::new() };
        members.into_iter().map(|(name, value)| (name, trimmed(value))).filter(|(_, value)| is_set(value)).collect()
    }

    /// A digest of the members that are set.
    pub(crate) fn digest(&self) -> [u8; 32] {
        secret::digest(&Value::Object(self.to_members()).to_string())
    }

    /// The metadata that a client may register itself: without members of Doorward, and without unknown members.
    pub(crate) fn of_stranger(members: Map<String, Value>) -> Result<Self, MetadataError> {
        let foreign = members.into_iter().filter(|(name, _)| !OURS.contains(&name.as_str()));
        let mut metadata = Self::read(foreign.collect())?;
        metadata.other.retain(|name, value| is_translatable(name) && value.is_string());
        Ok(metadata)
    }

    /// Whether `code` is its only response type.
    pub(crate) fn is_for_codes_only(&self) -> bool {
        let implicit = GrantType::Implicit.name();
        self.response_types.iter().flatten().all(|response| response == "code")
            && self.grant_types.iter().flatten().all(|grant| grant != implicit)
    }

    /// Takes over the members of Doorward from other metadata, and the security profile, when a client updates its own.
    pub(crate) fn with_ours_of(self, other: &Self) -> Result<Self, MetadataError> {
        let mut members = self.to_members();
        let is_taken_over = |name: &str| name == PROFILE || OURS.contains(&name);
        let ours = other.to_members().into_iter().filter(|(name, _)| is_taken_over(name));
        members.extend(ours);
        Self::read(members)
    }

    /// Rejects unknown members, which an operator has mistyped.
    pub(crate) fn refuse_unknown(&self) -> Result<(), MetadataError> {
        match self.other.keys().find(|name| !is_translatable(name)) {
            Some(name) => Err(MetadataError::new(name, "is no member of a client's metadata")),
            None => Ok(()),
        }
    }
}

/// Whether it is a translation of a member that users read.
fn is_translatable(name: &str) -> bool {
    const READ: [&str; 5] = ["client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri"];
    name.split_once('#').is_some_and(|(member, _)| READ.contains(&member))
}

/// An object without unset members.
fn trimmed(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect()),
        value => value,
    }
}

/// Whether a member differs from its default.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => true,
    }
}
