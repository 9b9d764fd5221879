//! Tenants: those of users, and the entries that describe them.

use authn::DirectoryError;
use config::{Invalid, Section};
use ldap3::parse_filter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{SCOPES, names, scope};
use crate::directory::only;
use crate::entry::Entry;
use crate::filter::{all, configured, equals};
use crate::pool::{Limit, Search};
use crate::{Directory, UserSchema};

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
    pub object_class: String,
    /// The attributes of tenants.
    #[serde(rename = "tenant_schema")]
    pub schema: TenantSchema,
}

config::impl_default!(Tenants);

/// `tenant_schema`: which attribute of a tenant holds what.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TenantSchema {
    /// The attribute with a tenant's identifier, as `user_schema.tenant_id` has it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_TENANT_SCHEMA_ID", "<P>_LDAP_TENANT_SCHEMA_ID"]))]
    pub id: String,
    /// The attribute with a tenant's identifier in another system. If empty, tenants are not found by it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_TENANT_SCHEMA_EXTERNAL_ID", "<P>_LDAP_TENANT_SCHEMA_EXTERNAL_ID"]))]
    pub external_id: String,
    /// The attribute with a tenant's name. If empty, tenants are not found by it.
    #[schemars(extend("x-env" = ["OCIS_LDAP_TENANT_SCHEMA_NAME", "<P>_LDAP_TENANT_SCHEMA_NAME"]))]
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

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The identifier, which users have.
    pub id: String,
    /// The identifier in another system; empty if there is none.
    pub external_id: String,
    /// The name to show; empty if there is none.
    pub name: String,
}

/// What a tenant is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantKey {
    /// The identifier.
    Id,
    /// The identifier in another system.
    ExternalId,
    /// The name.
    Name,
}

impl Directory {
    /// The one tenant with this value.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`] if there is none, or nothing says where tenants are; [`DirectoryError::Ambiguous`] if there are
    /// several; when the server does not answer.
    pub async fn tenant(&self, tenants: &Tenants, key: TenantKey, value: &str) -> Result<Tenant, DirectoryError> {
        let TenantSchema { id, external_id, name } = &tenants.schema;
        let attribute = match key {
            TenantKey::Id => id,
            TenantKey::ExternalId => external_id,
            TenantKey::Name => name,
        };
        if tenants.base_dn.is_empty() || attribute.is_empty() || value.is_empty() {
            return Err(DirectoryError::NotFound);
        }
        let class = Some(&tenants.object_class).filter(|class| !class.is_empty());
        let class = class.map(|class| equals("objectClass", class));
        let parts = configured(&tenants.filter).into_iter().chain(class).chain([equals(attribute, value)]);
        let attributes: Vec<_> = [id, external_id, name].into_iter().filter(|name| !name.is_empty()).cloned().collect();
        let search = Search {
            base: &tenants.base_dn,
            scope: scope(&tenants.scope),
            filter: all(&parts.collect::<Vec<_>>()),
            attributes: &attributes,
            limit: Limit::AtMost(2),
            optional_base: false,
        };
        let entry = only(self.users.pool.search(&search).await?)?;
        // the server compares more loosely than we do
        if entry.single_text(attribute) != Some(value) {
            return Err(DirectoryError::NotFound);
        }
        let text = |attribute: &str| entry.single_text(attribute).unwrap_or_default().to_owned();
        let tenant = Tenant { id: text(id), external_id: text(external_id), name: text(name) };
        if tenant.id.is_empty() { Err(DirectoryError::NotFound) } else { Ok(tenant) }
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
