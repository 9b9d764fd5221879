//! Documents by which clients describe themselves, of those clients to which users have granted something.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::{big_integer, text};
use store::schema::{Migration, index, pk_text, table};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261210_000001_client_documents", || {
        let columns = [pk_text("id"), text("metadata"), big_integer("fetched"), big_integer("used")];
        vec![
            table("idp_client_documents", columns),
            index("idp_client_documents_used", "idp_client_documents", ["used"]),
        ]
    })
}
