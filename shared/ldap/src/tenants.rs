//! The tenants of users.

use crate::UserSchema;
use crate::entry::Entry;

/// The tenant of a user, empty without one. A user of several is of none: `None`, and the entry is skipped.
pub(crate) fn of<'a>(entry: &'a Entry, schema: &UserSchema) -> Option<&'a str> {
    let attribute = &schema.tenant_id;
    if attribute.is_empty() {
        return Some("");
    }
    let tenant = entry.single_text(attribute);
    if tenant.is_none() {
        tracing::warn!(
            dn = entry.dn,
            attribute,
            "an LDAP entry has several tenants, or one that is no text, and is skipped"
        );
    }
    tenant
}
