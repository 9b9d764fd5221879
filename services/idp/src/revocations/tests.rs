use std::time::UNIX_EPOCH;

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

#[test]
fn silence_matters_only_among_replicas() {
    let long_ago = Instant::now().checked_sub(BELIEVED_FOR);
    let begun = |mut revocations: Revocations| {
        let inner = Arc::get_mut(&mut revocations.0).expect("nobody shares it yet");
        inner.begin = long_ago.expect("the machine has run for longer");
        revocations
    };
    assert!(begun(Revocations::alone()).is_current());
    assert!(Revocations::among_replicas().is_current(), "it has only just begun");
    let silent = begun(Revocations::among_replicas());
    assert!(!silent.is_current());
    silent.hear(Instant::now());
    assert!(silent.is_current());
}
