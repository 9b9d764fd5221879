//! Pushed requests, and what may be seen only once.

use idp::store::Store;

use crate::support::at;

pub(crate) async fn suite(store: &Store) {
    assert!(store.first_time([1; 32], at(2000)).await.expect("asks"));
    assert!(!store.first_time([1; 32], at(3000)).await.expect("asks"));
    assert!(store.first_time([2; 32], at(2000)).await.expect("asks"));

    store.push_request([1; 32], "web", "client_id=web&scope=openid", at(2000)).await.expect("keeps");
    assert!(store.push_request([1; 32], "web", "", at(2000)).await.is_err(), "a name is not given twice");
    let take = async |client, now| store.take_request([1; 32], client, at(now)).await.expect("asks");
    assert_eq!(take("other", 1500).await, None, "another client's try does not use it up");
    assert_eq!(take("web", 2000).await, None, "too late");
    assert_eq!(take("web", 1999).await.as_deref(), Some("client_id=web&scope=openid"));
    assert_eq!(take("web", 1500).await, None, "once");
}
