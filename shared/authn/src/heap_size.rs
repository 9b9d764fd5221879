//! What users and what is said of credentials take in a cache. Each type is taken apart completely, so that a new field is counted.

use bounded_cache::{ARC, HeapSize};

use crate::{
    Authenticated, ExternalIdentity, Grant, Grants, OpaqueEntry, Reason, Scope, Scopes, User, UserId, UserType,
};

impl HeapSize for Reason {}
impl HeapSize for UserType {}

impl HeapSize for ExternalIdentity {
    fn heap_size(&self) -> usize {
        let Self { idp, opaque_id } = self;
        idp.heap_size() + opaque_id.heap_size()
    }
}

impl HeapSize for UserId {
    fn heap_size(&self) -> usize {
        let Self { idp, opaque_id, kind: _, tenant_id, external_identities } = self;
        idp.heap_size() + opaque_id.heap_size() + tenant_id.heap_size() + external_identities.heap_size()
    }
}

impl HeapSize for OpaqueEntry {
    fn heap_size(&self) -> usize {
        let Self { decoder, value } = self;
        decoder.heap_size() + value.heap_size()
    }
}

impl HeapSize for User {
    fn heap_size(&self) -> usize {
        let Self {
            id,
            username,
            mail,
            mail_verified: _,
            display_name,
            groups,
            roles,
            opaque,
            uid_number: _,
            gid_number: _,
            status: _,
            password_changed: _,
        } = self;
        let texts = username.heap_size() + mail.heap_size() + display_name.heap_size();
        id.heap_size() + texts + groups.heap_size() + roles.heap_size() + opaque.heap_size()
    }
}

impl HeapSize for Scope {
    fn heap_size(&self) -> usize {
        let Self { resource, role: _ } = self;
        resource.heap_size()
    }
}

impl HeapSize for Scopes {
    fn heap_size(&self) -> usize {
        self.0.heap_size()
    }
}

impl HeapSize for Grant {
    fn heap_size(&self) -> usize {
        match self {
            Self::Node { id: text, permission: _ } | Self::Path { prefix: text, permission: _ } => text.heap_size(),
            Self::User | Self::Tokens(_) | Self::Profile => 0,
        }
    }
}

impl HeapSize for Grants {
    fn heap_size(&self) -> usize {
        self.iter().map(|grant| size_of::<Grant>() + grant.heap_size()).sum()
    }
}

impl HeapSize for Authenticated {
    fn heap_size(&self) -> usize {
        let Self { user, scopes, not_after: _, amr, actor, sid, revalidate } = self;
        let revalidate = revalidate.as_ref().map_or(0, |check| ARC + size_of_val(&**check) + check.heap_size());
        user.heap_size() + scopes.heap_size() + amr.heap_size() + actor.heap_size() + sid.heap_size() + revalidate
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn groups_of_a_user_are_counted() {
        let groups = (0..300).map(|number| format!("{number:036}")).collect();
        let user = User { groups, ..User::default() };
        assert!(user.heap_size() >= 300 * (24 + 36), "{}", user.heap_size());
        let answer = Authenticated::full(Arc::new(user), "pwd");
        assert!(answer.heap_size() > 300 * (24 + 36) + answer.scopes.heap_size());
    }
}
