//! When the passwords of users in LDAP were changed here.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::big_integer;
use store::schema::{Migration, pk_text, table};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261129_ldap_password_changes", || {
        // microseconds since the Unix epoch
        vec![table("ldap_password_changes", [pk_text("user_id"), big_integer("changed")])]
    })
}
