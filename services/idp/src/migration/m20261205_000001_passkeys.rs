//! Finds the passkey of a user who signs in with it alone, by the identifier of its credential.

use sea_orm_migration::MigrationTrait;
use store::schema::{Migration, index};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261205_000001_passkeys", || {
        vec![index("idp_factors_credential", "idp_factors", ["name", "kind"])]
    })
}
