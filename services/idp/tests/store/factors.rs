//! Second factors, recovery codes and trusted devices.

use std::time::UNIX_EPOCH;

use idp::store::{FactorKind, Store, StoredFactor};

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
    assert!(store.add_factor(&his, &[[3; 32]]).await.expect("adds"));
    assert!(!administrators().await);
    assert!(store.add_factor(&hers, &[[1; 32], [2; 32]]).await.expect("adds"));
    assert!(!store.add_factor(&factor(63, "meitner"), &[]).await.expect("asks"), "she has one");
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
        assert!(store.add_passkey(added).await.expect("adds"));
    }
    assert!(!store.add_passkey(&passkey(74, "noether", "a")).await.expect("asks"), "the same credential");
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
    assert!(!store.remove_passkey("hilbert", first.id).await.expect("asks"), "hers");
    assert!(store.remove_passkey("noether", first.id).await.expect("removes"));
    assert_eq!(store.recovery_codes_left("noether").await.expect("reads"), 1, "a factor is left");
    assert!(store.remove_passkey("noether", second.id).await.expect("removes"));
    assert_eq!(store.recovery_codes_left("noether").await.expect("reads"), 0);
    assert!(!store.is_trusted_device([71; 32], "noether", at(1000)).await.expect("reads"));
    assert!(store.remove_factors("hilbert").await.expect("removes"));
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
    assert!(store.remove_factor("meitner", FactorKind::Totp).await.expect("removes"));
    assert!(!store.remove_factor("meitner", FactorKind::Totp).await.expect("asks"));
    assert_eq!((store.recovery_codes_left("meitner").await.expect("reads"), trusted().await), (0, 0));
    assert!(store.is_trusted_device([9; 32], "hahn", at(1500)).await.expect("reads"), "his are his");
    store.forget_trusted_devices("hahn").await.expect("writes");
    assert!(!store.is_trusted_device([9; 32], "hahn", at(1500)).await.expect("reads"));
    assert!(store.add_factor(hers, &[[4; 32]]).await.expect("adds"));
    store.trust_device([8; 32], "meitner", at(2000)).await.expect("writes");
}
