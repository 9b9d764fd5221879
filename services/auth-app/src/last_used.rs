//! The uses of tokens: known at once, written down now and then.
//!
//! A use costs the hot path two atomic writes. What is not written yet when the process dies is lost: a sliding token may
//! then end a little sooner than it was promised, never later.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use authn::Caller;
use bounded_cache::HeapSize;
use store::columns::{micros, time};
use uuid::Uuid;

use crate::model::{AppToken, LastUse, Life};
use crate::store::Use;

/// A token's uses are written down at most so often, and those of one with a short window ten times in it.
const AT_MOST_EVERY: Duration = Duration::from_mins(1);
/// The most that is kept of what a program calls itself, in characters.
const MAX_AGENT: usize = 128;

/// What is known of one token's uses. Times are microseconds since the epoch; 0 is none.
#[derive(Debug)]
pub struct Usage {
    token: Uuid,
    life: Life,
    used: AtomicI64,
    slid: AtomicI64,
    /// When the last use that is written down was.
    written: AtomicI64,
    /// Whether it is among those to be written down.
    is_pending: AtomicBool,
    by: Mutex<(Option<IpAddr>, String)>,
}

impl HeapSize for Usage {
    fn heap_size(&self) -> usize {
        // the name of a program comes with the first use, after the weight was taken
        MAX_AGENT
    }
}

impl Usage {
    fn of(token: &AppToken) -> Self {
        let used = token.last_use.as_ref().map_or(0, |last| micros(last.at));
        Self {
            token: token.id,
            life: token.life,
            used: AtomicI64::new(used),
            slid: AtomicI64::new(token.slid.map_or(0, micros)),
            written: AtomicI64::new(used),
            is_pending: AtomicBool::new(false),
            by: Mutex::default(),
        }
    }

    /// How far uses have moved the end.
    pub fn slid(&self) -> Option<SystemTime> {
        Some(self.slid.load(Ordering::SeqCst)).filter(|slid| *slid > 0).map(time)
    }

    /// Whether it is to be written down by now.
    fn is_due(&self, now: SystemTime) -> bool {
        let every = match self.life {
            Life::Fixed(_) => AT_MOST_EVERY,
            Life::Sliding { window, .. } => AT_MOST_EVERY.min(window / 10),
        };
        let written = self.written.load(Ordering::SeqCst);
        written == 0 || time(written).checked_add(every).is_none_or(|due| due <= now)
    }

    fn to_write(&self) -> Use {
        let (source, user_agent) = lock(&self.by).clone();
        let last_use = LastUse { at: time(self.used.load(Ordering::SeqCst)), source, user_agent };
        Use { token: self.token, last_use, slid: self.slid() }
    }
}

/// The uses that are not written down yet. At most as many as tokens are used between two writes.
#[derive(Debug, Default)]
pub struct Uses(Mutex<HashMap<Uuid, Arc<Usage>>>);

impl Uses {
    /// The uses of a token that was just read, and those that are known beside.
    pub fn of(&self, token: &AppToken) -> Arc<Usage> {
        let pending = lock(&self.0).get(&token.id).map(Arc::clone);
        let usage = pending.unwrap_or_else(|| Arc::new(Usage::of(token)));
        // another replica may have written a later end
        usage.slid.fetch_max(token.slid.map_or(0, micros), Ordering::SeqCst);
        usage
    }

    /// Records a use of a valid token.
    pub fn note(&self, usage: &Arc<Usage>, now: SystemTime, caller: &Caller) {
        usage.used.fetch_max(micros(now), Ordering::SeqCst);
        if let Some(slid) = usage.life.slid(now) {
            usage.slid.fetch_max(micros(slid), Ordering::SeqCst);
        }
        if !usage.is_pending.swap(true, Ordering::SeqCst) {
            *lock(&usage.by) = (caller.source, caller.user_agent.chars().take(MAX_AGENT).collect());
            let mut pending = lock(&self.0);
            let former = pending.insert(usage.token, Arc::clone(usage));
            // a token that was read again while it was in use is known by two: what the former one has is not lost
            if let Some(former) = former.filter(|former| !Arc::ptr_eq(former, usage)) {
                former.is_pending.store(false, Ordering::SeqCst);
                usage.used.fetch_max(former.used.load(Ordering::SeqCst), Ordering::SeqCst);
                usage.slid.fetch_max(former.slid.load(Ordering::SeqCst), Ordering::SeqCst);
            }
        }
    }

    /// What is to be written down by now; everything, if `all`.
    pub fn due(&self, now: SystemTime, all: bool) -> Vec<(Arc<Usage>, Use)> {
        let pending = lock(&self.0);
        let due = pending.values().filter(|usage| all || usage.is_due(now));
        due.map(|usage| (Arc::clone(usage), usage.to_write())).collect()
    }

    /// It is written down. What was used meanwhile stays among those to be.
    pub fn written(&self, uses: Vec<(Arc<Usage>, Use)>) {
        let mut pending = lock(&self.0);
        for (usage, written) in uses {
            let at = micros(written.last_use.at);
            usage.written.store(at, Ordering::SeqCst);
            // another one of the same token may stand there by now, with all that this one had
            if !pending.get(&usage.token).is_some_and(|one| Arc::ptr_eq(one, &usage)) {
                continue;
            }
            usage.is_pending.store(false, Ordering::SeqCst);
            // who noted a use before that store has left the entry to us; who does it after brings it back
            let stays = usage.used.load(Ordering::SeqCst) > at && !usage.is_pending.swap(true, Ordering::SeqCst);
            if !stays {
                pending.remove(&usage.token);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use authn::{Grants, UserId};

    use super::*;
    use crate::model::Kind;

    const SECOND: Duration = Duration::from_secs(1);

    fn sliding() -> AppToken {
        let created = UNIX_EPOCH + 1000 * SECOND;
        AppToken {
            id: Uuid::from_u128(1),
            owner: UserId::default(),
            kind: Kind::Personal,
            label: String::new(),
            grants: Grants::user(),
            created,
            imported: None,
            created_by: String::new(),
            life: Life::Sliding { window: 600 * SECOND, latest: created + 1500 * SECOND },
            slid: Some(created + 600 * SECOND),
            last_use: None,
            revoked: None,
        }
    }

    #[test]
    fn many_uses_are_one_write_a_minute() {
        let (uses, token) = (Uses::default(), sliding());
        let usage = uses.of(&token);
        let at = |seconds| token.created + seconds * SECOND;
        for second in 0..30 {
            uses.note(&usage, at(second), &Caller::default());
        }
        let due = uses.due(at(30), false);
        assert_eq!(due.iter().map(|(_, one)| one.slid).collect::<Vec<_>>(), [Some(at(629))]);
        uses.note(&usage, at(30), &Caller::default());
        uses.written(due);
        assert_eq!(uses.due(at(31), false).len(), 0, "the one in between waits");
        assert_eq!(uses.due(at(89), false).len(), 1, "for a minute");
        assert_eq!(uses.due(at(31), true).len(), 1, "or the end of the process");
        let due = uses.due(at(89), false);
        uses.written(due);
        assert_eq!(uses.due(at(1000), true).len(), 0);
    }

    #[test]
    fn a_token_that_is_read_again_keeps_what_is_not_written_yet() {
        let (uses, token) = (Uses::default(), sliding());
        uses.note(&uses.of(&token), token.created + 100 * SECOND, &Caller::default());
        assert_eq!(uses.of(&token).slid(), Some(token.created + 700 * SECOND));
        let later = AppToken { slid: Some(token.created + 800 * SECOND), ..token.clone() };
        assert_eq!(uses.of(&later).slid(), later.slid, "another replica's");
    }

    #[test]
    fn two_who_have_read_the_same_token_lose_no_use() {
        let (uses, token) = (Uses::default(), sliding());
        let at = |seconds| token.created + seconds * SECOND;
        let written = |uses: &Uses| uses.due(at(1400), true).iter().map(|(_, one)| one.slid).collect::<Vec<_>>();
        // a request that has the token from before it was forgotten and read again
        let (former, latter) = (uses.of(&token), uses.of(&token));
        uses.note(&former, at(100), &Caller::default());
        let due = uses.due(at(100), true);
        uses.note(&former, at(110), &Caller::default());
        uses.note(&latter, at(90), &Caller::default());
        assert_eq!(written(&uses), [Some(at(710))], "the later of both");
        uses.written(due);
        assert_eq!(written(&uses).len(), 1, "what was not among the written stays");
        uses.note(&latter, at(200), &Caller::default());
        assert_eq!(written(&uses), [Some(at(800))]);
        uses.note(&former, at(300), &Caller::default());
        assert_eq!(written(&uses), [Some(at(900))], "and neither is deaf from then on");
    }

    #[test]
    fn an_end_never_moves_past_the_latest() {
        let (uses, token) = (Uses::default(), sliding());
        let usage = uses.of(&token);
        uses.note(&usage, token.created + 1400 * SECOND, &Caller::default());
        assert_eq!(usage.slid(), token.life.latest());
        uses.note(&usage, token.created + 5 * SECOND, &Caller::default());
        assert_eq!(usage.slid(), token.life.latest(), "nor back");
    }
}
