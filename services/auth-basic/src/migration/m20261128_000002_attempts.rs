//! Failed attempts, by the digest of what they are counted under.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::{big_integer, boolean, double};
use store::schema::{Migration, index, pk_blob, table};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261128_000002_attempts", || {
        let columns =
            [pk_blob("key"), double("failures"), big_integer("last"), big_integer("blocked_until"), boolean("known")];
        vec![table("password_attempts", columns), index("password_attempts_last", "password_attempts", ["last"])]
    })
}
