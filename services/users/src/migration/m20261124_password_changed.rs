//! When the password of a user was last changed.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::big_integer_null;
use store::schema::{Migration, column};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    // microseconds since the Unix epoch; may be absent, as replicas of the version before add users without it
    Migration::boxed("m20261124_password_changed", || vec![column("people", big_integer_null("password_changed"))])
}
