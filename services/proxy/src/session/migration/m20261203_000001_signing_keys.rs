//! The keys of signed URLs: found by login when a URL is verified, by user and fetcher when a key is fetched, and by what the
//! issuer calls the session when that ends.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob, text, text_null};
use store::schema::{Migration, index, pk_text, table};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261203_000001_signing_keys", || {
        let columns = [
            pk_text("id"),
            text("login"),
            text("user_id"),
            text("user_idp"),
            text("fetcher"),
            text_null("session"),
            text_null("issuer"),
            text_null("subject"),
            text_null("sid"),
            blob("sealed"),
            big_integer_null("token_end"),
            big_integer("created"),
            big_integer("ends"),
        ];
        vec![
            table("proxy_signing_keys", columns),
            index("proxy_signing_keys_login", "proxy_signing_keys", ["login"]),
            index("proxy_signing_keys_user_id", "proxy_signing_keys", ["user_id"]),
            index("proxy_signing_keys_session", "proxy_signing_keys", ["session"]),
            index("proxy_signing_keys_issuer", "proxy_signing_keys", ["issuer"]),
            index("proxy_signing_keys_ends", "proxy_signing_keys", ["ends"]),
        ]
    })
}
