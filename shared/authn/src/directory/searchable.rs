use crate::{User, UserType};

/// The users that a search or a look-up may find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Searchable {
    /// Every user.
    All,
    /// Those of this tenant; none if it is empty.
    Tenant(String),
}

impl Searchable {
    /// The users that this user may find where every user belongs to a tenant: those of the same one. Services may find all.
    pub fn by(user: &User) -> Self {
        if user.id.kind == UserType::Service { Self::All } else { Self::Tenant(user.id.tenant_id.clone()) }
    }

    /// Whether this user is one of them.
    pub fn includes(&self, user: &User) -> bool {
        match self {
            Self::All => true,
            Self::Tenant(tenant) => !tenant.is_empty() && user.id.tenant_id == *tenant,
        }
    }
}
