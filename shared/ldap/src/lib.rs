#![doc = include_str!("../README.md")]

mod attribute;
mod binder;
mod config;
mod directory;
mod entry;
mod failure;
mod filter;
mod groups;
mod known_support;
mod listing;
mod mapping;
mod multi_instance;
mod password_change;
mod pool;
mod profile;
mod server;
mod tenant_search;
mod tenants;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;
mod user_search;

pub use self::config::{GroupSchema, Ldap, UserSchema};
pub use binder::{Account, Binder};
pub use directory::Directory;
pub use groups::{Group, GroupKey};
pub use listing::Listing;
pub use mapping::{MappedAttribute, Mapping};
pub use password_change::{PasswordChange, PasswordChangeError, Refusal};
pub use profile::ProfileSchema;
pub use tenant_search::{Tenant, TenantKey};
pub use tenants::{TenantSchema, Tenants};
