//! The schema and its history. Forward only; each step may run while the version before it still serves.

mod m20261209_000001_logouts;

use sea_orm_migration::prelude::*;

/// All steps, in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            m20261209_000001_logouts::migration(),
            store::number_transactions("m20261209_000002_transactions", "auth_bearer_logouts"),
        ]
    }

    fn migration_table_name() -> DynIden {
        "auth_bearer_migrations".into_iden()
    }
}
