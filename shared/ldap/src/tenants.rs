//! Tenants: where the entries are that describe them, and which one a user has.

use config::{Invalid, Section};
use ldap3::parse_filter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::UserSchema;
use crate::config::{SCOPES, names};
use crate::entry::Entry;
use crate::filter::configured;

/// Where the entries of tenants are, for calls that look tenants up.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Tenants {
    /// The base DN of tenants. If empty, no tenant is found.
    #[serde(rename = "tenant_base_dn")]
    #[schemars(extend("x-env" = ["OCIS_LDAP_TENANT_BASE_DN", "<P>_LDAP_TENANT_BASE_DN"]))]
    pub base_dn: String,
    /// The search scope for tenants: base, one or sub.
    #[serde(rename = "tenant_search_scope")]
    #[schemars(extend("x-env" = ["OCIS_LDAP_TENANT_SCOPE", "<P>_LDAP_TENANT_SCOPE"], "default" = "sub", "enum" = SCOPES))]
    pub scope: String,
    /// A filter that tenants must match in addition to their object class.
    #[serde(rename = "tenant_filter")]
    #[schemars(extend("x-env" = ["OCIS_LDAP_TENANT_FILTER", "<P>_LDAP_TENANT_FILTER"]))]
    pub filter: String,
    /// The object class of tenants. If empty, entries of any class count.
    #[serde(rename = "tenant_objectclass")]
    #[schemars(extend("x-env" = ["OCIS_LDAP_TENANT_OBJECTCLASS", "<P>_LDAP_TENANT_OBJECTCLASS"]))]
    #[schemars(extend("default" = "openCloudEducationSchool"))]
    pub object_class: String,
    /// The attributes of tenants.
    #[serde(rename = "tenant_schema")]
    pub schema: TenantSchema,
}

config::impl_default!(Tenants);

/// `tenant_schema`: which attribute of a tenant holds what; unless set, as in the education schema of OpenCloud.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TenantSchema {
    /// The attribute with a tenant's identifier, as `user_schema.tenant_id` has it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_TENANT_SCHEMA_ID", "<P>_LDAP_TENANT_SCHEMA_ID"]))]
    #[schemars(extend("default" = "openCloudUUID"))]
    pub id: String,
    /// The attribute with a tenant's identifier in another system. If empty, tenants are not found by it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_TENANT_SCHEMA_EXTERNAL_ID", "<P>_LDAP_TENANT_SCHEMA_EXTERNAL_ID"]))]
    #[schemars(extend("default" = "openCloudEducationExternalId"))]
    pub external_id: String,
    /// The attribute with a tenant's name. If empty, tenants are not found by it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_TENANT_SCHEMA_NAME", "<P>_LDAP_TENANT_SCHEMA_NAME"]))]
    #[schemars(extend("default" = "ou"))]
    pub name: String,
}

impl Section for Tenants {
    fn validate(&self) -> Result<(), Invalid> {
        let is_filter = configured(&self.filter).is_none_or(|filter| parse_filter(filter).is_ok());
        Invalid::unless(is_filter, "tenant_filter", "must be an LDAP filter, like (objectclass=organization)")?;
        let TenantSchema { id, external_id, name } = &self.schema;
        let has_id = self.base_dn.is_empty() || !id.is_empty();
        let problem = "is not set; tenants need the attribute with their identifier";
        Invalid::unless(has_id, "tenant_schema.id", problem)?;
        let optional = [
            ("tenant_objectclass", &self.object_class),
            ("tenant_schema.id", id),
            ("tenant_schema.external_id", external_id),
            ("tenant_schema.name", name),
        ];
        optional.iter().filter(|(_, name)| !name.is_empty()).try_for_each(|setting| names(&[*setting]))
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_dn_is_enough_for_tenants_of_the_education_schema() {
        let tenants = Tenants { base_dn: "ou=tenants,dc=example,dc=org".to_owned(), ..Tenants::default() };
        let TenantSchema { id, external_id, name } = &tenants.schema;
        let attributes = [&tenants.object_class, id, external_id, name].map(String::as_str);
        assert_eq!(attributes, ["openCloudEducationSchool", "openCloudUUID", "openCloudEducationExternalId", "ou"]);
        assert!(tenants.validate().is_ok());
        let without_id = TenantSchema { id: String::new(), ..tenants.schema.clone() };
        assert!(Tenants { schema: without_id, ..tenants }.validate().is_err());
    }
}
