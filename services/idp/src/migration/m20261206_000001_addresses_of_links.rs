//! The addresses that one-time links were sent to.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::blob_null;
use store::schema::{Migration, column};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261206_000001_addresses_of_links", || {
        // a digest, like that of the link
        vec![column("idp_links", blob_null("address"))]
    })
}
