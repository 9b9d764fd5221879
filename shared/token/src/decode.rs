//! The claims as Go's `encoding/json` and ours write them. What Go leaves out or writes as `null` is the zero value.

use std::{collections::BTreeMap, fmt};

use authn::{Actor, ExternalIdentity, OpaqueEntry, Role, Scope, Scopes, User, UserId, UserStatus, UserType};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};

use crate::{AUDIENCE, ROLES_KEY};

/// The claims. `iss` is required by comparing it with the user's, the others by not having a default.
#[derive(Deserialize)]
pub(crate) struct Payload {
    #[serde(default)]
    pub(crate) iss: String,
    pub(crate) aud: Audience,
    /// Seconds since the epoch.
    pub(crate) exp: u64,
    /// Seconds since the epoch.
    pub(crate) iat: u64,
    /// Seconds since the epoch.
    #[serde(default)]
    pub(crate) nbf: Option<u64>,
    pub(crate) user: UserJson,
    #[serde(default, deserialize_with = "nullable")]
    scope: BTreeMap<String, Option<ScopeJson>>,
    #[serde(default)]
    pub(crate) jti: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) amr: Vec<String>,
    #[serde(default)]
    pub(crate) act: Option<Actor>,
    #[serde(default)]
    pub(crate) sid: Option<String>,
    #[serde(default)]
    pub(crate) groups_omitted: bool,
}

impl Payload {
    /// Takes the scopes out.
    pub(crate) fn take_scopes(&mut self) -> Scopes {
        let scopes = std::mem::take(&mut self.scope);
        Scopes(scopes.into_iter().map(|(key, scope)| (key, scope.unwrap_or_default().into())).collect())
    }
}

fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Whether the token is for us. One audience may stand without its list (RFC 7519 section 4.1.3).
pub(crate) struct Audience {
    pub(crate) ours: bool,
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AudienceVisitor)
    }
}

struct AudienceVisitor;

impl<'de> Visitor<'de> for AudienceVisitor {
    type Value = Audience;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an audience or a list of them")
    }

    fn visit_str<E: Error>(self, audience: &str) -> Result<Audience, E> {
        Ok(Audience { ours: audience == AUDIENCE })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Audience, A::Error> {
        let mut ours = false;
        while let Some(audience) = list.next_element::<String>()? {
            ours |= audience == AUDIENCE;
        }
        Ok(Audience { ours })
    }
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(crate) struct UserJson {
    #[serde(deserialize_with = "nullable")]
    id: UserIdJson,
    username: String,
    mail: String,
    mail_verified: bool,
    display_name: String,
    #[serde(deserialize_with = "nullable")]
    groups: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    opaque: OpaqueJson,
    uid_number: i64,
    gid_number: i64,
    status: i32,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct UserIdJson {
    idp: String,
    opaque_id: String,
    #[serde(rename = "type")]
    kind: i32,
    tenant_id: String,
    #[serde(deserialize_with = "nullable")]
    external_identities: Vec<IdentityJson>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct IdentityJson {
    idp: String,
    opaque_id: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OpaqueJson {
    #[serde(deserialize_with = "nullable")]
    map: BTreeMap<String, Option<EntryJson>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct EntryJson {
    decoder: String,
    #[serde(deserialize_with = "base64")]
    value: Vec<u8>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ScopeJson {
    #[serde(deserialize_with = "nullable")]
    resource: EntryJson,
    role: i32,
}

fn base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    STANDARD.decode(nullable::<D, String>(deserializer)?).map_err(D::Error::custom)
}

impl From<EntryJson> for OpaqueEntry {
    fn from(entry: EntryJson) -> Self {
        Self { decoder: entry.decoder, value: entry.value }
    }
}

impl From<ScopeJson> for Scope {
    fn from(scope: ScopeJson) -> Self {
        Self { resource: scope.resource.into(), role: Role::from_number(scope.role) }
    }
}

impl From<UserIdJson> for UserId {
    fn from(id: UserIdJson) -> Self {
        let external = |other: IdentityJson| ExternalIdentity { idp: other.idp, opaque_id: other.opaque_id };
        Self {
            idp: id.idp,
            opaque_id: id.opaque_id,
            kind: UserType::from_number(id.kind),
            tenant_id: id.tenant_id,
            external_identities: id.external_identities.into_iter().map(external).collect(),
        }
    }
}

impl From<UserJson> for User {
    fn from(user: UserJson) -> Self {
        let entry = |(key, entry): (String, Option<EntryJson>)| (key, entry.unwrap_or_default().into());
        let mut opaque: BTreeMap<String, OpaqueEntry> = user.opaque.map.into_iter().map(entry).collect();
        // roles that cannot be read are none: an unknown answer grants nothing
        let roles = opaque.remove(ROLES_KEY).and_then(|entry| serde_json::from_slice(&entry.value).ok());
        Self {
            id: user.id.into(),
            username: user.username,
            mail: user.mail,
            mail_verified: user.mail_verified,
            display_name: user.display_name,
            groups: user.groups,
            roles: roles.unwrap_or_default(),
            opaque,
            uid_number: user.uid_number,
            gid_number: user.gid_number,
            status: UserStatus::from_number(user.status),
            password_changed: None,
        }
    }
}
