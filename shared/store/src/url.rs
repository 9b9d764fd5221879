//! Database URLs: which are understood, and what may be shown of them.

use std::fmt::Write;
use std::path::Path;

use sea_orm::sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};

/// Which database a URL names.
pub(crate) enum Target {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
}

/// Whether [`Database::connect`](crate::Database::connect) understands this URL; the error says what is wrong with it
/// without repeating it.
///
/// # Errors
/// When it does not.
pub fn check_url(url: &str) -> Result<(), &'static str> {
    parse(url).map(drop)
}

pub(crate) fn parse(url: &str) -> Result<Target, &'static str> {
    const FORM: &str = "must be sqlite:///path/to/file.db or postgres://user:password@host/database";
    if url.starts_with("sqlite:") {
        let options: SqliteConnectOptions = url.parse().map_err(|_| FORM)?;
        let path = options.get_filename();
        if path.as_os_str().is_empty() || url.contains(":memory:") || url.contains("mode=memory") {
            return Err("must name a file: what is acknowledged must outlive the process");
        }
        Ok(Target::Sqlite(options))
    } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        Ok(Target::Postgres(url.parse().map_err(|_| FORM)?))
    } else {
        Err(FORM)
    }
}

/// Whether [`Options::listen_url`](crate::Options::listen_url) may be this; the error says what is wrong with it without repeating it.
pub(crate) fn check_listen_url(url: &str) -> Result<(), &'static str> {
    if url.is_empty() { Ok(()) } else { postgres(url).map(drop) }
}

/// The server that a URL names.
pub(crate) fn postgres(url: &str) -> Result<PgConnectOptions, &'static str> {
    match parse(url) {
        Ok(Target::Postgres(address)) => Ok(address.extra_float_digits(None)),
        Ok(Target::Sqlite(_)) | Err(_) => Err("must be postgres://user:password@host/database"),
    }
}

/// The URL of a `SQLite` file.
pub fn sqlite_url(path: &Path) -> String {
    let mut url = "sqlite://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'%' | b'?' | b'#' => write!(url, "%{byte:02X}").expect("writing to a string cannot fail"),
            _ if byte.is_ascii() => url.push(char::from(*byte)),
            _ => write!(url, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
    url
}

/// The URL without what may be a secret: user, password and parameters.
pub fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "***".to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    if place.len() == rest.len() { format!("{scheme}://{place}") } else { format!("{scheme}://***@{place}") }
}
