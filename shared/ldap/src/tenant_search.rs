//! Finds tenants by the entries that describe them.

use authn::DirectoryError;

use crate::Directory;
use crate::config::scope;
use crate::directory::only;
use crate::filter::{all, configured, equals};
use crate::pool::{Limit, Search};
use crate::tenants::{TenantSchema, Tenants};

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
