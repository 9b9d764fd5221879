//! The addresses that one-time links verify.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::text_null;
use store::schema::{Migration, column};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261207_000001_new_addresses_of_links", || vec![column("idp_links", text_null("new_address"))])
}
