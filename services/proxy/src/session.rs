//! Browser sessions: the edge as a client of an `OpenID` Provider. A user signs in there (`login`) and returns with a code that is
//! redeemed for tokens (`callback`). The session is a random cookie, and a row with the sealed tokens (`crate::store`). A request
//! with the cookie is authenticated by the session's access token (`access`), which is refreshed in time (`refresh`). The session
//! ends here (`logout`), or when the issuer sends a logout token (`backchannel`).

pub(crate) mod access;
pub(crate) mod backchannel;
mod callback;
pub mod cookie;
mod endpoint;
mod login;
mod logout;
mod migration;
mod redirect;
mod refresh;
pub(crate) mod seal;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use ::store::{Database, StoreError};
use authn::{BoxError, EndedSessions};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bounded_cache::{ARC, HeapSize, MIB};
use http::HeaderMap;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use outbound::issuer::Source;
use outbound::issuer::cache::{CacheOptions, IssuerCache, Refresh};
use outbound::{Authorities, ClientIdentity};
use runtime::{Clock, Context, FileSetting, Random, Service, Task};
use tokio::sync::Mutex;

pub(crate) use endpoint::SessionEndpoint;
pub use migration::Migrator;

use crate::config::Config;
use crate::pages::Pages;
use crate::request_info::RequestInfo;
use crate::site::Site;
use crate::store::sessions::Rows;
use cookie::Cookies;
use login::{MAX_AGE, STEP_UP};
use seal::Sealer;
use tokens::Client;

/// How often sessions that have ended are removed.
const PRUNE_INTERVAL: Duration = Duration::from_mins(10);
/// The size of the cache of locks, in bytes: about 2,000 sessions can refresh their tokens at a time, none of them twice.
const EXCHANGES_BOUND: u64 = MIB;
/// How long an unused lock stays in the cache.
const EXCHANGED_FOR: Duration = Duration::from_mins(1);
/// The user agent of calls to the issuer.
const USER_AGENT: &str = "doorward-proxy";

/// Held while a session's tokens are refreshed.
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
    pages: Pages,
    client: Client,
    issuer: IssuerCache,
    cookies: Cookies,
    sealer: Sealer,
    rows: Rows,
    /// The levels that are asked for where several factors are needed.
    acr_values: String,
    idle: Duration,
    life: Duration,
    leeway: Duration,
    clock: Clock,
    random: Random,
    /// The ended sessions of our own provider.
    ended_at_issuer: Option<Arc<dyn EndedSessions>>,
    /// One caller at a time refreshes the tokens of a session.
    exchanging: Cache<String, Exchange>,
}

impl Sessions {
    /// The sessions in this database, whose schema is up to date, with the ended sessions of our own provider if they are known;
    /// `None` if sessions are off.
    ///
    /// # Errors
    /// If the URL of the issuer is invalid, or certificates cannot be read.
    pub fn open(
        database: &Database,
        config: &Config,
        ended_sessions: Option<Arc<dyn EndedSessions>>,
        context: &Context,
    ) -> Result<Option<Arc<Self>>, BoxError> {
        if !config.session.is_enabled() {
            return Ok(None);
        }
        let sessions = Self::over(database.clone(), config, context)?;
        Ok(Some(Arc::new(Self { ended_at_issuer: ended_sessions, ..sessions })))
    }

    fn over(database: Database, config: &Config, context: &Context) -> Result<Self, BoxError> {
        let settings = &config.session;
        let site = Site::new(&config.url, &settings.cookie_domain, &settings.return_hosts)
            .map_err(|problem| format!("PROXY_URL {problem}"))?;
        let authorities = settings.authorities.clone().map(|file| {
            let (service, name) = (crate::Proxy::IDENTITY.name, "PROXY_SESSION_CACERT");
            Authorities::follow(FileSetting { service, name, files: vec![file] }, context)
        });
        let authorities = authorities.transpose()?;
        let (insecure, allow_private) = (settings.insecure, settings.allow_private_addresses);
        let mut source = Source::new(&config.issuer, USER_AGENT, insecure, allow_private, authorities.as_ref())?;
        if !settings.issuer_backend.is_empty() {
            let identity = ClientIdentity::follow(crate::Proxy::IDENTITY.name, &config.http_client_tls, context)?;
            source =
                source.reached_at(&settings.issuer_backend, USER_AGENT, authorities.as_ref(), identity.as_ref())?;
        }
        let (clock, random) = (context.clock.clone(), context.random.clone());
        let options = CacheOptions { refresh: Refresh::First, needs_keys: false, on_fetch: Box::new(|_| ()) };
        Ok(Self {
            cookies: Cookies::new(site.is_https(), site.domain()),
            site,
            pages: Pages::new(&config.pages),
            client: Client {
                id: settings.client_id.clone(),
                secret: settings.client_secret.clone(),
                scopes: settings.scopes.clone(),
            },
            issuer: IssuerCache::new(source, clock.clone(), options),
            sealer: Sealer::new(&settings.secret, &settings.secret_previous, random.clone()),
            rows: Rows::new(database),
            acr_values: config.mfa.acr_values(),
            idle: settings.idle,
            life: settings.life,
            leeway: settings.leeway,
            clock,
            random,
            ended_at_issuer: None,
            exchanging: exchanges(),
        })
    }

    /// The URL of the sign-in for a page; `None` for a page of a host that never receives the session cookie.
    pub fn login_for(&self, info: &RequestInfo<'_>) -> Option<String> {
        self.site.login_for(info)
    }

    /// The URL of the sign-in with several factors, or at most so long ago, for a page; `None` as for
    /// [`login_for`](Self::login_for).
    pub fn step_up_for(&self, info: &RequestInfo<'_>, multi_factor: bool, max_age: Option<Duration>) -> Option<String> {
        let login = self.site.login_for(info)?;
        let step_up = if multi_factor { format!("&{STEP_UP}=1") } else { String::new() };
        let max_age = max_age.map(|age| format!("&{MAX_AGE}={}", age.as_secs())).unwrap_or_default();
        Some(format!("{login}{step_up}{max_age}"))
    }

    /// The background tasks.
    pub fn tasks(self: &Arc<Self>, context: &Context) -> Vec<Task> {
        let (sessions, shutdown) = (Arc::clone(self), context.shutdown.clone());
        let pruning = async move {
            let prune = || ::store::prune(|limit| sessions.prune(limit));
            ::store::keep_pruning("sessions", PRUNE_INTERVAL, prune, shutdown).await;
        };
        vec![Task::new("sessions", pruning)]
    }

    async fn prune(&self, limit: u64) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let Some(unused_since) = now.checked_sub(self.idle) else { return Ok(0) };
        self.rows.prune(now, unused_since, limit).await
    }

    /// The key of a request's session; `None` without a cookie. A forged cookie has a key too, which no session has.
    pub(crate) fn key(&self, headers: &HeaderMap) -> Option<String> {
        let value = web::cookie::one(headers, &self.cookies.session()).filter(|value| !value.is_empty());
        value.map(digest_of)
    }

    /// A random text of 256 bits.
    fn secret(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.random.bytes::<32>())
    }
}

/// Evicts the least recently used first, so that a new session always finds room.
fn exchanges() -> Cache<String, Exchange> {
    bounded_cache::sync(EXCHANGES_BOUND).time_to_idle(EXCHANGED_FOR).eviction_policy(EvictionPolicy::lru()).build()
}

/// The SHA-256 of a text, in base64url.
pub(crate) fn digest_of(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(crypto::fingerprint(text.as_bytes()))
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
