//! The certificate that replicas obtain by ACME, the challenges of the running order, and which replica runs it.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::{big_integer, blob_null, text};
use store::schema::{Migration, pk_text, table};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261205_000001_acme", || {
        let columns =
            [pk_text("id"), blob_null("sealed"), text("challenges"), text("holder"), big_integer("held_until")];
        vec![table("proxy_acme", columns)]
    })
}
