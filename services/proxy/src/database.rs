//! The database of browser sessions and of the keys of signed URLs.

use std::time::Duration;

use ::config::Environment;
use authn::BoxError;
use runtime::Context;
use store::{Database, Migrations, ServiceState};

use crate::config::Config;
use crate::session::Migrator;
use crate::store::end_credentials;

/// The time that a former process has to release the database.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the database and migrates it; `None` if both sessions and signed URLs are off.
///
/// # Errors
/// If it cannot be opened; the error names the settings.
pub(crate) async fn open(config: &Config, context: &Context) -> Result<Option<Database>, BoxError> {
    let (has_sessions, has_signed_urls) = (config.session.is_enabled(), config.accepts_signed_urls());
    if !has_sessions && !has_signed_urls {
        return Ok(None);
    }
    connect(config, context).await.map(Some).map_err(|error| {
        if has_sessions {
            return error;
        }
        let remedy = "name a database in PROXY_SESSION_DATABASE_URL, or switch signed URLs off: PROXY_ENABLE_PRESIGNEDURLS=false";
        format!("the keys of signed URLs are kept in a database, which cannot be opened: {error}; {remedy}").into()
    })
}

/// The state of the edge, for commands that work with the state of all services; `None` if both sessions and signed URLs are off.
pub fn state(config: &Config, environment: &Environment) -> Option<ServiceState> {
    let session = &config.session;
    (session.is_enabled() || config.accepts_signed_urls()).then(|| ServiceState {
        service: "proxy",
        url: session.database(environment),
        options: session.database_pool.options(),
        migrations: Migrations::of::<Migrator>(),
        end_credentials,
    })
}

async fn connect(config: &Config, context: &Context) -> Result<Database, BoxError> {
    let settings = &config.session;
    let database =
        Database::connect(&settings.database(&context.environment), &settings.database_pool.options()).await?;
    let database = database.measured(&context.metrics);
    let database = database.claim("proxy", CLAIM_TIMEOUT).await?;
    database.migrate::<Migrator>().await?;
    Ok(database)
}
