//! What values have allocated.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use uuid::Uuid;

/// The two counters that an `Arc` allocates before its value, in bytes.
pub const ARC: usize = 16;
/// How many entries a node of a [`BTreeMap`] has room for, and how many it holds at least if it is not the only one.
const NODE: (usize, usize) = (11, 5);

/// Tells how many bytes a value has allocated outside of itself.
pub trait HeapSize {
    /// The bytes, without `size_of` the value itself; nothing unless it says otherwise.
    fn heap_size(&self) -> usize {
        0
    }
}

/// What the nodes of a [`BTreeMap`] of this many entries take, in bytes.
pub fn tree_size<K, V>(entries: usize) -> usize {
    let (most, least) = NODE;
    let nodes = if entries <= most { entries.min(1) } else { entries.div_ceil(least) };
    nodes * (2 * size_of::<usize>() + most * (size_of::<K>() + size_of::<V>()))
}

impl HeapSize for () {}
impl HeapSize for bool {}
impl HeapSize for u8 {}
impl HeapSize for u32 {}
impl HeapSize for u64 {}
impl HeapSize for Duration {}
impl HeapSize for Instant {}
impl HeapSize for IpAddr {}
impl HeapSize for SystemTime {}
impl HeapSize for Uuid {}
impl<const N: usize> HeapSize for [u8; N] {}

impl HeapSize for String {
    fn heap_size(&self) -> usize {
        self.capacity()
    }
}

impl HeapSize for Arc<str> {
    fn heap_size(&self) -> usize {
        ARC + self.len()
    }
}

impl HeapSize for Cow<'static, str> {
    fn heap_size(&self) -> usize {
        match self {
            Self::Borrowed(_) => 0,
            Self::Owned(text) => text.heap_size(),
        }
    }
}

impl<T: HeapSize> HeapSize for Vec<T> {
    fn heap_size(&self) -> usize {
        self.capacity() * size_of::<T>() + self.iter().map(T::heap_size).sum::<usize>()
    }
}

impl<T: HeapSize> HeapSize for Arc<[T]> {
    fn heap_size(&self) -> usize {
        ARC + size_of_val(&**self) + self.iter().map(T::heap_size).sum::<usize>()
    }
}

impl<T: HeapSize> HeapSize for Arc<T> {
    fn heap_size(&self) -> usize {
        ARC + size_of::<T>() + T::heap_size(self)
    }
}

impl<T: HeapSize> HeapSize for Mutex<T> {
    fn heap_size(&self) -> usize {
        self.lock().unwrap_or_else(PoisonError::into_inner).heap_size()
    }
}

impl<T: HeapSize> HeapSize for Option<T> {
    fn heap_size(&self) -> usize {
        self.as_ref().map_or(0, T::heap_size)
    }
}

impl<A: HeapSize, B: HeapSize> HeapSize for (A, B) {
    fn heap_size(&self) -> usize {
        self.0.heap_size() + self.1.heap_size()
    }
}

impl<K: HeapSize, V: HeapSize> HeapSize for BTreeMap<K, V> {
    fn heap_size(&self) -> usize {
        tree_size::<K, V>(self.len())
            + self.iter().map(|(key, value)| key.heap_size() + value.heap_size()).sum::<usize>()
    }
}
