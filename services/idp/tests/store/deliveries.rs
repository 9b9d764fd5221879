//! Messages about the session that `sessions` has ended at 1500.

use std::time::Duration;

use idp::store::{Delivery, Store};

use crate::support::{at, id};

const LEASE: Duration = Duration::from_secs(30);

pub(crate) async fn suite(store: &Store) {
    let due = async |limit, now: u64| store.due_deliveries(limit, LEASE, at(now)).await.expect("reads");
    assert_eq!(due(10, 1499).await, []);
    let first = due(1, 1500).await;
    let second = due(10, 1500).await;
    let all: Vec<&Delivery> = first.iter().chain(&second).collect();
    let mut layouts: Vec<&str> = all.iter().map(|one| one.layout.as_str()).collect();
    layouts.sort_unstable();
    assert_eq!(layouts, ["cells", "opencloud"], "each client that has a back-channel, at each issuer");
    for one in &all {
        assert_eq!((one.client.as_str(), one.session, one.person.as_str(), one.attempts), ("web", id(21), "curie", 0));
    }
    assert_ne!(all[0].id, all[1].id);
    assert_eq!(due(10, 1529).await, [], "leased");

    store.delivered(all[0].id).await.expect("removes");
    store.redeliver(all[1].id, at(1510)).await.expect("writes");
    assert_eq!(due(10, 1509).await, []);
    let again = due(10, 1510).await;
    assert_eq!(again, [Delivery { attempts: 1, ..all[1].clone() }]);
    assert_eq!(
        due(10, 1540).await,
        [Delivery { attempts: 2, ..all[1].clone() }],
        "the process that had claimed it has ended"
    );
    store.delivered(all[1].id).await.expect("removes");
    assert_eq!(due(10, 1700).await, []);
}
