//! Opening, exchanging and retiring keys.

use std::error::Error;
use std::future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use oidc::jose::Algorithm;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use super::plan::{self, Step, Wanted};
use super::set::{Key, KeySet};
use super::{Begin, Inner, Keys, KeysError, Listed, Parts, making};
use crate::model::{seconds, time_of};

/// How often is looked whether there is something to do.
const EVERY: Duration = Duration::from_mins(1);

/// Now, as rows have it: whole seconds, whatever the store can tell apart.
fn now(parts: &Parts) -> SystemTime {
    time_of(seconds(parts.clock.now()))
}

fn set(parts: &Parts, keys: &[Key], now: SystemTime) -> Result<KeySet, KeysError> {
    KeySet::new(keys, &parts.algorithms, now).map_err(KeysError::Missing)
}

impl Keys {
    /// Reads the keys. Where there are none, as at the very first start, they are made; of replicas that start at the same
    /// time, one makes them for all.
    ///
    /// # Errors
    /// [`KeysError`], with [`KeysError::Sealed`] when the secret is not the one that they were sealed with.
    pub async fn open(parts: Parts) -> Result<Self, KeysError> {
        let now = now(&parts);
        let mut keys = making::read(&parts, None).await?;
        let missing = parts.algorithms.iter().filter_map(|algorithm| plan::missing(*algorithm, &keys, now));
        let missing: Vec<_> = missing.collect();
        if !missing.is_empty() {
            making::make(&parts, &missing, now).await?;
            keys = making::read(&parts, None).await?;
        }
        making::reseal(&parts).await?;
        let set = ArcSwap::from_pointee(set(&parts, &keys, now)?);
        Ok(Self(Arc::new(Inner { set, tending: Mutex::default(), parts })))
    }

    /// Takes over what other replicas have changed, and does what is due: publishes successors, retires keys whose
    /// successor signs, removes those that are over, and seals anew what a former secret has sealed.
    ///
    /// # Errors
    /// [`KeysError`]; what was known before stays in use.
    pub async fn tend(&self) -> Result<(), KeysError> {
        let _alone = self.0.tending.lock().await;
        let (parts, now) = (&self.0.parts, now(&self.0.parts));
        let keys = self.read().await?;
        let shown = self.show(&keys, now);
        making::reseal(parts).await?;
        let mut steps = Vec::new();
        for algorithm in Algorithm::SIGNING {
            if parts.algorithms.contains(&algorithm) {
                steps.extend(plan::plan(algorithm, &keys, &parts.schedule, now));
                steps.extend(plan::claim(algorithm, &keys, now));
            } else {
                steps.extend(plan::withdraw(algorithm, &keys, &parts.schedule, now));
            }
        }
        if steps.is_empty() {
            return shown;
        }
        let mut wanted = Vec::new();
        for step in steps {
            match step {
                Step::Make(key) => wanted.push(key),
                Step::Retire { kid, until } => drop(parts.store.retire_key(&kid, until).await?),
                Step::Claim { kid } => parts.store.claim_key(&kid, now).await?,
                Step::Prune => drop(parts.store.prune_keys(now).await?),
            }
        }
        making::make(parts, &wanted, now).await?;
        self.show(&self.read().await?, now)
    }

    /// Makes the next key of an algorithm. If one is published already that does not sign yet, it is that one, unless the
    /// new one is to sign at once.
    ///
    /// # Errors
    /// [`KeysError`].
    pub async fn rotate(&self, algorithm: Algorithm, begin: Begin) -> Result<Listed, KeysError> {
        let _alone = self.0.tending.lock().await;
        let (parts, now) = (&self.0.parts, now(&self.0.parts));
        if !parts.algorithms.contains(&algorithm) {
            return Err(KeysError::NotOffered(algorithm));
        }
        let keys = self.read().await?;
        let is_next = |key: &Key| key.algorithm() == algorithm && key.retired.is_none() && now < key.active;
        let wanted = match begin {
            Begin::AtOnce => Some(Wanted { algorithm, active: now, unless_after: None }),
            Begin::Published if keys.iter().any(is_next) => None,
            Begin::Published => Some(plan::next(algorithm, &keys, &parts.schedule, now)),
        };
        let added = making::make(parts, wanted.as_slice(), now).await?.pop();
        self.show(&self.read().await?, now)?;
        // if another replica was quicker, it is the newest
        let mut listed = self.list().into_iter().filter(|key| key.algorithm == algorithm);
        let found = listed.find(|key| added.as_ref().is_none_or(|kid| *kid == key.kid));
        found.ok_or(KeysError::Missing(algorithm))
    }

    /// Takes a key out at once: what it has signed is good no more.
    ///
    /// # Errors
    /// [`KeysError::Unknown`], [`KeysError::Only`] where no other key of the algorithm signs now, and the store's.
    pub async fn retire(&self, kid: &str) -> Result<(), KeysError> {
        let _alone = self.0.tending.lock().await;
        let now = now(&self.0.parts);
        let keys = self.read().await?;
        let key = keys.iter().find(|key| key.kid() == kid).ok_or(KeysError::Unknown)?;
        let algorithm = key.algorithm();
        let mut others = keys.iter().filter(|other| other.algorithm() == algorithm && other.kid() != kid);
        if self.0.parts.algorithms.contains(&algorithm) && !others.any(|other| other.may_sign(now)) {
            return Err(KeysError::Only(algorithm));
        }
        // were it now, a key that a clock which was ahead has taken out would be good again once that is corrected
        self.0.parts.store.retire_key(kid, now.min(key.created)).await?;
        self.show(&self.read().await?, now)
    }

    /// Does what is due every now and then, and whenever something has changed, until the service stops.
    pub async fn keep_tending<T: Send + Sync>(self, mut changed: watch::Receiver<T>, shutdown: CancellationToken) {
        let tending = async {
            loop {
                if let Err(error) = self.tend().await {
                    let cause = error.source().map(tracing::field::display);
                    tracing::warn!(%error, cause, "the signing keys stay as they are for now");
                }
                let told = async {
                    if changed.changed().await.is_err() {
                        future::pending::<()>().await;
                    }
                };
                drop(tokio::time::timeout(EVERY, told).await);
            }
        };
        shutdown.run_until_cancelled(tending).await;
    }

    async fn read(&self) -> Result<Vec<Key>, KeysError> {
        let set = self.0.set.load_full();
        making::read(&self.0.parts, Some(&set)).await
    }

    fn show(&self, keys: &[Key], now: SystemTime) -> Result<(), KeysError> {
        self.0.set.store(Arc::new(set(&self.0.parts, keys, now)?));
        Ok(())
    }
}
