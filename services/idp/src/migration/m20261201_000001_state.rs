//! Everything that the provider remembers. Times and durations are microseconds.

#![expect(
    elided_lifetimes_in_paths,
    reason = "the trait's method leaves the lifetime out, and so must its implementation"
)]

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, blob, blob_null, boolean, integer, pk_uuid, text, text_null, uuid,
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// Also on `SQLite`: a start that is interrupted leaves nothing half done.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables_of_grants().into_iter().chain(tables_of_sessions()).chain(tables_of_clients()) {
            manager.create_table(table).await?;
        }
        for index in INDEXES {
            manager.get_connection().execute_unprepared(index).await?;
        }
        manager.get_connection().execute_unprepared("INSERT INTO idp_version (id, number) VALUES (1, 0)").await?;
        Ok(())
    }
}

/// By what rows are found beside their keys: who they are of, and when they are over.
const INDEXES: [&str; 17] = [
    "CREATE INDEX idp_used_codes_expires ON idp_used_codes (expires)",
    "CREATE INDEX idp_grants_person ON idp_grants (person, client)",
    "CREATE INDEX idp_grants_client ON idp_grants (client)",
    "CREATE INDEX idp_grants_over ON idp_grants (over)",
    "CREATE INDEX idp_revocations_at ON idp_revocations (at)",
    "CREATE INDEX idp_revocations_until ON idp_revocations (until)",
    "CREATE INDEX idp_sessions_person ON idp_sessions (person)",
    "CREATE INDEX idp_sessions_over ON idp_sessions (over)",
    "CREATE INDEX idp_consents_client ON idp_consents (client)",
    "CREATE INDEX idp_initial_access_expires ON idp_initial_access (expires)",
    "CREATE INDEX idp_pushed_expires ON idp_pushed (expires)",
    "CREATE UNIQUE INDEX idp_devices_user_code ON idp_devices (user_code)",
    "CREATE INDEX idp_devices_expires ON idp_devices (expires)",
    "CREATE INDEX idp_once_expires ON idp_once (expires)",
    "CREATE INDEX idp_deliveries_due ON idp_deliveries (due)",
    "CREATE INDEX idp_deliveries_created ON idp_deliveries (created)",
    "CREATE INDEX idp_keys_algorithm ON idp_keys (algorithm, active)",
];

fn table(name: &'static str, columns: impl IntoIterator<Item = ColumnDef>) -> TableCreateStatement {
    let mut table = Table::create().table(name).to_owned();
    for column in columns {
        table.col(column);
    }
    table
}

fn pk_blob(name: &'static str) -> ColumnDef {
    blob(name).primary_key().to_owned()
}

fn pk_text(name: &'static str) -> ColumnDef {
    text(name).primary_key().to_owned()
}

fn tables_of_grants() -> [TableCreateStatement; 6] {
    let grants = [
        pk_uuid("id"),
        text_null("person"),
        text("client"),
        text("content"),
        text_null("binding"),
        big_integer("generation"),
        big_integer("rotated"),
        big_integer("created"),
        big_integer("idle_end"),
        big_integer("ends"),
        big_integer("over"),
    ];
    let devices = [
        pk_blob("digest"),
        text("user_code"),
        text("client"),
        text("request"),
        big_integer("expires"),
        big_integer("interval"),
        big_integer_null("polled"),
        boolean("decided"),
        text_null("approval"),
    ];
    [
        table("idp_used_codes", [pk_uuid("grant_id"), big_integer("expires")]),
        table("idp_grants", grants),
        // `at` is of the database's own clock, which is the same for all replicas
        table("idp_revocations", [pk_uuid("id"), big_integer("until"), big_integer("at")]),
        table("idp_pushed", [pk_blob("digest"), text("client"), text("request"), big_integer("expires")]),
        table("idp_devices", devices),
        table("idp_once", [pk_blob("digest"), big_integer("expires")]),
    ]
}

fn tables_of_sessions() -> [TableCreateStatement; 4] {
    let sessions = [
        pk_uuid("id"),
        blob("digest"),
        text("person"),
        big_integer("signed_in"),
        text("amr"),
        big_integer("seen"),
        big_integer("idle"),
        big_integer("ends"),
        big_integer("over"),
        boolean("remembered"),
    ];
    let mut participants = table("idp_participants", [uuid("session"), text("client"), text("layout")]);
    participants.primary_key(Index::create().col("session").col("client").col("layout")).foreign_key(
        ForeignKey::create()
            .name("idp_participants_session")
            .from("idp_participants", "session")
            .to("idp_sessions", "id")
            .on_delete(ForeignKeyAction::Cascade),
    );
    let mut consents = table("idp_consents", [text("person"), text("client"), text("scope"), big_integer("given")]);
    consents.primary_key(Index::create().col("person").col("client"));
    let deliveries = [
        pk_uuid("id"),
        text("client"),
        text("layout"),
        uuid("session"),
        text("person"),
        big_integer("attempts"),
        big_integer("due"),
        big_integer("created"),
    ];
    [table("idp_sessions", sessions), participants, consents, table("idp_deliveries", deliveries)]
}

fn tables_of_clients() -> [TableCreateStatement; 4] {
    let clients = [
        pk_text("id"),
        boolean("registered"),
        text("metadata"),
        blob("secrets"),
        blob_null("sealed_secret"),
        blob_null("management"),
        big_integer("created"),
    ];
    let keys = [
        pk_text("kid"),
        text("algorithm"),
        blob("sealed"),
        big_integer("created"),
        big_integer("active"),
        big_integer_null("retired"),
    ];
    [
        table("idp_clients", clients),
        table("idp_version", [integer("id").primary_key().to_owned(), big_integer("number")]),
        table("idp_initial_access", [pk_blob("digest"), big_integer("uses"), big_integer("expires")]),
        table("idp_keys", keys),
    ]
}
