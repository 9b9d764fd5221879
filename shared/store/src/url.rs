//! Database URLs: which are understood, and what may be shown of them.

use std::fmt::Write;
use std::path::{Path, PathBuf};

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

/// The same for every spelling of a URL by which the same user reaches the same database. A host is not looked up, and parameters are left
/// out except `options`, which may choose another schema; a URL that is not understood is returned as it is.
pub fn canonical_url(url: &str) -> String {
    match parse(url) {
        Ok(Target::Sqlite(options)) => sqlite_url(&resolved(options.get_filename())),
        Ok(Target::Postgres(address)) => {
            let socket = address.get_socket().map(|socket| socket.display().to_string());
            let host = socket.unwrap_or_else(|| address.get_host().to_ascii_lowercase());
            let (user, port) = (address.get_username(), address.get_port());
            let options = address.get_options().map(|options| format!("?options={options}")).unwrap_or_default();
            format!("postgres://{user}@{host}:{port}/{}{options}", address.get_database().unwrap_or(user))
        }
        Err(_) => url.to_owned(),
    }
}

/// A path without links and relative parts. The file need not exist.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// The URL without what may be a secret: user, password and parameters.
pub fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "***".to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    if place.len() == rest.len() { format!("{scheme}://{place}") } else { format!("{scheme}://***@{place}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_url_are_one() {
        let same = |url: &str, other: &str| assert_eq!(canonical_url(url), canonical_url(other), "{url} {other}");
        let differ = |url: &str, other: &str| assert_ne!(canonical_url(url), canonical_url(other), "{url} {other}");
        let url = "postgres://doorward:hush@db.example/state";
        same(url, "postgresql://doorward:hush@DB.example:5432/state?sslmode=require");
        same(url, "postgres://doorw%61rd@db.example/st%61te");
        differ(url, "postgres://doorward:hush@db.example:5433/state");
        differ(url, "postgres://doorward:hush@db.example/other");
        differ(url, "postgres://users:hush@db.example/state");
        differ(url, "postgres://doorward:hush@db.example/state?options[search_path]=users");
        assert!(!canonical_url(url).contains("hush"));

        let folder = tempfile::tempdir().expect("a folder");
        let below = |path: &str| format!("sqlite://{}/{path}", folder.path().display());
        std::fs::create_dir(folder.path().join("data")).expect("a folder");
        same(&below("data/state.db"), &below("data/../data/state.db?mode=rwc"));
        std::fs::write(folder.path().join("data/state.db"), "").expect("writes");
        std::os::unix::fs::symlink("data/state.db", folder.path().join("link.db")).expect("links");
        same(&below("data/state.db"), &below("link.db"));
        differ(&below("data/state.db"), &below("data/other.db"));
    }
}
