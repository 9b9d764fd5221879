//! Signing keys.

use idp::store::{Store, StoredKey};

use crate::support::at;

pub(crate) fn key(kid: &str, algorithm: &str, active: u64) -> StoredKey {
    StoredKey {
        kid: kid.to_owned(),
        algorithm: algorithm.to_owned(),
        sealed: vec![0, 9, 255],
        created: at(1000),
        active: at(active),
        retired: None,
        claimed: None,
    }
}

pub(crate) async fn suite(store: &Store) {
    let version = async || store.version().await.expect("reads");
    let begin = version().await;
    let (one, two, other) = (key("1", "RS256", 1000), key("2", "RS256", 2000), key("3", "ES256", 1000));
    assert!(store.add_key(&one, Some(at(0))).await.expect("adds"));
    assert!(!store.add_key(&two, Some(at(1000))).await.expect("asks"), "there is one");
    assert!(store.add_key(&other, Some(at(0))).await.expect("adds"), "of this algorithm there is none");
    assert_eq!(version().await, begin + 2);
    assert!(store.add_key(&two, Some(at(1001))).await.expect("adds"), "the other one is older");
    assert!(store.add_key(&key("4", "RS256", 2000), None).await.expect("adds"), "without any condition");
    assert!(store.add_key(&one, None).await.is_err(), "the name is taken");
    assert_eq!(version().await, begin + 4);
    let names = async || store.keys().await.expect("reads").into_iter().map(|key| key.kid).collect::<Vec<_>>();
    assert_eq!(names().await, ["1", "3", "2", "4"], "by when they become active");
    assert_eq!(store.keys().await.expect("reads")[0], one);

    assert!(store.retire_key("1", at(3000)).await.expect("retires"));
    assert!(!store.retire_key("9", at(3000)).await.expect("asks"));
    assert_eq!(store.keys().await.expect("reads")[0], StoredKey { retired: Some(at(3000)), ..one.clone() });
    assert_eq!(version().await, begin + 5);
    assert_eq!(store.prune_keys(at(3000)).await.expect("prunes"), 0);
    assert_eq!(version().await, begin + 5);
    assert_eq!(store.prune_keys(at(3001)).await.expect("prunes"), 1);
    assert_eq!(version().await, begin + 6);
    assert_eq!(names().await, ["3", "2", "4"]);
    let claimed = async || store.keys().await.expect("reads")[0].claimed;
    for (time, known) in [(2000, 2000), (3000, 3000), (1000, 3000)] {
        store.claim_key("3", at(time)).await.expect("claims");
        assert_eq!(claimed().await, Some(at(known)), "never an earlier time");
    }
    assert_eq!(version().await, begin + 6, "no replica is woken for it");
    assert!(!format!("{one:?}").contains("255"), "what is sealed is not shown");
}
