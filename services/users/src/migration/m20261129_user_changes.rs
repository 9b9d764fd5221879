//! The users that were changed, recorded by triggers for the replicas, which have users in memory.

use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::prelude::*;
use store::columns;

/// The oldest version of `PostgreSQL` that has `gen_random_uuid`, as it numbers its versions.
const OLDEST: i32 = 130_000;
/// The tables whose rows make up a user, and the column that identifies the user.
const TABLES: [(&str, &str); 3] = [("people", "id"), ("roles", "user_id"), ("memberships", "user_id")];

/// Records the users of a statement, given the column that identifies them; without a column, or with more than 300 of them, that all
/// users may be affected: a copy of a database, whose statements have 500 rows, does not record each user. It has the rights of its
/// owner, so that a writer needs none of its own, and names its table by the schema, so that a temporary table of that name is not taken
/// for it.
const NOTE_CHANGES: &str = "CREATE FUNCTION users_note_changes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        affected text[] := ARRAY[NULL]::text[];
        all_rows text := 'SELECT %1$I AS user_id FROM changed';
    BEGIN
        IF TG_NARGS = 1 THEN
            IF TG_OP = 'UPDATE' THEN
                all_rows := all_rows || ' UNION ALL SELECT %1$I FROM former';
            END IF;
            all_rows := 'SELECT array_agg(user_id) FROM (SELECT DISTINCT user_id FROM (' || all_rows
                || ') AS written LIMIT 301) AS distinct_users';
            EXECUTE format(all_rows, TG_ARGV[0]) INTO affected;
            IF cardinality(affected) > 300 THEN
                affected := ARRAY[NULL]::text[];
            END IF;
        END IF;
        EXECUTE format(
            'INSERT INTO %I.user_changes (id, user_id, at) SELECT gen_random_uuid(), one, 0 FROM unnest($1) AS one',
            TG_TABLE_SCHEMA
        ) USING affected;
        RETURN NULL;
    END $$";

/// Other roles cannot use the functions for triggers of their own, by which they would write with the rights of the owner.
const REVOKE: &str = "REVOKE ALL ON FUNCTION users_note_changes(), users_date_change() FROM PUBLIC";

/// Dates the changes of a transaction when it is committed: replicas read those of the last seconds, and it may have lasted longer.
const DATE_CHANGES: &str = "CREATE CONSTRAINT TRIGGER user_changes_dated AFTER INSERT ON user_changes
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.at = 0) EXECUTE FUNCTION users_date_change()";

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[expect(elided_lifetimes_in_paths, reason = "async_trait needs the lifetimes as the trait has them")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let connection = manager.get_connection();
        let Some(number) = store::postgres_version(connection).await? else { return Ok(()) };
        require(number).map_err(DbErr::Custom)?;
        for statement in statements() {
            connection.execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

/// Refuses a server that lacks `gen_random_uuid`, by which the triggers name changes: with them it would refuse every change of a user.
fn require(number: i32) -> Result<(), String> {
    if number >= OLDEST {
        return Ok(());
    }
    let (major, minor) = (number / 10_000, number % 10_000);
    Err(format!(
        "users needs PostgreSQL 13 or later, and USERS_DATABASE_URL (or OCIS_DATABASE_URL) names a server of version {major}.{minor}; upgrade the server"
    ))
}

/// In the order in which writers lock the tables, so that none of them waits for this while this waits for it.
fn statements() -> Vec<String> {
    let mut statements: Vec<String> = [
        "CREATE TABLE user_changes (id uuid PRIMARY KEY, user_id text, at bigint NOT NULL)",
        "CREATE INDEX user_changes_at ON user_changes (at)",
        NOTE_CHANGES,
    ]
    .map(str::to_owned)
    .into();
    statements.push(date_change_function());
    statements.extend([REVOKE, DATE_CHANGES].map(str::to_owned));
    // groups of users are in the order of their names
    statements.push(trigger("UPDATE", "groups", "", ""));
    for (table, column) in TABLES {
        let column = format!("'{column}'");
        statements.push(trigger("INSERT", table, "REFERENCING NEW TABLE AS changed", &column));
        let both = "REFERENCING NEW TABLE AS changed OLD TABLE AS former";
        statements.push(trigger("UPDATE", table, both, &column));
        statements.push(trigger("DELETE", table, "REFERENCING OLD TABLE AS changed", &column));
        statements.push(trigger("TRUNCATE", table, "", ""));
    }
    statements
}

fn trigger(event: &str, table: &str, rows: &str, column: &str) -> String {
    let name = event.to_lowercase();
    format!(
        "CREATE TRIGGER user_changes_{name} AFTER {event} ON {table} {rows}
         FOR EACH STATEMENT EXECUTE FUNCTION users_note_changes({column})"
    )
}

/// Adds the row that replicas read. It is another one than that of the statement, which would have to be looked for to be changed: of
/// two serializable transactions that look at the same time, one would be refused.
fn date_change_function() -> String {
    let now = columns::now(DbBackend::Postgres);
    format!(
        "CREATE FUNCTION users_date_change() RETURNS trigger
         LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
         BEGIN
             EXECUTE format(
                 'INSERT INTO %I.user_changes (id, user_id, at) VALUES (gen_random_uuid(), $1, $2)',
                 TG_TABLE_SCHEMA
             ) USING NEW.user_id, {now};
             RETURN NULL;
         END $$"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_that_is_too_old_is_refused_with_its_version() {
        assert_eq!((require(130_000), require(170_004)), (Ok(()), Ok(())));
        let problem = require(120_022).expect_err("it is too old");
        assert!(problem.contains("PostgreSQL 13") && problem.contains("12.22"), "{problem}");
    }
}
