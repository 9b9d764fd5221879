//! Adds, changes and removes clients in the database.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use oidc::jose::Algorithm;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use status::Kind;
use store::StoreError;

use super::client::{AuthMethod, Client, SecretDigest, Source};
use super::metadata::{Metadata, MetadataError};
use super::{Clients, Described, secret};
use crate::seal::Purpose;
use crate::store::{ClientChange, StoredClient};

/// How long revocations for a removed client are stored: access tokens are valid for a day at most.
pub(super) const LONGEST_TOKEN: Duration = Duration::from_hours(25);

/// How often a change is made anew on what another one has left.
const ATTEMPTS: usize = 8;

/// Who adds a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addition {
    /// An operator, who may name it and set everything.
    ByOperator,
    /// The client itself (RFC 7591).
    ByItself {
        /// The lifetime of its secret; unlimited if there is none.
        secret_lifetime: Option<Duration>,
    },
}

/// A client that was added or changed, with the secrets that are shown only once.
pub struct Made {
    /// The client and its metadata.
    pub described: Described,
    /// Its new secret.
    pub secret: Option<SecretString>,
    /// When the secret expires.
    pub secret_expires: Option<SystemTime>,
    /// The token by which it is managed, if it is new and has registered itself.
    pub management: Option<SecretString>,
}

/// Why a client is not added, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Its metadata is invalid.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// There is a client with this identifier already.
    #[error("there is a client with this id")]
    Taken,
    /// There is no such client.
    #[error("there is no client with this id")]
    Unknown,
    /// It is not in the database.
    #[error("the client is {0}; only added and registered clients can be changed here")]
    Fixed(&'static str),
    /// It has no secret that could be replaced.
    #[error("the client has no secret")]
    NoSecret,
    /// Others change it all the time.
    #[error("the client is being changed by others; try again")]
    Concurrent,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ChangeError {
    /// The kind of failure.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Metadata(_) => Kind::InvalidArgument,
            Self::Taken => Kind::AlreadyExists,
            Self::Unknown => Kind::NotFound,
            Self::Fixed(_) | Self::NoSecret => Kind::FailedPrecondition,
            Self::Concurrent => Kind::Aborted,
            Self::Store(error) => error.kind(),
        }
    }
}

/// A new secret, and its stored form.
#[derive(Default)]
struct Secrets {
    told: Option<SecretString>,
    expires: Option<SystemTime>,
    kept: Vec<SecretDigest>,
    sealed: Option<Vec<u8>>,
}

impl Clients {
    /// Adds a client.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn add(&self, mut metadata: Metadata, by: Addition) -> Result<Made, ChangeError> {
        let (source, secret_lifetime) = match by {
            Addition::ByOperator => (Source::Added, None),
            Addition::ByItself { secret_lifetime } => (Source::Registered, secret_lifetime),
        };
        if source == Source::Registered || metadata.client_id.is_none() {
            metadata.client_id = Some(self.0.random.uuid().to_string());
        }
        let client = self.checked(&mut metadata, source, None).await?;
        if self.0.fixed.load().contains_key(&client.id) {
            return Err(ChangeError::Taken);
        }
        let secrets = self.new_secrets(client.auth, secret_lifetime);
        let management = (source == Source::Registered).then(|| secret::generate(&self.0.random));
        let stored = StoredClient {
            id: client.id.clone(),
            registered: source == Source::Registered,
            metadata: text_of(&metadata),
            secrets: secret::to_bytes(&secrets.kept),
            sealed_secret: secrets.sealed.clone(),
            management: management.as_ref().map(|token| secret::digest(token.expose_secret()).to_vec()),
            created: self.0.clock.now(),
        };
        self.0.store.add_client(&stored).await.map_err(|error| match error {
            StoreError::Conflict(_) => ChangeError::Taken,
            error => error.into(),
        })?;
        self.forget();
        self.made(&stored, secrets, management)
    }

    /// Checks whether a client that registers itself could have this metadata, as far as that needs no request to other servers.
    ///
    /// # Errors
    /// [`MetadataError`].
    pub(crate) fn check_stranger(&self, metadata: &Metadata) -> Result<(), MetadataError> {
        let named = Metadata { client_id: Some("self".to_owned()), ..metadata.clone() };
        let client = Client::from_metadata(&named, Source::Registered, &self.0.sites)?;
        self.0.offer.check(&client, None)
    }

    /// Changes the metadata of a client to what `change` makes of what is stored: again, if another change came in between. The client gets
    /// a new secret if it needs one and has none, and loses its secret if it needs none any more.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn change(
        &self,
        id: &str,
        secret_lifetime: Option<Duration>,
        change: impl Fn(Metadata) -> Result<Metadata, MetadataError> + Send + Sync,
    ) -> Result<Made, ChangeError> {
        for _ in 0..ATTEMPTS {
            let before = self.stored(id).await?;
            let mut metadata = change(Metadata::parse(before.metadata.as_bytes())?)?;
            metadata.client_id = Some(id.to_owned());
            let (changed, secrets) = self.changed(&before, metadata, secret_lifetime).await?;
            if self.write(&before, &changed).await? {
                return self.made(&changed, secrets, None);
            }
        }
        Err(ChangeError::Concurrent)
    }

    /// A client with other metadata, and its secret if it needs a new one.
    async fn changed(
        &self,
        before: &StoredClient,
        mut metadata: Metadata,
        secret_lifetime: Option<Duration>,
    ) -> Result<(StoredClient, Secrets), ChangeError> {
        let source = if before.registered { Source::Registered } else { Source::Added };
        let former = self.described(before).map(|described| described.client);
        let client = self.checked(&mut metadata, source, former.as_deref()).await?;
        // the digest of a secret does not suffice to verify signatures that are made with it
        let keeps = !before.secrets.is_empty()
            && client.auth.has_secret()
            && (client.auth != AuthMethod::SecretJwt || before.sealed_secret.is_some());
        let secrets = if keeps { Secrets::default() } else { self.new_secrets(client.auth, secret_lifetime) };
        let mut changed = StoredClient { metadata: text_of(&metadata), ..before.clone() };
        if !keeps {
            changed.secrets = secret::to_bytes(&secrets.kept);
            changed.sealed_secret.clone_from(&secrets.sealed);
        }
        Ok((changed, secrets))
    }

    /// Changes these members of the metadata of a client, if `check` accepts the outcome; those that are not named stay, and those that are
    /// `null` are removed.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn update(
        &self,
        id: &str,
        changes: &Map<String, Value>,
        check: impl Fn(&Metadata) -> Result<(), MetadataError> + Send + Sync,
    ) -> Result<Made, ChangeError> {
        if let Some(other) = changes.get("client_id").filter(|new| new.as_str() != Some(id)) {
            return Err(MetadataError::new("client_id", format!("cannot be changed to {other}")).into());
        }
        let change = |stored: Metadata| {
            let mut members = stored.to_members();
            members.extend(changes.clone());
            let metadata = Metadata::read(members)?;
            metadata.refuse_unknown()?;
            check(&metadata)?;
            Ok(metadata)
        };
        self.change(id, None, change).await
    }

    /// Gives a client a new secret. The former one stays valid for `grace`.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn rotate(&self, id: &str, grace: Duration) -> Result<SecretString, ChangeError> {
        for _ in 0..ATTEMPTS {
            let before = self.stored(id).await?;
            let (changed, told) = self.rotated(&before, grace)?;
            if self.write(&before, &changed).await? {
                return Ok(told);
            }
        }
        Err(ChangeError::Concurrent)
    }

    /// A client with a new secret.
    fn rotated(&self, stored: &StoredClient, grace: Duration) -> Result<(StoredClient, SecretString), ChangeError> {
        let described = self.described(stored).ok_or(ChangeError::Unknown)?;
        let now = self.0.clock.now();
        let Secrets { told: Some(told), kept, sealed, .. } = self.new_secrets(described.client.auth, None) else {
            return Err(ChangeError::NoSecret);
        };
        let before = secret::from_bytes(&stored.secrets);
        let end = (!grace.is_zero()).then(|| now + grace);
        let kept = kept.into_iter().flat_map(|new| secret::rotated(&before, new, end, now)).collect::<Vec<_>>();
        let secrets = secret::to_bytes(&kept);
        Ok((StoredClient { secrets, sealed_secret: sealed, ..stored.clone() }, told))
    }

    /// Removes a client, and revokes everything that users have granted it.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn remove(&self, id: &str) -> Result<(), ChangeError> {
        self.refuse_fixed(id)?;
        let now = self.0.clock.now();
        let was_there = self.0.store.remove_client(id, now + LONGEST_TOKEN, now).await?;
        self.forget();
        if was_there { Ok(()) } else { Err(ChangeError::Unknown) }
    }

    async fn stored(&self, id: &str) -> Result<StoredClient, ChangeError> {
        self.refuse_fixed(id)?;
        self.0.store.client(id).await?.ok_or(ChangeError::Unknown)
    }

    fn refuse_fixed(&self, id: &str) -> Result<(), ChangeError> {
        match self.0.fixed.load().get(id).map(|fixed| fixed.client.source) {
            Some(Source::BuiltIn) => Err(ChangeError::Fixed("built in")),
            Some(Source::Configured) => Err(ChangeError::Fixed("in the file of clients")),
            Some(Source::Added | Source::Registered | Source::Document) | None => Ok(()),
        }
    }

    /// Whether a change is written: not if another one came in between.
    async fn write(&self, before: &StoredClient, changed: &StoredClient) -> Result<bool, ChangeError> {
        let outcome = self.0.store.change_client(before, changed).await?;
        self.forget();
        match outcome {
            ClientChange::Done => Ok(true),
            ClientChange::Concurrent => Ok(false),
            ClientChange::Gone => Err(ChangeError::Unknown),
        }
    }

    /// Validates the metadata, and writes the defaults into it, so that later defaults do not change the client.
    async fn checked(
        &self,
        metadata: &mut Metadata,
        source: Source,
        before: Option<&Client>,
    ) -> Result<Client, ChangeError> {
        let client = Client::from_metadata(metadata, source, &self.0.sites)?;
        self.0.offer.check(&client, before)?;
        self.check_addresses(metadata, source).await?;
        self.check_sector(metadata).await?;
        metadata.complete(&client, self.0.offer.default_algorithm());
        Ok(client)
    }

    /// Checks that the addresses that will be called are allowed (`docs/security-requirements.md#i32`).
    async fn check_addresses(&self, metadata: &Metadata, source: Source) -> Result<(), MetadataError> {
        let logo = metadata.logo_uri.as_ref().filter(|_| source.is_self_described());
        let single = [
            ("jwks_uri", metadata.jwks_uri.as_ref()),
            ("sector_identifier_uri", metadata.sector_identifier_uri.as_ref()),
            ("backchannel_logout_uri", metadata.backchannel_logout_uri.as_ref()),
            ("logo_uri", logo),
        ];
        let single = single.into_iter().filter_map(|(member, uri)| Some((member, uri?)));
        let several = metadata.request_uris.iter().map(|uri| ("request_uris", uri));
        for (member, uri) in single.chain(several) {
            self.0.fetcher.check_resolved(uri).await.map_err(|problem| MetadataError::new(member, problem))?;
        }
        Ok(())
    }

    /// Checks that all redirect URIs belong to the sector (`OpenID` Connect Registration 5).
    async fn check_sector(&self, metadata: &Metadata) -> Result<(), MetadataError> {
        let Some(uri) = &metadata.sector_identifier_uri else { return Ok(()) };
        let refused = |problem: String| MetadataError::new("sector_identifier_uri", problem);
        let body = self.0.fetcher.get(uri).await.map_err(|error| refused(error.to_string()))?;
        let members: Vec<String> =
            serde_json::from_slice(&body).map_err(|_| refused("answers with no list of redirect URIs".to_owned()))?;
        match metadata.redirect_uris.iter().find(|redirect| !members.contains(redirect)) {
            Some(missing) => Err(refused(format!("does not list {missing:?}"))),
            None => Ok(()),
        }
    }

    fn new_secrets(&self, auth: AuthMethod, lifetime: Option<Duration>) -> Secrets {
        if !auth.has_secret() {
            return Secrets::default();
        }
        let told = secret::generate(&self.0.random);
        let expires = lifetime.map(|lifetime| self.0.clock.now() + lifetime);
        let kept = vec![SecretDigest { digest: secret::digest(told.expose_secret()), expires }];
        let seal = || self.0.sealer.seal_bytes(Purpose::ClientSecret, told.expose_secret().as_bytes());
        let sealed = (auth == AuthMethod::SecretJwt).then(seal);
        Secrets { told: Some(told), expires, kept, sealed }
    }

    fn made(
        &self,
        stored: &StoredClient,
        secrets: Secrets,
        management: Option<SecretString>,
    ) -> Result<Made, ChangeError> {
        let described = self.described(stored).ok_or(ChangeError::Unknown)?;
        Ok(Made { described, secret: secrets.told, secret_expires: secrets.expires, management })
    }
}

impl Metadata {
    /// Writes the defaults into the metadata.
    fn complete(&mut self, client: &Client, algorithm: Algorithm) {
        let names = |names: Vec<String>| Some(names).filter(|names| !names.is_empty());
        self.token_endpoint_auth_method = Some(client.auth.name().to_owned());
        self.application_type = Some(if client.is_native { "native" } else { "web" }.to_owned());
        self.grant_types = names(client.grants.iter().map(|grant| grant.name().to_owned()).collect());
        self.response_types = names(client.responses.iter().map(ToString::to_string).collect());
        self.subject_type.get_or_insert_with(|| "public".to_owned());
        let algorithm = client.signatures.id_token.unwrap_or(algorithm);
        self.id_token_signed_response_alg.get_or_insert_with(|| algorithm.name().to_owned());
    }
}

fn text_of(metadata: &Metadata) -> String {
    Value::Object(metadata.to_members()).to_string()
}

impl std::fmt::Debug for Made {
    /// Without the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Made").field("client", &Arc::as_ref(&self.described.client)).finish_non_exhaustive()
    }
}
