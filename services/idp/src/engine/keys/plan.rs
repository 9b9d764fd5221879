//! What there is to do about the keys: decided here, done elsewhere.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oidc::jose::Algorithm;

use super::set::Key;
use crate::lifetimes::Lifetimes;

/// For how much longer a retired key is published than any token of the usual length lives: for clients whose tokens live
/// longer, and for clocks that differ.
pub const MARGIN: Duration = Duration::from_hours(24);
/// How often a replica says that it signs with an algorithm.
const CLAIMED_EVERY: Duration = Duration::from_mins(10);
/// For how long after that no replica whose settings do not name the algorithm retires its keys: several times as long, and longer
/// than replicas are started again one after the other.
pub(super) const CLAIMED_FOR: Duration = Duration::from_hours(1);
/// Keys of an algorithm that begin within this time are the same to the store.
const APART: Duration = Duration::from_secs(1);

/// When keys change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// How long a key signs before the next one is made; for ever if 0.
    pub rotation: Duration,
    /// How long a key is published before it signs.
    pub ahead: Duration,
    /// How long it stays published when it signs no more.
    pub keep: Duration,
}

impl Schedule {
    /// The schedule for these lifetimes.
    pub fn of(lifetimes: &Lifetimes) -> Self {
        let tokens =
            [lifetimes.access_token, lifetimes.id_token, lifetimes.cells_access_token, lifetimes.cells_id_token];
        let longest = tokens.into_iter().max().unwrap_or_default();
        Self { rotation: lifetimes.key_rotation, ahead: lifetimes.key_ahead, keep: longest + MARGIN }
    }
}

/// A key that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) algorithm: Algorithm,
    pub(super) active: SystemTime,
    /// It is not wanted any more if there is one by now that begins then or later.
    pub(super) unless_after: Option<SystemTime>,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Make a key.
    Make(Wanted),
    /// Another one has taken this key's place: it is published until then.
    Retire { kid: String, until: SystemTime },
    /// Say that this key is signed with.
    Claim { kid: String },
    /// Remove what is over.
    Prune,
}

/// What there is to do about keys of one algorithm.
pub(super) fn plan(algorithm: Algorithm, keys: &[Key], schedule: &Schedule, now: SystemTime) -> Vec<Step> {
    let mut ours: Vec<_> = keys.iter().filter(|key| key.algorithm() == algorithm).collect();
    ours.sort_by(|one, other| one.newest_first().cmp(&other.newest_first()));
    let standing: Vec<_> = ours.iter().filter(|key| key.retired.is_none()).collect();
    let mut steps = Vec::new();
    match standing.first() {
        None => steps.extend(missing(algorithm, keys, now).map(Step::Make)),
        Some(newest) if is_old(newest, schedule, now) => steps.push(Step::Make(next(algorithm, keys, schedule, now))),
        Some(_) => {}
    }
    // whoever stands behind a key that signs has signed until that one began
    for pair in standing.windows(2) {
        let [newer, older] = pair else { continue };
        if newer.active <= now {
            steps.push(Step::Retire { kid: older.kid().to_owned(), until: newer.active + schedule.keep });
        }
    }
    if ours.iter().any(|key| !key.is_published(now)) {
        steps.push(Step::Prune);
    }
    steps
}

/// Tells other replicas that this one signs with an algorithm, where that was not said lately.
pub(super) fn claim(algorithm: Algorithm, keys: &[Key], now: SystemTime) -> Option<Step> {
    let standing = keys.iter().filter(|key| key.algorithm() == algorithm && key.retired.is_none());
    let signs =
        standing.filter(|key| key.active <= now).min_by(|one, other| one.newest_first().cmp(&other.newest_first()))?;
    let is_due = signs.claimed.is_none_or(|claimed| claimed + CLAIMED_EVERY <= now);
    is_due.then(|| Step::Claim { kid: signs.kid().to_owned() })
}

/// What there is to do about keys of an algorithm that is not signed with here any more: when no replica has said for a while that
/// it signs with it, they stay published until nothing that they signed is valid. So replicas with different settings, as while
/// they are started again one after the other, do not take each other's keys away.
pub(super) fn withdraw(algorithm: Algorithm, keys: &[Key], schedule: &Schedule, now: SystemTime) -> Vec<Step> {
    let ours = || keys.iter().filter(|key| key.algorithm() == algorithm);
    let claimed = ours().filter_map(|key| key.claimed).max();
    let is_claimed = claimed.is_some_and(|claimed| now < claimed + CLAIMED_FOR);
    let step = |key: &Key| {
        let kid = key.kid().to_owned();
        // one of a release that did not say so may still be signed with: the time begins now
        if claimed.is_none() { Step::Claim { kid } } else { Step::Retire { kid, until: now + schedule.keep } }
    };
    let steps = ours().filter(|key| key.retired.is_none() && !is_claimed).map(step);
    let prune = ours().any(|key| !key.is_published(now)).then_some(Step::Prune);
    steps.chain(prune).collect()
}

/// A key that signs at once, where there is none that could.
pub(super) fn missing(algorithm: Algorithm, keys: &[Key], now: SystemTime) -> Option<Wanted> {
    let stands = keys.iter().any(|key| key.algorithm() == algorithm && key.retired.is_none());
    (!stands).then(|| Wanted { algorithm, active: now, unless_after: Some(later_than(algorithm, keys)) })
}

/// The successor of the keys of this algorithm, to be published now.
pub(super) fn next(algorithm: Algorithm, keys: &[Key], schedule: &Schedule, now: SystemTime) -> Wanted {
    Wanted { algorithm, active: now + schedule.ahead, unless_after: Some(later_than(algorithm, keys)) }
}

fn is_old(newest: &Key, schedule: &Schedule, now: SystemTime) -> bool {
    !schedule.rotation.is_zero() && newest.active + schedule.rotation <= now
}

/// A time that only keys have reached that are newer than these.
fn later_than(algorithm: Algorithm, keys: &[Key]) -> SystemTime {
    let ours = keys.iter().filter(|key| key.algorithm() == algorithm);
    ours.map(|key| key.active + APART).max().unwrap_or(UNIX_EPOCH)
}
