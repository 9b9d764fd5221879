//! How often a cache had what was looked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the lookups of a cache. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Lookups(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Lookups {
    /// Counts a lookup by what it found, and returns that.
    pub fn counted<T>(&self, found: Option<T>) -> Option<T> {
        let count = if found.is_some() { &self.0.hits } else { &self.0.misses };
        count.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// How many lookups found something.
    pub fn hits(&self) -> u64 {
        self.0.hits.load(Ordering::Relaxed)
    }

    /// How many found nothing.
    pub fn misses(&self) -> u64 {
        self.0.misses.load(Ordering::Relaxed)
    }
}
