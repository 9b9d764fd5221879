//! The identifier by which a client knows a session. A user who signs in again has a new one, which a client learns when it
//! asks again. None is that of the session itself.

use sea_orm_migration::MigrationTrait;
use sea_orm_migration::schema::uuid_null;
use store::schema::{Migration, column};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261202_000001_sids", || vec![column("idp_participants", uuid_null("sid"))])
}
