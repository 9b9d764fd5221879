//! Second factors, recovery codes and trusted devices.

use std::time::UNIX_EPOCH;

use idp::store::{FactorKind, FactorToRemove, Removal, Store, StoredFactor};
use uuid::Uuid;

use crate::support::{at, id};

fn factor(number: u128, person: &str) -> StoredFactor {
    StoredFactor {
        id: id(number),
        person: person.to_owned(),
        kind: FactorKind::Totp,
        name: String::new(),
        sealed: vec![1, 2, 3],
        is_administrator: person == "meitner",
        last_step: Some(7),
        failures: 0,
        blocked_until: UNIX_EPOCH,
        created: at(1000),
        used: None,
    }
}

pub(crate) async fn suite(store: &Store) {
    assert_eq!(store.factors("meitner").await.expect("reads"), []);
    let administrators = async || store.has_factor_of_administrator().await.expect("reads");
    assert!(!administrators().await);
    let (hers, his) = (factor(61, "meitner"), factor(62, "hahn"));
    assert!(store.add_factor(&his, &[[3; 32]], false).await.expect("adds"));
    assert!(!administrators().await);
    assert!(store.add_factor(&hers, &[[1; 32], [2; 32]], false).await.expect("adds"));
    assert!(!store.add_factor(&factor(63, "meitner"), &[], false).await.expect("asks"), "she has one");
    assert!(administrators().await);
    assert_eq!(store.factors("meitner").await.expect("reads"), std::slice::from_ref(&hers));
    assert_eq!(store.recovery_codes_left("meitner").await.expect("reads"), 2, "those of the first");

    assert!(store.count_guess(hers.id, 0, at(1100)).await.expect("writes"));
    assert!(!store.count_guess(hers.id, 0, at(1100)).await.expect("asks"), "another was counted meanwhile");
    let [counted] = store.factors("meitner").await.expect("reads").try_into().expect("one");
    assert_eq!((counted.failures, counted.blocked_until), (1, at(1100)));
    assert!(!store.accept_step(hers.id, 7, at(1001)).await.expect("asks"), "a step is accepted once");
    assert!(store.accept_step(hers.id, 8, at(1001)).await.expect("writes"));
    let [used] = store.factors("meitner").await.expect("reads").try_into().expect("one");
    let expected = StoredFactor { last_step: Some(8), used: Some(at(1001)), ..hers.clone() };
    assert_eq!(used, expected, "wrong codes are forgotten");

    assert!(!store.use_recovery_code("hahn", [1; 32]).await.expect("asks"), "hers is hers");
    assert!(store.use_recovery_code("meitner", [1; 32]).await.expect("uses"));
    assert!(!store.use_recovery_code("meitner", [1; 32]).await.expect("asks"), "once");
    store.replace_recovery_codes("meitner", &[[4; 32]]).await.expect("writes");
    assert!(!store.use_recovery_code("meitner", [2; 32]).await.expect("asks"), "replaced");

    store.trust_device([8; 32], "meitner", at(2000)).await.expect("writes");
    let trusted = async |person: &str, now| store.is_trusted_device([8; 32], person, at(now)).await.expect("reads");
    assert!(trusted("meitner", 1999).await && !trusted("meitner", 2000).await && !trusted("hahn", 1999).await);

    store.reseal_factor(hers.id, &[9], &[4]).await.expect("asks");
    store.reseal_factor(hers.id, &[1, 2, 3], &[4]).await.expect("writes");
    let sealed = store.sealed_factors(id(60), 1000).await.expect("reads");
    assert_eq!(sealed, [(id(61), vec![4]), (id(62), vec![1, 2, 3])]);

    changes(store, &hers).await;

    assert!(store.remove_factors("meitner").await.expect("removes"));
    assert!(!store.remove_factors("meitner").await.expect("asks"));
    assert!(!administrators().await && !trusted("meitner", 1999).await);
    assert_eq!(store.recovery_codes_left("meitner").await.expect("reads"), 0);
    assert_eq!(store.recovery_codes_left("hahn").await.expect("reads"), 1, "his are his");
}

fn passkey(number: u128, person: &str, name: &str) -> StoredFactor {
    let (name, kind) = (name.to_owned(), FactorKind::Passkey);
    StoredFactor { kind, name, last_step: None, is_administrator: false, ..factor(number, person) }
}

pub(crate) async fn passkeys(store: &Store) {
    let (first, second) = (passkey(71, "noether", "a"), passkey(72, "noether", "b"));
    for added in [&first, &second, &passkey(73, "hilbert", "a")] {
        assert!(store.add_passkey(added, 9).await.expect("adds"));
    }
    assert!(!store.add_passkey(&passkey(74, "noether", "a"), 9).await.expect("asks"), "the same credential");
    assert!(!store.add_passkey(&passkey(75, "noether", "c"), 2).await.expect("asks"), "she has as many as are allowed");
    assert!(!store.add_factor(&factor(76, "noether"), &[], true).await.expect("asks"), "it is not the first");
    assert_eq!(store.factors("noether").await.expect("reads"), [first.clone(), second.clone()]);
    let known = store.passkeys_of_credential("a").await.expect("reads");
    let mut persons: Vec<_> = known.iter().map(|passkey| passkey.person.as_str()).collect();
    persons.sort_unstable();
    assert_eq!(persons, ["hilbert", "noether"]);

    assert!(store.count_guess(first.id, 0, at(1100)).await.expect("writes"));
    assert!(!store.accept_passkey(first.id, &[9], &[4], at(1001)).await.expect("asks"), "the state is another");
    assert!(store.accept_passkey(first.id, &[1, 2, 3], &[4], at(1001)).await.expect("writes"));
    let [used, _] = store.factors("noether").await.expect("reads").try_into().expect("two");
    assert_eq!(used, StoredFactor { sealed: vec![4], used: Some(at(1001)), ..first.clone() }, "failures are forgotten");

    store.replace_recovery_codes("noether", &[[71; 32]]).await.expect("writes");
    store.trust_device([71; 32], "noether", at(2000)).await.expect("writes");
    let remove = async |person, passkey: &StoredFactor, keep_last: Option<&[Uuid]>| {
        store.remove_factor(person, FactorToRemove::Passkey(passkey.id), keep_last).await.expect("is decided")
    };
    assert_eq!(remove("hilbert", &first, None).await, Removal::Absent, "hers");
    assert_eq!(remove("noether", &first, Some(&[])).await, Removal::Done);
    assert_eq!(store.recovery_codes_left("noether").await.expect("reads"), 1, "a factor is left");
    assert!(!store.is_trusted_device([71; 32], "noether", at(1000)).await.expect("reads"), "trust ends all the same");
    store.trust_device([71; 32], "noether", at(2000)).await.expect("writes");
    assert_eq!(remove("noether", &second, Some(&[])).await, Removal::IsLast);
    assert_eq!(store.factors("noether").await.expect("reads"), std::slice::from_ref(&second));
    assert_eq!(remove("noether", &second, None).await, Removal::Done);
    assert_eq!(store.recovery_codes_left("noether").await.expect("reads"), 0);
    assert!(!store.is_trusted_device([71; 32], "noether", at(1000)).await.expect("reads"));
    assert!(store.remove_factors("hilbert").await.expect("removes"));
}

/// Factors that cannot be used do not count as those that are left.
pub(crate) async fn unusable(store: &Store) {
    let (usable, dead, app) = (passkey(91, "planck", "a"), passkey(92, "planck", "b"), factor(93, "planck"));
    for added in [&usable, &dead] {
        assert!(store.add_passkey(added, 9).await.expect("adds"));
    }
    let remove = async |which| store.remove_factor("planck", which, Some(&[dead.id])).await.expect("is decided");
    assert_eq!(remove(FactorToRemove::Passkey(usable.id)).await, Removal::IsLast);
    assert_eq!(remove(FactorToRemove::Passkey(dead.id)).await, Removal::Done);
    assert!(store.remove_factors("planck").await.expect("removes"));
    assert!(store.add_passkey(&dead, 9).await.expect("adds"));
    assert!(store.add_factor(&app, &[[9; 32]], false).await.expect("adds"));
    assert_eq!(remove(FactorToRemove::App).await, Removal::IsLast);
    assert!(store.remove_factors("planck").await.expect("removes"));
    assert!(store.add_passkey(&dead, 9).await.expect("adds"));
    store.replace_recovery_codes("planck", &[[10; 32]]).await.expect("writes");
    assert_eq!(
        remove(FactorToRemove::Passkey(dead.id)).await,
        Removal::IsLast,
        "the password alone would enrol another"
    );
    assert_eq!(store.recovery_codes_left("planck").await.expect("reads"), 1);
    assert!(store.remove_factors("planck").await.expect("removes"));
}

/// Replaces and removes a factor; afterwards there is the same one again.
async fn changes(store: &Store, hers: &StoredFactor) {
    let trusted = async || store.trusted_devices("meitner", at(1500)).await.expect("reads");
    assert_eq!(trusted().await, 1);
    assert_eq!(store.trusted_devices("meitner", at(2000)).await.expect("reads"), 0, "trust ends then");
    store.trust_device([9; 32], "hahn", at(2000)).await.expect("writes");
    let other = factor(64, "meitner");
    store.replace_factor(&other, &[[5; 32], [6; 32]]).await.expect("writes");
    assert_eq!(store.factors("meitner").await.expect("reads"), std::slice::from_ref(&other));
    assert_eq!((store.recovery_codes_left("meitner").await.expect("reads"), trusted().await), (2, 0));
    store.trust_device([10; 32], "meitner", at(2000)).await.expect("writes");
    for expected in [Removal::Done, Removal::Absent] {
        let removal = store.remove_factor("meitner", FactorToRemove::App, None).await;
        assert_eq!(removal.expect("is decided"), expected);
    }
    assert_eq!((store.recovery_codes_left("meitner").await.expect("reads"), trusted().await), (0, 0));
    assert!(store.is_trusted_device([9; 32], "hahn", at(1500)).await.expect("reads"), "his are his");
    store.forget_trusted_devices("hahn").await.expect("writes");
    assert!(!store.is_trusted_device([9; 32], "hahn", at(1500)).await.expect("reads"));
    assert!(store.add_factor(hers, &[[4; 32]], false).await.expect("adds"));
    store.trust_device([8; 32], "meitner", at(2000)).await.expect("writes");
}

/// Two factors of a user who needs one are removed at the same time.
pub(crate) async fn last_two(store: &Store) {
    for round in 0..8 {
        let (first, second) = (passkey(81, "curie", "a"), passkey(82, "curie", "b"));
        for added in [&first, &second] {
            store.add_passkey(added, 9).await.expect("adds");
        }
        let remove = |id| store.remove_factor("curie", FactorToRemove::Passkey(id), Some(&[]));
        let (one, two) = tokio::join!(remove(first.id), remove(second.id));
        let mut removals = [one.expect("is decided"), two.expect("is decided")];
        removals.sort_unstable_by_key(|removal| *removal == Removal::IsLast);
        assert_eq!(removals, [Removal::Done, Removal::IsLast], "round {round}");
        assert_eq!(store.factors("curie").await.expect("reads").len(), 1);
        assert!(store.remove_factors("curie").await.expect("removes"));
    }
}
