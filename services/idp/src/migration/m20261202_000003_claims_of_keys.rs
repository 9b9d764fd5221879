//! When a replica last said that it signs with a key: another one whose settings name fewer algorithms leaves it alone until then.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::big_integer_null;
use store::schema::{Migration, column};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261202_000003_claims_of_keys", || vec![column("idp_keys", big_integer_null("claimed"))])
}
