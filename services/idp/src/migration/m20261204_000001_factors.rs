//! Second factors of users, their recovery codes, and the devices on which a user is not asked for the factor again.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob, boolean, pk_uuid, text};
use store::schema::{Migration, index, pk_blob, table, unique_index};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261204_000001_factors", || {
        let factors = [
            pk_uuid("id"),
            text("person"),
            text("kind"),
            // tells apart factors of a kind of which a user may have several
            text("name"),
            blob("sealed"),
            boolean("administrator"),
            big_integer_null("last_step"),
            big_integer("failures"),
            big_integer("blocked_until"),
            big_integer("created"),
            big_integer_null("used"),
        ];
        vec![
            table("idp_factors", factors),
            unique_index("idp_factors_name", "idp_factors", ["person", "kind", "name"]),
            table("idp_recovery_codes", [pk_blob("digest"), text("person")]),
            index("idp_recovery_codes_person", "idp_recovery_codes", ["person"]),
            table("idp_trusted_devices", [pk_blob("digest"), text("person"), big_integer("expires")]),
            index("idp_trusted_devices_person", "idp_trusted_devices", ["person"]),
            index("idp_trusted_devices_expires", "idp_trusted_devices", ["expires"]),
        ]
    })
}
