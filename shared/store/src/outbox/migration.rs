//! Has the rows of an outbox name the transactions that write them.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

/// Functions for numbers of 64 bits that transactions have begin with this version.
const NUMBERS_SINCE: i32 = 130_000;
/// While the migration waits for its lock, all reads and writes of the version before wait behind it: it gives up soon, and is tried again.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '500ms'";

/// A migration that adds the column `transaction_id` to a table with a column `at`, on servers that number transactions. Writers
/// of the version before fill it too, without knowing it. `name` is what the history table records.
pub fn number_transactions(name: &'static str, table: &'static str) -> Box<dyn MigrationTrait> {
    Box::new(Migration { name, table })
}

/// The number of the server's version, such as 150018; `None` for one that is not `PostgreSQL` itself: others lack triggers of
/// statements, or triggers that are deferred, or do not number their transactions in one order.
///
/// # Errors
/// When the server does not answer.
pub async fn postgres_version(connection: &impl ConnectionTrait) -> Result<Option<i32>, DbErr> {
    let sql = "SELECT version() AS version, current_setting('server_version_num')::int AS number";
    let Some(row) = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await? else {
        return Ok(None);
    };
    let (text, number): (String, i32) = (row.try_get("", "version")?, row.try_get("", "number")?);
    Ok(is_postgres(&text).then_some(number))
}

fn is_postgres(version: &str) -> bool {
    version.starts_with("PostgreSQL ") && !version.contains("-YB-")
}

struct Migration {
    name: &'static str,
    table: &'static str,
}

impl MigrationName for Migration {
    fn name(&self) -> &str {
        self.name
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's method leaves the lifetime out, and so must its implementation"
)]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let connection = manager.get_connection();
        if postgres_version(connection).await?.is_none_or(|number| number < NUMBERS_SINCE) {
            return Ok(());
        }
        connection.execute_unprepared(LOCK_TIMEOUT).await?;
        for statement in statements(self.table) {
            connection.execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

/// The default is for new rows, and the trigger for those that are written again.
fn statements(table: &str) -> [String; 4] {
    [
        format!("ALTER TABLE {table} ADD COLUMN transaction_id xid8 DEFAULT pg_current_xact_id()"),
        format!("CREATE INDEX {table}_transaction_id ON {table} (transaction_id)"),
        format!(
            "CREATE FUNCTION {table}_number() RETURNS trigger
             LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
             BEGIN
                 NEW.transaction_id := pg_current_xact_id();
                 RETURN NEW;
             END $$"
        ),
        format!(
            "CREATE TRIGGER number_transaction BEFORE UPDATE ON {table}
             FOR EACH ROW EXECUTE FUNCTION {table}_number()"
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_resemble_postgres_are_told_apart() {
        assert!(is_postgres("PostgreSQL 15.8 (Debian 15.8-0+deb12u1) on x86_64-pc-linux-gnu"));
        assert!(!is_postgres("PostgreSQL 15.2-YB-2.25.0.0-b0 on x86_64-pc-linux-gnu"));
        assert!(!is_postgres("CockroachDB CCL v25.1.0 (x86_64-pc-linux-gnu)"));
    }
}
