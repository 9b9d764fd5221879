//! The schema and its history. Forward only; each step may run while the version before it still serves.

mod m20261127_000001_sessions;
mod m20261203_000001_signing_keys;
mod m20261205_000001_acme;

use sea_orm_migration::prelude::*;

/// All steps, in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            m20261127_000001_sessions::migration(),
            m20261203_000001_signing_keys::migration(),
            m20261205_000001_acme::migration(),
        ]
    }

    fn migration_table_name() -> DynIden {
        "proxy_migrations".into_iden()
    }
}
