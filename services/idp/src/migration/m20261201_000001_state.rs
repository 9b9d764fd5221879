//! Everything that the provider remembers. Times and durations are microseconds.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, blob, blob_null, boolean, integer, pk_uuid, text, text_null, uuid,
};
use store::schema::{Change, Migration, pk_blob, pk_text, table};

pub(super) fn migration() -> Box<dyn MigrationTrait> {
    Migration::boxed("m20261201_000001_state", || {
        let tables = tables_of_grants().into_iter().chain(tables_of_sessions()).chain(tables_of_clients());
        let version = Change::Sql("INSERT INTO idp_version (id, number) VALUES (1, 0)");
        tables.chain(INDEXES.map(Change::Sql)).chain([version]).collect()
    })
}

/// Indexes for other columns than the primary keys: the owners of rows, and their times of expiry.
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

fn tables_of_grants() -> [Change; 6] {
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

fn tables_of_sessions() -> [Change; 4] {
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
    let participants = Table::create()
        .table("idp_participants")
        .col(uuid("session"))
        .col(text("client"))
        .col(text("layout"))
        .primary_key(Index::create().col("session").col("client").col("layout"))
        .foreign_key(
            ForeignKey::create()
                .name("idp_participants_session")
                .from("idp_participants", "session")
                .to("idp_sessions", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned();
    let consents = Table::create()
        .table("idp_consents")
        .col(text("person"))
        .col(text("client"))
        .col(text("scope"))
        .col(big_integer("given"))
        .primary_key(Index::create().col("person").col("client"))
        .to_owned();
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
    let [participants, consents] = [participants, consents].map(Change::from);
    [table("idp_sessions", sessions), participants, consents, table("idp_deliveries", deliveries)]
}

fn tables_of_clients() -> [Change; 4] {
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
