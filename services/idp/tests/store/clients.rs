//! Clients.

use idp::store::{ClientChange, Store, StoredClient, StoredDocument};

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
    described(store).await;
}

/// Documents of clients.
async fn described(store: &Store) {
    let id = "https://app.example/client.json";
    let document = |metadata: &str, fetched, used| StoredDocument {
        id: id.to_owned(),
        metadata: metadata.to_owned(),
        fetched: at(fetched),
        used: at(used),
    };
    assert_eq!(store.client_document(id).await.expect("reads"), None);
    store.give_consent("curie", id, "openid", at(1000)).await.expect("gives");
    let only_in_grants = async || store.clients_only_in_grants(at(1001)).await.expect("reads");
    assert!(only_in_grants().await.contains(id), "no source has it");
    for one in [document("{}", 1000, 1001), document(r#"{"client_name":"App"}"#, 2000, 2001)] {
        store.keep_client_document(&one).await.expect("stores");
        assert_eq!(store.client_document(id).await.expect("reads"), Some(one));
    }
    // of a replica that has not fetched it since
    store.keep_client_document(&document("{}", 1999, 2002)).await.expect("stores");
    let kept = store.client_document(id).await.expect("reads");
    assert_eq!(kept, Some(document(r#"{"client_name":"App"}"#, 2000, 2002)));
    // of a clock that was set back since
    for one in [document("{}", 9000, 9001), document("{}", 2010, 2011)] {
        store.keep_client_document(&one).await.expect("stores");
        assert_eq!(store.client_document(id).await.expect("reads"), Some(one));
    }
    assert!(!only_in_grants().await.contains(id), "it is described by its document");
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

    let changed = StoredClient { metadata: "{}".to_owned(), secrets: Vec::new(), sealed_secret: None, ..client("a") };
    let change = async |before: &StoredClient| store.change_client(before, &changed).await.expect("answers");
    assert_eq!(change(&client("a")).await, ClientChange::Done);
    assert_eq!(store.client("a").await.expect("reads"), Some(changed.clone()));
    let current = store.version().await.expect("reads");
    assert!(current > added);
    assert_eq!(change(&client("a")).await, ClientChange::Concurrent, "it is not as it was any more");
    assert_eq!(change(&client("c")).await, ClientChange::Gone);
    assert_eq!(store.version().await.expect("reads"), current);
}

/// Changes that were made from the same version of a client, at the same time.
pub(crate) async fn changed_together(store: &Store) {
    let before = client("together");
    store.add_client(&before).await.expect("adds");
    for round in 0..8_u8 {
        let before = store.client("together").await.expect("reads").expect("is there");
        let rotated = StoredClient { secrets: vec![round + 1; 40], ..before.clone() };
        let renamed = StoredClient { metadata: format!("{{\"client_name\":\"{round}\"}}"), ..before.clone() };
        let (one, two) = tokio::join!(store.change_client(&before, &rotated), store.change_client(&before, &renamed));
        let outcomes = [one.expect("answers"), two.expect("answers")];
        let expected = match outcomes {
            [ClientChange::Done, ClientChange::Concurrent] => rotated,
            [ClientChange::Concurrent, ClientChange::Done] => renamed,
            other => panic!("round {round}: {other:?}"),
        };
        assert_eq!(store.client("together").await.expect("reads"), Some(expected));
    }
    assert!(store.remove_client("together", at(9000), at(1500)).await.expect("removes"));
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
