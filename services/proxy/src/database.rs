//! The database of browser sessions and of the keys of signed URLs.

use authn::BoxError;
use runtime::{Check, Context};
use store::Database;

use crate::config::Config;
use crate::session;

/// Opens the database and brings its schema up to date; `None` where there are neither sessions nor signed URLs.
///
/// # Errors
/// When it cannot be opened, and which settings decide on it.
pub(crate) async fn open(config: &Config, context: &Context) -> Result<Option<Database>, BoxError> {
    let (sessions, signs) = (config.session.is_enabled(), config.accepts_signed_urls());
    if !sessions && !signs {
        return Ok(None);
    }
    let opened = session::connect(config, context).await;
    opened.map(Some).map_err(|error| {
        if sessions {
            return error;
        }
        let remedy = "name a database in PROXY_SESSION_DATABASE_URL, or switch signed URLs off: PROXY_ENABLE_PRESIGNEDURLS=false";
        format!("the keys of signed URLs are kept in a database, which cannot be opened: {error}; {remedy}").into()
    })
}

/// What must be well.
pub(crate) fn check(database: &Database) -> Check {
    let database = database.clone();
    Check::new("database", move || {
        let database = database.clone();
        async move { database.check_writable().await.map_err(|error| error.to_string()) }
    })
}
