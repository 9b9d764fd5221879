//! What is over goes.

use std::time::Duration;

use idp::store::{Redeemed, Store, StoredDocument};

use crate::devices::device;
use crate::sessions::session;
use crate::support::{at, family, id, revoked};

pub(crate) async fn suite(store: &Store) {
    // what the other suites have left is over much earlier
    let far = 1_000_000;
    while store.prune(at(far), 100).await.expect("prunes") > 0 {}
    assert_eq!(store.revocations(None, at(0)).await.expect("reads"), []);
    for number in 0..3 {
        one_of_each(store, number, far).await;
    }

    // all are over 5 seconds later, and kept for 5 minutes more
    assert_eq!(store.prune(at(far + 305), 100).await.expect("prunes"), 0);
    assert_eq!(store.prune(at(far + 306), 2).await.expect("prunes"), 8 * 2, "so many of each kind");
    assert_eq!(store.prune(at(far + 306), 2).await.expect("prunes"), 8);
    assert_eq!(store.prune(at(far + 306), 2).await.expect("prunes"), 0);

    assert!(revoked(store).await.is_empty());
    assert_eq!(store.session(id(900)).await.expect("reads"), None);
    assert_eq!(store.participants(id(900)).await.expect("reads"), [], "they go with the session");
    assert!(store.first_time([100; 32], at(far)).await.expect("asks"), "it could be seen again");
    let lease = Duration::from_secs(1);
    let waiting = async |now: u64| store.due_deliveries(10, lease, at(now)).await.expect("reads").len();
    assert_eq!(waiting(far).await, 3, "messages are given more time");
    assert_eq!(store.prune(at(far + 86_401), 100).await.expect("prunes"), 3 + 1);
    assert_eq!(waiting(far + 86_401).await, 0);
    assert_eq!(store.consents("noether").await.expect("reads").len(), 1, "consents are not over by themselves");

    let (id, kept_for) = ("https://old.example/client.json".to_owned(), 400 * 86_400);
    let document = StoredDocument { id: id.clone(), metadata: "{}".to_owned(), fetched: at(far), used: at(far) };
    store.keep_client_document(&document).await.expect("stores");
    for (now, is_kept) in [(far + kept_for, true), (far + kept_for + 1, false)] {
        store.prune(at(now), 100).await.expect("prunes");
        assert_eq!(store.client_document(&id).await.expect("reads").is_some(), is_kept, "{now}");
    }
}

/// One row of each kind, which is over 5 seconds later; and a message.
async fn one_of_each(store: &Store, number: u8, now: u64) {
    let (grant, digest, over) = (900 + u128::from(number), [100 + number; 32], at(now + 5));
    let mut begun = family(grant, Some("pauli"), "web");
    (begun.idle_end, begun.end) = (over, at(2 * now));
    let outcome = store.redeem_code(id(grant), over, Some(&begun), at(now), over).await.expect("redeems");
    assert_eq!(outcome, Redeemed::First);
    store.revoke_token(id(grant), over, at(now)).await.expect("revokes");
    for (session_id, ends) in [(grant, false), (grant + 100, true)] {
        let mut session = session(session_id, "pauli");
        (session.seen, session.idle, session.end) = (at(now), Duration::from_secs(5), at(2 * now));
        store.begin_session(&session).await.expect("begins");
        store.join_session(id(session_id), "web", "cells").await.expect("joins");
        if ends {
            store.end_session(id(session_id), &["web".to_owned()], at(now)).await.expect("ends");
        }
    }
    store.add_initial_access(digest, 1, over).await.expect("adds");
    store.push_request(digest, "web", "", over).await.expect("keeps");
    let mut waiting = device(100 + number, &format!("CODE{number}"));
    waiting.expires = over;
    store.add_device(&waiting).await.expect("adds");
    assert!(store.first_time(digest, over).await.expect("asks"));
}
