//! The database of browser sessions, of the keys of signed URLs and of the certificate that replicas share.

use std::time::Duration;

use ::config::Environment;
use authn::BoxError;
use runtime::Context;
use store::{Database, Migrations, ServiceState, StoreError};

use crate::config::Config;
use crate::session::Migrator;
use crate::store::end_credentials;

/// The time that a former process has to release the database.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the database and migrates it; `None` if nothing is stored in it.
///
/// # Errors
/// If it cannot be opened; the error names the settings.
pub(crate) async fn open(config: &Config, context: &Context) -> Result<Option<Database>, BoxError> {
    if !is_used(config) {
        return Ok(None);
    }
    connect(config, context).await.map(Some).map_err(|error| {
        let is_misconfigured =
            error.downcast_ref::<StoreError>().is_some_and(|error| matches!(error, StoreError::Misconfigured(_)));
        if config.session.is_enabled() || config.shares_certificate() || is_misconfigured {
            return error;
        }
        let remedy = "name a database in PROXY_SESSION_DATABASE_URL, or switch signed URLs off: PROXY_ENABLE_PRESIGNEDURLS=false";
        format!("the keys of signed URLs are kept in a database, which cannot be opened: {error}; {remedy}").into()
    })
}

/// Whether anything is stored: sessions, keys of signed URLs, or a certificate that replicas share.
fn is_used(config: &Config) -> bool {
    config.session.is_enabled() || config.accepts_signed_urls() || config.shares_certificate()
}

/// The state of the edge, for commands that work with the state of all services; `None` if nothing is stored.
pub fn state(config: &Config, environment: &Environment) -> Option<ServiceState> {
    let session = &config.session;
    is_used(config).then(|| ServiceState {
        service: "proxy",
        url: session.database(environment),
        options: session.database_pool.options(environment),
        migrations: Migrations::of::<Migrator>(),
        end_credentials,
    })
}

async fn connect(config: &Config, context: &Context) -> Result<Database, BoxError> {
    let settings = &config.session;
    let (url, options) =
        (settings.database(&context.environment), settings.database_pool.options(&context.environment));
    let claim = ("proxy", CLAIM_TIMEOUT);
    Ok(Database::open_claimed::<Migrator>(&url, &options, &context.metrics, claim).await?)
}
