use std::time::{Duration, UNIX_EPOCH};

use super::*;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn revocation(id: u128, until: u64) -> Revocation {
    Revocation { id: Uuid::from_u128(id), until: at(until) }
}

#[test]
fn what_is_added_is_there_until_it_is_over() {
    let revocations = Revocations::alone();
    let other = revocations.clone();
    assert!(!revocations.contains(Uuid::from_u128(1)));
    revocations.add((1..=40).map(|id| revocation(id, 100)));
    revocations.add([revocation(2, 200), revocation(3, 50)]);
    assert!((1..=40).all(|id| other.contains(Uuid::from_u128(id))), "clones share it");
    assert!(!other.contains(Uuid::from_u128(41)));
    revocations.prune(at(99));
    assert!(revocations.contains(Uuid::from_u128(3)), "the later end counts");
    revocations.prune(at(100));
    assert!(!revocations.contains(Uuid::from_u128(1)));
    assert!(revocations.contains(Uuid::from_u128(2)));
    assert_eq!(format!("{revocations:?}"), "Revocations(1)");
    revocations.prune(at(200));
    assert_eq!(format!("{revocations:?}"), "Revocations(0)");
}
