//! How often something was done, for limits that all replicas share; and how far they have come with what they do together.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::{big_integer, blob_null, integer, pk_uuid, text, uuid};
use store::schema::{Migration, index, pk_blob, pk_text, table};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261209_000001_limits", || {
        let rates = [pk_blob("key"), integer("kind"), big_integer("busy_until")];
        let wrong_codes =
            [pk_uuid("id"), uuid("session"), blob_null("source"), big_integer("at"), big_integer("expires")];
        vec![
            table("idp_rates", rates),
            index("idp_rates_kind", "idp_rates", ["kind", "busy_until"]),
            index("idp_rates_busy_until", "idp_rates", ["busy_until"]),
            table("idp_wrong_codes", wrong_codes),
            index("idp_wrong_codes_session", "idp_wrong_codes", ["session"]),
            index("idp_wrong_codes_source", "idp_wrong_codes", ["source", "at"]),
            index("idp_wrong_codes_expires", "idp_wrong_codes", ["expires"]),
            table("idp_rounds", [pk_text("name"), text("last"), big_integer("began")]),
        ]
    })
}
