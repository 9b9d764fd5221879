//! Consents.

use idp::revocations::Revocation;
use idp::store::{Store, StoredConsent};

use crate::support::{at, family, id, revoked};

pub(crate) async fn suite(store: &Store) {
    let consent =
        |client: &str, scope: &str, given| StoredConsent { client: client.into(), scope: scope.into(), at: at(given) };
    assert_eq!(store.consent("noether", "web").await.expect("reads"), None);
    store.give_consent("noether", "web", "openid", at(1000)).await.expect("writes");
    store.give_consent("noether", "app", "openid", at(1001)).await.expect("writes");
    store.give_consent("bohr", "web", "openid", at(1002)).await.expect("writes");
    store.give_consent("noether", "web", "openid email", at(1003)).await.expect("writes");
    let web = consent("web", "openid email", 1003);
    assert_eq!(store.consent("noether", "web").await.expect("reads").as_ref(), Some(&web));
    assert_eq!(store.consents("noether").await.expect("reads"), [consent("app", "openid", 1001), web]);

    store.begin_family(&family(31, Some("noether"), "web")).await.expect("begins");
    let tokens = Revocation { id: id(33), until: at(9000) };
    store.begin_family(&family(32, Some("noether"), "app")).await.expect("begins");
    let held = async || {
        let families = store.families("noether", at(1500)).await.expect("reads");
        families.iter().map(|family| family.grant.id).collect::<Vec<_>>()
    };
    assert_eq!(held().await, [id(32), id(31)], "by client");
    assert_eq!(store.families("noether", at(u32::MAX.into())).await.expect("reads"), [], "all are over in the end");
    assert_eq!(store.families("hilbert", at(1500)).await.expect("reads"), [], "hers are hers");
    assert!(store.take_back_consent("noether", "web", tokens, at(1500)).await.expect("takes back"));
    assert!(!store.take_back_consent("noether", "web", tokens, at(1500)).await.expect("asks"), "not twice");
    assert_eq!(store.consents("noether").await.expect("reads").len(), 1);
    assert!(store.consent("bohr", "web").await.expect("reads").is_some(), "his is his");
    assert_eq!(store.family(id(31), at(1500)).await.expect("reads"), None);
    assert_eq!(held().await, [id(32)]);
    let all = revoked(store).await;
    assert!(all.contains(&id(31)) && all.contains(&id(33)) && !all.contains(&id(32)));
}
