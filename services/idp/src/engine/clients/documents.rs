//! Clients that are described by the document at their `client_id` (draft-ietf-oauth-client-id-metadata-document-03).
//!
//! Anyone can put such a document anywhere, and anyone can name one. So documents are fetched only while a user is at the authorization
//! endpoint, or the client pushes the request for it, and again for clients to which users have granted something
//! (`docs/security-requirements.md#i76`).

mod budget;
mod description;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use bounded_cache::{ARC, HeapSize, MIB};
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use oidc::redirect::Sites;
use outbound::Fetcher;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use reqwest::Url;
use runtime::{Clock, Context};
use store::StoreError;

use self::budget::{Budget, LimitReached, MOST_FETCHES};
use super::client::{Client, Source};
use super::fetch_rate::{FetchRate, age};
use super::metadata::{Metadata, MetadataError};
use super::reliance::Offer;
use super::{CACHED_FOR, MAX_ID, PARTS};
use crate::config::{ClientDocuments, Config};
use crate::store::{Store, StoredDocument};

/// How long a document is used without asking again: at least, and at most, whatever its response says.
const FRESH: [Duration; 2] = [Duration::from_mins(1), Duration::from_hours(24)];
/// How long it is used while it cannot be fetched.
const USABLE: Duration = Duration::from_hours(24);
/// How long nothing is fetched after a failure.
const FAILED_FOR: Duration = Duration::from_mins(1);
/// The longest document, in bytes.
const MOST_BYTES: usize = 5 * 1024;
/// The bound of what is held in memory, in bytes.
const BOUND: u64 = 2 * MIB;

/// The clients of documents.
pub(super) struct Documents {
    settings: ClientDocuments,
    offer: Offer,
    store: Store,
    fetcher: Fetcher,
    clock: Clock,
    held: Cache<String, Arc<Held>>,
    /// The fetches for authorizations, for which anyone can name a document.
    for_authorizations: Budget,
    /// Those for clients to which users have granted something.
    for_granted: Budget,
    outcomes: Family<Outcome, Counter>,
    /// The fetches that were not begun, since there were too many.
    limited: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// What is held of one client.
#[derive(Default)]
struct Held {
    description: ArcSwapOption<Description>,
    /// Its lock is held while the document is fetched, so that of many callers one fetches.
    attempts: tokio::sync::Mutex<Attempts>,
    /// The length of the metadata, in bytes.
    text: AtomicUsize,
}

impl HeapSize for Held {
    fn heap_size(&self) -> usize {
        let text = self.text.load(Ordering::Relaxed);
        let description = if text > 0 { 2 * ARC + size_of::<Description>() + size_of::<Client>() } else { 0 };
        FetchRate::MOST_BYTES + description + (1 + PARTS) * text
    }
}

#[derive(Default)]
struct Attempts {
    rate: FetchRate,
    /// When the last one has failed; `None` if it has succeeded.
    failed: Option<SystemTime>,
    /// Whether the last one has failed because its response said that there is no such client.
    is_refused: bool,
}

/// A client, as its document describes it.
#[derive(Clone)]
struct Description {
    client: Arc<Client>,
    /// The metadata as JSON.
    metadata: Arc<str>,
    fetched: SystemTime,
    /// Until when it is used without asking again.
    fresh_until: SystemTime,
    /// When it was last compared with that of the database.
    compared: SystemTime,
}

/// Why it is not known whether there is a client.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The document of the client cannot be fetched now, or there were too many fetches, and no copy of it is young enough.
    #[error("the document of the client is not available")]
    Unavailable,
}

/// Why there is no description.
#[derive(Debug, thiserror::Error)]
enum DocumentError {
    /// There is no response, or the server cannot answer now.
    #[error("it cannot be fetched: {0}")]
    Unavailable(String),
    /// There is no document of this client.
    #[error("{0}")]
    Refused(String),
}

impl From<MetadataError> for DocumentError {
    fn from(error: MetadataError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl Documents {
    /// `None` where documents are off.
    pub(super) fn open(config: &Config, (store, fetcher): (Store, Fetcher), context: &Context) -> Option<Self> {
        let settings = config.client_documents.clone();
        settings.enabled.then(|| Self {
            settings,
            offer: Offer::of(config),
            store,
            fetcher,
            clock: context.clock.clone(),
            held: bounded_cache::future(BOUND).eviction_policy(EvictionPolicy::lru()).time_to_idle(USABLE).build(),
            for_authorizations: Budget::default(),
            for_granted: Budget::default(),
            outcomes: context.metrics.counter(
                "doorward_client_documents_fetched",
                "How often the document of a client was fetched",
                Family::<Outcome, Counter>::default(),
            ),
            limited: context.metrics.counter(
                "doorward_client_documents_limited",
                "How often the document of a client was not fetched, since there were too many fetches",
                Counter::default(),
            ),
        })
    }

    /// The client with this identifier, if its document was fetched before. Nothing is fetched.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn known(&self, id: &str) -> Result<Option<Arc<Client>>, StoreError> {
        Ok(self.known_description(id).await?.map(|description| Arc::clone(&description.client)))
    }

    /// The client with this identifier, which proves its identity. The document of one to which a user has granted something is fetched
    /// again if that was too long ago.
    ///
    /// # Errors
    /// [`LookupError`].
    pub(super) async fn to_authenticate(&self, id: &str) -> Result<Option<Arc<Client>>, LookupError> {
        let Some(known) = self.known_description(id).await? else { return Ok(None) };
        if age(known.fetched, self.clock.now()) < USABLE {
            return Ok(Some(Arc::clone(&known.client)));
        }
        // what strangers have named is fetched for authorizations only, and not stored
        if self.store.client_document(id).await?.is_none() {
            return Ok(None);
        }
        let found = self.renewed(id, &self.for_granted).await?;
        if found.is_some() {
            self.keep(id).await?;
        }
        Ok(found)
    }

    /// The client with this identifier, for a request that its user is about to authorize. Its document is fetched unless it was a short
    /// time ago.
    ///
    /// # Errors
    /// [`LookupError`].
    pub(super) async fn to_authorize(&self, id: &str) -> Result<Option<Arc<Client>>, LookupError> {
        if self.is_one(id) { self.renewed(id, &self.for_authorizations).await } else { Ok(None) }
    }

    /// Stores the description of a client to which a user has granted something: for other replicas, and after a restart.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn keep(&self, id: &str) -> Result<(), StoreError> {
        // it was found a moment ago, so that it is missing only if very many others were since
        let Some(held) = self.held.get(id).await else { return Ok(()) };
        let Some(description) = held.description.load_full() else { return Ok(()) };
        let document = StoredDocument {
            id: id.to_owned(),
            metadata: description.metadata.to_string(),
            fetched: description.fetched,
            used: self.clock.now(),
        };
        self.store.keep_client_document(&document).await
    }

    /// Whether an identifier is the URL of a document that may be fetched, in its normal form, so that one client has one identifier.
    fn is_one(&self, id: &str) -> bool {
        let Some(url) = parse(id) else { return false };
        let is_named = |host: &String| url.host_str().is_some_and(|own| own.eq_ignore_ascii_case(host));
        let is_of_host = self.settings.hosts.is_empty() || self.settings.hosts.iter().any(is_named);
        is_of_host && self.fetcher.check(id).is_ok()
    }

    async fn known_description(&self, id: &str) -> Result<Option<Arc<Description>>, StoreError> {
        if !self.is_one(id) {
            return Ok(None);
        }
        let now = self.clock.now();
        let held = self.held.get(id).await;
        let known = held.and_then(|held| held.description.load_full());
        match known {
            Some(known) if now < known.fresh_until || age(known.compared, now) < CACHED_FOR => Ok(Some(known)),
            known => self.compared(id, known, now).await,
        }
    }

    /// The description in the database, or that in memory if it is not older.
    async fn compared(
        &self,
        id: &str,
        known: Option<Arc<Description>>,
        now: SystemTime,
    ) -> Result<Option<Arc<Description>>, StoreError> {
        let stored = self.store.client_document(id).await?;
        let newer = stored.filter(|stored| known.as_ref().is_none_or(|known| known.fetched < stored.fetched));
        let description = match newer {
            Some(stored) => self.described(&stored, now),
            None => known.map(|known| Arc::new(Description { compared: now, ..Description::clone(&known) })),
        };
        if let Some(description) = &description {
            self.hold(id, Arc::clone(description)).await;
        }
        Ok(description)
    }

    /// Reads a stored description. One that cannot be read (any more) counts as missing.
    fn described(&self, stored: &StoredDocument, now: SystemTime) -> Option<Arc<Description>> {
        let read = Metadata::parse(stored.metadata.as_bytes()).and_then(|metadata| self.client(&metadata));
        let client = read
            .inspect_err(
                |error| tracing::error!(client = stored.id, %error, "the stored document of a client cannot be used"),
            )
            .ok()?;
        let (metadata, fetched) = (stored.metadata.as_str().into(), stored.fetched);
        let description =
            Description { client: Arc::new(client), metadata, fetched, fresh_until: fetched, compared: now };
        Some(Arc::new(description))
    }

    fn client(&self, metadata: &Metadata) -> Result<Client, MetadataError> {
        let mut client = Client::from_metadata(metadata, Source::Document, &Sites::default())?;
        description::restrict(&mut client, metadata, &self.settings.scopes)?;
        self.offer.check(&client, None)?;
        Ok(client)
    }

    /// Holds a description of the database, unless a later one was fetched in the meantime.
    async fn hold(&self, id: &str, description: Arc<Description>) {
        let held = self.held.get_with_by_ref(id, async { Arc::default() }).await;
        held.description.rcu(|former| match former {
            Some(former) if former.fetched > description.fetched => Some(Arc::clone(former)),
            _ => Some(Arc::clone(&description)),
        });
        self.weigh(id, &held).await;
    }

    async fn weigh(&self, id: &str, held: &Arc<Held>) {
        let text = held.description.load_full().map_or(0, |description| description.metadata.len());
        held.text.store(text, Ordering::Relaxed);
        // it is weighed when it is put there
        self.held.insert(id.to_owned(), Arc::clone(held)).await;
    }

    /// The client, whose document is fetched unless what is known is fresh. A client counts as missing only if its server says so.
    async fn renewed(&self, id: &str, budget: &Budget) -> Result<Option<Arc<Client>>, LookupError> {
        let held = self.held.get_with_by_ref(id, async { Arc::default() }).await;
        let mut attempts = held.attempts.lock().await;
        let now = self.clock.now();
        let known = held.description.load_full();
        if let Some(known) = known.as_ref().filter(|known| now < known.fresh_until) {
            return Ok(Some(Arc::clone(&known.client)));
        }
        let has_failed = attempts.failed.is_some_and(|at| age(at, now) < FAILED_FOR);
        let permit = (!has_failed).then(|| budget.begin(&mut attempts.rate, now));
        if let Some(Err(limit)) = &permit {
            self.note_limit(id, limit);
        }
        if let Some(Ok(permit)) = permit {
            let fetched = self.fetch(id, now).await;
            drop(permit);
            match fetched {
                Ok(description) => {
                    (attempts.failed, attempts.is_refused) = (None, false);
                    let client = Arc::clone(&description.client);
                    held.description.store(Some(Arc::new(description)));
                    self.weigh(id, &held).await;
                    return Ok(Some(client));
                }
                Err(error) => {
                    tracing::warn!(client = id, %error, "the document of a client cannot be used");
                    attempts.failed = Some(now);
                    attempts.is_refused = matches!(error, DocumentError::Refused(_));
                }
            }
        }
        let refused = attempts.failed.filter(|_| attempts.is_refused);
        if refused.is_some_and(|at| age(at, now) < FAILED_FOR) {
            return Ok(None);
        }
        // what its server said a while ago is no answer of now, but no copy from before it is used; another replica may have a later one
        let known = self.compared(id, known, now).await?;
        let is_later = |known: &Description| refused.is_none_or(|at| known.fetched > at);
        match known.filter(|known| age(known.fetched, now) < USABLE && is_later(known)) {
            Some(known) => Ok(Some(Arc::clone(&known.client))),
            None => Err(LookupError::Unavailable),
        }
    }

    /// Counts a document that is not fetched, and logs the first one of a minute, since anyone can name many.
    fn note_limit(&self, id: &str, limit: &LimitReached) {
        self.limited.inc();
        if limit.is_to_report {
            tracing::warn!(
                client = id,
                "documents of clients are not fetched for now: there were {MOST_FETCHES} within a minute, or too many at the same time; \
                 set IDP_CLIENT_ID_METADATA_HOSTS to the hosts of the clients that your users have, or register these clients"
            );
        }
    }

    async fn fetch(&self, id: &str, now: SystemTime) -> Result<Description, DocumentError> {
        let description = self.read(id, now).await;
        let outcome = match &description {
            Ok(_) => "success",
            Err(DocumentError::Unavailable(_)) => "unavailable",
            Err(DocumentError::Refused(_)) => "refused",
        };
        self.outcomes.get_or_create(&Outcome { outcome }).inc();
        description
    }

    async fn read(&self, id: &str, now: SystemTime) -> Result<Description, DocumentError> {
        let fetched = self.fetcher.get_document(id, MOST_BYTES).await;
        let document = fetched.map_err(|error| DocumentError::Unavailable(error.to_string()))?;
        match document.status {
            200 => {}
            status @ (429 | 500..) => return Err(DocumentError::Unavailable(format!("it answers {status}"))),
            status => return Err(DocumentError::Refused(format!("it answers {status}"))),
        }
        let metadata = description::read(id, &document.media_type, &document.body)?;
        let client = self.client(&metadata)?;
        let [least, most] = FRESH;
        let fresh_until = now + document.max_age.unwrap_or(least).clamp(least, most);
        let metadata = serde_json::Value::Object(metadata.to_members()).to_string();
        let (client, metadata) = (Arc::new(client), metadata.into());
        Ok(Description { client, metadata, fetched: now, fresh_until, compared: now })
    }
}

/// The URL of an identifier that can be that of a document: with a path, in its normal form, and so without dot segments, spaces,
/// backslashes and a fragment; its host is one that users are shown. The fetcher checks the rest.
fn parse(id: &str) -> Option<Url> {
    let url = (id.len() <= MAX_ID).then(|| Url::parse(id).ok())??;
    let is_normal = url.as_str() == id && id.bytes().all(is_of_uri) && url.path() != "/" && url.fragment().is_none();
    (is_normal && url.host_str().is_some_and(is_shown)).then_some(url)
}

/// Whether a byte can be in a URI (RFC 3986 2). In a query, `Url` leaves others as they are, such as backslashes.
fn is_of_uri(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

/// Whether a host is an IPv6 address, or has plain characters only. A URL may have others, like `*`.
fn is_shown(host: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    host.starts_with('[') || host.bytes().all(is_plain)
}
