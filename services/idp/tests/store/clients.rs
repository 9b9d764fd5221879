//! Clients.

use idp::store::{Store, StoredClient};

use crate::support::{at, family, id, revoked};

fn client(id: &str) -> StoredClient {
    StoredClient {
        id: id.to_owned(),
        registered: true,
        metadata: r#"{"client_name":"télé 'phone'"}"#.to_owned(),
        secrets: vec![0, 1, 255],
        sealed_secret: Some(vec![7]),
        management: None,
        created: at(1000),
    }
}

pub(crate) async fn suite(store: &Store) {
    kept(store).await;
    removed(store).await;
    registered(store).await;
}

async fn kept(store: &Store) {
    let before = store.version().await.expect("reads");
    assert_eq!(store.clients().await.expect("reads"), []);
    store.add_client(&client("b")).await.expect("adds");
    store.add_client(&client("a")).await.expect("adds");
    let added = store.version().await.expect("reads");
    assert!(added > before);
    let error = store.add_client(&client("a")).await.expect_err("the id is taken");
    assert!(matches!(error, store::StoreError::Conflict(_)), "{error}");
    assert_eq!(store.version().await.expect("reads"), added, "nothing has changed");
    assert_eq!(store.clients().await.expect("reads"), [client("a"), client("b")]);
    assert_eq!(store.client("a").await.expect("reads"), Some(client("a")));
    assert_eq!(store.client("c").await.expect("reads"), None);

    let changed = StoredClient {
        registered: false,
        metadata: "{}".to_owned(),
        secrets: Vec::new(),
        sealed_secret: None,
        management: Some(vec![3; 32]),
        ..client("a")
    };
    assert!(store.change_client(&changed).await.expect("changes"));
    assert_eq!(store.client("a").await.expect("reads"), Some(changed));
    let current = store.version().await.expect("reads");
    assert!(current > added);
    assert!(!store.change_client(&client("c")).await.expect("asks"));
    assert_eq!(store.version().await.expect("reads"), current);
}

async fn removed(store: &Store) {
    store.give_consent("dirac", "a", "openid", at(1000)).await.expect("writes");
    store.give_consent("dirac", "b", "openid", at(1000)).await.expect("writes");
    store.begin_family(&family(41, Some("dirac"), "a")).await.expect("begins");
    store.begin_family(&family(42, None, "a")).await.expect("begins");
    store.begin_family(&family(43, Some("dirac"), "b")).await.expect("begins");
    let before = store.version().await.expect("reads");
    assert!(store.remove_client("a", at(9000), at(1500)).await.expect("removes"));
    let after = store.version().await.expect("reads");
    assert!(after > before);
    assert!(!store.remove_client("a", at(9000), at(1500)).await.expect("asks"), "not twice");
    assert_eq!(store.version().await.expect("reads"), after);
    assert_eq!(store.client("a").await.expect("reads"), None);
    assert_eq!(store.consents("dirac").await.expect("reads").len(), 1);
    assert_eq!(store.family(id(42), at(1500)).await.expect("reads"), None);
    assert!(store.family(id(43), at(1500)).await.expect("reads").is_some());
    let all = revoked(store).await;
    assert!(all.contains(&id(41)) && all.contains(&id(42)) && !all.contains(&id(43)));
}

async fn registered(store: &Store) {
    store.add_initial_access([1; 32], 2, at(2000)).await.expect("adds");
    let uses = async |digest, now| store.use_initial_access(digest, at(now)).await.expect("asks");
    assert!(!uses([2; 32], 1500).await, "it is unknown");
    assert!(!uses([1; 32], 2000).await, "too late");
    assert!(uses([1; 32], 1999).await);
    assert!(uses([1; 32], 1500).await);
    assert!(!uses([1; 32], 1500).await, "used up");
}
