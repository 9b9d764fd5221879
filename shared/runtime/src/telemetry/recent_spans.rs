//! The spans of this process that ended lately, by name: for debug pages, where nothing collects spans.

mod recording;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

pub(super) use recording::RecentSpansLayer;

/// How many names are kept. The one that has not occurred for the longest time makes room for another one: clients can make up
/// names of gRPC methods.
const MAX_NAMES: usize = 128;
/// How many spans of a name are kept: the latest ones, those that took longest, and the latest ones that failed.
const MAX_SPANS: usize = 8;

/// Spans that ended lately. Clones share them. They take a few MiB at most.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecentSpans(Arc<Mutex<Spans>>);

#[derive(Debug, Default)]
struct Spans {
    /// How many have ended.
    ended: u64,
    by_name: HashMap<Arc<str>, OfName>,
}

#[derive(Debug, Default)]
struct OfName {
    /// The number of the last one.
    last: u64,
    count: u64,
    failures: u64,
    recent: VecDeque<Arc<EndedSpan>>,
    /// The longest first.
    slow: Vec<Arc<EndedSpan>>,
    failed: VecDeque<Arc<EndedSpan>>,
}

/// A span that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndedSpan {
    pub(crate) name: Arc<str>,
    pub(crate) started: SystemTime,
    pub(crate) took: Duration,
    pub(crate) has_failed: bool,
    /// The name of the span that it is part of.
    pub(crate) parent: Option<Arc<str>>,
    /// The request that it is part of.
    pub(crate) request_id: Option<Arc<str>>,
    /// What is known of it: the attributes that a collector gets.
    pub(crate) fields: Vec<(&'static str, String)>,
}

/// The spans of one name.
#[derive(Clone, Debug)]
pub(crate) struct NamedSpans {
    pub(crate) name: Arc<str>,
    /// How many have ended while the name was kept.
    pub(crate) count: u64,
    pub(crate) failures: u64,
    /// The latest first.
    pub(crate) recent: Vec<Arc<EndedSpan>>,
    /// The longest first.
    pub(crate) slow: Vec<Arc<EndedSpan>>,
    /// The latest first.
    pub(crate) failed: Vec<Arc<EndedSpan>>,
}

impl RecentSpans {
    /// All names in order, with their spans.
    pub(crate) fn all(&self) -> Vec<NamedSpans> {
        let mut all: Vec<_> = self.lock().by_name.iter().map(|(name, spans)| spans.named(name)).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// The spans of this name, if there are any.
    pub(crate) fn of(&self, name: &str) -> Option<NamedSpans> {
        self.lock().by_name.get_key_value(name).map(|(name, spans)| spans.named(name))
    }

    /// Adds a span that has ended.
    pub(crate) fn add(&self, span: EndedSpan) {
        let mut spans = self.lock();
        spans.ended += 1;
        let number = spans.ended;
        if !spans.by_name.contains_key(&span.name) {
            spans.make_room();
        }
        let of_name = spans.by_name.entry(Arc::clone(&span.name)).or_default();
        of_name.last = number;
        of_name.add(&Arc::new(span));
    }

    fn lock(&self) -> MutexGuard<'_, Spans> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spans {
    fn make_room(&mut self) {
        if self.by_name.len() < MAX_NAMES {
            return;
        }
        let oldest = self.by_name.iter().min_by_key(|(_, spans)| spans.last).map(|(name, _)| Arc::clone(name));
        if let Some(oldest) = oldest {
            self.by_name.remove(&oldest);
        }
    }
}

impl OfName {
    fn add(&mut self, span: &Arc<EndedSpan>) {
        self.count += 1;
        if span.has_failed {
            self.failures += 1;
            push(&mut self.failed, span);
        }
        let place = self.slow.partition_point(|slower| slower.took >= span.took);
        if place < MAX_SPANS {
            self.slow.insert(place, Arc::clone(span));
            self.slow.truncate(MAX_SPANS);
        }
        push(&mut self.recent, span);
    }

    fn named(&self, name: &Arc<str>) -> NamedSpans {
        let latest_first = |spans: &VecDeque<Arc<EndedSpan>>| spans.iter().rev().cloned().collect();
        NamedSpans {
            name: Arc::clone(name),
            count: self.count,
            failures: self.failures,
            recent: latest_first(&self.recent),
            slow: self.slow.clone(),
            failed: latest_first(&self.failed),
        }
    }
}

fn push(spans: &mut VecDeque<Arc<EndedSpan>>, span: &Arc<EndedSpan>) {
    if spans.len() == MAX_SPANS {
        spans.pop_front();
    }
    spans.push_back(Arc::clone(span));
}
