//! The accounts by identifier, and their secrets by account.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob, boolean, pk_uuid, text};
use store::schema::{Migration, index, pk_text, table};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261129_000001_accounts", || {
        let accounts = [
            pk_text("id"),
            text("display_name"),
            text("scopes"),
            boolean("disabled"),
            big_integer_null("expires"),
            big_integer("created"),
            text("created_by"),
            big_integer_null("used"),
            text("used_from"),
            text("used_by"),
        ];
        let secrets = [
            pk_uuid("id"),
            text("account"),
            blob("hmac_key"),
            blob("digest"),
            big_integer("created"),
            text("created_by"),
            big_integer_null("expires"),
            big_integer_null("used"),
        ];
        vec![
            table("service_accounts", accounts),
            table("service_account_secrets", secrets),
            index("service_account_secrets_account", "service_account_secrets", ["account"]),
        ]
    })
}
