//! The tokens: found by digest at each use, by owner for lists, by expiry for pruning.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob, integer, pk_uuid, text};
use store::schema::{Migration, index, table, unique_index};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261122_000001_tokens", || {
        let columns = [
            pk_uuid("id"),
            text("owner_id"),
            text("owner_idp"),
            integer("owner_type"),
            text("kind"),
            text("label"),
            text("grants"),
            text("key_id"),
            blob("digest"),
            big_integer("created"),
            text("created_by"),
            big_integer_null("last_used"),
            big_integer("expires"),
            big_integer_null("revoked"),
        ];
        vec![
            table("app_tokens", columns),
            unique_index("app_tokens_digest", "app_tokens", ["digest"]),
            index("app_tokens_owner", "app_tokens", ["owner_id", "id"]),
            index("app_tokens_expires", "app_tokens", ["expires"]),
        ]
    })
}
