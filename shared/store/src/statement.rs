//! What may be known of a statement outside of the database: its operation and its table, never its values.

use std::fmt;

use runtime::telemetry::STEP;
use sea_orm::DbBackend;
use tracing::Span;

/// The operations that are measured by name.
pub(crate) const OPERATIONS: [&str; 8] =
    ["SELECT", "INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT", "ROLLBACK", OTHER_OPERATION];
const OTHER_OPERATION: &str = "OTHER";

/// What a statement does: its first word.
pub(crate) fn operation(sql: &str) -> &'static str {
    let first = sql.split_whitespace().next().unwrap_or_default();
    let known = OPERATIONS.into_iter().find(|known| known.eq_ignore_ascii_case(first));
    known.unwrap_or(OTHER_OPERATION)
}

/// The span of a statement. It reads the text only if spans are recorded.
pub(crate) fn span(backend: DbBackend, sql: &str) -> Span {
    tracing::info_span!(
        target: STEP,
        "statement",
        otel.name = %Name(sql),
        otel.kind = "client",
        otel.status_code = tracing::field::Empty,
        db.system.name = system(backend),
        db.operation.name = operation(sql),
        db.collection.name = table(sql),
    )
}

fn system(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Postgres { "postgresql" } else { "sqlite" }
}

/// The name of a statement: operation and table.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(operation(self.0))?;
        table(self.0).map_or(Ok(()), |table| write!(f, " {table}"))
    }
}

/// The first table of a statement: the name after FROM, INTO or UPDATE.
fn table(sql: &str) -> Option<&str> {
    let mut words = sql.split_whitespace();
    let mut after = |word: &str| {
        words.find(|found| found.eq_ignore_ascii_case(word))?;
        words.next()
    };
    let word = match operation(sql) {
        "SELECT" | "DELETE" => after("FROM"),
        "INSERT" => after("INTO"),
        "UPDATE" => after("UPDATE"),
        _ => None,
    };
    word.and_then(name)
}

/// The name of a table, without quotes; `None` for everything else, as a query in parentheses.
fn name(word: &str) -> Option<&str> {
    let name = word.trim_matches(|character| matches!(character, '"' | ';' | ','));
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `docs/security-requirements.md#t4`
    #[test]
    fn statement_is_named_by_operation_and_table_alone() {
        for (sql, name) in [
            (r#"SELECT "token"."id" FROM "token" WHERE "token"."digest" = $1"#, "SELECT token"),
            (r#"INSERT INTO "token" ("id") VALUES (?, ?)"#, "INSERT token"),
            (r#"UPDATE "token" SET "label" = 'FROM secret'"#, "UPDATE token"),
            ("delete from token;", "DELETE token"),
            ("SELECT current_setting('transaction_read_only') AS state", "SELECT"),
            ("SELECT * FROM (SELECT 'a secret')", "SELECT"),
            ("BEGIN", "BEGIN"),
            ("CREATE TABLE secret (id INTEGER)", "OTHER"),
            ("'a secret'", "OTHER"),
            ("", "OTHER"),
        ] {
            assert_eq!(Name(sql).to_string(), name, "{sql}");
        }
    }
}
