//! One-time links that are sent to users by mail.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob_null, text};
use store::schema::{Migration, index, pk_blob, table};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261205_000003_links", || {
        let links = [
            pk_blob("digest"),
            text("purpose"),
            text("person"),
            // the digest of the cookie of the browser that asked for the link
            blob_null("browser"),
            big_integer("created"),
            big_integer("expires"),
            big_integer_null("used"),
        ];
        vec![
            table("idp_links", links),
            index("idp_links_person", "idp_links", ["person"]),
            index("idp_links_expires", "idp_links", ["expires"]),
        ]
    })
}
