//! The issuers that the policy file names, and their keys.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oidc::jose::{Algorithm, JwtError, KeyError, KeySet, UnverifiedJwt};
use outbound::issuer::cache::{CacheOptions, IssuerCache, Refresh, VerifyError};
use outbound::issuer::{KeyRequests, PrepareError, Source, discovery_of};
use outbound::{Authorities, FetchError};
use runtime::{Context, FileSetting};

use crate::policy::{IssuerSettings, SETTING};
use crate::workload::WorkloadError;

/// The `User-Agent` of requests to issuers.
const USER_AGENT: &str = "doorward-workload";
/// The longest lifetime of a token, unless the policy file says otherwise.
const LONGEST: Duration = Duration::from_hours(24);

/// Why an issuer cannot be used; its text names the issuer.
#[derive(Debug, thiserror::Error)]
#[error("the issuer {issuer}: {problem}")]
pub(crate) struct IssuerError {
    issuer: String,
    problem: String,
}

/// How issuers are called.
pub(crate) struct Surroundings {
    pub(crate) service: &'static str,
    /// Grows whenever keys were fetched.
    pub(crate) changes: Arc<AtomicU64>,
    pub(crate) context: Context,
}

/// An issuer.
pub(crate) struct Issuer {
    settings: IssuerSettings,
    keys: Keys,
}

enum Keys {
    /// They are fetched.
    Fetched(IssuerCache),
    /// They are in a file.
    File(KeySet),
}

impl Issuer {
    fn new(settings: IssuerSettings, surroundings: &Surroundings) -> Result<Self, IssuerError> {
        let name = settings.name.clone();
        let failed = |problem: String| IssuerError { issuer: name.clone(), problem };
        let keys = match &settings.jwks_file {
            Some(file) => Keys::File(key_set(file).map_err(failed)?),
            None => Keys::Fetched(fetched(&settings, surroundings).map_err(failed)?),
        };
        Ok(Self { settings, keys })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    /// The longest lifetime of its tokens.
    pub(crate) fn longest(&self) -> Duration {
        self.settings.max_token_lifetime.unwrap_or(LONGEST)
    }

    /// Checks the signature of a token by the issuer's keys. An unknown key causes a request, at most every ten seconds.
    ///
    /// # Errors
    /// [`WorkloadError`].
    pub(crate) async fn verify(&self, jwt: &UnverifiedJwt<'_>) -> Result<(), WorkloadError> {
        let algorithm = jwt.algorithm().filter(|algorithm| algorithm.is_asymmetric()).ok_or(WorkloadError::Unknown)?;
        match &self.keys {
            Keys::File(keys) => verify_by(keys, jwt, algorithm),
            Keys::Fetched(cache) => cache.verify(jwt).await.map_err(|error| match error {
                VerifyError::NoKey => WorkloadError::Unknown,
                VerifyError::Jwt(error) => of_jwt(error),
                VerifyError::Unavailable(_) => WorkloadError::Unavailable("the keys of the issuer are not available"),
            }),
        }
    }
}

fn verify_by(keys: &KeySet, jwt: &UnverifiedJwt<'_>, algorithm: Algorithm) -> Result<(), WorkloadError> {
    let key = keys.find(jwt.kid(), algorithm).ok_or(WorkloadError::Unknown)?;
    jwt.verify(key).map_err(of_jwt)
}

fn of_jwt(error: JwtError) -> WorkloadError {
    match error {
        JwtError::Signature => WorkloadError::Signature,
        JwtError::Algorithm => WorkloadError::Unknown,
        JwtError::TooLong | JwtError::Malformed | JwtError::Extension => WorkloadError::Malformed,
    }
}

/// The key set in a file; what is wrong with it.
fn key_set(file: &Path) -> Result<KeySet, String> {
    let problem = |error: &dyn std::fmt::Display| format!("its keys are in the file {}: {error}", file.display());
    let text = std::fs::read(file).map_err(|error| problem(&error))?;
    let keys = KeySet::parse(&text).map_err(|error: KeyError| problem(&error))?;
    if keys.is_empty() { Err(problem(&"none of them can be used")) } else { Ok(keys) }
}

/// A cache of the keys that are fetched from the issuer, which is not asked yet.
fn fetched(settings: &IssuerSettings, surroundings: &Surroundings) -> Result<IssuerCache, String> {
    let Surroundings { service, ref changes, ref context } = *surroundings;
    let authorities = settings
        .ca_file
        .clone()
        .map(|file| Authorities::follow(FileSetting { service, name: SETTING, files: vec![file] }, context));
    let authorities = authorities.transpose().map_err(|error: FetchError| error.to_string())?;
    let source = Source::new(&settings.name, USER_AGENT, false, settings.allow_private, authorities.as_ref());
    let source = source.map_err(|error: PrepareError| error.to_string())?;
    let source = match &settings.token_file {
        Some(file) => source.with_bearer(file.clone()),
        None => source,
    };
    let (requests, changes) = (KeyRequests::new(&context.metrics, &settings.name), Arc::clone(changes));
    let on_fetch = Box::new(move |is_usable: bool| {
        requests.note(is_usable);
        if is_usable {
            changes.fetch_add(1, Ordering::SeqCst);
        }
    });
    let options = CacheOptions { refresh: Refresh::Background, needs_keys: true, on_fetch };
    Ok(IssuerCache::new(source, context.clock.clone(), options))
}

/// All issuers.
#[derive(Default)]
pub(crate) struct Issuers(Vec<Arc<Issuer>>);

impl Issuers {
    /// Reads the key sets that are in files, and prepares to call the other issuers. Those of `before` whose settings are the same stay, with
    /// the keys that were fetched.
    ///
    /// # Errors
    /// [`IssuerError`] for the first that cannot be used.
    pub(crate) fn new(
        all: &[IssuerSettings],
        before: Option<&Self>,
        surroundings: &Surroundings,
    ) -> Result<Self, IssuerError> {
        let issuer = |settings: &IssuerSettings| {
            let known = before.and_then(|before| before.named(&settings.name));
            // a file of keys is read again
            match known.filter(|known| known.settings == *settings && settings.jwks_file.is_none()) {
                Some(known) => Ok(Arc::clone(known)),
                None => Issuer::new(settings.clone(), surroundings).map(Arc::new),
            }
        };
        all.iter().map(issuer).collect::<Result<_, _>>().map(Self)
    }

    /// Checks the names of issuers, and the key sets that are in files, for `config check`.
    ///
    /// # Errors
    /// [`IssuerError`] for the first that cannot be used.
    pub(crate) fn check(all: &[IssuerSettings]) -> Result<(), IssuerError> {
        all.iter().try_for_each(|settings| {
            let checked = match &settings.jwks_file {
                Some(file) => key_set(file).map(drop),
                None => discovery_of(&settings.name, false).map(drop).map_err(|problem| format!("it {problem}")),
            };
            checked.map_err(|problem| IssuerError { issuer: settings.name.clone(), problem })
        })
    }

    /// The issuer of this name, byte for byte.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Issuer>> {
        self.0.iter().find(|issuer| issuer.name() == name)
    }

    /// The files with keys.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.iter().filter_map(|issuer| issuer.settings.jwks_file.as_ref())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
