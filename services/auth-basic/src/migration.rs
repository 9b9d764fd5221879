//! The schema and its history. Forward only; each step may run while the version before it still serves.

mod m20261122_000001_passwords;
mod m20261128_000002_attempts;

use sea_orm_migration::prelude::*;

/// All steps, in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![m20261122_000001_passwords::migration(), m20261128_000002_attempts::migration()]
    }

    fn migration_table_name() -> DynIden {
        "auth_basic_migrations".into_iden()
    }
}
