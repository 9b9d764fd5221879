//! Pushed authorization requests, and values that are accepted once.

use idp::store::Store;

use crate::support::at;

pub(crate) async fn suite(store: &Store) {
    assert!(store.first_time([1; 32], at(2000)).await.expect("asks"));
    assert!(!store.first_time([1; 32], at(3000)).await.expect("asks"));
    assert!(store.first_time([2; 32], at(2000)).await.expect("asks"));
    for _ in 0..2 {
        store.forget([1; 32]).await.expect("forgets");
    }
    assert!(store.first_time([1; 32], at(2000)).await.expect("asks"), "it was forgotten");
    assert!(!store.first_time([1; 32], at(2000)).await.expect("asks"));
    assert!(!store.first_time([2; 32], at(2000)).await.expect("asks"), "the other was not");

    store.push_request([3; 32], "web", "client_id=web&scope=openid", at(2000)).await.expect("keeps");
    assert!(store.push_request([3; 32], "web", "", at(2000)).await.is_err(), "a name is not given twice");
    let read = async |client, now| store.pushed_request([3; 32], client, at(now)).await.expect("asks");
    assert_eq!(read("other", 1500).await, None, "it is not the other client's");
    assert_eq!(read("web", 2000).await, None, "too late");
    for _ in 0..2 {
        assert_eq!(
            read("web", 1999).await.as_deref(),
            Some("client_id=web&scope=openid"),
            "reading does not use it up"
        );
    }
    assert!(store.use_up_request([3; 32], at(3000)).await.expect("uses"));
    assert_eq!(read("web", 1500).await, None, "it was answered");
    assert!(!store.use_up_request([3; 32], at(3000)).await.expect("asks"), "once");
}
