//! The profiles of users.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, text};
use store::schema::{Migration, pk_text};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261129_profiles", || {
        let mut owner = ForeignKey::create()
            .from("profiles", "user_id")
            .to("people", "id")
            .on_delete(ForeignKeyAction::Cascade)
            .to_owned();
        let table = Table::create()
            .table("profiles")
            .col(pk_text("user_id"))
            // a JSON object: the values by the names of the attributes
            .col(text("attributes"))
            .col(boolean("phone_number_verified"))
            .foreign_key(&mut owner)
            .to_owned();
        vec![table.into()]
    })
}
