use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;

/// What this process holds that is no part of a file, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the process has a status");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("it says what is resident");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[test]
fn full_cache_of_large_values_stays_below_its_bound() {
    let cache = sync::<u64, Arc<str>>(MIB).build();
    for key in 0..1_000 {
        cache.insert(key, "x".repeat(20_000).into());
    }
    cache.run_pending_tasks();
    assert!((1..=52).contains(&cache.entry_count()), "{} of 20 kB", cache.entry_count());
    assert!(cache.weighted_size() <= MIB, "{}", cache.weighted_size());
    cache.insert(0, "x".repeat(2_000_000).into());
    cache.run_pending_tasks();
    assert!(cache.get(&0).is_none(), "more than the whole bound is never held");
}

#[test]
fn full_cache_of_small_values_takes_no_more_memory_than_its_bound() {
    const BOUND: u64 = 32 * MIB;
    let cache = sync::<u64, u64>(BOUND).time_to_live(Duration::from_hours(1)).build();
    let before = resident();
    for key in 0..400_000 {
        cache.insert(key, key);
    }
    cache.run_pending_tasks();
    let grown = resident() - before;
    assert!(cache.weighted_size() > BOUND / 10 * 9, "it is full: {}", cache.weighted_size());
    assert!(grown < BOUND + 4 * MIB, "{grown} bytes for {} entries", cache.entry_count());
}

#[test]
fn allocations_are_counted_at_every_depth() {
    let texts = vec!["x".repeat(100); 3];
    assert_eq!(texts.heap_size(), 3 * (24 + 100));
    assert_eq!(Arc::new(Some(texts.clone())).heap_size(), 16 + 24 + texts.heap_size());
    assert_eq!(Arc::<[String]>::from(texts).heap_size(), 16 + 3 * (24 + 100));
    let map: BTreeMap<String, String> = BTreeMap::from([("k".repeat(10), "v".repeat(20))]);
    assert!(map.heap_size() >= 30 + 11 * 48, "a node has room for eleven");
    assert_eq!(BTreeMap::<String, String>::new().heap_size(), 0);
}

#[test]
fn lookups_are_counted_by_what_they_found() {
    let (cache, lookups) = (sync::<u64, u64>(MIB).build(), Lookups::default());
    assert_eq!(lookups.counted(cache.get(&1)), None);
    cache.insert(1, 7);
    assert_eq!(lookups.clone().counted(cache.get(&1)), Some(7));
    assert_eq!((lookups.hits(), lookups.misses()), (1, 1));
}
