#![doc = include_str!("../README.md")]

mod heap_size;
mod lookups;

use std::hash::Hash;

use moka::{future, sync};

pub use heap_size::{ARC, HeapSize, tree_size};
pub use lookups::Lookups;

/// One mebibyte, in which bounds are written.
pub const MIB: u64 = 1024 * 1024;

/// What the cache allocates for an entry in addition to key and value, in bytes: counters of the shared key and value, the
/// place in the table, times, and the places in the orders of access and of writing.
const ENTRY: usize = 320;

/// Begins a cache of this many bytes for use without a runtime.
pub fn sync<K, V>(bytes: u64) -> sync::CacheBuilder<K, V, sync::Cache<K, V>>
where
    K: HeapSize + Eq + Hash + Send + Sync + 'static,
    V: HeapSize + Clone + Send + Sync + 'static,
{
    sync::Cache::builder().max_capacity(bytes).weigher(weight)
}

/// Begins a cache of this many bytes whose values are made by futures.
pub fn future<K, V>(bytes: u64) -> future::CacheBuilder<K, V, future::Cache<K, V>>
where
    K: HeapSize + Eq + Hash + Send + Sync + 'static,
    V: HeapSize + Clone + Send + Sync + 'static,
{
    future::Cache::builder().max_capacity(bytes).weigher(weight)
}

/// What an entry takes, in bytes.
pub fn weight<K: HeapSize, V: HeapSize>(key: &K, value: &V) -> u32 {
    let bytes = ENTRY + size_of::<K>() + size_of::<V>() + key.heap_size() + value.heap_size();
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
