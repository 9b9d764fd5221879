//! The verifiers, by the identifier of the user.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::{big_integer, text};
use store::schema::{Migration, pk_text, table};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261122_000001_passwords", || {
        vec![table("passwords", [pk_text("user_id"), text("verifier"), big_integer("updated")])]
    })
}
