//! The schema and its history. Forward only; each step may run while the version before it still serves.

mod m20261122_000001_tokens;
mod m20261124_000002_lives;
mod m20261129_000003_search;

use sea_orm_migration::prelude::*;

/// All steps, in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            m20261122_000001_tokens::migration(),
            m20261124_000002_lives::migration(),
            m20261129_000003_search::migration(),
            store::number_transactions("m20261208_000001_transactions", "app_token_revocations"),
        ]
    }

    fn migration_table_name() -> DynIden {
        "auth_app_migrations".into_iden()
    }
}
