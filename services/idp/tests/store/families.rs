//! Codes, and the families of refresh tokens that begin with them.

use idp::store::{Redeemed, Rotation, Store};
use store::ReplicaSync;

use crate::support::{GRACE, NO_TIME, at, family, id, revoked};

pub(crate) async fn suite(store: &Store) {
    redeemed(store).await;
    rotated(store).await;
    renewed(store).await;
    reused(store).await;
    over(store).await;
    revoked_by_hand(store).await;
    revocations_told(store).await;
}

async fn redeem(store: &Store, grant: u128, with_family: bool) -> Redeemed {
    let family = with_family.then(|| family(grant, Some("einstein"), "web"));
    store.redeem_code(id(grant), at(1060), family.as_ref(), at(1000), at(9000)).await.expect("answers")
}

async fn redeemed(store: &Store) {
    assert_eq!(redeem(store, 1, true).await, Redeemed::First);
    let kept = store.family(id(1), at(1000)).await.expect("reads");
    assert_eq!(kept, Some(family(1, Some("einstein"), "web")), "everything comes back as it was");
    assert!(revoked(store).await.is_empty());

    assert_eq!(redeem(store, 1, true).await, Redeemed::Again);
    assert_eq!(store.family(id(1), at(1000)).await.expect("reads"), None, "its family has ended");
    assert_eq!(revoked(store).await, [id(1)]);
    assert_eq!(redeem(store, 1, false).await, Redeemed::Again);
    assert_eq!(revoked(store).await, [id(1)], "one row, however often it is tried");

    assert_eq!(redeem(store, 2, false).await, Redeemed::First);
    assert_eq!(store.family(id(2), at(1000)).await.expect("reads"), None, "none was begun");
    assert_eq!(redeem(store, 2, false).await, Redeemed::Again);
    assert_eq!(revoked(store).await, [id(1), id(2)], "what has no family is revoked too");
}

async fn rotated(store: &Store) {
    let begun = family(3, None, "robot");
    store.begin_family(&begun).await.expect("begins");
    assert!(store.begin_family(&begun).await.is_err(), "not twice");

    let outcome = store.rotate(id(3), 0, at(1500), GRACE, at(2500), at(9000)).await.expect("rotates");
    let mut wanted = begun.clone();
    (wanted.generation, wanted.rotated, wanted.idle_end) = (1, at(1500), at(2500));
    assert_eq!(outcome, Rotation::Rotated(Box::new(wanted.clone())));
    assert_eq!(store.family(id(3), at(2100)).await.expect("reads").as_ref(), Some(&wanted), "used, it lasts longer");

    let again = store.rotate(id(3), 0, at(1509), GRACE, at(2600), at(9000)).await.expect("answers");
    assert_eq!(again, Rotation::Repeated(Box::new(wanted.clone())), "and nothing is prolonged by it");
    for generation in [1, 0] {
        let young = store.rotate(id(3), generation, at(1509), GRACE, at(2600), at(9000)).await.expect("answers");
        assert_eq!(young, Rotation::Repeated(Box::new(wanted.clone())), "the successor is not replaced as long");
    }
    let next = store.rotate(id(3), 1, at(1510), GRACE, at(2600), at(9000)).await.expect("rotates");
    assert!(matches!(next, Rotation::Rotated(family) if family.generation == 2));
    assert_eq!(store.rotate(id(3), 0, at(1511), GRACE, at(2600), at(9000)).await.expect("answers"), Rotation::Reused);
    assert!(revoked(store).await.contains(&id(3)), "two generations back there is no grace");
}

/// Row [I74](../../../../docs/security-requirements.md#i74).
async fn renewed(store: &Store) {
    let begun = family(9, Some("einstein"), "bank");
    store.begin_family(&begun).await.expect("begins");
    let renew = async |generation, now, idle_end| {
        store.renew(id(9), generation, at(now), at(idle_end), at(9000)).await.expect("answers")
    };
    let mut wanted = begun.clone();
    for now in [1500, 1501, 1800] {
        (wanted.rotated, wanted.idle_end) = (at(now), at(now + 1000));
        assert_eq!(renew(0, now, now + 1000).await, Rotation::Rotated(Box::new(wanted.clone())), "the same generation");
    }
    assert_eq!(store.family(id(9), at(2799)).await.expect("reads"), Some(wanted), "used, it lasts longer");
    assert_eq!(renew(0, 2800, 3800).await, Rotation::Gone, "it was not used");
    assert!(!revoked(store).await.contains(&id(9)));
    // of a client that has changed its profile, so that its tokens were rotated before
    store.begin_family(&family(10, Some("einstein"), "bank")).await.expect("begins");
    let first = store.rotate(id(10), 0, at(1500), GRACE, at(2500), at(9000)).await.expect("rotates");
    assert!(matches!(first, Rotation::Rotated(_)));
    let renew =
        async |generation| store.renew(id(10), generation, at(1501), at(2500), at(9000)).await.expect("answers");
    assert!(matches!(renew(1).await, Rotation::Rotated(family) if family.generation == 1));
    assert_eq!(renew(0).await, Rotation::Reused, "a former one is no less suspicious");
    assert_eq!(renew(1).await, Rotation::Gone);
}

async fn reused(store: &Store) {
    // without grace a request from a moment before the winner gets none either
    for (grant, late) in [(4, at(1510)), (5, at(1500)), (7, at(1499))] {
        store.begin_family(&family(grant, Some("einstein"), "web")).await.expect("begins");
        let grace = if late == at(1510) { GRACE } else { NO_TIME };
        let first = store.rotate(id(grant), 0, at(1500), grace, at(2500), at(9000)).await.expect("rotates");
        assert!(matches!(first, Rotation::Rotated(_)));
        let second = store.rotate(id(grant), 0, late, grace, at(2500), at(9000)).await.expect("answers");
        assert_eq!(second, Rotation::Reused);
        let current = store.rotate(id(grant), 1, late, grace, at(2500), at(9000)).await.expect("answers");
        assert_eq!(current, Rotation::Gone, "the honest one's token ends too");
        assert_eq!(store.family(id(grant), late).await.expect("reads"), None);
        assert!(revoked(store).await.contains(&id(grant)));
    }
    store.begin_family(&family(6, Some("einstein"), "web")).await.expect("begins");
    let future = store.rotate(id(6), 1, at(1500), GRACE, at(2500), at(9000)).await.expect("answers");
    assert_eq!(future, Rotation::Reused, "a generation that is not there yet is no less suspicious");
}

async fn over(store: &Store) {
    let rotate = async |now, idle_end| store.rotate(id(8), 0, now, GRACE, idle_end, at(9000)).await.expect("answers");
    assert_eq!(rotate(at(1500), at(2500)).await, Rotation::Gone, "it is unknown");
    store.begin_family(&family(8, Some("einstein"), "web")).await.expect("begins");
    assert!(store.family(id(8), at(1999)).await.expect("reads").is_some());
    assert_eq!(store.family(id(8), at(2000)).await.expect("reads"), None, "it was not used");
    assert_eq!(rotate(at(2000), at(3000)).await, Rotation::Gone);
    assert!(matches!(rotate(at(1999), at(7000)).await, Rotation::Rotated(_)));
    assert!(store.family(id(8), at(4999)).await.expect("reads").is_some());
    assert_eq!(store.family(id(8), at(5000)).await.expect("reads"), None, "however much it is used");
    assert!(!revoked(store).await.contains(&id(8)), "to be over is no offence");
}

async fn revoked_by_hand(store: &Store) {
    for (grant, person, client) in
        [(11, "curie", "web"), (12, "curie", "app"), (13, "curie", "app"), (14, "bohr", "app"), (15, "bohr", "web")]
    {
        store.begin_family(&family(grant, Some(person), client)).await.expect("begins");
    }
    let before = store.revoke_person("curie", None, Some(at(1000)), at(9000), at(1500)).await.expect("revokes");
    assert!(before.is_empty(), "all were granted at 1000");
    let mut ended = store.revoke_person("curie", Some("app"), None, at(9000), at(1500)).await.expect("revokes");
    ended.sort_unstable();
    assert_eq!(ended, [id(12), id(13)]);
    let before = store.revoke_person("curie", None, Some(at(1001)), at(9000), at(1500)).await.expect("revokes");
    assert_eq!(before, [id(11)], "this one before that moment");
    assert!(store.revoke_person("curie", None, None, at(9000), at(1500)).await.expect("revokes").is_empty());
    assert!(store.family(id(14), at(1500)).await.expect("reads").is_some(), "his are his");
    store.revoke_grant(id(14), at(9000), at(1500)).await.expect("revokes");
    store.revoke_grant(id(16), at(9000), at(1500)).await.expect("revokes what has no family");
    store.revoke_token(id(17), at(9000), at(1500)).await.expect("revokes");
    assert_eq!(store.family(id(14), at(1500)).await.expect("reads"), None);
    store.revoke_grant(id(15), at(1500), at(1500)).await.expect("revokes");
    assert_eq!(store.family(id(15), at(1500)).await.expect("reads"), None);
    let all = revoked(store).await;
    assert!([11, 12, 13, 14, 16, 17].iter().all(|&one| all.contains(&id(one))));
    assert!(!all.contains(&id(15)), "nothing derived from it could still be used");
}

async fn revocations_told(store: &Store) {
    let sync = ReplicaSync::open("idp_revocations", "idp_revocations", store.database()).await.expect("opens");
    for (id, until) in [(id(21), 3000), (id(22), 4000)] {
        store.revoke_token(id, at(until), at(1500)).await.expect("revokes");
    }
    store.revoke_token(id(22), at(2000), at(1500)).await.expect("revokes");
    let unread = sync.read(|unread| async move { Ok(unread) }).await.expect("reads");
    for unread in [None, Some(&unread)] {
        let revocations = store.revocations(unread, at(1500)).await.expect("reads");
        let until = |wanted| revocations.iter().find(|one| one.id == id(wanted)).map(|one| one.until);
        assert_eq!((until(21), until(22)), (Some(at(3000)), Some(at(4000))), "the later end counts");
        let revocations = store.revocations(unread, at(3000)).await.expect("reads");
        assert!(revocations.iter().all(|one| one.id != id(21)), "it has expired");
    }
    let many: Vec<_> = (10_000..12_500).map(|one| family(one, Some("many"), "web")).collect();
    for family in many {
        store.begin_family(&family).await.expect("begins");
    }
    assert_eq!(store.revoke_person("many", None, None, at(9000), at(1500)).await.expect("revokes").len(), 2500);
    let revocations = revoked(store).await;
    assert_eq!(revocations.iter().filter(|one| one.as_u128() >= 10_000).count(), 2500, "page after page");
}
