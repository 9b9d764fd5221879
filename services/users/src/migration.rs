//! The tables of this service; `users_migrations` is their history.

mod m20250101_people;
mod m20261124_password_changed;
mod m20261128_prepared_names;
mod m20261129_ldap_password_changes;
mod m20261129_profiles;
mod m20261129_search_index;
mod m20261129_user_changes;

use sea_orm_migration::prelude::*;

pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            m20250101_people::migration(),
            m20261124_password_changed::migration(),
            Box::new(m20261128_prepared_names::Migration),
            m20261129_profiles::migration(),
            Box::new(m20261129_search_index::Migration),
            m20261129_ldap_password_changes::migration(),
            Box::new(m20261129_user_changes::Migration),
            store::number_transactions("m20261208_transactions_of_changes", "user_changes"),
        ]
    }

    fn migration_table_name() -> DynIden {
        "users_migrations".into_iden()
    }
}
