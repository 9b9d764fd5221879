//! Limits wrong credentials of service accounts (`docs/security-requirements.md#i81`): thirty a minute for one identifier from one
//! network, so that a program with the identifier of a client that is gone locks no account of its network out. All replicas count
//! together.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use store::StoreError;

use crate::engine::network::network;
use crate::engine::provider::Provider;
use crate::store::{Rate, Store};

/// The kind is in the database, where the limits of pages have others.
const RATE: Rate = Rate {
    kind: 6,
    most: NonZeroU32::new(30).expect("is not zero"),
    period: Duration::from_mins(1),
    // new ones are refused while there are more
    most_keys: 10_000,
};

/// The check of a credential. It counts as wrong unless it is forgiven.
pub(super) struct Attempt {
    store: Store,
    key: [u8; 32],
}

impl Attempt {
    /// Begins the check of a credential; `None` if there were too many wrong ones. It counts as wrong until it is known to be right, so that
    /// concurrent attempts count too. `id` is counted whether an account has it or not, so that no answer says which accounts there are.
    /// All requests without an address are of one network.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn begin(
        provider: &Provider,
        source: Option<IpAddr>,
        id: &str,
    ) -> Result<Option<Self>, StoreError> {
        let network = network(source.unwrap_or(Ipv6Addr::UNSPECIFIED.into()));
        let key = crypto::fingerprint_of_parts(&[&RATE.kind.to_string(), &network.to_string(), id]);
        let outcome = provider.store.take(&RATE, key, provider.clock.now()).await?;
        Ok(outcome.is_ok().then(|| Self { store: provider.store.clone(), key }))
    }

    /// The credential was right, or it is not known whether it was. Where that cannot be written, it counts nevertheless.
    pub(super) async fn forgive(self) {
        if let Err(error) = self.store.give_back(&RATE, self.key).await {
            tracing::debug!(%error, "credentials of a service account that were not wrong count as wrong");
        }
    }
}
