//! Secrets of the installation itself, sealed: what has to stay the same while `IDP_ENCRYPTION_SECRET` is exchanged.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::blob;
use store::schema::{Migration, pk_text, table};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261202_000002_secrets", || vec![table("idp_secrets", [pk_text("name"), blob("sealed")])])
}
