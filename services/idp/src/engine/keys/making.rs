//! Making keys, and reading those that are stored.

use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::try_join_all;
use oidc::jose::{Algorithm, KeyError, SigningKey};
use runtime::Random;
use tokio::task::spawn_blocking;

use super::plan::Wanted;
use super::set::{Key, KeySet};
use super::{KeysError, Parts, sealed};
use crate::seal::Purpose;
use crate::store::StoredKey;

/// All keys of the store. Those of the set are parsed, and are not parsed again.
pub(super) async fn read(parts: &Parts, parsed: Option<&KeySet>) -> Result<Vec<Key>, KeysError> {
    let mut keys = Vec::new();
    for stored in parts.store.keys().await? {
        let Some(algorithm) = algorithm_of(&stored) else {
            tracing::warn!(
                kid = stored.kid,
                algorithm = stored.algorithm,
                "a key of an unknown algorithm is left alone"
            );
            continue;
        };
        let same = parsed.and_then(|set| set.keys().find(|key| key.kid() == stored.kid));
        let pair = match same {
            Some(key) => Arc::clone(&key.pair),
            None => Arc::new(sealed::open(&parts.sealer, algorithm, &stored)?),
        };
        let StoredKey { created, active, retired, claimed, .. } = stored;
        keys.push(Key { pair, created, active, retired, claimed });
    }
    Ok(keys)
}

/// Seals keys anew under the current secret that were sealed under the one before it.
pub(super) async fn reseal(parts: &Parts) -> Result<(), KeysError> {
    for stored in parts.store.keys().await? {
        if let Some(anew) = parts.sealer.reseal(Purpose::PrivateKey, &stored.sealed) {
            parts.store.reseal_key(&stored.kid, &stored.sealed, &anew).await?;
            tracing::info!(kid = stored.kid, "a signing key was sealed anew");
        }
    }
    Ok(())
}

fn algorithm_of(stored: &StoredKey) -> Option<Algorithm> {
    stored.algorithm.parse().ok().filter(|algorithm: &Algorithm| algorithm.is_asymmetric())
}

/// Makes keys, all at the same time, and adds those that are still wanted. Returns the names of those that were added.
pub(super) async fn make(parts: &Parts, wanted: &[Wanted], now: SystemTime) -> Result<Vec<String>, KeysError> {
    let made = try_join_all(wanted.iter().map(|wanted| generate(parts, wanted, now))).await?;
    let mut added = Vec::new();
    for (key, wanted) in made.into_iter().zip(wanted) {
        if parts.store.add_key(&key, wanted.unless_after).await? {
            tracing::info!(kid = key.kid, algorithm = key.algorithm, "a signing key was made");
            added.push(key.kid);
        }
    }
    Ok(added)
}

async fn generate(parts: &Parts, wanted: &Wanted, now: SystemTime) -> Result<StoredKey, KeyError> {
    let Wanted { algorithm, active, .. } = *wanted;
    let kid = key_id(&parts.random);
    let (name, sealer) = (kid.clone(), parts.sealer.clone());
    // an RSA key takes long enough to hold up everything else
    let making = spawn_blocking(move || sealed::seal(&sealer, &SigningKey::generate(algorithm, &name)?));
    let made = making.await.map_err(|_| KeyError::Library)??;
    let algorithm = algorithm.name().to_owned();
    // not in whole seconds: it tells which of the keys that begin in the same one is the newest
    let created = parts.clock.now();
    // a replica that does not know of the algorithm leaves it alone from the beginning
    Ok(StoredKey { kid, algorithm, sealed: made, created, active, retired: None, claimed: Some(now) })
}

/// A name for a key (RFC 7517 4.5): 128 random bits in base64url. It does not begin with `-`, so that a command line takes it for
/// a name.
fn key_id(random: &Random) -> String {
    loop {
        let kid = URL_SAFE_NO_PAD.encode(random.bytes::<16>());
        if !kid.starts_with('-') {
            return kid;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_do_not_begin_with_a_hyphen() {
        let random = Random::seeded(1);
        // one of 64 would
        assert!((0..2000).all(|_| !key_id(&random).starts_with('-')));
    }
}
