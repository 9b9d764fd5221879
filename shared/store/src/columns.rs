//! Times in columns: microseconds since the Unix epoch, which `SQLite` and `PostgreSQL` both store exactly.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sea_orm::DbBackend;
use sea_orm::sea_query::LikeExpr;

/// The column of a time, rounded down, so that an end never moves to a later time. A time before the epoch is 0; one that does
/// not fit is the last that does.
pub fn micros(time: SystemTime) -> i64 {
    span(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// The time of a column; a negative one is the epoch.
pub fn time(micros: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

/// The column of a duration.
pub fn span(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The SQL expression of the current time by the clock of the database, which all replicas share.
pub fn now(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
        _ => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
    }
}

/// The same at the beginning of the statement: to compare a column with. For the time itself, which may differ from row to row,
/// `PostgreSQL` uses no index.
pub fn statement_time(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "(extract(epoch FROM statement_timestamp()) * 1000000)::bigint",
        _ => now(backend),
    }
}

/// A pattern that a column is like in which this text stands somewhere; what has a meaning in a pattern has none in the text.
pub fn containing(text: &str) -> LikeExpr {
    let mut pattern = String::from("%");
    for character in text.chars() {
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    LikeExpr::new(pattern).escape('!')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_outside_the_range_are_its_ends() {
        let exact = UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_001);
        assert_eq!(time(micros(exact)), exact);
        assert_eq!(micros(exact + Duration::from_nanos(999)), micros(exact), "rounded down");
        assert_eq!((micros(UNIX_EPOCH - Duration::from_secs(1)), time(-1)), (0, UNIX_EPOCH));
        assert_eq!(span(Duration::MAX), i64::MAX);
    }
}
