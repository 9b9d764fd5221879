//! The schema and its history. Forward only; each step may run while the version before it still serves.

mod m20261129_000001_accounts;

use sea_orm_migration::prelude::*;

/// All steps, in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![m20261129_000001_accounts::migration()]
    }

    fn migration_table_name() -> DynIden {
        "auth_service_migrations".into_iden()
    }
}
