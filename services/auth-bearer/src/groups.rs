//! The groups that a token names: all that its user is in at the issuer, as the issuer says.

use authn::Reason;
use serde_json::Value;
use uuid::Uuid;

use crate::claims::Claims;
use crate::derived_id::derive_uuid;
use crate::issuer::Provisioning;

#[cfg(test)]
mod tests;

/// The longest name or identifier, in bytes.
const MAX_TEXT: usize = 1024;
/// The members of an entry that hold a group's stable identifier, and its name (RFC 7643 2.4, as RFC 9068 2.2.3.1 writes groups).
const ID: [&str; 2] = ["value", "id"];
const NAME: [&str; 2] = ["display", "name"];

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Group {
    /// Its identifier here, if the issuer gives it one that stays when the group is renamed: see [`identity`].
    pub id: Option<String>,
    /// Its name here.
    pub name: String,
}

/// What a token says of groups; nothing where it has no such claim.
///
/// # Errors
/// [`Reason::TooManyGroups`] for more than are taken, or if the issuer says that it has left them out; [`Reason::Malformed`] if
/// they cannot be understood. Whoever was taken out of a group at the issuer would otherwise stay in it here.
pub fn read(
    issuer: &str,
    claims: &Claims,
    provisioning: &Provisioning,
    suffix: &str,
) -> Result<Option<Vec<Group>>, Reason> {
    let path = &provisioning.groups;
    let Some(value) = claims.value(path) else {
        return if claims.is_left_out(path) { Err(too_many(issuer, provisioning, None)) } else { Ok(None) };
    };
    let malformed = |reason| {
        tracing::warn!(issuer, claim = %path, "sign-in refused: the claim with the groups cannot be understood");
        reason
    };
    let ids = provisioning.group_ids.as_ref().and_then(|path| claims.value(path));
    let mut groups = entries(value, ids).map_err(malformed)?;
    groups.sort_unstable();
    groups.dedup();
    if groups.len() > provisioning.max_groups {
        return Err(too_many(issuer, provisioning, Some(groups.len())));
    }
    let group = |(name, id): (&str, Option<&str>)| Group {
        id: id.map(|id| identity(issuer, id).to_string()),
        name: format!("{name}{suffix}"),
    };
    Ok(Some(groups.into_iter().map(group).collect()))
}

/// The identifier here of a group of an issuer: a UUID of version 8 (RFC 9562 5.8), which no other kind of group has.
pub fn identity(issuer: &str, group: &str) -> Uuid {
    derive_uuid(b"doorward group\0", issuer, group)
}

/// Names and stable identifiers. An empty name is no group.
fn entries<'a>(value: &'a Value, ids: Option<&'a Value>) -> Result<Vec<(&'a str, Option<&'a str>)>, Reason> {
    let (names, ids) = (list(value), ids.map(list));
    // the identifiers are a separate list in the same order
    if ids.is_some_and(|ids| ids.len() != names.len()) {
        return Err(Reason::Malformed);
    }
    let entry_of = |(index, value): (usize, &'a Value)| {
        let (name, own) = match value {
            Value::String(name) => (name.as_str(), None),
            Value::Object(_) => {
                let id = ID.iter().find_map(|member| value.get(member)?.as_str());
                let name = NAME.iter().find_map(|member| value.get(member)?.as_str()).or(id);
                (name.ok_or(Reason::Malformed)?, id)
            }
            _ => return Err(Reason::Malformed),
        };
        let listed = ids.map(|ids| ids[index].as_str().ok_or(Reason::Malformed)).transpose()?;
        let id = listed.or(own).filter(|id| !id.is_empty());
        let fits = |text: &str| text.len() <= MAX_TEXT;
        if fits(name) && id.is_none_or(fits) { Ok((name, id)) } else { Err(Reason::Malformed) }
    };
    let entries = names.iter().enumerate().map(entry_of);
    entries.filter(|entry| !matches!(entry, Ok(("", _)))).collect()
}

/// A list, or one string, which counts as a list of one.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

fn too_many(issuer: &str, provisioning: &Provisioning, count: Option<usize>) -> Reason {
    let (claim, most) = (&provisioning.groups, provisioning.max_groups);
    tracing::warn!(
        issuer,
        count,
        "sign-in refused: the claim {claim} names more groups than the token holds, and the issuer's userinfo does not have them, or more than {most}; have the issuer send fewer or offer them at userinfo, or set AUTH_BEARER_AUTOPROVISION_MAX_GROUPS (max_groups in the file)"
    );
    Reason::TooManyGroups
}
