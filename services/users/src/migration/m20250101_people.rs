//! Users, groups, who is in which, and who has which role.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, integer, text, text_null};
use store::schema::{Migration, index, pk_text, table, unique_index};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20250101_people", || {
        let people = [
            pk_text("id"),
            text("username"),
            // username and mail as they are compared, and everything a search looks at: in lower case
            text("username_key"),
            text_null("mail"),
            text_null("mail_key"),
            text("search_text"),
            text("display_name"),
            // the numbers of the CS3 UserStatus
            integer("status"),
            big_integer_null("uid_number"),
            big_integer_null("gid_number"),
            // seconds since the Unix epoch
            big_integer("created"),
            big_integer("updated"),
        ];
        vec![
            table("people", people),
            unique_index("people_username_key", "people", ["username_key"]),
            unique_index("people_mail_key", "people", ["mail_key"]),
            index("people_uid_number", "people", ["uid_number"]),
            index("people_gid_number", "people", ["gid_number"]),
            table("groups", [pk_text("id"), text("name"), text("name_key"), text_null("description")]),
            unique_index("groups_name_key", "groups", ["name_key"]),
            memberships().into(),
            index("memberships_group_id", "memberships", ["group_id"]),
            roles().into(),
        ]
    })
}

fn memberships() -> TableCreateStatement {
    Table::create()
        .table("memberships")
        .col(text("user_id"))
        .col(text("group_id"))
        .primary_key(Index::create().col("user_id").col("group_id"))
        .foreign_key(&mut belongs("memberships", "user_id", "people"))
        .foreign_key(&mut belongs("memberships", "group_id", "groups"))
        .to_owned()
}

fn roles() -> TableCreateStatement {
    Table::create()
        .table("roles")
        .col(text("user_id"))
        .col(text("role_id"))
        .primary_key(Index::create().col("user_id").col("role_id"))
        .foreign_key(&mut belongs("roles", "user_id", "people"))
        .to_owned()
}

fn belongs(table: &'static str, column: &'static str, owner: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(table, column).to(owner, "id").on_delete(ForeignKeyAction::Cascade).to_owned()
}
