//! The sessions: found by key at each use, by subject and `sid` when an issuer ends them; and the logout tokens that have come.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::{big_integer, blob, text, text_null};
use store::schema::{Migration, index, pk_text, table};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261127_000001_sessions", || {
        let columns = [
            pk_text("id"),
            text("subject"),
            text_null("sid"),
            blob("tokens"),
            big_integer("access_end"),
            big_integer("created"),
            big_integer("used"),
            big_integer("ends"),
            big_integer("version"),
            big_integer("claimed"),
        ];
        vec![
            table("proxy_sessions", columns),
            index("proxy_sessions_subject", "proxy_sessions", ["subject"]),
            index("proxy_sessions_sid", "proxy_sessions", ["sid"]),
            index("proxy_sessions_used", "proxy_sessions", ["used"]),
            index("proxy_sessions_ends", "proxy_sessions", ["ends"]),
            table("proxy_logouts", [pk_text("jti"), big_integer("expires")]),
        ]
    })
}
