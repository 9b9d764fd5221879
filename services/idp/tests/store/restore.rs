//! What a restore ends.

use config::Environment;
use idp::revocations::{Of, before};
use idp::store::{Store, StoredDocument};

use crate::devices::device;
use crate::keys::key;
use crate::sessions::session;
use crate::support::{at, family, id};

/// `docs/security-requirements.md#k3`
pub(crate) async fn suite(store: &Store) {
    store.begin_session(&session(900, "planck")).await.expect("begins");
    store.begin_family(&family(901, Some("planck"), "app")).await.expect("begins");
    store.give_consent("planck", "app", "openid", at(1000)).await.expect("gives");
    store.add_device(&device(90, "WXZK")).await.expect("adds");
    store.push_request([90; 32], "web", "client_id=web", at(2000)).await.expect("adds");
    let document = "https://restored.example/client.json";
    let described = StoredDocument { id: document.to_owned(), metadata: "{}".to_owned(), fetched: at(1), used: at(1) };
    store.keep_client_document(&described).await.expect("stores");
    store.add_key(&key("restored", "RS256", 1000), None).await.expect("adds");

    let state = idp::state(&idp::Config::default(), &Environment::default());
    let replacement = store.database().begin_replacement().await.expect("begins");
    let ended = replacement.end(state.end_credentials, at(1000)).await.expect("ends");
    replacement.commit().await.expect("is durable");
    for what in [
        "sessions at idp",
        "refresh tokens",
        "consents",
        "device codes",
        "pushed requests",
        "documents of clients",
        "signing keys",
    ] {
        assert!(ended.iter().any(|(name, count)| *name == what && *count > 0), "{what}: {ended:?}");
    }
    assert!(store.sessions_of("planck", at(1000)).await.expect("reads").is_empty());
    assert_eq!(store.family(id(901), at(1000)).await.expect("reads"), None);
    assert!(store.consents("planck").await.expect("reads").is_empty());
    assert_eq!(store.device("WXZK", at(1500)).await.expect("reads"), None);
    assert_eq!(store.pushed_request([90; 32], "web", at(1500)).await.expect("reads"), None);
    assert_eq!(store.client_document(document).await.expect("reads"), None);
    assert!(store.keys().await.expect("reads").is_empty());
    let revocations = store.revocations(None, at(1000)).await.expect("reads");
    assert!(revocations.contains(&before(Of::Everyone, 1001)), "what is stateless: {revocations:?}");
}
