//! The store, alike on `SQLite` and `PostgreSQL`, alone and raced for.

mod clients;
mod consents;
mod deliveries;
mod devices;
mod events;
mod factors;
mod families;
mod keys;
mod one_time_values;
mod prune;
mod races;
mod rates;
mod restore;
mod revocations;
mod rounds;
mod sessions;
mod support;

use idp::store::Store;

/// Everything in turn; no part minds what the others have left.
async fn suite(store: Store) {
    families::suite(&store).await;
    sessions::suite(&store).await;
    deliveries::suite(&store).await;
    consents::suite(&store).await;
    clients::suite(&store).await;
    clients::changed_together(&store).await;
    keys::suite(&store).await;
    devices::suite(&store).await;
    one_time_values::suite(&store).await;
    events::suite(&store).await;
    factors::suite(&store).await;
    factors::passkeys(&store).await;
    factors::last_two(&store).await;
    factors::unusable(&store).await;
    prune::suite(&store).await;
    restore::suite(&store).await;
}

#[tokio::test]
async fn stored_values_are_read_back_on_sqlite() {
    let place = store::testing::sqlite();
    suite(support::open(&place).await).await;
}

#[tokio::test]
async fn stored_values_are_read_back_on_postgres() {
    let Some(cluster) = store::testing::Cluster::start().await else { return };
    let place = cluster.fresh_database().await;
    suite(support::open(&place).await).await;
}
