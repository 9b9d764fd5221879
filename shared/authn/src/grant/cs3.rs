//! Grants as CS3 scopes, which is what the internal token carries.
//!
//! Nodes and paths get keys of their own, `node:UUID` and `path:/PREFIX`. CS3 has a kind of scope for one resource,
//! `resourceinfo:...`, but Go's services compare its path as a bare text: one without a path fits every path, and `/a`
//! fits `/ab`. A key that they do not know they refuse, which is the safe answer.

use super::{Grant, GrantError, Grants, MAX_GRANTS, Permission, resource_of};
use crate::{OpaqueEntry, Role, Scope, Scopes};

impl Grants {
    /// The grants that CS3 scopes ask for.
    ///
    /// # Errors
    /// [`GrantError::Unknown`] for a scope that is none of ours, or that has another role than ours has.
    pub fn from_cs3(scopes: &Scopes) -> Result<Self, GrantError> {
        if scopes.0.len() > MAX_GRANTS {
            return Err(GrantError::TooMany);
        }
        let one = |(key, scope): (&String, &Scope)| {
            from_cs3(key, scope.role).ok_or_else(|| GrantError::Unknown(format!("{key} with role {:?}", scope.role)))
        };
        Self::normal(scopes.0.iter().map(one).collect::<Result<_, _>>()?)
    }

    /// The CS3 scopes that the grants stand for.
    pub fn to_cs3(&self) -> Scopes {
        Scopes(self.iter().map(to_cs3).collect())
    }
}

impl Scopes {
    /// The grants among these scopes; what is not known grants nothing.
    pub(super) fn grants(&self) -> Vec<Grant> {
        self.0.iter().filter_map(|(key, scope)| from_cs3(key, scope.role)).collect()
    }
}

fn from_cs3(key: &str, role: Role) -> Option<Grant> {
    match (key, role) {
        // `user` is everything whatever its resource says, so less than an owner's role cannot be promised with it
        ("user", Role::Owner) => Some(Grant::User),
        ("profile", Role::Viewer) => Some(Grant::Profile),
        ("tokens", role) => Permission::of_role(role).filter(|permission| permission.reads()).map(Grant::Tokens),
        (key, role) => resource_of(key, Permission::of_role(role)?),
    }
}

fn to_cs3(grant: &Grant) -> (String, Scope) {
    let (key, resource, role) = match grant {
        Grant::User => ("user".to_owned(), serde_json::json!({ "path": "/" }), Role::Owner),
        Grant::Node { id, permission } => {
            (format!("node:{id}"), serde_json::json!({ "id": { "opaqueId": id } }), permission.role())
        }
        Grant::Path { prefix, permission } => {
            (format!("path:{prefix}"), serde_json::json!({ "path": prefix }), permission.role())
        }
        Grant::Tokens(permission) => ("tokens".to_owned(), serde_json::json!({}), permission.role()),
        Grant::Profile => ("profile".to_owned(), serde_json::json!({}), Role::Viewer),
    };
    (key, Scope { resource: OpaqueEntry::json(resource.to_string()), role })
}
