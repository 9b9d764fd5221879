//! The claims as Go's `encoding/json` writes them, straight from borrowed data.

use std::collections::BTreeMap;

use authn::{Actor, Authenticated, ExternalIdentity, OpaqueEntry, Scope, Scopes, User, UserId};
use base64::{display::Base64Display, engine::general_purpose::STANDARD};
use serde::{
    Serialize, Serializer,
    ser::{Error, SerializeMap},
};

use crate::{AUDIENCE, ROLES_KEY};

/// Go's `omitempty`.
fn empty<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The claims, in Go's order; the last five are ours and Go ignores them.
#[derive(Serialize)]
pub(crate) struct Payload<'a> {
    #[serde(skip_serializing_if = "empty")]
    iss: &'a str,
    aud: [&'static str; 1],
    exp: u64,
    iat: u64,
    user: UserJson<'a>,
    scope: ScopesJson<'a>,
    #[serde(skip_serializing_if = "empty")]
    jti: &'a str,
    #[serde(skip_serializing_if = "AmrJson::is_empty")]
    amr: AmrJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a Actor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(skip_serializing_if = "empty")]
    groups_omitted: bool,
}

/// The claims of a token other than its user.
pub(crate) struct Stamp<'a> {
    /// Seconds since the epoch.
    pub(crate) issued: u64,
    /// Seconds since the epoch.
    pub(crate) expires: u64,
    pub(crate) jti: &'a str,
    /// Whether the groups are left out, which the token then says.
    pub(crate) omits_groups: bool,
}

impl<'a> Payload<'a> {
    pub(crate) fn new(answer: &'a Authenticated, stamp: &Stamp<'a>) -> Self {
        let user = answer.user.as_ref();
        Self {
            iss: &user.id.idp,
            aud: [AUDIENCE],
            exp: stamp.expires,
            iat: stamp.issued,
            user: UserJson::new(user, stamp.omits_groups),
            scope: ScopesJson(&answer.scopes),
            jti: stamp.jti,
            amr: AmrJson([&answer.amr]),
            act: answer.actor.as_ref(),
            sid: answer.sid.as_deref(),
            groups_omitted: stamp.omits_groups,
        }
    }
}

/// RFC 8176: a list, though we know one method at most.
#[derive(Serialize)]
struct AmrJson<'a>([&'a str; 1]);

impl AmrJson<'_> {
    fn is_empty(&self) -> bool {
        self.0[0].is_empty()
    }
}

#[derive(Serialize)]
struct UserJson<'a> {
    id: UserIdJson<'a>,
    #[serde(skip_serializing_if = "empty")]
    username: &'a str,
    #[serde(skip_serializing_if = "empty")]
    mail: &'a str,
    #[serde(skip_serializing_if = "empty")]
    mail_verified: bool,
    #[serde(skip_serializing_if = "empty")]
    display_name: &'a str,
    #[serde(skip_serializing_if = "empty")]
    groups: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    opaque: Option<OpaqueJson<'a>>,
    #[serde(skip_serializing_if = "empty")]
    uid_number: i64,
    #[serde(skip_serializing_if = "empty")]
    gid_number: i64,
    #[serde(skip_serializing_if = "empty")]
    status: i32,
}

impl<'a> UserJson<'a> {
    fn new(user: &'a User, omits_groups: bool) -> Self {
        let bare = user.opaque.is_empty() && user.roles.is_empty();
        Self {
            id: UserIdJson::new(&user.id),
            username: &user.username,
            mail: &user.mail,
            mail_verified: user.mail_verified,
            display_name: &user.display_name,
            groups: if omits_groups { &[] } else { &user.groups },
            opaque: (!bare).then_some(OpaqueJson { map: EntriesJson { entries: &user.opaque, roles: &user.roles } }),
            uid_number: user.uid_number,
            gid_number: user.gid_number,
            status: user.status as i32,
        }
    }
}

#[derive(Serialize)]
struct UserIdJson<'a> {
    #[serde(skip_serializing_if = "empty")]
    idp: &'a str,
    #[serde(skip_serializing_if = "empty")]
    opaque_id: &'a str,
    #[serde(rename = "type", skip_serializing_if = "empty")]
    kind: i32,
    #[serde(skip_serializing_if = "empty")]
    tenant_id: &'a str,
    #[serde(skip_serializing_if = "IdentitiesJson::is_empty")]
    external_identities: IdentitiesJson<'a>,
}

impl<'a> UserIdJson<'a> {
    fn new(id: &'a UserId) -> Self {
        Self {
            idp: &id.idp,
            opaque_id: &id.opaque_id,
            kind: id.kind as i32,
            tenant_id: &id.tenant_id,
            external_identities: IdentitiesJson(&id.external_identities),
        }
    }
}

struct IdentitiesJson<'a>(&'a [ExternalIdentity]);

impl IdentitiesJson<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Serialize)]
struct IdentityJson<'a> {
    #[serde(skip_serializing_if = "empty")]
    idp: &'a str,
    #[serde(skip_serializing_if = "empty")]
    opaque_id: &'a str,
}

impl Serialize for IdentitiesJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|id| IdentityJson { idp: &id.idp, opaque_id: &id.opaque_id }))
    }
}

#[derive(Serialize)]
struct OpaqueJson<'a> {
    map: EntriesJson<'a>,
}

/// A user's opaque entries, with the roles among them where the order of keys, which is Go's, puts them.
struct EntriesJson<'a> {
    entries: &'a BTreeMap<String, OpaqueEntry>,
    roles: &'a [String],
}

impl Serialize for EntriesJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut roles = (!self.roles.is_empty()).then_some(self.roles);
        for (key, entry) in self.entries {
            if key.as_str() >= ROLES_KEY
                && let Some(ids) = roles.take()
            {
                put_roles(&mut map, ids)?;
            }
            // an entry with the name of the roles would be a duplicate member
            if key != ROLES_KEY || self.roles.is_empty() {
                map.serialize_entry(key, &EntryJson::from(entry))?;
            }
        }
        if let Some(ids) = roles {
            put_roles(&mut map, ids)?;
        }
        map.end()
    }
}

fn put_roles<M: SerializeMap>(map: &mut M, ids: &[String]) -> Result<(), M::Error> {
    let json = serde_json::to_vec(ids).map_err(M::Error::custom)?;
    map.serialize_entry(ROLES_KEY, &EntryJson { decoder: "json", value: Base64(&json) })
}

#[derive(Serialize)]
struct EntryJson<'a> {
    #[serde(skip_serializing_if = "empty")]
    decoder: &'a str,
    #[serde(skip_serializing_if = "Base64::is_empty")]
    value: Base64<'a>,
}

impl<'a> From<&'a OpaqueEntry> for EntryJson<'a> {
    fn from(entry: &'a OpaqueEntry) -> Self {
        Self { decoder: &entry.decoder, value: Base64(&entry.value) }
    }
}

/// Bytes as Go writes them: standard alphabet, padded.
struct Base64<'a>(&'a [u8]);

impl Base64<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}

struct ScopesJson<'a>(&'a Scopes);

#[derive(Serialize)]
struct ScopeJson<'a> {
    resource: EntryJson<'a>,
    #[serde(skip_serializing_if = "empty")]
    role: i32,
}

impl<'a> From<&'a Scope> for ScopeJson<'a> {
    fn from(scope: &'a Scope) -> Self {
        Self { resource: (&scope.resource).into(), role: scope.role as i32 }
    }
}

impl Serialize for ScopesJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.0.iter().map(|(key, scope)| (key, ScopeJson::from(scope))))
    }
}
