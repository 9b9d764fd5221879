//! The schema and its history. Forward only; each step may run while the version before it still serves.

mod m20261201_000001_state;
mod m20261202_000001_sids;
mod m20261202_000002_secrets;
mod m20261202_000003_claims_of_keys;
mod m20261203_000001_session_sources;
mod m20261203_000002_events;
mod m20261204_000001_factors;
mod m20261205_000001_passkeys;
mod m20261205_000002_audit_log;
mod m20261205_000003_links;
mod m20261206_000001_addresses_of_links;
mod m20261207_000001_new_addresses_of_links;
mod m20261209_000001_limits;
mod m20261210_000001_client_documents;

use sea_orm_migration::prelude::*;

/// All steps, in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            m20261201_000001_state::migration(),
            m20261202_000001_sids::migration(),
            m20261202_000002_secrets::migration(),
            m20261202_000003_claims_of_keys::migration(),
            m20261203_000001_session_sources::migration(),
            m20261203_000002_events::migration(),
            m20261204_000001_factors::migration(),
            m20261205_000001_passkeys::migration(),
            m20261205_000002_audit_log::migration(),
            m20261205_000003_links::migration(),
            m20261206_000001_addresses_of_links::migration(),
            m20261207_000001_new_addresses_of_links::migration(),
            store::number_transactions("m20261208_000001_transactions", "idp_revocations"),
            m20261209_000001_limits::migration(),
            m20261210_000001_client_documents::migration(),
        ]
    }

    fn migration_table_name() -> DynIden {
        "idp_migrations".into_iden()
    }
}
