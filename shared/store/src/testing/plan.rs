//! The plans of statements on `PostgreSQL`.

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use crate::Database;

/// The plan of a poll by which a replica reads an outbox that it has read up to now. The numbers are the values of
/// other parameters, before and after those of the outbox.
///
/// # Panics
/// If the server does not explain it.
pub async fn plan_of_poll(database: &Database, sql: &str, [before, after]: [&[i64]; 2]) -> String {
    let snapshot = Statement::from_string(DbBackend::Postgres, "SELECT pg_current_snapshot()::text AS snapshot");
    let row = database.reader().query_one_raw(snapshot).await.expect("the server answers").expect("a snapshot");
    let snapshot: String = row.try_get("", "snapshot").expect("a text");
    let oldest = snapshot.split(':').next().unwrap_or_default().to_owned();
    let numbers = |numbers: &[i64]| numbers.iter().copied().map(Value::from).collect::<Vec<_>>();
    let values = [numbers(before), vec![oldest.into(), snapshot.into()], numbers(after)].concat();
    let explain = Statement::from_sql_and_values(DbBackend::Postgres, format!("EXPLAIN {sql}"), values);
    let lines = database.reader().query_all_raw(explain).await.expect("is explained");
    lines.iter().map(|line| line.try_get_by_index::<String>(0).expect("a text")).collect()
}
