//! The registry of clients: built-in ones, those of a file, and those in the database.

mod built_in;
mod change;
mod client;
mod documents;
mod fetch_rate;
mod file;
mod file_changes;
mod key_sets;
mod metadata;
mod reliance;
mod request_objects;
mod rules;
pub(crate) mod secret;
mod service_account;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use bounded_cache::{ARC, HeapSize, MIB};
use moka::future::Cache;
use oidc::jose::{Algorithm, KeySet};
use oidc::redirect::Sites;
use outbound::{FetchError, Fetcher};
use runtime::{Clock, Context, FileReloads, Random};
use store::StoreError;
use tokio::sync::{Mutex, Notify, watch};
use tokio_util::sync::CancellationToken;

pub use change::{Addition, ChangeError, Made};
pub use client::{
    AuthMethod, Client, ClientKeys, ConsentPolicy, ExchangePolicy, GrantType, LogoutSettings, Presentation, RemoteKeys,
    RoleNames, SecretDigest, SecurityProfile, Signatures, Source, SubjectType, TokenFormat, TransactionPolicy,
};
pub use documents::LookupError;
pub use file::FileError;
pub use file_changes::FileChangeError;
pub use metadata::{Metadata, MetadataError};
pub use service_account::ServiceAccount;

use crate::config::{ClientDocuments, Config};
use crate::seal::Sealer;
use crate::store::{Store, StoredClient};
use documents::Documents;
use key_sets::KeySets;
use reliance::Offer;
use request_objects::RequestObjects;

/// The bound of the clients of the database that are held in memory, unknown ones included, in bytes.
const BOUND: u64 = 2 * MIB;
/// How many bytes the parts of a client take at most for a byte of its metadata.
const PARTS: usize = 4;
/// How long what was read of the database is kept, where no replica announces a change.
const CACHED_FOR: Duration = Duration::from_secs(30);
/// The longest identifier that is looked up, in bytes.
const MAX_ID: usize = 512;

/// The registry. Clones share it.
#[derive(Clone)]
pub struct Clients(Arc<Inner>);

struct Inner {
    sites: Sites,
    built_in: Vec<Described>,
    file: Option<PathBuf>,
    /// Built-in and configured ones.
    fixed: ArcSwap<BTreeMap<String, Described>>,
    /// Clients that the file no longer has, and whose grants are not revoked yet.
    removed: Mutex<BTreeSet<String>>,
    /// Notified when their grants could not be revoked.
    is_unrevoked: Notify,
    /// What is noticed of the file, until it is followed.
    reloads: std::sync::Mutex<Option<FileReloads>>,
    /// Counts changes: what was read before the last one is not looked at any more, even if it arrives after it.
    generation: AtomicU64,
    kept: Cache<(u64, String), Kept>,
    with_backchannel: Cache<u64, Arc<Vec<String>>>,
    key_sets: KeySets,
    request_objects: RequestObjects,
    /// The clients of documents, unless they are off.
    documents: Option<Documents>,
    /// The resources that every client may name, and the URL of the edge.
    resources: (ClientDocuments, String),
    /// What clients may be registered for, of what depends on a setting.
    offer: Offer,
    /// The algorithms that are signed with, once that is known.
    signed_with: OnceLock<Vec<Algorithm>>,
    store: Store,
    sealer: Sealer,
    fetcher: Fetcher,
    clock: Clock,
    random: Random,
}

/// A client of the database.
#[derive(Clone)]
struct Kept {
    client: Option<Arc<Client>>,
    /// The length of its metadata, in bytes.
    metadata: usize,
}

impl HeapSize for Kept {
    fn heap_size(&self) -> usize {
        if self.client.is_some() { ARC + size_of::<Client>() + PARTS * self.metadata } else { 0 }
    }
}

/// A client and the metadata that makes it.
#[derive(Debug, Clone)]
pub struct Described {
    /// The client.
    pub client: Arc<Client>,
    /// Its metadata, without secrets.
    pub metadata: Metadata,
}

/// Why there are no clients.
#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    /// The file is invalid.
    #[error(transparent)]
    File(#[from] FileError),
    /// The site is not one that built-in clients can come back to.
    #[error("the built-in clients do not fit this site: {0}")]
    BuiltIn(#[from] MetadataError),
    /// The site is malformed.
    #[error(transparent)]
    IssuerEndpoints(#[from] oidc::redirect::RedirectError),
}

/// Why a client's keys are not available.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientKeysError {
    /// It has none.
    #[error("the client has no keys")]
    None,
    /// They cannot be fetched.
    #[error("the client's keys cannot be fetched")]
    Unreachable,
}

/// What an operator should know about the clients of a file, one line each.
///
/// # Errors
/// [`ClientsError`].
pub(crate) fn warnings_of_file(config: &Config, file: &Path, sealer: &Sealer) -> Result<Vec<String>, ClientsError> {
    let sites = Sites::parse([config.site().as_str()])?;
    Ok(Offer::of(config).warnings(&file::read(file, &sites, sealer)?))
}

impl Clients {
    /// The built-in clients that are configured, those of the file, and those in the store.
    ///
    /// # Errors
    /// [`ClientsError`], above all for a file that is wrong.
    pub fn open(
        config: &Config,
        (store, sealer, fetcher): (Store, Sealer, Fetcher),
        context: &Context,
    ) -> Result<Self, ClientsError> {
        let sites = Sites::parse([config.site().as_str()])?;
        let mut built_in = built_in::clients(&config.default_clients, &sites)?;
        if !config.edge_client_secret.is_empty() {
            let edge_url = Sites::parse([config.edge_site().as_str()])?;
            built_in.push(built_in::edge(&config.edge_client_secret, &edge_url)?);
        }
        let clients = Self(Arc::new(Inner {
            sites,
            built_in,
            file: config.clients_file.clone(),
            fixed: ArcSwap::default(),
            removed: Mutex::default(),
            is_unrevoked: Notify::new(),
            // before the file is read, so that no change in between is missed
            reloads: std::sync::Mutex::new(
                config.clients_file.as_deref().map(|file| file_changes::reloads(file, context)),
            ),
            generation: AtomicU64::default(),
            kept: bounded_cache::future(BOUND).time_to_live(CACHED_FOR).build(),
            with_backchannel: Cache::builder().max_capacity(2).time_to_live(CACHED_FOR).build(),
            key_sets: KeySets::new(fetcher.clone(), context.clock.clone()),
            request_objects: RequestObjects::new(fetcher.clone(), context.clock.clone()),
            documents: Documents::open(config, (store.clone(), fetcher.clone()), context),
            resources: (config.client_documents.clone(), config.edge_site()),
            offer: Offer::of(config),
            signed_with: OnceLock::new(),
            store,
            sealer,
            fetcher,
            clock: context.clock.clone(),
            random: context.random.clone(),
        }));
        let fixed = clients.read_file()?;
        clients.0.fixed.store(Arc::new(fixed));
        Ok(clients)
    }

    /// The client with this identifier.
    ///
    /// # Errors
    /// [`StoreError`] when it is neither built in nor configured, and the store does not answer.
    pub async fn find(&self, id: &str) -> Result<Option<Arc<Client>>, StoreError> {
        match (self.find_registered(id).await?, &self.0.documents) {
            (None, Some(documents)) => documents.known(id).await,
            (found, _) => Ok(found),
        }
    }

    /// The same, for a client that proves its identity.
    ///
    /// # Errors
    /// Those of [`Self::find`], and [`LookupError::Unavailable`] if its document is needed and is not available.
    pub async fn find_to_authenticate(&self, id: &str) -> Result<Option<Arc<Client>>, LookupError> {
        match (self.find_registered(id).await?, &self.0.documents) {
            (None, Some(documents)) => documents.to_authenticate(id).await,
            (found, _) => Ok(found),
        }
    }

    async fn find_registered(&self, id: &str) -> Result<Option<Arc<Client>>, StoreError> {
        if let Some(fixed) = self.0.fixed.load().get(id) {
            return Ok(Some(Arc::clone(&fixed.client)));
        }
        // invalid identifiers must not fill the cache
        if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(None);
        }
        let key = (self.0.generation.load(Ordering::Acquire), id.to_owned());
        let read = async {
            let stored = self.0.store.client(id).await?;
            let metadata = stored.as_ref().map_or(0, |stored| stored.metadata.len());
            let described = stored.and_then(|stored| self.described(&stored));
            Ok(Kept { client: described.map(|described| described.client), metadata })
        };
        let kept = self.0.kept.try_get_with(key, read).await;
        kept.map(|kept| kept.client).map_err(|error: Arc<StoreError>| StoreError::clone(&error))
    }

    /// The client with this identifier, for a request that its user is about to authorize.
    ///
    /// # Errors
    /// Those of [`Self::find_to_authenticate`].
    pub async fn find_to_authorize(&self, id: &str) -> Result<Option<Arc<Client>>, LookupError> {
        match (self.find_registered(id).await?, &self.0.documents) {
            (None, Some(documents)) => documents.to_authorize(id).await,
            (found, _) => Ok(found),
        }
    }

    /// Notes that a user has granted something to this client.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_grant(&self, client: &Client) -> Result<(), StoreError> {
        match &self.0.documents {
            Some(documents) if client.source == Source::Document => documents.keep(&client.id).await,
            _ => Ok(()),
        }
    }

    /// Whether a client may ask for tokens for this resource server (RFC 8707): where a user authorizes it, and for itself. Where it acts with
    /// the rights of a user who is not asked, [`Client::may_target`] decides.
    pub fn may_target(&self, client: &Client, resource: &str) -> bool {
        let (settings, site) = &self.0.resources;
        client.may_target(resource) || settings.offers(resource, site)
    }

    /// Whether its keys verify something. Those at a `jwks_uri` are kept for a minute, and fetched again if none of them does,
    /// at most five times in a minute.
    ///
    /// # Errors
    /// [`ClientKeysError`].
    pub async fn verifies(&self, client: &Client, verifies: impl Fn(&KeySet) -> bool) -> Result<bool, ClientKeysError> {
        match &client.keys {
            None => Err(ClientKeysError::None),
            Some(ClientKeys::Inline(set)) => Ok(verifies(set)),
            Some(ClientKeys::Remote(keys)) => {
                let found = self.0.key_sets.read(keys, |set| verifies(set).then_some(())).await?;
                Ok(found.is_some())
            }
        }
    }

    /// Whether the certificate with this thumbprint is one of its own (RFC 8705 2.2); where keys are at a `jwks_uri`, it may
    /// have been put there a moment ago.
    pub async fn has_certificate(&self, client: &Client, thumbprint: &str) -> bool {
        self.verifies(client, |set| set.has_certificate(thumbprint)).await.unwrap_or(false)
    }

    /// The request object at a `request_uri` that a client has registered; kept for a minute.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn request_object(&self, uri: &str) -> Result<Arc<str>, FetchError> {
        self.0.request_objects.at(uri).await
    }

    /// The algorithms that tokens are signed with: those that are configured, and others that clients are registered for, of which
    /// a warning names each. From then on the file of clients cannot name others.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn signing_algorithms(&self) -> Result<Vec<Algorithm>, StoreError> {
        let all = self.all().await?;
        for warning in self.0.offer.warnings(&all) {
            tracing::warn!("{warning}");
        }
        let algorithms = self.0.offer.signed_with(&all);
        Ok(self.0.signed_with.get_or_init(|| algorithms).clone())
    }

    /// Identifiers of all clients with a back-channel, for [`crate::store::Store::end_session`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn with_backchannel(&self) -> Result<Vec<String>, StoreError> {
        let generation = self.0.generation.load(Ordering::Acquire);
        let read = async {
            let all = self.all().await?.into_iter().map(|described| described.client);
            let told = all.filter(|client| client.logout.backchannel.is_some());
            Ok(Arc::new(told.map(|client| client.id.clone()).collect::<Vec<_>>()))
        };
        let told = self.0.with_backchannel.try_get_with(generation, read).await;
        told.map(|told| told.to_vec()).map_err(|error: Arc<StoreError>| StoreError::clone(&error))
    }

    /// All clients, by identifier.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn all(&self) -> Result<Vec<Described>, StoreError> {
        let stored = self.0.store.clients().await?;
        let mut all: BTreeMap<String, Described> = BTreeMap::clone(&self.0.fixed.load());
        for described in stored.iter().filter_map(|stored| self.described(stored)) {
            all.entry(described.client.id.clone()).or_insert(described);
        }
        Ok(all.into_values().collect())
    }

    /// One client and its metadata, as it is now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn describe(&self, id: &str) -> Result<Option<Described>, StoreError> {
        if let Some(fixed) = self.0.fixed.load().get(id) {
            return Ok(Some(fixed.clone()));
        }
        let stored = self.0.store.client(id).await?;
        Ok(stored.and_then(|stored| self.described(&stored)))
    }

    /// Invalidates the cached clients, since one of them has changed: here or in another replica.
    pub fn forget(&self) {
        self.0.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Invalidates the cache at each announced change, until `shutdown`.
    pub async fn follow(self, mut changed: watch::Receiver<i64>, shutdown: CancellationToken) {
        while let Some(Ok(())) = shutdown.run_until_cancelled(changed.changed()).await {
            self.forget();
        }
    }

    /// Reads a stored client. One that cannot be read (any more) counts as missing.
    fn described(&self, stored: &StoredClient) -> Option<Described> {
        let read = Metadata::parse(stored.metadata.as_bytes()).and_then(|metadata| {
            let source = if stored.registered { Source::Registered } else { Source::Added };
            let mut client = Client::from_metadata(&metadata, source, &self.0.sites)?;
            client.secrets = secret::from_bytes(&stored.secrets);
            client.sealed_secret.clone_from(&stored.sealed_secret);
            client.management = stored.management.as_deref().and_then(|digest| digest.try_into().ok());
            client.created = Some(stored.created);
            Ok(Described { client: Arc::new(client), metadata })
        });
        match read {
            Ok(described) => Some(described),
            Err(error) => {
                tracing::error!(client = stored.id, %error, "a client in the database cannot be used");
                None
            }
        }
    }
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clients").field("fixed", &self.0.fixed.load().len()).finish_non_exhaustive()
    }
}
