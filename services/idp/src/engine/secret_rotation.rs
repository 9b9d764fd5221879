//! Rotation of `IDP_ENCRYPTION_SECRET`: what the former secret has sealed in the database is sealed anew under the current
//! one at the next start, so that the former one can be dropped when no token of it lives any more. Signing keys are sealed
//! anew by [`Keys`](crate::engine::keys::Keys), also while the service runs: a replica that was not started again may still make one.

use store::StoreError;
use uuid::Uuid;

use crate::seal::{NotSealedHere, Purpose, Sealer};
use crate::store::Store;

/// Under what name the key of pairwise subjects is kept.
const PAIRWISE: &str = "pairwise subjects";
/// How many second factors are read at a time.
const FACTORS: u64 = 1000;

/// Why the database does not fit the secrets.
#[derive(Debug, thiserror::Error)]
pub enum SecretRotationError {
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Neither of the secrets has sealed what is there.
    #[error(
        "what is kept in the database cannot be opened: IDP_ENCRYPTION_SECRET or IDP_ENCRYPTION_SECRET_PREVIOUS has to \
         be the secret that it was sealed with"
    )]
    Foreign(#[from] NotSealedHere),
}

/// Seals anew what the former secret has sealed, and has the sealer call people as it always did towards clients that shall
/// not recognise them together.
///
/// # Errors
/// [`SecretRotationError`].
pub async fn reseal(store: &Store, sealer: &Sealer) -> Result<(), SecretRotationError> {
    let first = sealer.seal_bytes(Purpose::Installation, sealer.oldest_pairwise_key());
    let kept = store.secret(PAIRWISE, &first).await?;
    let key = zeroize::Zeroizing::new(sealer.open_bytes(Purpose::Installation, &kept)?);
    sealer.keep_pairwise_key(&key);
    if let Some(anew) = sealer.reseal(Purpose::Installation, &kept) {
        store.reseal_secret(PAIRWISE, &kept, &anew).await?;
    }
    for client in store.clients().await? {
        let Some(kept) = client.sealed_secret else { continue };
        if let Some(anew) = sealer.reseal(Purpose::ClientSecret, &kept) {
            store.reseal_client(&client.id, &kept, &anew).await?;
        }
    }
    reseal_factors(store, sealer).await
}

/// The secrets of second factors, a page of them at a time.
async fn reseal_factors(store: &Store, sealer: &Sealer) -> Result<(), SecretRotationError> {
    let mut after = Uuid::nil();
    loop {
        let page = store.sealed_factors(after, FACTORS).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = *last;
        for (id, kept) in page {
            if let Some(anew) = sealer.reseal(Purpose::Factor, &kept) {
                store.reseal_factor(id, &kept, &anew).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use runtime::Random;

    use super::*;
    use crate::migration::Migrator;
    use crate::seal::Tag;
    use crate::store::{FactorKind, StoredClient, StoredFactor};

    const OLD: &str = "an-adequate-secret-of-32-bytes-ok";
    const NEW: &str = "another-adequate-secret-of-32-byte";
    const THIRD: &str = "a-third-secret-that-is-long-enough";

    fn sealer(current: &str, previous: &str) -> Sealer {
        Sealer::new(&current.into(), &previous.into(), Random::seeded(7))
    }

    fn subject(sealer: &Sealer) -> [u8; 32] {
        sealer.permanent_tag(Tag::PairwiseSubject, b"sector einstein")
    }

    /// What was sealed before there was a row for it, too.
    #[tokio::test]
    async fn an_exchange_changes_nothing_for_clients_and_the_former_secret_can_be_dropped() {
        let file = store::testing::database();
        let database = file.open().await;
        database.migrate::<Migrator>().await.expect("the schema is made");
        let store = Store::new(database);
        let before = sealer(OLD, "");
        let client = StoredClient {
            id: "jwt".to_owned(),
            registered: false,
            metadata: "{}".to_owned(),
            secrets: Vec::new(),
            sealed_secret: Some(before.seal_bytes(Purpose::ClientSecret, b"secret")),
            management: None,
            created: UNIX_EPOCH,
        };
        store.add_client(&client).await.expect("adds");
        let factor = StoredFactor {
            id: Uuid::from_u128(1),
            person: "einstein".to_owned(),
            kind: FactorKind::Totp,
            name: String::new(),
            sealed: before.seal_bytes(Purpose::Factor, b"factor"),
            is_administrator: false,
            last_step: None,
            failures: 0,
            blocked_until: UNIX_EPOCH,
            created: UNIX_EPOCH,
            used: None,
        };
        assert!(store.add_factor(&factor, &[], true).await.expect("adds"));
        let known = subject(&before);
        for (current, previous) in [(OLD, ""), (NEW, OLD), (NEW, ""), (THIRD, NEW), (THIRD, "")] {
            let sealer = sealer(current, previous);
            reseal(&store, &sealer).await.expect("seals anew");
            assert_eq!(subject(&sealer), known, "a person is called the same towards a client, for ever");
            let kept = store.client("jwt").await.expect("reads").expect("is there").sealed_secret.expect("a secret");
            assert_eq!(sealer.open_bytes(Purpose::ClientSecret, &kept).as_deref(), Ok(b"secret".as_slice()));
            let factors = store.factors("einstein").await.expect("reads");
            assert_eq!(sealer.open_bytes(Purpose::Factor, &factors[0].sealed).as_deref(), Ok(b"factor".as_slice()));
        }
        let foreign = reseal(&store, &sealer(OLD, "")).await.expect_err("that secret is no use any more");
        assert!(foreign.to_string().contains("IDP_ENCRYPTION_SECRET"), "{foreign}");
    }
}
