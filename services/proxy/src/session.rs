//! Browser sessions: the edge as a client of an `OpenID` Provider. Somebody signs in there (`login`), comes back with a code that
//! is redeemed for tokens (`callback`), and has a session here: a random cookie, and a row with the tokens, sealed (`store`).
//! A request with the cookie is decided on as if it had brought the access token (`access`), which is exchanged in time (`refresh`).
//! The session ends here (`logout`), or when the issuer says so (`backchannel`).

pub(crate) mod access;
mod backchannel;
mod callback;
pub mod cookie;
mod csrf;
mod id_token;
mod issuer;
mod login;
mod logout;
mod migration;
mod page;
mod prune;
mod refresh;
pub(crate) mod seal;
mod site;
pub(crate) mod store;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use ::store::Database;
use authn::BoxError;
use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bounded_cache::{ARC, HeapSize, MIB};
use http::HeaderMap;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use outbound::issuer::Source;
use runtime::{Check, Clock, Context, Random, Task};
use tokio::sync::Mutex;

pub use migration::Migrator;
pub(crate) use site::PREFIX;
pub use site::Site;

use crate::asked::Asked;
use crate::config::Config;
use crate::database;
use cookie::Cookies;
use issuer::Issuer;
use seal::Sealer;
use store::Rows;
use tokens::Client;

/// How long a former process may take to let go of the database.
const CLAIM_PATIENCE: Duration = Duration::from_secs(10);
/// The bound of what is remembered of exchanges, in bytes: some 2,000 sessions may have their tokens exchanged at the same time without
/// one being exchanged twice.
const EXCHANGES_BOUND: u64 = MIB;
/// How long it is remembered that a session's tokens were.
const EXCHANGED_FOR: Duration = Duration::from_mins(1);
/// What the issuer is told of who calls it.
const USER_AGENT: &str = "doorward-proxy";

/// Held by whoever exchanges a session's tokens.
type Lock = Mutex<()>;

/// The lock of a session.
#[derive(Clone, Default)]
struct Exchange(Arc<Lock>);

impl HeapSize for Exchange {
    fn heap_size(&self) -> usize {
        ARC + size_of::<Lock>()
    }
}

/// The sessions.
pub struct Sessions {
    site: Site,
    client: Client,
    issuer: Issuer,
    cookies: Cookies,
    sealer: Sealer,
    rows: Rows,
    idle: Duration,
    life: Duration,
    leeway: Duration,
    clock: Clock,
    random: Random,
    /// One caller at a time exchanges a session's tokens.
    exchanging: Cache<String, Exchange>,
    database: Database,
}

impl Sessions {
    /// Those in this database, whose schema is up to date; `None` if there are to be no sessions.
    ///
    /// # Errors
    /// When the issuer's address is none, or certificates cannot be read.
    pub fn open(database: &Database, config: &Config, context: &Context) -> Result<Option<Arc<Self>>, BoxError> {
        if !config.session.is_enabled() {
            return Ok(None);
        }
        Ok(Some(Arc::new(Self::over(database.clone(), config, context)?)))
    }

    fn over(database: Database, config: &Config, context: &Context) -> Result<Self, BoxError> {
        let settings = &config.session;
        let site = Site::new(&config.url, settings).map_err(|problem| format!("PROXY_URL {problem}"))?;
        let authorities = settings.authorities.as_deref();
        let (insecure, allow_private) = (settings.insecure, settings.allow_private_addresses);
        let source = Source::new(&config.issuer, USER_AGENT, insecure, allow_private, authorities)?;
        let (clock, random) = (context.clock.clone(), context.random.clone());
        Ok(Self {
            cookies: Cookies::new(site.is_https(), site.domain()),
            site,
            client: Client {
                id: settings.client_id.clone(),
                secret: settings.client_secret.clone(),
                scopes: settings.scopes.clone(),
            },
            issuer: Issuer::new(&config.issuer, source, clock.clone()),
            sealer: Sealer::new(&settings.secret, random.clone()),
            rows: Rows::new(database.clone()),
            idle: settings.idle,
            life: settings.life,
            leeway: settings.leeway,
            clock,
            random,
            exchanging: exchanges(),
            database,
        })
    }

    /// Where a browser that goes to this page signs in; `None` for a page of a host that is never sent the session.
    pub fn login_for(&self, asked: &Asked<'_>) -> Option<String> {
        self.site.login_for(asked)
    }

    /// What runs beside the listeners.
    pub fn tasks(self: &Arc<Self>, context: &Context) -> Vec<Task> {
        vec![Task::new("sessions", prune::keep_pruning(Arc::clone(self), context.shutdown.clone()))]
    }

    /// What must be well.
    pub fn checks(&self) -> Vec<Check> {
        vec![database::check(&self.database)]
    }

    /// The key of the session that a request brings; `None` without a cookie. A cookie that is none of ours has a key too, which
    /// no session has.
    pub(crate) fn key(&self, headers: &HeaderMap) -> Option<String> {
        let value = cookie::one(headers, &self.cookies.session()).filter(|value| !value.is_empty());
        value.map(digest_of)
    }

    /// A text that nobody guesses: 256 bits.
    fn secret(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.random.bytes::<32>())
    }
}

/// The least recently used are evicted first: one that has just begun must not be the one that finds no place.
fn exchanges() -> Cache<String, Exchange> {
    bounded_cache::sync(EXCHANGES_BOUND).time_to_idle(EXCHANGED_FOR).eviction_policy(EvictionPolicy::lru()).build()
}

/// The paths that browsers and the issuer come to.
pub fn router(sessions: &Arc<Sessions>) -> Router {
    let limit = DefaultBodyLimit::max(backchannel::MAX_BODY);
    Router::new()
        .route(site::LOGIN, get(login::begin))
        .route(site::CALLBACK, get(callback::receive))
        .route(site::LOGOUT, get(logout::ask).post(logout::end))
        .route(site::BACKCHANNEL_LOGOUT, post(backchannel::receive).layer(limit))
        .with_state(Arc::clone(sessions))
}

/// Opens the database of sessions, and brings its schema up to date.
///
/// # Errors
/// When it cannot be opened, or another process works with its file.
pub(crate) async fn connect(config: &Config, context: &Context) -> Result<Database, BoxError> {
    let settings = &config.session;
    let database =
        Database::connect(&settings.database(&context.environment), &settings.database_pool.options()).await?;
    let database = database.claim("proxy", CLAIM_PATIENCE).await?;
    database.migrate::<Migrator>().await?;
    Ok(database)
}

/// The SHA-256 of a text, in base64url.
pub(crate) fn digest_of(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
