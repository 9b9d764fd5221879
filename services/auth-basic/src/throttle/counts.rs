//! Where records are kept: in the database, which replicas share and which survives a restart, or in memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use store::StoreError;

use super::{Record, Rules};
use crate::digest::Digest;

/// Changes records, or refuses to with the time after which it may be tried again.
pub(crate) type Change<'a> = dyn Fn(&mut [Record]) -> Result<(), Duration> + Send + Sync + 'a;

/// Keeps records by the digest of what they are about.
#[async_trait]
pub(crate) trait Counts: Send + Sync {
    /// The records under these keys, in their order.
    async fn read(&self, keys: &[Digest]) -> Result<Vec<Record>, StoreError>;

    /// Changes the records under these keys atomically: no other change comes in between, and if the change is refused none
    /// is written. An empty record is removed.
    async fn change(&self, keys: &[Digest], change: &Change<'_>) -> Result<Result<(), Duration>, StoreError>;

    /// [Corrects](Record::correct) what lies ahead, and removes what is over, and what is worth least where there are more records than `most`.
    async fn prune(&self, now: SystemTime, rules: &Rules, most: u64) -> Result<(), StoreError>;
}

/// The most records in memory: a hundred bytes each.
const MOST_IN_MEMORY: usize = 100_000;

/// Records of this process alone, which a restart forgets.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<HashMap<Digest, Record>>);

#[async_trait]
impl Counts for Memory {
    async fn read(&self, keys: &[Digest]) -> Result<Vec<Record>, StoreError> {
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(keys.iter().map(|key| records.get(key).copied().unwrap_or_default()).collect())
    }

    async fn change(&self, keys: &[Digest], change: &Change<'_>) -> Result<Result<(), Duration>, StoreError> {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed: Vec<Record> = keys.iter().map(|key| records.get(key).copied().unwrap_or_default()).collect();
        let outcome = change(&mut changed);
        if outcome.is_ok() {
            for (key, record) in keys.iter().zip(changed) {
                if record.is_empty() {
                    records.remove(key);
                } else {
                    records.insert(*key, record);
                }
            }
        }
        if records.len() > MOST_IN_MEMORY {
            // no record is younger than the one that was just written
            let now = records.values().map(|record| record.last).max().unwrap_or(SystemTime::UNIX_EPOCH);
            evict(&mut records, now, MOST_IN_MEMORY / 10 * 9);
        }
        Ok(outcome)
    }

    async fn prune(&self, now: SystemTime, rules: &Rules, most: u64) -> Result<(), StoreError> {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.values_mut().for_each(|record| record.correct(now));
        records.retain(|_, record| !record.is_over(now, rules));
        evict(&mut records, now, usize::try_from(most).unwrap_or(usize::MAX).min(MOST_IN_MEMORY));
        Ok(())
    }
}

fn evict(records: &mut HashMap<Digest, Record>, now: SystemTime, most: usize) {
    let surplus = records.len().saturating_sub(most);
    if surplus == 0 {
        return;
    }
    let mut worths: Vec<_> = records.iter().map(|(key, record)| (record.worth(now), *key)).collect();
    worths.sort_unstable();
    for (_, key) in worths.into_iter().take(surplus) {
        records.remove(&key);
    }
}
